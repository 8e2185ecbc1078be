"""The authorization server: Authlib's, with our grants, endpoints and tokens."""

from __future__ import annotations

import uuid
from typing import Any

from authlib.common.security import generate_token
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator, BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oidc.core import UserInfoEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint, EndSessionRequest

from . import browser
from .claims import claims_of
from .config import Config
from .grants import Client, CodeGrant, IdToken, RefreshGrant, RequirePkce
from .keys import ALGORITHM, SigningKey
from .models import Token, User, now
from .store import Store
from .token_store import ACCESS_SECONDS, TokenStore


class Server(AuthorizationServer):
    """One issuer with one client."""

    def __init__(self, config: Config, store: Store, key: SigningKey) -> None:
        self.config = config
        self.store = store
        self.key = key
        self.tokens = TokenStore(store)
        self._client = Client(config.project_id, config.client_secret, config.redirects)
        super().__init__(query_client=self._find_client, save_token=self._save_token)
        generator = BearerTokenGenerator(
            self._access_token, lambda **_: generate_token(48), lambda *_: ACCESS_SECONDS
        )
        self.register_token_generator("default", generator)
        id_token = IdToken(self)
        self.register_grant(CodeGrant, [id_token, RequirePkce()])
        self.register_grant(RefreshGrant, [id_token])
        protector = ResourceProtector()
        protector.register_token_validator(_AccessTokens(self))
        self.register_endpoint(Userinfo(self, protector))
        self.register_endpoint(Revocation(self))
        self.register_endpoint(EndSession(self))

    def create_oauth2_request(self, request: Any) -> Any:
        """The request at hand, or one built by `stored_request`."""
        if isinstance(request, OAuth2Request):
            return request
        return super().create_oauth2_request(request)

    def stored_request(self, parameters: dict[str, str]) -> OAuth2Request:
        """An authorization request that came earlier, to be answered now."""
        request = OAuth2Request("GET", f"{self.config.url}/oauth2/v1/authorize")
        request.payload = BasicOAuth2Payload(parameters)
        return request

    def _find_client(self, client_id: str) -> Client | None:
        return self._client if client_id == self._client.client_id else None

    def _access_token(self, user: User, scope: str, **_: Any) -> str:
        """A JWT in the form of Descope's session token."""
        claims = claims_of(user, self.store.roles_of(user.id), ["descope.claims"])
        config = self.config
        return self.key.sign(
            claims
            | {"iss": config.issuer, "aud": config.project_id, "iat": now(), "drn": "DS"}
            | {"exp": now() + ACCESS_SECONDS, "jti": uuid.uuid4().hex, "scope": scope}
        )

    def _save_token(self, token: dict[str, Any], request: Any) -> None:
        source = request.authorization_code or request.refresh_token
        columns = {
            "family": source.family if isinstance(source, Token) else source.digest,
            "user_id": request.user.id,
            "client_id": request.client.get_client_id(),
            "auth_time": source.auth_time,
            "amr": source.amr,
        }
        self.tokens.add("access", token["access_token"], scope=token["scope"], **columns)
        # A refresh that asked for fewer scopes does not narrow the grant itself (RFC 6749, 6).
        self.tokens.add("refresh", token["refresh_token"], scope=source.scope, **columns)


class _AccessTokens(BearerTokenValidator):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def authenticate_token(self, token_string: str) -> Token | None:
        """The access token, unless its user was disabled; Authlib checks that it still lives."""
        token = self._server.tokens.token("access", token_string)
        return token if token and self._server.store.user(token.user_id) else None


class Userinfo(UserInfoEndpoint):
    """The claims of the user at this moment, as the ID token gives them."""

    def __call__(self, request: OAuth2Request) -> tuple[int, Any, Any]:
        protector: Any = self.resource_protector
        server: Any = self.server
        token: Token = protector.acquire_token("openid")
        user = server.store.user(token.user_id)
        claims = claims_of(user, server.store.roles_of(user.id), token.scope.split())
        return 200, claims, [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


class Revocation(RevocationEndpoint):
    """RFC 7009. A refresh token takes all tokens of its sign-in with it."""

    CLIENT_AUTH_METHODS = CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS
    server: Server

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        # The hint may be wrong and only makes a search shorter; ours is short without it.
        return self.server.tokens.token(None, token_string)

    def revoke_token(self, token: Token, request: OAuth2Request) -> None:
        if token.kind == "refresh":
            self.server.tokens.revoke_family(token.family)
        else:
            self.server.tokens.revoke(token.digest)


class EndSession(EndSessionEndpoint):
    """Ends this browser's session; Authlib says who may be sent where after it."""

    server: Server

    def end_session(self, end_session_request: EndSessionRequest) -> None:
        browser.sign_out()

    def get_server_jwks(self) -> Any:
        return self.server.key.jwks

    def get_algorithms(self) -> list[str]:
        return [ALGORITHM]
