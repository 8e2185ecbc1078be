"""The Descope project as it is, read through the `descope` SDK."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx
from descope import AuthException, DescopeClient
from descope.exceptions import RateLimitException
from jwt import PyJWTError

from ..flow_formats import flow_in, from_sdk
from .desired import ProjectError

DEFAULT_APP: Final = "descope-default-oidc"
#: A pause that Descope asks for is waited out, if it is no longer than this many seconds.
_LONGEST_WAIT: Final = 60
T = TypeVar("T")


class Refused(Exception):
    """Descope refused a call. The message has its reason and no secret."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"{status} {code} {reason}".strip())
        self.status = status
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Key:
    """The access key that the hub uses as its client secret. `expires_at` 0 means never."""

    is_alive: bool
    name: str = ""
    expires_at: int = 0


@dataclass(frozen=True, kw_only=True)
class State:
    """What the project has.

    Attributes:
        roles: names of the project's roles.
        tenants: tenants by id, as Descope answers them.
        sso: their single sign-on settings by id, likewise.
        application: the OpenID Connect settings of the default application.
        flow: the flow in the format of an export, None where there is none.
        files: the snapshot, None where it cannot be had; `no_files` says why.
        key: the hub's access key, None where the hub has none yet.
        skew: seconds by which this machine's clock is ahead of Descope's.
    """

    roles: frozenset[str]
    tenants: Mapping[str, Mapping[str, Any]]
    sso: Mapping[str, Mapping[str, Any]]
    application: Mapping[str, Any]
    flow: Mapping[str, Any] | None
    files: dict[str, Any] | None
    no_files: str = ""
    key: Key | None = None
    skew: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project, in the hands of who has its management key."""

    project_id: str
    base_uri: str
    management_key: str = field(repr=False)
    client_secret: str | None = field(repr=False)

    def connect(self) -> DescopeClient:
        """The SDK's client, once the key is known to be good.

        Raises:
            ProjectError: Descope does not answer, or refuses the key.
        """
        logging.getLogger("descope").setLevel(logging.ERROR)  # what fails is said once, below
        try:
            client = DescopeClient(
                self.project_id,
                management_key=self.management_key,
                base_url=self.base_uri,
                verbose=True,
            )
            call(client.mgmt.role.load_all)
        except Refused as error:
            if error.status in {401, 403}:
                raise ProjectError(
                    f"Descope refuses DESCOPE_MANAGEMENT_KEY for {self.project_id} ({error}); "
                    "make a new management key in its console, under Company"
                ) from error
            raise ProjectError(f"Descope at {self.base_uri} answers {error}") from error
        return client

    def read(self, client: DescopeClient, flow_id: str, tenants: frozenset[str]) -> State:
        """What the project has of what the hub needs; of the tenants' settings, those named."""
        mgmt = client.mgmt
        roles = call(mgmt.role.load_all)["roles"]
        skew = clock_skew(client)
        known = {tenant["id"]: tenant for tenant in call(mgmt.tenant.load_all)["tenants"]}
        ours = sorted(tenants & known.keys())
        # the list leaves out part of what a tenant has
        known |= {tenant: call(mgmt.tenant.load, tenant) for tenant in ours}
        settings = {tenant: call(mgmt.sso.load_settings, tenant) for tenant in ours}
        application = call(mgmt.sso_application.load, DEFAULT_APP)
        files, reason = None, ""
        try:
            files = call(mgmt.project.export_snapshot)["files"]
        except Refused as error:
            reason = str(error)
        return State(
            roles=frozenset(role["name"] for role in roles if not role.get("tenantId")),
            tenants=known,
            sso=settings,
            application=application.get("app", application).get("oidcSettings") or {},
            flow=flow_in(files, flow_id) if files is not None else _exported(client, flow_id),
            files=files,
            no_files=reason,
            key=self._key(client),
            skew=skew,
        )

    def _key(self, client: DescopeClient) -> Key | None:
        if not self.client_secret:
            return None
        try:
            key_id = call(client.exchange_access_key, self.client_secret)["keyId"]
        except Refused:
            return Key(is_alive=False)
        try:
            key = call(client.mgmt.access_key.load, key_id)["key"]
        except Refused:  # a key that may not be looked at is alive all the same
            return Key(is_alive=True)
        return Key(is_alive=True, name=key.get("name", ""), expires_at=int(key["expireTime"] or 0))


def call(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call the SDK, and wait once if Descope asks to come back a little later.

    Raises:
        Refused: Descope said no, in its own words.
        ProjectError: it does not answer, or asks to come back much later.
    """
    for attempt in (1, 2):
        try:
            return function(*arguments, **options)
        except AuthException as error:
            raise _refused(error) from None  # its own text may repeat what was sent
        except RateLimitException as error:
            wait = int(error.rate_limit_parameters.get("Retry-After", 0) or 1)
            if attempt == 2 or wait > _LONGEST_WAIT:
                raise ProjectError(f"Descope is asked too often; try again in {wait} s") from None
            time.sleep(wait)
        except httpx.HTTPError as error:
            raise ProjectError(
                f"Descope does not answer ({type(error).__name__}); check DESCOPE_BASE_URI and the "
                "network, or with no project configured start the hub, and with it the stand-in"
            ) from error
        except (ValueError, KeyError, TypeError, PyJWTError) as error:
            raise ProjectError(
                f"what answers in Descope's place is not Descope ({type(error).__name__}); check "
                "DESCOPE_BASE_URI"
            ) from None
    raise AssertionError("the loop returns or raises")


def _refused(error: AuthException) -> Refused:
    try:
        body = json.loads(error.error_message or "")
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    reason = str(body.get("errorMessage") or body.get("errorDescription") or "")[:300]
    return Refused(int(error.status_code or 0), str(body.get("errorCode") or ""), reason)


def clock_skew(client: DescopeClient) -> float:
    """Seconds by which this machine is ahead, by the Date of Descope's last answer."""
    last = client.get_last_response()
    date = last.headers.get("date") if last else None
    try:
        return time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
    except (TypeError, ValueError):
        return 0.0


def _exported(client: DescopeClient, flow_id: str) -> dict[str, Any] | None:
    try:
        return from_sdk(call(client.mgmt.flow.export_flow, flow_id)) | {"flowId": flow_id}
    except Refused as error:
        if error.status in {400, 404}:
            return None
        raise ProjectError(f"the flow {flow_id} cannot be read ({error})") from error
