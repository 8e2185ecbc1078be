"""What the hub wants of its Descope project: by `flows/project.toml`, a flow and its settings."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from authlib.oidc.discovery import OpenIDProviderMetadata
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..first_problem import located
from ..settings import Settings

FILE: Final = Path("flows") / "project.toml"
#: What the hub asks for, and therefore what the application has to support.
_SECONDS: Final = 10


class ProjectError(SystemExit):
    """The command cannot go on: one sentence, exit status 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(2)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretPlace(_Strict):
    """Where a secret is: in the environment or in a file, never in the TOML file itself."""

    env: str = ""
    file: Path | None = None

    @model_validator(mode="after")
    def _one_place(self) -> SecretPlace:
        if bool(self.env) == bool(self.file):
            raise ValueError('name one place, as { env = "NAME" } or { file = "path" }')
        return self

    def read(self, folder: Path) -> str:
        """The secret.

        Raises:
            ProjectError: it is not there.
        """
        if self.env:
            secret, place = os.environ.get(self.env, ""), f"the environment variable {self.env}"
        else:
            path = folder / str(self.file)
            place = f"the file {path}"
            try:
                secret = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                secret = ""
        if not secret.strip():
            raise ProjectError(f"{place} holds no client secret; put it there, or change {FILE}")
        return secret.strip()


class DesiredSso(_Strict):
    """A company's own OpenID Connect provider."""

    name: str = "Single sign-on"
    issuer: str
    client_id: str
    client_secret: SecretPlace
    domains: list[str] = Field(min_length=1)
    groups_claim: str = "groups"
    scopes: list[str] = ["openid", "email", "profile"]
    #: Groups at the company by the role that they give.
    roles: dict[str, list[str]] = {}

    def endpoints(self) -> dict[str, str]:
        """The provider's endpoints in Descope's names, from its discovery document.

        Raises:
            ProjectError: it does not answer, or is not what it says.
        """
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            document = requests.get(address, timeout=_SECONDS).json()
            OpenIDProviderMetadata(document).validate()
            if document["issuer"] != self.issuer:
                raise ValueError(f"it says that it is {str(document['issuer'])[:100]}")
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            reason = type(error).__name__ if isinstance(error, OSError) else error
            raise ProjectError(
                f"the provider at {address} is not usable ({reason}); check its issuer in {FILE}"
            ) from error
        return {
            "authUrl": document["authorization_endpoint"],
            "tokenUrl": document["token_endpoint"],
            "userDataUrl": document.get("userinfo_endpoint", ""),
            "JWKsUrl": document["jwks_uri"],
        }


class DesiredTenant(_Strict):
    #: "" and None: as it is.
    name: str = ""
    enforce_sso: bool | None = None
    sso: DesiredSso | None = None


class _File(_Strict):
    flow: str = "sign-up-or-in.json"
    merge: list[str] = []
    roles: dict[str, str] = {}
    tenants: dict[str, DesiredTenant] = {}


@dataclass(frozen=True, kw_only=True)
class Desired:
    """All of it.

    Attributes:
        folder: where the hub's configuration lies.
        flow: the flow, as Descope exports it; `flow_file` is its place.
        roles: descriptions by name.
        tenants: by id, the owner tenant among them; `written` are those in the file.
        merge: social providers that may join accounts.
        redirects: the hub's addresses that Descope may send people to.
    """

    folder: Path
    flow: Mapping[str, Any]
    flow_file: Path
    roles: Mapping[str, str]
    tenants: Mapping[str, DesiredTenant]
    written: frozenset[str]
    merge: frozenset[str]
    redirects: tuple[str, ...]


def load_desired(folder: Path, settings: Settings, owner_tenant: str) -> Desired:
    """Read what is wanted.

    Raises:
        ProjectError: a file is missing or wrong; names the place.
    """
    path = folder / FILE
    try:
        given = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ProjectError(f"there is no readable file {path}") from error
    except (ValueError, ValidationError) as error:
        raise ProjectError(f"{FILE} is not right: {_reason(error)}") from error
    flow_file = folder / FILE.parent / given.flow
    hub = f"{settings.address}/hub"
    return Desired(
        folder=folder,
        flow=read_flow(flow_file),
        flow_file=flow_file,
        roles=given.roles,
        tenants={owner_tenant: DesiredTenant()} | given.tenants,
        written=frozenset(given.tenants),
        merge=frozenset(given.merge),
        redirects=(f"{hub}/oauth_callback", f"{hub}/signed-out"),
    )


class _Screen(BaseModel):
    screenId: str
    contents: dict[str, Any]


class _Contents(BaseModel):
    tasks: dict[str, dict[str, Any]]


class _Flow(BaseModel):
    """The shape of an exported flow, as far as this command looks into one."""

    flowId: str
    contents: _Contents
    screens: list[_Screen]
    metadata: dict[str, Any] = {}


def read_flow(path: Path) -> Mapping[str, Any]:
    """A flow file.

    Raises:
        ProjectError: it is missing, or no export of a flow.
    """
    try:
        flow = json.loads(path.read_text(encoding="utf-8"))
        _Flow.model_validate(flow)
    except ValidationError as error:
        reason = _reason(error)
        raise ProjectError(f"{path} is not a flow as Descope exports it ({reason})") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError(f"{path} is not a readable flow; export one from Descope") from error
    return flow


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return located(error)
