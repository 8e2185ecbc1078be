"""The providers behind the stand-in: social ones, and each company's own for single sign-on.

Authlib is the client: state, PKCE, nonce, and every check of the ID token. A provider that has no
address in the settings is played by the stand-in itself, with a page of test identities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from flask import request, session
from joserfc.errors import JoseError

from ..models import Run
from ..records import OidcSettings, SocialProvider, SocialSettings, Tenant
from ..store import Store
from .people import NotLetIn

#: What a provider's ID token may be signed with; a token's own word on it is not taken.
ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384", "EdDSA"]
SCOPES = ("openid", "email", "profile")
SECONDS = 10
MOST_UNANSWERED = 4
LEEWAY = 60


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A provider; `key` tells it from the others. Without `authorize_url` it is a local one."""

    key: str
    title: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    issuer: str = ""
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    jwks_url: str = ""
    scope: str = "openid email profile"
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    #: The domains of a company's own people, for the identities that a local one offers.
    domains: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        return not self.authorize_url

    def _app(self) -> FlaskOAuth2App:
        return FlaskOAuth2App(
            FlaskIntegration(self.key),
            self.key,
            client_id=self.client_id,
            client_secret=self.client_secret,
            authorize_url=self.authorize_url,
            access_token_url=self.token_url,
            client_kwargs={
                "scope": self.scope,
                "code_challenge_method": "S256",
                "default_timeout": SECONDS,
            },
            issuer=self.issuer,
            jwks_uri=self.jwks_url,
            userinfo_endpoint=self.userinfo_url,
            id_token_signing_alg_values_supported=ALGORITHMS,
        )

    def begin(self, callback: str, state: str) -> str:
        """The address at which a person signs in there; what answers it is kept in the cookie."""
        app = self._app()
        _forget_unanswered()
        begun = app.create_authorization_url(callback, state=state)
        app.save_authorize_data(redirect_uri=callback, **begun)
        return begun["url"]

    def finish(self) -> dict[str, Any]:
        """The verified claims of the person whom the provider sent back with this request.

        Raises:
            NotLetIn: it answered wrongly or not at all.
        """
        app = self._app()
        if request.args.get("error"):
            raise NotLetIn(f"You were not signed in at {self.title}.")
        wrong = f"{self.title} answered in a way that cannot be trusted. Please try again."
        checked = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
        }
        try:
            token = app.authorize_access_token(claims_options=checked, leeway=LEEWAY)
            verified = dict(token.get("userinfo") or {})
            told = dict(app.userinfo(token=token)) if self.userinfo_url else {}
        except (AuthlibBaseError, JoseError, requests.RequestException, RuntimeError) as error:
            raise NotLetIn(wrong) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotLetIn(wrong) from error  # an answer that is no JSON, or none of that shape
        if "openid" in self.scope.split() and not verified.get("sub"):
            raise NotLetIn(wrong)
        if verified and told and told.get("sub") != verified.get("sub"):
            raise NotLetIn(wrong)
        return {**told, **verified}


def _forget_unanswered() -> None:
    """Keep few of what providers never answered: a cookie has 4 KB."""
    kept = [key for key in session if key.startswith("_state_")]
    for key in kept[:-MOST_UNANSWERED]:
        session.pop(key)


# -- which provider, as it is set up now -------------------------------------------------------


def social_provider(store: Store, name: str) -> SocialProvider:
    """The settings of a social provider; one that has none is played by the stand-in."""
    with store.begin() as db:
        settings = db.settings(SocialSettings)
    known = settings.providerSettings.get(name, SocialProvider())
    return known if settings.enabled else SocialProvider(enabled=False)


def social_upstream(name: str, provider: SocialProvider) -> Upstream:
    return Upstream(
        key=f"social-{name}",
        title=provider.name or name.capitalize(),
        client_id=provider.clientId,
        client_secret=provider.clientSecret,
        issuer=provider.issuer,
        authorize_url=provider.authUrl,
        token_url=provider.tokenUrl,
        userinfo_url=provider.userDataUrl,
        jwks_url=provider.jwksUrl,
        scope=" ".join(provider.scopes or SCOPES),
        mapping=provider.userDataClaimsMapping,
    )


def sso_upstream(tenant: Tenant, settings: OidcSettings) -> Upstream:
    return Upstream(
        key=f"sso-{tenant.id}",
        title=settings.name or tenant.name,
        client_id=settings.clientId,
        client_secret=settings.clientSecret,
        issuer=settings.issuer,
        authorize_url=settings.authUrl,
        token_url=settings.tokenUrl,
        userinfo_url=settings.userDataUrl,
        jwks_url=settings.JWKsUrl,
        scope=" ".join(settings.scope or SCOPES),
        mapping=settings.userAttrMapping,
        domains=tuple(tenant.domains),
    )


def upstream_asked(store: Store, run: Run) -> Upstream | None:
    """The provider that a run waits for."""
    kind, _, name = run.context.get("asked", "").partition("-")
    if not run.state:
        return None
    if kind == "social":
        return social_upstream(name, social_provider(store, name))
    with store.begin() as db:
        tenant, settings = db.record(Tenant, name), db.record(OidcSettings, name)
    return sso_upstream(tenant, settings) if tenant and settings else None
