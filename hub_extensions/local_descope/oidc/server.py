"""The OpenID Connect server: Authlib's, with our clients, sessions and keys."""

from __future__ import annotations

import base64
from typing import Any

from authlib.consts import default_json_headers
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InvalidRequestError,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfoEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint, EndSessionRequest
from sqlalchemy import update

from .. import browser
from ..errors import CODES, OAUTH_CODES, DescopeError
from ..models import Code, Session
from ..parts import parts, transaction
from ..records import DEFAULT_APP, Application, User, now
from ..store import digest_of
from . import keys, sessions
from .claims import SCOPES, claims_of
from .sessions import REFRESH, SESSION

CODE_SECONDS = 60
ID_TOKEN_SECONDS = 3600
AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


class Client(ClientMixin):
    """An application of the project. Its secret is an access key, as for Descope's own."""

    def __init__(self, application: Application) -> None:
        config = parts().config
        self.application = application
        self.client_id, self.issuer = config.project_id, config.issuer
        if application.id != DEFAULT_APP:  # known by an id made of both, see docs/descope.md
            named = f"{config.project_id}:{application.id}".encode()
            self.client_id = base64.urlsafe_b64encode(named).decode().rstrip("=")
            self.issuer += f"/{application.id}"
        self.client_metadata = {"post_logout_redirect_uris": self.redirects}

    @property
    def redirects(self) -> list[str]:
        return self.application.oidc.approvedRedirectUrls

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """None that Authlib would take: the request has to name its address."""
        return ""

    def get_allowed_scope(self, scope: Any) -> Any:
        """The scopes that the application supports of those asked for; None without openid."""
        asked = (scope or "").split()
        given = {"openid", "offline_access", *self.application.oidc.claims} & set(SCOPES)
        return " ".join(s for s in asked if s in given) if "openid" in asked else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether the address is approved, to the letter; a `*` in the list is no wildcard here."""
        return redirect_uri in self.redirects

    def check_client_secret(self, client_secret: str) -> bool:
        return sessions.living_key(client_secret) is not None

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


class CodeGrant(AuthorizationCodeGrant):
    """The code grant, with Descope's own demand for a state. Its "user" is the session."""

    def validate_authorization_request(self) -> str:
        redirect_uri = super().validate_authorization_request()
        payload: Any = self.request.payload
        if not payload.state:
            raise InvalidRequestError("Missing 'state' in request.", redirect_uri=redirect_uri)
        return redirect_uri

    def save_authorization_code(self, code: str, request: Any) -> None:
        who: Session = request.user
        asked = request.payload.data
        session = sessions.begin(
            who.user_id,
            who.amr,
            auth_time=who.auth_time,
            parent=who.id,
            client_id=request.client.get_client_id(),
            scope=request.scope,
        )
        row = Code(
            code=digest_of(code),
            session_id=session.id,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=asked.get("nonce"),
            code_challenge=asked.get("code_challenge"),
            code_challenge_method=asked.get("code_challenge_method"),
            expires_at=now() + CODE_SECONDS,
        )
        with transaction() as db:
            db.add(row)

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        """The code, if it can be exchanged. One that was is a replay: its session ends."""
        with transaction() as db:
            found = db.get(Code, digest_of(code))
        if found and found.used_at:
            sessions.end(found.session_id)
            return None
        mine = found and found.session.check_client(client) and found.expires_at > now()
        return found if mine else None

    def authenticate_user(self, authorization_code: Code) -> Session | None:
        """Spend the code, before a token exists: of two exchanges at once one gets none."""
        mine = update(Code).where(Code.code == authorization_code.code, Code.used_at.is_(None))
        with transaction() as db:
            spent = db.execute(mine.values(used_at=now())).rowcount == 1  # pyright: ignore[reportAttributeAccessIssue]
            user = db.record(User, authorization_code.session.user_id)
        if spent and user and user.status == "enabled":
            return authorization_code.session
        sessions.end(authorization_code.session_id)
        return None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Nothing: a spent code stays, see `Code`."""


class Pkce(CodeChallenge):
    """S256 and nothing else; required where the application forces it."""

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        forced = grant.request.client.application.oidc.forcePkce
        if forced and not asked.get("code_challenge"):
            raise InvalidRequestError("A code_challenge is required.")
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The code_challenge_method has to be S256.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshGrant(RefreshTokenGrant):
    """The refresh grant; whether it rotates the refresh token is the project's setting."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Session:
        return sessions.find(refresh_token, REFRESH)

    def authenticate_user(self, refresh_token: Session) -> Session:
        return sessions.refresh(refresh_token)

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing: where it rotates, `authenticate_user` has spent it."""


class IdToken(OpenIDCode):
    """Adds the ID token to an answer; its claims are read anew at each refresh."""

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """False: whether a nonce comes back once is for the client to check, as with Descope."""
        return False

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return keys.header(keys.signing_key())

    def resolve_client_private_key(self, client: Client) -> Any:
        return keys.signing_key()

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        audience = client.get_client_id()
        return {"iss": client.issuer, "aud": audience, "exp": now() + ID_TOKEN_SECONDS}

    def generate_user_info(self, user: Session, scope: str) -> Any:
        claims = _claims(user, scope)
        return claims | {"auth_time": user.auth_time, "amr": user.amr, "sid": user.id}


class _SessionTokens(BearerTokenValidator):
    def authenticate_token(self, token_string: str) -> Session | None:
        try:
            return sessions.find(token_string, SESSION)
        except DescopeError:
            return None


class Userinfo(UserInfoEndpoint):
    """The claims of the user at this moment, as the ID token gives them."""

    def __call__(self, request: OAuth2Request) -> tuple[int, Any, Any]:
        protector: Any = self.resource_protector
        session: Session = protector.acquire_token("openid")
        return 200, _claims(session, session.scope), default_json_headers


class Revocation(RevocationEndpoint):
    """RFC 7009. A refresh token takes its whole session with it."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Session | None:
        # The hint may be wrong and only makes a search shorter; ours is short without it.
        try:
            return sessions.find(token_string, REFRESH, SESSION)
        except DescopeError:
            return None

    def revoke_token(self, token: Session, request: OAuth2Request) -> None:
        sessions.revoke(token, request.form["token"])


class EndSession(EndSessionEndpoint):
    """Ends this browser's session; Authlib says who may be sent where after it."""

    def end_session(self, end_session_request: EndSessionRequest) -> None:
        browser.sign_out()

    def get_server_jwks(self) -> Any:
        return keys.jwks()


class Server(AuthorizationServer):
    """The project's OpenID Connect applications."""

    def __init__(self) -> None:
        super().__init__()
        id_token = IdToken()
        self.register_grant(CodeGrant, [id_token, Pkce(required=False)])
        self.register_grant(RefreshGrant, [id_token])
        protector = ResourceProtector()
        protector.register_token_validator(_SessionTokens())
        self.register_endpoint(Userinfo(self, protector))
        self.register_endpoint(Revocation(self))
        self.register_endpoint(EndSession(self))

    def query_client(self, client_id: str) -> Client | None:
        """The enabled application with this client id."""
        for client in clients():
            if client.client_id == client_id and client.application.enabled:
                return client
        return None

    def generate_token(  # its parameters are Authlib's
        self, grant_type: Any, client: Any, user: Any = None, scope: Any = None, *_: Any, **__: Any
    ) -> dict[str, Any]:
        tokens = sessions.tokens(user, scope)
        return {
            "token_type": "Bearer",
            "access_token": tokens["session"],
            "refresh_token": tokens["refresh"],
            "expires_in": tokens["seconds"],
            "scope": scope,
        }

    def save_token(self, token: Any, request: Any) -> None:
        """Nothing: tokens count for as long as their session."""

    def create_oauth2_request(self, request: Any) -> Any:
        """The request at hand, or one built by `stored_request`."""
        if isinstance(request, OAuth2Request):
            return request
        return super().create_oauth2_request(request)

    def handle_response(self, status_code: int, payload: Any, headers: Any) -> Any:
        """Errors say what OAuth says and what Descope says: which of the two the service says is
        not the same everywhere (docs/descope.md)."""
        if isinstance(payload, dict) and "error" in payload:
            named = payload.get("error_description", "")
            known = named if named in CODES else OAUTH_CODES.get(payload["error"], "E011004")
            payload = payload | DescopeError(known).body()
        return super().handle_response(status_code, payload, headers)


#: Untyped: the type stubs of Authlib are older than its code.
server: Any = Server()


def clients() -> list[Client]:
    with transaction() as db:
        return [Client(each) for each in db.records(Application)]


def stored_request(parameters: dict[str, str]) -> OAuth2Request:
    """An authorization request that came earlier, to be answered now."""
    request = OAuth2Request("GET", f"{parts().config.url}/oauth2/v1/authorize")
    request.payload = BasicOAuth2Payload(parameters)
    return request


def _claims(session: Session, scope: str) -> dict[str, Any]:
    with transaction() as db:
        user = db.record(User, session.user_id)
        return claims_of(db, user, scope.split()) if user else {}
