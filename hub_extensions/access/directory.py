"""What the provider knows of many people at once, by Descope's management API.

One call tells of a hundred people: asking each one's refresh token would cost a call a person.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..signing_in.provider import ProviderUnreachable

if TYPE_CHECKING:
    from descope import DescopeClient

#: People that one call asks for; Descope's search gives at most 100.
PAGE: Final = 100


class DirectoryRefused(Exception):
    """The management key does not open this project."""


class TooManyCalls(Exception):
    """The provider wants to be asked less often (429)."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"asked too often; again in {retry_after:.0f} s")
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the provider knows of a person at this moment.

    Attributes:
        subject: their user id, the `sub` of their tokens.
        confirmed: they may sign in: there is such a user, neither disabled nor unverified.
        tenants: as in the claim of this name: tenant id -> roles and permissions.
    """

    subject: str
    confirmed: bool
    tenants: dict[str, Any]


class Directory:
    """The people of one Descope project. Its methods wait: call them in a thread."""

    def __init__(self, project_id: str, base_uri: str, management_key: str) -> None:
        self._project_id, self._base_uri, self._key = project_id, base_uri, management_key
        self._client: DescopeClient | None = None

    def people(self, subjects: Sequence[str]) -> dict[str, Known]:
        """Everybody of these, as they are known now; those whom the provider does not know too.
        Whoever is missing is one of whom its answer cannot be understood.

        Raises:
            DirectoryRefused, TooManyCalls, ProviderUnreachable
        """
        import httpx
        from descope import AuthException, RateLimitException  # takes a second to import

        found: dict[str, Known] = {}
        try:
            for start in range(0, len(subjects), PAGE):
                page = list(subjects[start : start + PAGE])
                answer = self._users.search_all(user_ids=page, limit=PAGE)
                told = {user["userId"]: user for user in answer["users"]}
                for subject in page:
                    user = told.get(subject) or self._looked_up(subject)
                    # Of whom it says odd things nothing is known; the others must not wait.
                    with contextlib.suppress(LookupError, TypeError, AttributeError):
                        found[subject] = _known(subject, user)
        except RateLimitException as error:
            wait = (error.rate_limit_parameters or {}).get("Retry-After") or 0
            raise TooManyCalls(float(wait)) from error
        except AuthException as error:
            if error.status_code in {401, 403}:
                raise DirectoryRefused from error
            raise ProviderUnreachable from error
        except (httpx.HTTPError, OSError, ValueError, LookupError, TypeError) as error:
            raise ProviderUnreachable from error
        return found

    def sign_out(self, subject: str) -> None:
        """End every session of a person at the provider.

        Raises:
            ProviderUnreachable
        """
        import httpx
        from descope import AuthException, RateLimitException

        try:
            self._users.logout_user_by_user_id(subject)
        except (AuthException, RateLimitException, httpx.HTTPError, OSError, ValueError) as error:
            raise ProviderUnreachable from error

    def _looked_up(self, subject: str) -> Any:
        """Somebody whom a search left out, asked for by id: an odd answer must not end everybody's
        session. None if there is no such user."""
        from descope import AuthException

        try:
            return self._users.load_by_user_id(subject)["user"]
        except AuthException as error:
            if error.status_code in {400, 404}:
                return None
            raise

    @property
    def _users(self) -> Any:
        if self._client is None:
            from descope import DescopeClient

            self._client = DescopeClient(
                self._project_id,
                management_key=self._key,
                base_url=self._base_uri,
                timeout_seconds=8,
            )
        return self._client.mgmt.user


def _known(subject: str, user: Any) -> Known:
    if not isinstance(user, dict):
        return Known(subject=subject, confirmed=False, tenants={})
    usable = user.get("status") not in {"disabled", "expired"}
    tenants = {
        place["tenantId"]: {
            "roles": list(place.get("roleNames") or ()),
            "permissions": list(place.get("permissions") or ()),
        }
        for place in user.get("userTenants") or ()
    }
    confirmed = usable and user.get("verifiedEmail") is not False
    return Known(subject=subject, confirmed=confirmed, tenants=tenants)
