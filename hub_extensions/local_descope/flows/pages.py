"""The pages that people see: the flow's screens, the outbox, the accounts, and a local provider."""

from __future__ import annotations

import time

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .. import browser
from ..errors import NotLetIn
from ..models import Run
from ..oidc.claims import authority
from ..oidc.protocol import answer_run
from ..parts import parts, transaction
from ..records import Tenant, User
from . import mail, runner, screens
from .flow import FlowError
from .mail import LinkRefused
from .people import claim_names, domain_of
from .upstream import Upstream, upstream_asked

blueprint = Blueprint("pages", __name__)
Page = Response | str

REFUSED_LINKS = {
    "spent": ("This link has been used", "A link works once. Start again to get a new one."),
    "expired": ("This link is too old", "A link works for a short time only."),
    "unknown": ("This link is not known here", "It may be incomplete. Copy all of it."),
}
for name in ("filled", "longest", "web_address"):
    blueprint.add_app_template_filter(getattr(screens, name), name)


@blueprint.get("/")
def index() -> str:
    with transaction() as db:
        users = sorted(db.records(User), key=lambda user: (user.createdTime, user.email))
        known = [(user, authority(db, (), user.userTenants)["tenants"]) for user in users]
        tenants = db.records(Tenant)
    return render_template("index.html", users=known, tenants=tenants)


@blueprint.get("/outbox")
def outbox() -> str:
    return _outbox("outbox.html")


@blueprint.get("/outbox/mails")
def new_mails() -> str:
    """The outbox's list alone, which the page fetches again and again."""
    return _outbox("_mails.html")


def _outbox(template: str) -> str:
    address = f"{parts().config.url}/login/link"
    return render_template(template, links=mail.links(), address=address)


@blueprint.get("/login/flow/<run_id>")
def screen(run_id: str) -> Page:
    """The screen that a run stands at."""
    run = _live(runner.run_of(browser.browser_id(), run_id))
    if not run.task:
        abort(_gone())
    shown, waits = runner.screen_of(run)
    if run.signed_in_at and waits:
        runner.answer(run, "polling", {})
        shown, waits = runner.screen_of(run)
    return render_template("screen.html", run=run, nodes=list(shown.shown()), waits=waits)


@blueprint.post("/login/flow/<run_id>")
def press(run_id: str) -> Page:
    """A button of the screen was pressed."""
    browser.check_form_token()
    run = _live(runner.run_of(browser.browser_id(), run_id))
    # A form of an earlier screen, kept by the browser's Back: show where the run stands instead.
    if request.form.get("task") == run.task:
        pressed = request.form.get("interaction", "")
        # Nobody presses that one: the page goes on by itself when the link was opened.
        runner.answer(run, "" if pressed == "polling" else pressed, request.form)
    return _next(run)


@blueprint.get("/login/flow/<run_id>/poll")
def poll(run_id: str) -> Response:
    """Whether the waiting tab has something new to show."""
    run = runner.run_of(browser.browser_id(), run_id)
    return jsonify(done=run is None or run.signed_in_at is not None)


@blueprint.get("/login/link")
def link() -> Page:
    """A magic link was opened: go on in this tab. A link is spent by GET, as with Descope."""
    if request.method == "HEAD":
        return ""
    try:
        run = runner.open_link(browser.browser_id(), request.args.get("t", ""))
    except LinkRefused as refused:
        return browser.said(*REFUSED_LINKS[str(refused)])
    return _next(run)


@blueprint.get("/login/leave/<run_id>")
def leave(run_id: str) -> Page:
    """Off to a provider, by a page of its own: a form may only be answered from here."""
    run = _live(runner.run_of(browser.browser_id(), run_id))
    title = _upstream(run).title
    return render_template("leave.html", title=title, address=run.context["leave_to"])


@blueprint.get("/v1/oauth/callback")
def callback() -> Page:
    """A provider behind this one has answered."""
    run = _live(runner.run_asked(browser.browser_id(), request.args.get("state", "")))
    if _upstream(run).is_local:
        abort(_gone())
    runner.go_on(run)
    return _next(run)


@blueprint.route("/login/provider/<run_id>", methods=["GET", "POST"])
def provider(run_id: str) -> Page:
    """A provider that the stand-in plays itself: whoever comes picks who they are."""
    run = _live(runner.run_of(browser.browser_id(), run_id))
    upstream = _upstream(run)
    if not upstream.is_local:
        abort(_gone())
    email = request.form.get("email", "").strip().lower()
    if request.method == "POST":
        browser.check_form_token()
    if request.method == "GET" or not screens.is_email(email):
        with transaction() as db:
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
    runner.go_on(run, told=told)
    return _next(run)


@blueprint.errorhandler(FlowError)
def lost(error: FlowError) -> Response:
    return browser.said("This step leads nowhere", str(error))


@blueprint.errorhandler(NotLetIn)
def refused(problem: NotLetIn) -> Response:
    """An action failed where there is no screen yet to say it on."""
    return browser.said("You cannot sign in", str(problem), 403)


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


def _live(run: Run | None) -> Run:
    """A run that can go on; any other ends the request."""
    if run is None:
        abort(_gone())
    if run.user_id and run.signed_in_at:
        abort(browser.said("You are signed in", "This sign-in is done.", 200, "Go on"))
    return run


def _upstream(run: Run) -> Upstream:
    return upstream_asked(run) or abort(_gone())


def _gone() -> Response:
    text = "It was begun too long ago, or in another browser."
    return browser.said("This sign-in is over", text, 410)
