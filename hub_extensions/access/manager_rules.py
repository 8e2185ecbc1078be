"""Who manages which group, and so decides who is let in: pure functions of groups' names."""

from __future__ import annotations

from collections.abc import Collection

from ..claims import MANAGERS_SUFFIX, MEMBERS
from ..folders import ADMIN, PUBLISHERS_SUFFIX


def manages(groups: Collection[str], group: str, customer_tenants: Collection[str] = ()) -> bool:
    """Whether somebody in `groups` manages the members of `group`.

    Members of `admin` manage every group, those of `<x>.admin` the groups `<x>` and `<x>.…`; but
    a manager of one customer never those of another, whatever their tenants are called, and none
    of them makes others managers, or lets them publish: that runs code for each viewer, for members
    of `admin` too.
    """
    return ADMIN in groups or any(
        (group == area or group.startswith(f"{area}."))
        and not group.endswith((MANAGERS_SUFFIX, PUBLISHERS_SUFFIX))
        and customer_of(area, customer_tenants) == customer_of(group, customer_tenants)
        for area in areas(groups)
    )


def decides(
    groups: Collection[str],
    group: str,
    person: Collection[str],
    customer_tenants: Collection[str] = (),
) -> bool:
    """Whether somebody in `groups` may know that a person, in the groups `person`, asks for
    `group`. Managers know their own tenant's people only, members of `admin` everybody."""
    people = customer_of(group, customer_tenants) or MEMBERS
    return manages(groups, group, customer_tenants) and (ADMIN in groups or people in person)


def manages_any(groups: Collection[str]) -> bool:
    """Whether somebody in these groups manages any group at all."""
    return ADMIN in groups or bool(areas(groups))


def areas(groups: Collection[str]) -> frozenset[str]:
    """The `<x>` of every `<x>.admin` in these groups."""
    return frozenset(
        group.removesuffix(MANAGERS_SUFFIX) for group in groups if group.endswith(MANAGERS_SUFFIX)
    ) - {""}


def customer_of(group: str, customer_tenants: Collection[str]) -> str | None:
    """The customer's tenant that a group belongs to; None for a group of the hub's owner."""
    of = [tenant for tenant in customer_tenants if f"{group}.".startswith(f"{tenant}.")]
    return max(of, key=len, default=None)
