"""Who a sign-in leads to: never to somebody else, whatever a provider calls its people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_extensions.local_descope.flows.people import (
    Identity,
    NotLetIn,
    as_member,
    identity_from,
    sign_up_or_in,
)
from hub_extensions.local_descope.records import SsoSettings, Tenant, User
from hub_extensions.local_descope.store import Store, Transaction


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Transaction]:
    store = Store(tmp_path)
    with store.begin() as db:
        yield db
    store.close()


def by_link(email: str) -> Identity:
    return Identity(login_id=email, email=email, verified=True)


def by(source: str, subject: str, email: str = "", verified: bool = True) -> Identity:
    claims = {"sub": subject, "email": email, "email_verified": verified}
    return identity_from(source, claims, {})


def who(db: Transaction, identity: Identity, **options: bool) -> User:
    return sign_up_or_in(db, identity, **options)[0]


def test_ids_of_different_providers_and_addresses_never_meet(db: Transaction) -> None:
    sources = ["sso:acme", "sso:acme-eu", "sso:google", "social:google", "social:google-eu"]
    subjects = ["123", "eu-123", "eu:123", "ceo@corp.test", "google:123", "acme-eu:123"]
    known = [who(db, by(source, subject)) for source in sources for subject in subjects]
    known += [who(db, by_link(email)) for email in ("acme-ceo@corp.test", "ceo@corp.test")]
    assert len({user.userId for user in known}) == len(known)


def test_whatever_a_login_id_is_made_of_it_finds_its_user_alone(db: Transaction) -> None:
    odd = [
        "50%",
        "a_b",
        "axb",
        'say "hi"',
        "back\\slash",
        "müller@acme.test",
        "\u2028",
        "tab\there",
        "é🙂",
    ]
    kept = {login_id: db.keep(User(loginIds=[login_id])) for login_id in odd}
    for login_id, user in kept.items():
        found = db.user(login_id)
        assert found is not None
        assert found.userId == user.userId, login_id
    assert [db.user(other) for other in ("", "50", "a%b", "a", "hi", "%", "_")] == [None] * 7


def test_an_address_that_changed_hands_at_a_provider_leads_to_nobody(db: Transaction) -> None:
    first = who(db, by("sso:acme", "100", "alice@acme.test"), by_sso=True)
    second = who(db, by("sso:acme", "200", "alice@acme.test"), by_sso=True)
    assert second.userId != first.userId
    assert second.verifiedEmail is False
    moved = who(db, by("sso:acme", "100", "alice.new@acme.test"), by_sso=True)
    assert (moved.userId, moved.email) == (first.userId, "alice.new@acme.test")
    assert "alice@acme.test" not in moved.loginIds
    assert who(db, by_link("alice@acme.test")).userId not in {first.userId, second.userId}


def test_an_address_that_nobody_proved_is_nobodys(db: Transaction) -> None:
    squatter = who(db, by("social:google", "1", "boss@acme.test", verified=False))
    assert (squatter.email, squatter.verifiedEmail) == ("boss@acme.test", False)
    boss = who(db, by_link("boss@acme.test"))
    assert boss.userId != squatter.userId
    again = who(db, by("social:google", "1", "boss@acme.test", verified=False))
    assert (again.userId, again.verifiedEmail) == (squatter.userId, False)


def test_a_way_that_may_not_merge_proves_a_free_address_only(db: Transaction) -> None:
    free = who(db, by("sso:acme", "1", "new@acme.test"), merge=False, by_sso=True)
    assert free.verifiedEmail is True
    owner = who(db, by_link("old@acme.test"))
    other = who(db, by("sso:acme", "2", "old@acme.test"), merge=False, by_sso=True)
    assert (other.userId != owner.userId, other.verifiedEmail) == (True, False)


def test_a_company_that_enforces_its_way_closes_those_that_were_joined(db: Transaction) -> None:
    person = who(db, by("social:google", "1", "ann@acme.test"))
    db.keep(Tenant(id="acme", name="Acme", authType="oidc", domains=["acme.test"], enforceSSO=True))
    for claimed in (
        by("social:google", "1", "ann@acme.test"),
        by("social:google", "1", "ann@acme.test", verified=False),
        by("social:google", "1", "ann@elsewhere.test"),
        by("social:google", "1"),
        by_link("ann@acme.test"),
    ):
        with pytest.raises(NotLetIn, match="single sign-on"):
            who(db, claimed)
    assert who(db, by("sso:acme", "a1", "ann@acme.test"), by_sso=True).userId == person.userId


def test_somebody_switched_off_stays_out(db: Transaction) -> None:
    person = who(db, by_link("ann@acme.test"))
    db.keep(person.changed(status="disabled"))
    for identity in (by_link("ann@acme.test"), by("social:google", "1", "ann@acme.test")):
        with pytest.raises(NotLetIn, match="switched off"):
            who(db, identity)


@pytest.mark.parametrize(
    "email", ["mi\u212ae@ban\u212a.test", "ann@acme.test\u0000", "a@b", "x" * 300 + "@acme.test", 5]
)
def test_an_address_that_only_looks_like_one_is_none(email: object) -> None:
    assert identity_from("social:google", {"sub": "1", "email": email}, {}).email == ""


@pytest.mark.parametrize(
    ("email", "verified", "block", "counts"),
    [
        ("ann@acme.test", True, True, True),
        ("ann@acme.test", None, True, True),
        ("ann@other.test", True, False, False),
        ("ann@sub.acme.test", True, False, False),
        ("", None, False, False),
    ],
)
def test_a_companys_word_counts_for_its_own_domains(
    email: str, verified: bool | None, block: bool, counts: bool
) -> None:
    tenant = Tenant(id="acme", name="Acme", authType="oidc", domains=["acme.test"])
    identity = Identity(login_id="sso:acme:1", email=email, verified=verified)
    settings = SsoSettings(blockIfEmailDomainMismatch=block)
    assert as_member(identity, tenant, settings).verified is counts
    if not counts:
        with pytest.raises(NotLetIn):
            as_member(identity, tenant, SsoSettings(blockIfEmailDomainMismatch=True))
    assert as_member(identity, tenant, SsoSettings(markEmailAsUnverified=True)).verified is False
