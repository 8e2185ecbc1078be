"""Providers of OpenID Connect that are not ours, each in a process: what stands in for Okta.

Two of them, of different authors and languages: `oidc-provider-mock` from Python's package index,
and `oidc-provider` from npm, which is certified by the OpenID Foundation.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from descope import SSOOIDCSettings
from descope.management.sso_settings import AttributeMapping, RoleMapping

from tests.hub import free_port, wait_until
from tests.sdk import Project

NODE_SCRIPTS = Path(__file__).with_name("node")
#: Where the set-up has put the packages that the scripts need.
NODE_PACKAGES = Path(sys.prefix) / "lib" / "atrium-test-node"
CLIENT_ID, CLIENT_SECRET = "descope-at-the-company", "a-secret-of-the-company"
Accounts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A running provider, as its discovery document describes it."""

    url: str
    metadata: Mapping[str, Any]

    def as_sso(self, name: str) -> SSOOIDCSettings:
        """The settings of a tenant whose people sign in here."""
        return SSOOIDCSettings(
            name=name,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            auth_url=self.metadata["authorization_endpoint"],
            token_url=self.metadata["token_endpoint"],
            user_data_url=self.metadata["userinfo_endpoint"],
            jwks_url=self.metadata["jwks_uri"],
            issuer=self.metadata["issuer"],
            scope=["openid", "email", "profile"],
        )

    def as_social(self, **more: Any) -> dict[str, Any]:
        """The settings of a social provider that is this one."""
        return {
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "authUrl": self.metadata["authorization_endpoint"],
            "tokenUrl": self.metadata["token_endpoint"],
            "userDataUrl": self.metadata["userinfo_endpoint"],
            "jwksUrl": self.metadata["jwks_uri"],
            "issuer": self.metadata["issuer"],
            **more,
        }


def set_up_sso(
    project: Project, tenant: str, settings: SSOOIDCSettings, domain: str, **roles: list[str]
) -> None:
    """Let the people of a domain sign in to a tenant; `roles` maps a role to groups."""
    project.mgmt.sso.configure_oidc_settings(tenant, settings, [domain])
    mappings = [RoleMapping(groups, role.replace("_", " ")) for role, groups in roles.items()]
    project.mgmt.sso.mapping(tenant, mappings, AttributeMapping(group="groups"))


@contextmanager
def pypi_provider(accounts: Accounts) -> Iterator[Provider]:
    """`oidc-provider-mock`: its page asks for a subject, which is a key of `accounts`."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    for subject, claims in accounts.items():
        command += ["--user-claims", json.dumps({"sub": subject, **claims})]
    with _running(command, port) as provider:
        yield provider


@contextmanager
def npm_provider(accounts: Accounts, callback: str, signing: str = "RS256") -> Iterator[Provider]:
    """`oidc-provider`: its pages ask for a login, a key of `accounts`, and then for consent."""
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [callback],
    }
    told = {"port": port, "client": client, "accounts": accounts, "signing": signing}
    with _running(node_command("provider.mjs", told), port) as provider:
        yield provider


def node_command(script: str, told: Mapping[str, Any]) -> list[str]:
    """The command line of one of our scripts for Node, beside the packages that it imports."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    node = shutil.which("node", path=path)
    assert node, "no Node on this machine: make test installs one"
    assert NODE_PACKAGES.is_dir(), "the packages for Node are missing: make test installs them"
    copy = NODE_PACKAGES / script
    if not copy.exists() or copy.read_bytes() != (NODE_SCRIPTS / script).read_bytes():
        shutil.copy(NODE_SCRIPTS / script, copy)
    return [node, str(copy), json.dumps(told)]


@contextmanager
def _running(command: list[str], port: int) -> Iterator[Provider]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        answer = wait_until(lambda: _asked(f"{url}/.well-known/openid-configuration"), "a provider")
        yield Provider(url=url, metadata=answer)
    finally:
        process.terminate()
        process.wait(10)


def _asked(url: str) -> dict[str, Any] | None:
    try:
        return requests.get(url, timeout=5).json()
    except requests.ConnectionError:
        return None
