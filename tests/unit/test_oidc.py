"""What the hub asks of the provider."""

from __future__ import annotations

import asyncio

import pytest

from hub_extensions.signing_in.oidc import OpenIDConnectAuthenticator
from tests.odd_provider import OddProvider


@pytest.mark.long
async def test_who_waits_for_a_turn_does_not_wait_for_the_provider(provider: OddProvider) -> None:
    authenticator = OpenIDConnectAuthenticator(issuer=provider.url, provider_timeout=4.0)
    provider.hang = 1.0
    asked = [authenticator.httpfetch(f"{provider.url}/userinfo") for _ in range(60)]
    answers = await asyncio.gather(*asked)  # six rounds of ten: six seconds
    assert {answer["sub"] for answer in answers} == {"U1"}
