"""What the hub asks of the provider."""

from __future__ import annotations

import asyncio

from hub_extensions.signing_in.oidc import OpenIDConnectAuthenticator
from tests.odd_provider import OddProvider


async def test_who_waits_for_a_turn_does_not_wait_for_the_provider(provider: OddProvider) -> None:
    authenticator = OpenIDConnectAuthenticator(issuer=provider.url, provider_timeout=1.0)
    provider.hang = 0.4
    asked = [authenticator.httpfetch(f"{provider.url}/userinfo") for _ in range(50)]
    answers = await asyncio.gather(*asked)  # five rounds of ten: two seconds
    assert {answer["sub"] for answer in answers} == {"U1"}
