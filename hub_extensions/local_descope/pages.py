"""The pages that people see: the flow's screens, the outbox, and who the accounts are."""

from __future__ import annotations

import time

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from . import browser
from .flow import FlowError
from .mail import LinkRefused
from .models import Run
from .parts import parts
from .protocol import answer_run
from .runner import ActionProblem
from .screens import draw

blueprint = Blueprint("pages", __name__)
Page = Response | str | tuple[str, int]

REFUSED_LINKS = {
    "spent": ("This link has been used", "A link works once. Start again to get a new one."),
    "expired": ("This link is too old", "A link works for a short time only."),
    "unknown": ("This link is not known here", "It may be incomplete. Copy all of it."),
}


@blueprint.get("/")
def index() -> str:
    return render_template("index.html", users=parts().store.users())


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
    if run is None:
        return _gone()
    if run.user_id and run.signed_in_at:
        return _over()
    if run.signed_in_at and parts().runner.waits_for_link(run):
        parts().runner.answer(run, "polling", {})
    return _drawn(run)


@blueprint.post("/login/flow/<run_id>")
def press(run_id: str) -> Page | Response:
    """A button of the screen was pressed."""
    browser.check_form_token()
    run = parts().runner.run(run_id, browser.browser_id())
    if run is None:
        return _gone()
    if run.user_id and run.signed_in_at:
        return _over()
    # A form of an earlier screen, kept by the browser's Back: show where the run stands instead.
    if request.form.get("task") == run.task:
        parts().runner.answer(run, request.form.get("interaction", ""), request.form)
    if run.user_id and run.signed_in_at:
        return _finished(run)
    return redirect(url_for("pages.screen", run_id=run.id), code=303)


@blueprint.get("/login/flow/<run_id>/poll")
def poll(run_id: str) -> Response:
    """Whether the waiting tab has something new to show."""
    run = parts().runner.run(run_id, browser.browser_id())
    return jsonify(done=run is None or run.signed_in_at is not None)


@blueprint.get("/login/link")
def link() -> Page | Response:
    """A magic link was opened: go on in this tab. A link is spent by GET, as with Descope."""
    if request.method == "HEAD":
        return ""
    try:
        run = parts().runner.open_link(request.args.get("t", ""), browser.browser_id())
    except LinkRefused as refused:
        return _message(*REFUSED_LINKS[refused.reason]), 400
    except ActionProblem as problem:
        return _message("You cannot sign in", str(problem)), 403
    if run.signed_in_at:
        return _finished(run)
    return redirect(url_for("pages.screen", run_id=run.id), code=303)


@blueprint.errorhandler(FlowError)
def lost(error: FlowError) -> tuple[str, int]:
    return _message("This step leads nowhere", str(error)), 400


@blueprint.app_template_filter("clock")
def clock(seconds: int) -> str:
    """The time of day: the reader sits at this very machine."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _finished(run: Run) -> Page | Response:
    assert run.user_id is not None, "a run that has signed in knows who"
    return answer_run(run, browser.sign_in(run.user_id))


def _drawn(run: Run) -> str:
    runner = parts().runner
    return render_template(
        "screen.html",
        run=run,
        parts=draw(runner.screen(run), run.context),
        problems=run.context.get("problems", {}),
        error=run.context.get("error", ""),
        waits=runner.waits_for_link(run),
    )


def _message(title: str, text: str, action: str = "Start again") -> str:
    address = parts().config.start_url
    return render_template("message.html", title=title, text=text, action=action, address=address)


def _gone() -> tuple[str, int]:
    text = "It was begun too long ago, or in another browser."
    return _message("This sign-in is over", text), 410


def _over() -> str:
    return _message("You are signed in", "This sign-in is done.", "Go on")
