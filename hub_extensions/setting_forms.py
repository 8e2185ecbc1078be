"""How the text of a setting becomes its value; what is wrong is said so that it can be mended."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

DEFAULT_URL: Final = "http://127.0.0.1:8000"
#: What Descope can say of how somebody signed in (docs.descope.com, Session Management).
AMR: Final = frozenset(
    {"email", "fed", "mfa", "oauth", "pwd", "sms", "totp", "webauthn", "whatsapp"}
)

#: A server with one dashboard of ours uses about half of it.
_LEAST_MEMORY: Final = 256 * 1024**2

#: It stands in one line at the top of a page.
_LONGEST_BRAND_NAME: Final = 40

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _project_id(value: str) -> str:
    if not re.fullmatch(r"P[A-Za-z0-9]{27,63}", value):
        raise ValueError(
            "is not a Descope project id; copy it from Project Settings in Descope's console,"
            ' it looks like "P" and 27 or more letters and digits'
        )
    return value


ProjectId = Annotated[str, AfterValidator(_project_id)]


def _key(value: str) -> str:
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("has characters that no key of Descope has; copy it anew")
    return value


Key = Annotated[str, AfterValidator(_key)]


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError(f"is not an address; write it as {DEFAULT_URL} is written")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


def _listed(value: Any) -> Any:
    return re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value


Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_listed)]


def _methods(value: frozenset[str]) -> frozenset[str]:
    for method in sorted(value - AMR):
        raise ValueError(
            f"has {method[:20]}, which Descope never says of a sign-in; it says "
            + ", ".join(sorted(AMR))
        )
    return value


SignInMethods = Annotated[Names, AfterValidator(_methods)]


def _tenants(value: frozenset[str]) -> frozenset[str]:
    for tenant in sorted(value):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", tenant):
            raise ValueError(
                "has an id that cannot name a group and a folder; such an id has letters,"
                ' digits, "-" and "_", and at most 64 of them'
            )
    return value


Tenants = Annotated[Names, AfterValidator(_tenants)]


def _hours(value: Any) -> Any:
    """`12, globex=8`: hours for everybody, and for the people of one tenant."""
    if not isinstance(value, str):
        return value
    hours = {"": 12.0}
    for part in re.split(r"[\s,]+", value.strip()):
        tenant, _, number = part.rpartition("=")
        if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", number) or not float(number):
            raise ValueError('is not understood; write it as "12", or as "12, globex=8"')
        hours[tenant] = float(number)
    return hours


Hours = Annotated[dict[str, float], NoDecode, BeforeValidator(_hours)]


def _origins(value: frozenset[str]) -> frozenset[str]:
    for origin in sorted(value):
        found = re.fullmatch(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", origin)
        if not found:
            raise ValueError(
                "is no list of origins; write each as https://intranet.example.com, in small"
                " letters and without a path"
            )
        if found[1] == "http" and found[2] not in {"localhost", "127.0.0.1", "[::1]"}:
            raise ValueError("has an origin that is not https; only one of this machine may be")
    return value


Origins = Annotated[Names, AfterValidator(_origins)]


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(map(ipaddress.ip_network, re.split(r"[\s,]+", value.strip())))
    except ValueError:
        raise ValueError(
            "is no list of addresses; write those of your proxies as 10.0.0.5 or 10.0.0.0/24"
        ) from None


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]


def _unix_ids(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value == "off":
        return None
    found = re.fullmatch(r"(\d{4,10})-(\d{4,10})", value)
    ends = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1000 <= ends[0] < ends[1] < 2**31:
        raise ValueError("is not a range of Unix ids from 1000 on; write it as 70000-99999, or off")
    return ends


UnixIds = Annotated[tuple[int, int] | None, NoDecode, BeforeValidator(_unix_ids)]


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,6})([MGT])", value)
    number = int(found[1]) * 1024 ** (2 + "MGT".index(found[2])) if found else 0
    if number < _LEAST_MEMORY:
        raise ValueError("is no amount of memory that a server can do with; write it as 4G or 512M")
    return number


Bytes = Annotated[int, BeforeValidator(_bytes)]


def _idle(value: float) -> float:
    if value and not 5 <= value <= 100_000:
        raise ValueError("is too short or too long; 5 minutes is the least, and 0 means never")
    return value


IdleMinutes = Annotated[float, AfterValidator(_idle)]


def _brand_name(value: str) -> str:
    value = " ".join(value.split())
    if not 0 < len(value) <= _LONGEST_BRAND_NAME or not value.isprintable():
        raise ValueError(f"is not a name of at most {_LONGEST_BRAND_NAME} plain characters")
    return value


BrandName = Annotated[str, AfterValidator(_brand_name)]


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise ValueError('is not a colour; write it as "#0b6b62", with quotes in .env')
    return value.lower()


AccentColour = Annotated[str, AfterValidator(_colour)]
