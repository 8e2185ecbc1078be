"""Descope's OpenID Connect endpoints, at Descope's own paths."""

from __future__ import annotations

from typing import Any

from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from .. import browser
from ..errors import NotLetIn
from ..flows import runner
from ..flows.flow import FlowError
from ..models import Run, Session
from ..parts import parts
from . import back_channel, keys
from .claims import SCOPES
from .keys import ALGORITHM
from .server import AUTH_METHODS, clients, server, stored_request

__all__ = ["back_channel", "blueprint"]

blueprint = Blueprint("protocol", __name__)

#: What of an authorization request is kept while its person signs in.
KEPT = frozenset(
    {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt"),
        *("code_challenge", "code_challenge_method", "login_hint", "loginHint", "tenant", "flow"),
    }
)
LONGEST_PARAMETER = 4096


@blueprint.get("/<project>/.well-known/openid-configuration")
@blueprint.get("/<project>/<application>/.well-known/openid-configuration")
def discovery(project: str, application: str = "") -> dict[str, Any]:
    _check_project(project)
    url = parts().config.url
    issuer = f"{url}/{project}/{application}".rstrip("/")
    if issuer not in {client.issuer for client in clients()}:
        abort(404)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{url}/oauth2/v1/authorize",
        "token_endpoint": f"{url}/oauth2/v1/token",
        "userinfo_endpoint": f"{url}/oauth2/v1/userinfo",
        "revocation_endpoint": f"{url}/oauth2/v1/revoke",
        "end_session_endpoint": f"{url}/oauth2/v1/logout",
        "jwks_uri": f"{url}/{project}/.well-known/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            *("iss", "aud", "iat", "exp", "sub", "sid", "amr", "auth_time", "nonce"),
            *("email", "email_verified", "name", "tenants", "roles", "permissions"),
        ],
        "prompt_values_supported": ["none", "login"],
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


@blueprint.get("/<project>/.well-known/jwks.json")
@blueprint.get("/v2/keys/<project>")
def jwks(project: str) -> dict[str, Any]:
    _check_project(project)
    return keys.jwks()


@blueprint.route("/oauth2/v1/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    """Send a signed-in browser straight back with a code, any other through the flow."""
    who = browser.signed_in()
    try:
        grant = server.get_consent_grant(end_user=who)
    except (OAuth2Error, ValueError) as error:
        return _refused(error, 401)
    if who and grant.prompt != "login":
        return server.create_authorization_response(
            request=grant.request, grant_user=who, grant=grant
        )
    kept = {k: v for k, v in request.values.items() if k in KEPT and len(v) <= LONGEST_PARAMETER}
    try:
        run = runner.begin(kept, browser.browser_id())
    except (FlowError, NotLetIn) as error:
        return browser.said("This sign-in cannot begin", str(error))
    page = "leave" if run.waits_at else "flow"  # some flows begin at a company's provider
    return redirect(f"{parts().config.prefix}login/{page}/{run.id}", code=303)


def answer_run(run: Run, who: Session) -> AnyResponse:
    """Send a browser whose run has signed in back to the client, with a code and its state."""
    try:
        grant = server.get_consent_grant(stored_request(run.request), end_user=who)
    except (OAuth2Error, ValueError) as error:
        return _refused(error)
    return server.create_authorization_response(request=grant.request, grant_user=who, grant=grant)


@blueprint.post("/oauth2/v1/token")
def token() -> Response:
    return server.create_token_response()


@blueprint.route("/oauth2/v1/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    return server.create_endpoint_response("userinfo")


@blueprint.post("/oauth2/v1/revoke")
def revoke() -> Response:
    return server.create_endpoint_response("revocation")


@blueprint.route("/oauth2/v1/logout", methods=["GET", "POST"])
def logout() -> AnyResponse | str:
    """End this browser's session at once for a client that shows whose, else after a question."""
    try:
        ending: Any = server.validate_endpoint_request("end_session")
    except (OAuth2Error, ValueError) as error:
        return _refused(error)
    who = browser.signed_in()
    hint = (ending.id_token_claims or {}).get("sub")
    if who and hint != who.user_id:
        if "form_token" not in request.form:
            return render_template("sign_out.html", asked=request.values.to_dict())
        browser.check_form_token()
    answer = server.create_endpoint_response("end_session", ending)
    return answer or browser.said("You are signed out", "To go on, sign in again.", 200, "Sign in")


@blueprint.errorhandler(ValueError)
def unreadable(_error: ValueError) -> tuple[dict[str, str], int]:
    """Authlib repeats what was sent in its error text, and raises when that may not be repeated."""
    return {"error": "invalid_request", "error_description": "The request cannot be read."}, 400


def _check_project(project: str) -> None:
    if project != parts().config.project_id:
        abort(404)


def _refused(error: OAuth2Error | ValueError, status: int = 400) -> AnyResponse:
    """Send an error to the client where its address is known good, else say it on a page.

    Descope answers an address that is not approved with 401 and E061004, and no redirect.
    """
    if isinstance(error, OAuth2Error) and error.redirect_uri:
        return server.handle_error_response(None, error)
    description = error.description if isinstance(error, OAuth2Error) else ""
    text = f"What sent you here asked for something that is not set up. {description or ''}"
    return browser.said("This request cannot be answered", f"{text} (E061004)", status)
