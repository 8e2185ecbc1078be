"""Name, logo and colour of an installation, and of each customer tenant that has its own.

What a page needs of a brand is a small record (`Brand.page`), which goes to the hub's templates, to
the local stand-in and to people's servers. Logos lie in a folder that the service of common files
serves, each under a name that nobody can guess: a browser may keep it for good, and whoever does
not know the address learns of no customer.
"""

from __future__ import annotations

import hmac
import json
import re
import struct
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from jupyterhub.user import User
from pydantic import BaseModel, ConfigDict, ValidationError

from . import accent
from .first_problem import located
from .setting_forms import AccentColour, BrandName
from .settings import Settings, SettingsError
from .signing_in.sessions import Session
from .state import State

_LARGEST_LOGO: Final = 64 * 1024
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SVG: Final = re.compile(rb"<svg[\s>]")
_SVG_BOX: Final = re.compile(
    rb"""viewBox\s*=\s*["'][\d.\s,-]{0,60}?(\d+(?:\.\d+)?)[\s,]+(\d+(?:\.\d+)?)\s*["']"""
)
#: A logo so much wider than high is a name in letters: the name itself is then not said again.
_LETTERS: Final = 2
#: Of a page with a logo; the sheet knows our own mark, which is drawn in the page.
_LOGO_RULES: Final = ".mark img{height:28px;max-width:min(180px,40vw);object-fit:contain}"


class _TenantBrand(BaseModel):
    """A table of the file ATRIUM_BRANDS. What is left out is the installation's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: BrandName | None = None
    logo: Path | None = None
    accent: AccentColour | None = None


@dataclass(frozen=True, kw_only=True)
class Brand:
    """How pages name themselves and what they show for it. `logo`: an address, "" for our mark."""

    name: str
    logo: str = ""
    is_letters: bool = False
    icon: str = ""
    css: str = ""

    @property
    def page(self) -> dict[str, Any]:
        """What templates get, here and in people's servers."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Brands:
    """The installation's brand, and those of tenants that have their own."""

    installation: Brand
    tenants: Mapping[str, Brand] = field(default_factory=dict)

    def of_tenant(self, tenant: str) -> Brand:
        """A tenant's; the installation's for everybody else and before it is known who comes."""
        return self.tenants.get(tenant, self.installation)

    def of(self, user: User | None) -> Brand:
        """How pages look to somebody, by the tenant of their sign-in."""
        return self.of_tenant(tenant_of(user)) if self.tenants else self.installation

    def for_server(self, user: User) -> dict[str, str]:
        """What somebody's servers are told: the look for everybody, and that for their owner."""
        return {
            "ATRIUM_BRAND": json.dumps(self.installation.page),
            "ATRIUM_OWNER_BRAND": json.dumps(self.of(user).page),
        }


def tenant_of(user: User | None) -> str:
    """The tenant that somebody has signed in for, "" for nobody and for none."""
    session = user.db.get(Session, user.id) if user else None
    return str(session.tenant) if session else ""


def load(settings: Settings, state: State, files_url: str) -> Brands:
    """Read names, logos and colours, and put the logos where the service of files finds them.

    Args:
        files_url: the address of that service.

    Raises:
        SettingsError: a file is missing, or something in it cannot be used.
    """
    own = _TenantBrand(name=settings.name, logo=settings.logo, accent=settings.accent)
    publish = _Publisher(folder(state), bytes.fromhex(state.secret("brand_key")), files_url)
    tenants = {}
    for tenant, given, where in _tenants(settings):
        brand = publish.brand(own.model_copy(update=given.model_dump(exclude_none=True)), where)
        if given.name and not given.logo:  # the letters would be the installation's name
            brand = replace(brand, is_letters=False)
        tenants[tenant] = brand
    found = Brands(installation=publish.brand(own, "ATRIUM_LOGO"), tenants=tenants)
    publish.remove_others([found.installation, *tenants.values()])
    return found


def folder(state: State) -> Path:
    """Where the logos are that pages show."""
    return state.folder / "brand"


def _tenants(settings: Settings) -> list[tuple[str, _TenantBrand, str]]:
    """Each tenant of the file, what is said of it, and words for where."""
    if settings.brands is None:
        return []
    try:
        tables = tomllib.loads(settings.brands.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"there is no readable file at {settings.brands}; set ATRIUM_BRANDS to another"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"ATRIUM_BRANDS is no file in TOML: {error}") from None
    found = []
    for tenant, table in tables.items():
        where = f"ATRIUM_BRANDS, in [{tenant}],"
        if tenant not in settings.customers:
            raise SettingsError(
                f"ATRIUM_BRANDS names {tenant}, which is no tenant of ATRIUM_CUSTOMER_TENANTS;"
                " the owner's people see ATRIUM_NAME, ATRIUM_LOGO and ATRIUM_ACCENT"
            )
        try:
            given = _TenantBrand.model_validate(table)
        except ValidationError as error:
            raise SettingsError(f"{where} cannot be used: {located(error)}") from None
        if given.logo:
            given = given.model_copy(update={"logo": settings.brands.parent / given.logo})
        found.append((tenant, given, where))
    return found


@dataclass(frozen=True)
class _Publisher:
    folder: Path
    key: bytes
    files_url: str

    def brand(self, given: _TenantBrand, where: str) -> Brand:
        css = accent.sheet(given.accent) if given.accent else ""
        icon = self._put(accent.mark(given.accent), "svg") if given.accent else ""
        assert given.name is not None
        if given.logo is None:
            return Brand(name=given.name, css=css, icon=icon)
        content, kind, is_letters = _read_logo(given.logo, where)
        logo = self._put(content, kind)
        return Brand(
            name=given.name,
            logo=logo,
            is_letters=is_letters,
            icon=icon if is_letters else logo,  # a tab has no room for letters
            css=css + _LOGO_RULES,
        )

    def _put(self, content: bytes, kind: str) -> str:
        """The address of a file under a name that follows from what is in it, and from a secret."""
        name = f"{hmac.digest(self.key, content, 'sha256').hex()[:32]}.{kind}"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / name).write_bytes(content)
        return f"{self.files_url}brand/{name}"

    def remove_others(self, brands: Iterable[Brand]) -> None:
        """Nobody who once saw a logo finds it there when it is no longer one of these."""
        shown = {address for brand in brands for address in (brand.logo, brand.icon)}
        for file in self.folder.glob("*"):
            if f"{self.files_url}brand/{file.name}" not in shown:
                file.unlink()


def _read_logo(path: Path, where: str) -> tuple[bytes, str, bool]:
    """What is in a logo's file, its kind, and whether it is a name in letters."""
    try:
        content = path.read_bytes()
    except OSError:
        raise SettingsError(f"{where} names {path}, which cannot be read as a file") from None
    if len(content) > _LARGEST_LOGO:
        raise SettingsError(
            f"{where} names {path}, which is too large; a logo has {_LARGEST_LOGO // 1024} KB at"
            " most"
        )
    if content.startswith(_PNG) and len(content) > 24:
        width, height = struct.unpack(">II", content[16:24])
        return content, "png", width >= _LETTERS * height
    if not _SVG.search(content):
        raise SettingsError(f"{where} names {path}, which is no picture in SVG or PNG")
    box = _SVG_BOX.search(content)
    is_letters = bool(box and float(box[1]) >= _LETTERS * float(box[2]))
    return content, "svg", is_letters
