"""The stand-in as a Flask application, behind its guard."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request, send_from_directory
from werkzeug.exceptions import HTTPException

from . import browser, guard, management, session_api
from .config import Config
from .errors import DescopeError
from .flows import pages
from .oidc import protocol
from .oidc.server import clients
from .parts import EXTENSION, Parts, parts
from .seed import seed
from .store import Store

LARGEST_FORM = 64 * 1024
LARGEST_CALL = 8_000_000
#: The origin in an approved address, with the name of its host if it has one and no number.
ORIGIN = re.compile(
    r"(?P<scheme>https?://)(?:(?P<name>[a-z][a-z0-9.-]*)|[0-9.]+|\[[0-9a-f:.]+\])(?P<port>:\d+)?(?=/|$)"
)
COOKIE_SECONDS = 28 * 24 * 3600


def create_app(config: Config) -> Flask:
    """The application; opens the store and reads the flow.

    Raises:
        FlowError: the flow file cannot be run.
    """
    store = Store(config.state)
    seed(store, config)
    app = Flask(__name__, static_folder="assets", static_url_path=f"{config.prefix}assets")
    app.extensions[EXTENSION] = Parts(config=config, store=store)
    app.config.update(
        SECRET_KEY=store.secret("cookie"),
        MAX_CONTENT_LENGTH=LARGEST_CALL,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        # Cookies are shared by all ports of a host: two stand-ins on one machine stay apart.
        SESSION_COOKIE_NAME=f"local-descope-{urlsplit(config.url).port or 80}",
        # A waiting tab asks every second; its answers must not put back the cookie of before the
        # other tab signed in.
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_PATH=config.prefix,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=COOKIE_SECONDS,
    )
    app.jinja_env.globals.update(
        form_token=browser.form_token, ahead=config.ahead, brand=config.brand
    )
    prefix = config.prefix.rstrip("/")
    for part in (protocol, pages, management, session_api):
        app.register_blueprint(part.blueprint, url_prefix=prefix)
    app.add_url_rule(f"{prefix}/static/<path:name>", "look", _look)
    app.register_error_handler(HTTPException, _failed)
    app.register_error_handler(DescopeError, lambda error: error.response())
    guard.attach(app, config)
    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _content_policy()
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Not no-referrer: with it browsers send `Origin: null` with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint not in {"static", "look"}:
        response.headers["Cache-Control"] = "no-store"
    return response


def _content_policy() -> str:
    """Everything from here; forms may also end at a client, whose redirects browsers follow
    under this rule up to the person's own server on a name below the client's."""
    targets: list[str] = []
    for address in [each for client in clients() for each in client.redirects]:
        found = ORIGIN.match(address)
        if found and found["name"]:
            targets += [found[0], f"{found['scheme']}*.{found['name']}{found['port'] or ''}"]
        elif found:
            targets.append(found[0])
    allowed = " ".join(["'self'", *dict.fromkeys(targets)])
    config = parts().config
    ahead = ORIGIN.match(config.ahead)
    known = f"'self' {ahead[0]}" if ahead else "'self'"
    digest = base64.b64encode(hashlib.sha256(config.brand.css.encode()).digest()).decode()
    return (
        f"default-src {known}; style-src {known} 'sha256-{digest}'; img-src {known} data:;"
        f" form-action {allowed};"
        " base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


def _look(name: str) -> Response:
    """The common sheet of tokens. It lies in `dashboards`, which is found and not imported."""
    found = importlib.util.find_spec("dashboards")
    folder = next(iter((found and found.submodule_search_locations) or []), "")
    return send_from_directory(Path(folder, "static"), name)


def _failed(error: HTTPException) -> Response:
    """An error on a page, or for a program in Descope's shape."""
    code = error.code or 500
    if guard.is_call(request.path.removeprefix(parts().config.prefix.rstrip("/"))):
        return DescopeError("E011002", error.description or "").response(status=code)
    titles = {404: "There is no such page", 400: "This did not work"}
    known = code == 400 and error.description
    title = titles.get(code, "Something went wrong")
    return browser.said(title, known or "Go back, or start again.", code)
