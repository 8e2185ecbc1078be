"""The pages that people see: the flow's screens, the outbox, the accounts, and a local provider."""

from __future__ import annotations

import time

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..models import Run
from ..oidc.claims import roles_in
from ..oidc.protocol import answer_run
from ..parts import parts
from ..records import Tenant, User
from . import browser, screens
from .flow import FlowError
from .mail import LinkRefused
from .people import claim_names, domain_of
from .runner import ActionProblem
from .upstream import upstream_asked

blueprint = Blueprint("pages", __name__)
Page = Response | str | tuple[str, int]

REFUSED_LINKS = {
    "spent": ("This link has been used", "A link works once. Start again to get a new one."),
    "expired": ("This link is too old", "A link works for a short time only."),
    "unknown": ("This link is not known here", "It may be incomplete. Copy all of it."),
}
for name in ("filled", "longest", "web_address"):
    blueprint.add_app_template_filter(getattr(screens, name), name)


@blueprint.get("/")
def index() -> str:
    with parts().store.begin() as db:
        users = sorted(db.records(User), key=lambda user: (user.createdTime, user.email))
        known = [
            (user, {p.tenantId: roles_in(db, user, p.tenantId) for p in user.userTenants})
            for user in users
        ]
        tenants = db.records(Tenant)
    return render_template("index.html", users=known, tenants=tenants)


@blueprint.get("/outbox")
def outbox() -> str:
    return render_template("outbox.html", mails=parts().outbox.mails())


@blueprint.get("/outbox/mails")
def mails() -> str:
    """The outbox's list alone, which the page fetches again and again."""
    return render_template("_mails.html", mails=parts().outbox.mails())


@blueprint.get("/login/flow/<run_id>")
def screen(run_id: str) -> Page:
    """The screen that a run stands at."""
    run = parts().runner.run(run_id, browser.browser_id())
    if run is None or not run.task:
        return _gone()
    if run.user_id and run.signed_in_at:
        return _over()
    if run.signed_in_at and parts().runner.waits_for_link(run):
        parts().runner.answer(run, "polling", {})
    return _drawn(run)


@blueprint.post("/login/flow/<run_id>")
def press(run_id: str) -> Page:
    """A button of the screen was pressed."""
    browser.check_form_token()
    run = parts().runner.run(run_id, browser.browser_id())
    if run is None or not run.task:
        return _gone()
    if run.user_id and run.signed_in_at:
        return _over()
    # A form of an earlier screen, kept by the browser's Back: show where the run stands instead.
    if request.form.get("task") == run.task:
        pressed = request.form.get("interaction", "")
        # Nobody presses that one: the page goes on by itself when the link was opened.
        parts().runner.answer(run, "" if pressed == "polling" else pressed, request.form)
    return _next(run)


@blueprint.get("/login/flow/<run_id>/poll")
def poll(run_id: str) -> Response:
    """Whether the waiting tab has something new to show."""
    run = parts().runner.run(run_id, browser.browser_id())
    return jsonify(done=run is None or run.signed_in_at is not None)


@blueprint.get("/login/link")
def link() -> Page:
    """A magic link was opened: go on in this tab. A link is spent by GET, as with Descope."""
    if request.method == "HEAD":
        return ""
    try:
        run = parts().runner.open_link(request.args.get("t", ""), browser.browser_id())
    except LinkRefused as refused:
        return _message(*REFUSED_LINKS[refused.reason]), 400
    return _next(run)


@blueprint.get("/login/leave/<run_id>")
def leave(run_id: str) -> Page:
    """Off to a provider, by a page of its own: a form may only be answered from here."""
    run = parts().runner.run(run_id, browser.browser_id())
    upstream = run and upstream_asked(parts().store, run)
    if run is None or upstream is None:
        return _gone()
    return render_template("leave.html", title=upstream.title, address=run.context["leave_to"])


@blueprint.get("/v1/oauth/callback")
def callback() -> Page:
    """A provider behind this one has answered."""
    run = parts().runner.asked(request.args.get("state", ""), browser.browser_id())
    upstream = run and upstream_asked(parts().store, run)
    if run is None or upstream is None or upstream.is_local:
        return _gone()
    parts().runner.go_on(run)
    return _next(run)


@blueprint.route("/login/provider/<run_id>", methods=["GET", "POST"])
def provider(run_id: str) -> Page:
    """A provider that the stand-in plays itself: whoever comes picks who they are."""
    run = parts().runner.run(run_id, browser.browser_id())
    upstream = run and upstream_asked(parts().store, run)
    if run is None or upstream is None or not upstream.is_local:
        return _gone()
    email = request.form.get("email", "").strip().lower()
    if request.method == "POST":
        browser.check_form_token()
    if request.method == "GET" or not screens.is_email(email):
        with parts().store.begin() as db:
            known = [user for user in db.records(User) if user.verifiedEmail]
        people = [
            u for u in known if not upstream.domains or domain_of(u.email) in upstream.domains
        ]
        people.sort(key=lambda user: user.email)
        problem = request.method == "POST"
        return render_template(
            "provider.html", upstream=upstream, people=people, email=email, problem=problem
        )
    names = claim_names(upstream.mapping)
    groups = [name.strip() for name in request.form.get("groups", "").split(",") if name.strip()]
    told = {
        names["loginId"]: email,
        names["email"]: email,
        names["verifiedEmail"]: "unverified" not in request.form,
        names["name"]: request.form.get("name") or email.partition("@")[0].capitalize(),
        names["group"]: groups,
    }
    parts().runner.go_on(run, told=told)
    return _next(run)


@blueprint.errorhandler(FlowError)
def lost(error: FlowError) -> tuple[str, int]:
    return _message("This step leads nowhere", str(error)), 400


@blueprint.errorhandler(ActionProblem)
def refused(problem: ActionProblem) -> tuple[str, int]:
    """An action failed where there is no screen yet to say it on."""
    return _message("You cannot sign in", str(problem)), 403


@blueprint.app_template_filter("clock")
def clock(seconds: int) -> str:
    """The time of day: the reader sits at this very machine."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _next(run: Run) -> Page:
    """Where a run goes from here: to the client, to a provider, or to its next screen."""
    if run.user_id and run.signed_in_at:
        return answer_run(run, browser.sign_in(run.user_id, run.amr))
    page = "pages.leave" if run.waits_at else "pages.screen"
    return redirect(url_for(page, run_id=run.id), code=303)


def _drawn(run: Run) -> str:
    runner = parts().runner
    waits = runner.waits_for_link(run)
    nodes = list(runner.screen(run).shown())
    return render_template("screen.html", run=run, nodes=nodes, waits=waits)


def _message(title: str, text: str, action: str = "Start again") -> str:
    address = parts().config.start_url
    return render_template("message.html", title=title, text=text, action=action, address=address)


def _gone() -> tuple[str, int]:
    text = "It was begun too long ago, or in another browser."
    return _message("This sign-in is over", text), 410


def _over() -> str:
    return _message("You are signed in", "This sign-in is done.", "Go on")
