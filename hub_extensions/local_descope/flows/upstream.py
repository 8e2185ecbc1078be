"""The providers behind the stand-in: social ones, and each company's own for single sign-on.

Authlib is the client: state, PKCE, nonce, and every check of the ID token. A provider that has no
address in the settings is played by the stand-in itself, with a page of test identities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from flask import request, session
from joserfc.errors import JoseError

from ..errors import NotLetIn
from ..models import Run
from ..parts import transaction
from ..records import OidcSettings, Provider, SocialProvider, SocialSettings, Tenant

#: What a provider's ID token may be signed with; a token's own word on it is not taken.
ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384", "EdDSA"]
SCOPES = ("openid", "email", "profile")
SECONDS = 10
MOST_UNANSWERED = 4
LEEWAY = 60
#: What Authlib raises for an answer that is refused, missing, no JSON, or of another shape.
WRONG_ANSWER = (
    *(AuthlibBaseError, JoseError, requests.RequestException, RuntimeError),
    *(ValueError, TypeError, KeyError, AttributeError),
)


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A provider as it is set up now; `key` tells it from the others."""

    key: str
    title: str
    settings: Provider = field(repr=False)
    jwks_url: str
    scopes: Sequence[str]
    mapping: Mapping[str, str | None]
    #: The domains of a company's own people, for the identities that a local one offers.
    domains: Sequence[str] = ()

    @property
    def is_local(self) -> bool:
        return not self.settings.authUrl

    def _app(self) -> FlaskOAuth2App:
        return FlaskOAuth2App(
            FlaskIntegration(self.key),
            self.key,
            client_id=self.settings.clientId,
            client_secret=self.settings.clientSecret,
            authorize_url=self.settings.authUrl,
            access_token_url=self.settings.tokenUrl,
            client_kwargs={
                "scope": " ".join(self.scopes or SCOPES),
                "code_challenge_method": "S256",
                "default_timeout": SECONDS,
            },
            issuer=self.settings.issuer,
            jwks_uri=self.jwks_url,
            userinfo_endpoint=self.settings.userDataUrl,
            id_token_signing_alg_values_supported=ALGORITHMS,
        )

    def begin(self, callback: str, state: str) -> str:
        """The address at which a person signs in there; what answers it is kept in the cookie."""
        _forget_unanswered()
        return self._app().authorize_redirect(callback, state=state).location

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
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.clientId},
        }
        try:
            token = app.authorize_access_token(claims_options=checked, leeway=LEEWAY)
            verified = dict(token.get("userinfo") or {})
            told = dict(app.userinfo(token=token)) if self.settings.userDataUrl else {}
        except WRONG_ANSWER as error:
            raise NotLetIn(wrong) from error
        subject = verified.get("sub")
        lacks_subject = "openid" in (self.scopes or SCOPES) and not subject
        if lacks_subject or (verified and told and told.get("sub") != subject):
            raise NotLetIn(wrong)
        return {**told, **verified}


def _forget_unanswered() -> None:
    """Keep few of what providers never answered: a cookie has 4 KB."""
    kept = [key for key in session if key.startswith("_state_")]
    for key in kept[:-MOST_UNANSWERED]:
        session.pop(key)


# -- which provider, as it is set up now -------------------------------------------------------


def social_provider(name: str) -> SocialProvider:
    """The settings of a social provider; one that has none is played by the stand-in."""
    with transaction() as db:
        settings = db.settings(SocialSettings)
    known = settings.providerSettings.get(name, SocialProvider())
    return known if settings.enabled else SocialProvider(enabled=False)


def social_upstream(name: str, provider: SocialProvider) -> Upstream:
    return Upstream(
        key=f"social-{name}",
        title=provider.name or name.capitalize(),
        settings=provider,
        jwks_url=provider.jwksUrl,
        scopes=provider.scopes,
        mapping=provider.userDataClaimsMapping,
    )


def sso_upstream(tenant: Tenant, settings: OidcSettings) -> Upstream:
    return Upstream(
        key=f"sso-{tenant.id}",
        title=settings.name or tenant.name,
        settings=settings,
        jwks_url=settings.JWKsUrl,
        scopes=settings.scope,
        mapping=settings.userAttrMapping,
        domains=tenant.domains,
    )


def upstream_asked(run: Run) -> Upstream | None:
    """The provider that a run waits for."""
    kind, _, name = run.context.get("asked", "").partition("-")
    if not run.state:
        return None
    if kind == "social":
        return social_upstream(name, social_provider(name))
    with transaction() as db:
        tenant, settings = db.record(Tenant, name), db.record(OidcSettings, name)
    return sso_upstream(tenant, settings) if tenant and settings else None
