"""The two grants, code and refresh, and the ID token that both give. The protocol is Authlib's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from .claims import SCOPES, claims_of
from .models import Code, Token, User, now

if TYPE_CHECKING:
    from .server import Server

ID_TOKEN_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Who signed in, when (seconds since 1970), and by which of Descope's methods."""

    user_id: str
    auth_time: int
    amr: tuple[str, ...] = ("email",)


class Client(ClientMixin):
    """The one client: Descope's way is client id = project id, secret = an access key."""

    def __init__(self, client_id: str, secret: str, redirects: tuple[str, ...]) -> None:
        self.client_id = client_id
        self._secret = secret
        self._redirects = redirects
        self.client_metadata = {"post_logout_redirect_uris": redirects}

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """None that Authlib would take: the request has to name its address."""
        return ""

    def get_allowed_scope(self, scope: Any) -> Any:
        """The known scopes of those asked for; None without openid, which Descope requires."""
        asked = (scope or "").split()
        return " ".join(name for name in asked if name in SCOPES) if "openid" in asked else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._redirects

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self._secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


class CodeGrant(AuthorizationCodeGrant):
    """The code grant, with Descope's own demand for a state."""

    server: Server

    def validate_authorization_request(self) -> str:
        redirect_uri = super().validate_authorization_request()
        payload: Any = self.request.payload
        if not payload.state:
            raise InvalidRequestError("Missing 'state' in request.", redirect_uri=redirect_uri)
        return redirect_uri

    def save_authorization_code(self, code: str, request: Any) -> None:
        signed_in: SignedIn = request.user
        asked = request.payload.data
        self.server.tokens.add_code(
            code,
            user_id=signed_in.user_id,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=asked.get("nonce"),
            auth_time=signed_in.auth_time,
            amr=list(signed_in.amr),
            code_challenge=asked["code_challenge"],
            code_challenge_method=asked["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: ClientMixin) -> Any:
        return self.server.tokens.code(code)

    def authenticate_user(self, authorization_code: Code) -> User | None:
        # Spent here, before a token exists: of two exchanges at once one gets none.
        if self.server.tokens.spend_code(authorization_code.digest):
            return self.server.store.user(authorization_code.user_id)
        self.server.tokens.revoke_family(authorization_code.digest)
        return None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Nothing: a spent code stays, see `Code`."""


class RequirePkce(CodeChallenge):
    """S256 and nothing else, for confidential clients too."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 (Authlib's attribute)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("A code_challenge with the method S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class RefreshGrant(RefreshTokenGrant):
    """The refresh grant; whether it rotates the refresh token is the project's setting."""

    TOKEN_ENDPOINT_AUTH_METHODS = CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS
    server: Server

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        """The token if it is good and its user is. A rotated one, used again, ends its family."""
        token = self.server.tokens.token("refresh", refresh_token)
        if token is None or token.is_expired() or not self.server.store.user(token.user_id):
            return None
        if token.is_revoked():
            self.server.tokens.revoke_family(token.family)
            return None
        return token

    def issue_token(self, user: User, refresh_token: Any) -> dict[str, Any]:
        payload: Any = self.request.payload
        rotates = self.server.config.rotate_refresh_tokens
        token = self.generate_token(
            user=user,
            scope=payload.scope or refresh_token.get_scope(),
            include_refresh_token=rotates,
        )
        if not rotates:
            token["refresh_token"] = self.request.form["refresh_token"]
        return token

    def authenticate_user(self, refresh_token: Token) -> User | None:
        return self.server.store.user(refresh_token.user_id)

    def revoke_old_credential(self, refresh_token: Any) -> None:
        if self.server.config.rotate_refresh_tokens:
            self.server.tokens.revoke(refresh_token.digest)


class IdToken(OpenIDCode):
    """Adds the ID token to an answer; its claims are read anew at each refresh."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """False: whether a nonce comes back once is for the client to check, as with Descope."""
        return False

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return self._server.key.header

    def resolve_client_private_key(self, client: Client) -> Any:
        return self._server.key.key

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {
            "iss": self._server.config.issuer,
            "aud": client.get_client_id(),
            "exp": now() + ID_TOKEN_SECONDS,
        }

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        authlib: Any = super()  # type stubs of an older Authlib lack the method
        claims = authlib.get_compatible_claims(request)
        if request.refresh_token:
            # The time and way of signing in are those of then, not of the refresh.
            token: Token = request.refresh_token
            claims |= {"auth_time": token.auth_time, "amr": token.amr}
        return claims

    def generate_user_info(self, user: User, scope: str) -> Any:
        return claims_of(user, self._server.store.roles_of(user.id), scope.split())
