"""What OpenID Connect demands beyond oauthenticator.

ID tokens are checked in full, and an answer that means "no" is told from a provider that is away.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from typing import Any
from urllib.parse import urlencode

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from traitlets import Dict, Float, Unicode, default

from ..claims import kept_claims
from . import provider

#: As many as the HTTP client sends at once (`max_clients`).
_REQUESTS_AT_ONCE = 10
#: Proxies refuse an address that is longer, and it goes into one as `id_token_hint`.
_LONGEST_ID_TOKEN = 8 * 1024


class OpenIDConnectAuthenticator(GenericOAuthenticator):
    """Signs in through a provider that is named by its issuer."""

    issuer = Unicode(config=True, help="The OpenID Connect issuer.")
    provider_metadata = Dict(
        config=True,
        help="The provider's endpoints by their names in OpenID Connect Discovery. Discovered.",
    )
    provider_timeout = Float(8.0, config=True, help="Seconds to wait for one of its answers.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._keys: KeySet | None = None
        self._keys_at = 0.0
        self._turn = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    @default("provider_metadata")
    def _provider_metadata_default(self) -> dict[str, str]:
        return provider.discover(self.issuer)

    @default("authorize_url")
    def _authorize_url_default(self) -> str:
        return self.provider_metadata["authorization_endpoint"]

    @default("token_url")
    def _token_url_default(self) -> str:
        return self.provider_metadata["token_endpoint"]

    @default("userdata_url")
    def _userdata_url_default(self) -> str:
        return self.provider_metadata["userinfo_endpoint"]

    @default("http_request_kwargs")
    def _http_request_kwargs_default(self) -> dict[str, Any]:
        # A redirect would carry the client secret or a token elsewhere.
        timeout = self.provider_timeout
        return {"follow_redirects": False, "connect_timeout": timeout, "request_timeout": timeout}

    async def fetch(
        self, req: HTTPRequest, label: str = "fetching", parse_json: bool = True, **kwargs: Any
    ) -> Any:
        """As oauthenticator's, but logs no answer and no query, reads no more than is sensible, and
        tells "no" from "away". What waits for its turn has not been asked: in the client's own line
        it would, when many sign in at once, count as a provider that does not answer."""
        try:
            async with self._turn:
                answer = await provider.bounded(self.http_client, req, **kwargs)
            return json.loads(answer.body) if parse_json else answer
        except provider.SaidTooMuch:
            self.log.warning("%s: too long an answer from %s", label, req.url.partition("?")[0])
            raise
        except HTTPClientError as error:
            self.log.warning("%s: %s from %s", label, error.code, req.url.partition("?")[0])
            if provider.is_refusal(error):
                raise provider.ProviderRefused from error
            raise provider.ProviderUnreachable from error
        except (OSError, ValueError, RecursionError) as error:
            self.log.warning("%s: %s at %s", label, type(error).__name__, req.url.partition("?")[0])
            raise provider.ProviderUnreachable from error

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Exchange a code or a refresh token; the ID token in the answer is checked in full.

        The verified claims are kept beside it as `id_token_claims`.

        Raises:
            ProviderRefused, ProviderUnreachable, web.HTTPError: 403 for a token that is not right.
        """
        token_info = await self.httpfetch(
            self.token_url,
            "Asking for tokens",
            method="POST",
            headers=self.build_token_info_request_headers(),
            body=urlencode(params),
            validate_cert=self.validate_server_cert,
        )
        if not isinstance(token_info, dict) or "access_token" not in token_info:
            raise provider.ProviderRefused
        verifier = params.get("code_verifier")
        if verifier or token_info.get("id_token"):
            nonce = provider.nonce_for(verifier) if verifier else None
            token_info["id_token_claims"] = await self._verified(token_info.get("id_token"), nonce)
        return token_info

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Userinfo over the verified claims of the ID token, if both speak of the same person."""
        in_token = token_info.get("id_token_claims") or {}
        user_info = await super().token_to_user(token_info)
        if not isinstance(user_info, dict) or not isinstance(user_info.get("sub"), str):
            raise web.HTTPError(403, "The sign-in service did not say who you are.")
        if in_token and in_token["sub"] != user_info["sub"]:
            self.log.warning("Userinfo and ID token speak of different people")
            raise web.HTTPError(403, "The sign-in service gave contradicting answers.")
        told = {**in_token, **user_info}
        told.pop("amr", None)  # how somebody signed in is for the ID token alone to say
        return told | {name: in_token[name] for name in ("amr",) if name in in_token}

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> Any:
        """What is kept of a sign-in, encrypted: the claims that count here, refresh and ID token.

        An ID token that is too long to be sent in an address is of no use at the sign-out.
        """
        id_token = token_info.get("id_token")
        kept = isinstance(id_token, str) and len(id_token) <= _LONGEST_ID_TOKEN
        return {
            "refresh_token": token_info.get("refresh_token"),
            "id_token": id_token if kept else None,
            self.user_auth_state_key: kept_claims(user_info),
        }

    async def _verified(self, id_token: Any, nonce: str | None) -> dict[str, Any]:
        if not isinstance(id_token, str):
            raise web.HTTPError(403, "The sign-in service gave no identity.")
        expected = {"issuer": self.provider_metadata["issuer"], "audience": self.client_id}
        for keys in (self._keys, None):
            # A key that is not known yet may be new: fetch the keys once more (key rotation).
            if keys is None:
                keys = await self._fetch_keys()
            try:
                return provider.verified_claims(id_token, keys, nonce=nonce, **expected)
            except provider.InvalidToken as error:
                refused = error
        self.log.warning("%s", refused)
        raise web.HTTPError(403, "The sign-in service's answer could not be trusted.")

    async def keys(self, known_for: float = math.inf) -> KeySet:
        """The provider's keys; those kept for more than so many seconds are fetched anew."""
        if self._keys and time.monotonic() - self._keys_at <= known_for:
            return self._keys
        return await self._fetch_keys()

    async def _fetch_keys(self) -> KeySet:
        try:
            document = await self.httpfetch(self.provider_metadata["jwks_uri"], "Fetching keys")
            self._keys = KeySet.import_key_set(document)
        except (
            provider.SaidTooMuch,  # about nobody: a refusal would end everybody's session
            JoseError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:
            raise provider.ProviderUnreachable from error
        self._keys_at = time.monotonic()
        return self._keys

    def claims_of(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """The claims in an auth model."""
        return auth_model["auth_state"][self.user_auth_state_key]
