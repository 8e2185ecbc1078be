"""The stand-in as a Flask application, behind its guard."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request, send_from_directory
from werkzeug.exceptions import HTTPException

from . import browser, pages, protocol
from .actions import ACTIONS
from .config import Config, host_of
from .flow import load_flow
from .guard import REFUSAL, is_own_request
from .keys import SigningKey, cookie_key
from .mail import Outbox
from .parts import EXTENSION, Parts, parts
from .runner import Runner
from .screens import COMPONENTS
from .server import Server
from .store import Store


def create_app(config: Config) -> Flask:
    """The application; opens the store and reads the flow.

    Raises:
        FlowError: the flow file cannot be run.
    """
    flow = load_flow(config.flow, ACTIONS, COMPONENTS)
    store = Store(config.state)
    outbox = Outbox(store, f"{config.url}/login/link", config.link_seconds, config.mail_limit)
    app = Flask(__name__, static_folder="assets", static_url_path=f"{config.prefix}assets")
    app.extensions[EXTENSION] = Parts(
        config=config,
        store=store,
        server=Server(config, store, SigningKey(config.state)),
        outbox=outbox,
        runner=Runner(flow, ACTIONS, store, outbox),
    )
    app.config.update(
        SECRET_KEY=cookie_key(config.state),
        MAX_CONTENT_LENGTH=64 * 1024,
        # Cookies are shared by all ports of a host: two stand-ins on one machine stay apart.
        SESSION_COOKIE_NAME=f"local-descope-{urlsplit(config.url).port or 80}",
        # A waiting tab asks every second; its answers must not put back the cookie of before the
        # other tab signed in.
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_PATH=config.prefix,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=browser.SESSION_SECONDS,
    )
    app.jinja_env.globals.update(form_token=browser.form_token)
    prefix = config.prefix.rstrip("/")
    app.register_blueprint(protocol.blueprint, url_prefix=prefix)
    app.register_blueprint(pages.blueprint, url_prefix=prefix)
    app.add_url_rule(f"{prefix}/static/<path:name>", "look", _look)
    app.register_error_handler(HTTPException, _failed)
    _guard(app, config)
    return app


def _guard(app: Flask, config: Config) -> None:
    policy = _content_policy(config)

    @app.before_request
    def refuse() -> Response | None:
        if is_own_request(request.headers, config):
            return None
        return Response(REFUSAL, status=403, mimetype="text/plain")

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not no-referrer: with it browsers send `Origin: null` with our own forms.
        response.headers["Referrer-Policy"] = "same-origin"
        if request.endpoint not in {"static", "look"}:
            response.headers["Cache-Control"] = "no-store"
        return response


def _content_policy(config: Config) -> str:
    """Everything from here; forms may also end at the client, whose redirects browsers follow
    under this rule up to the person's own server on a name below the client's."""
    targets: list[str] = []
    for address in config.redirects:
        host = host_of(address)
        names = [host] if host[0].isdigit() or host[0] == "[" else [host, f"*.{host}"]
        targets += [f"{urlsplit(address).scheme}://{name}" for name in names]
    allowed = " ".join(["'self'", *dict.fromkeys(targets)])
    return (
        f"default-src 'self'; img-src 'self' data:; form-action {allowed};"
        " base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


def _look(name: str) -> Response:
    """The common sheet of tokens. It lies in `dashboards`, which is found and not imported."""
    found = importlib.util.find_spec("dashboards")
    folder = next(iter((found and found.submodule_search_locations) or []), "")
    return send_from_directory(Path(folder, "static"), name)


def _failed(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    titles = {404: "There is no such page", 400: "This did not work"}
    known = code == 400 and error.description
    page = render_template(
        "message.html",
        title=titles.get(code, "Something went wrong"),
        text=known or "Go back, or start again.",
        action="Start again",
        address=parts().config.start_url,
    )
    return page, code
