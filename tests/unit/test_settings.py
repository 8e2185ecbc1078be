"""A wrong setting ends the start with one sentence that names it and its mend."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from hub_extensions import services, settings, state
from hub_extensions.settings import SettingsError

PROJECT = "P2abcdefghijklmnopqrstuvwxyz"
REAL = {
    "DESCOPE_PROJECT_ID": PROJECT,
    "DESCOPE_CLIENT_SECRET": "an-access-key",
    "DESCOPE_TENANT_ID": "T1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("DESCOPE_", "ATRIUM_")):
            monkeypatch.delenv(name)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, **names: str) -> settings.Settings:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return settings.load(folder)


def test_nothing_set_starts_the_stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(folder, monkeypatch)
    assert given.is_local
    assert given.listen_url == given.address == "http://127.0.0.1:8000"
    assert given.state == folder / ".atrium"


def test_three_values_make_a_real_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(folder, monkeypatch, **REAL, ATRIUM_PUBLIC_URL="https://hub.example.com/charts/")
    assert not given.is_local
    assert given.address == "https://hub.example.com/charts"
    assert given.listen_url == "http://127.0.0.1:8000/charts"
    assert "an-access-key" not in repr(given)


def test_unix_ids_are_a_range_or_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(folder, monkeypatch, ATRIUM_UNIX_UIDS="300000-300009").unix_ids
    assert given == range(300_000, 300_010)
    assert load(folder, monkeypatch, ATRIUM_UNIX_UIDS="off").unix_ids is None


@pytest.mark.parametrize(("minutes", "seconds"), [("60", 300), ("5", 60), ("0", 300)])
def test_use_is_reported_several_times_before_a_server_counts_as_unused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, minutes: str, seconds: float
) -> None:
    given = load(folder, monkeypatch, ATRIUM_IDLE_MINUTES=minutes)
    assert services.activity_seconds(given) == seconds


def test_memory_is_given_in_words_of_the_field(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(folder, monkeypatch).memory_limit == 4 * 1024**3
    assert load(folder, monkeypatch, ATRIUM_MEM_LIMIT="512M").memory_limit == 512 * 1024**2


@pytest.mark.parametrize(
    ("names", "customers"),
    [
        ({}, ["globex"]),
        ({"ATRIUM_CUSTOMER_TENANTS": "initech, Umbrella-2"}, ["Umbrella-2", "initech"]),
        (REAL, []),
        (
            {
                **REAL,
                "ATRIUM_CUSTOMER_TENANTS": "globex",
                "ATRIUM_SUBDOMAIN_HOST": "https://h.example",
            },
            ["globex"],
        ),
        (
            {**REAL, "ATRIUM_CUSTOMER_TENANTS": "globex", "ATRIUM_TRUST_AUTHORS": "yes"},
            ["globex"],
        ),
    ],
    ids=str,
)
def test_customers_are_served_when_they_are_listed(
    names: dict[str, str], customers: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(load(folder, monkeypatch, **names).customers) == customers


@pytest.mark.parametrize(
    ("names", "trusted"),
    [
        ({}, []),
        ({"ATRIUM_PUBLIC_URL": "https://hub.example.com"}, ["127.0.0.1/32", "::1/128"]),
        (
            {
                "ATRIUM_PUBLIC_URL": "https://hub.example.com",
                "ATRIUM_BIND_URL": "http://0.0.0.0:8000",
            },
            [],  # it may come from anywhere
        ),
        ({"ATRIUM_TRUSTED_PROXIES": "10.0.0.5, fd00::/8"}, ["10.0.0.5/32", "fd00::/8"]),
    ],
)
def test_the_proxy_for_tls_is_known_where_it_must_be_of_this_machine(
    names: dict[str, str], trusted: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load(folder, monkeypatch, **REAL, **names)
    assert [str(network) for network in given.trusted_proxies] == trusted


def test_no_child_process_inherits_a_descope_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder, monkeypatch, **REAL)
    assert not [name for name in os.environ if name.startswith("DESCOPE_")]


WRONG = [
    ({**REAL, "DESCOPE_CLIENT_SECRET": ""}, "DESCOPE_CLIENT_SECRET is not; set it to"),
    ({**REAL, "DESCOPE_TENANT_ID": " "}, "DESCOPE_TENANT_ID is not; set it to"),
    (
        {**REAL, "DESCOPE_PROJECT_ID": "my-project"},
        "DESCOPE_PROJECT_ID is not a Descope project id",
    ),
    ({**REAL, "DESCOPE_PROJECT_ID": ""}, "DESCOPE_PROJECT_ID is not set although"),
    ({"DESCOPE_TENANT_ID": "T1"}, "DESCOPE_PROJECT_ID is not set although DESCOPE_TENANT_ID is"),
    ({**REAL, "DESCOPE_BASE_URI": "http://descope.example"}, "DESCOPE_BASE_URI is not https"),
    ({"ATRIUM_NOTEBOKS": "x"}, "did you mean ATRIUM_NOTEBOOKS"),
    ({"DESCOPE_SECRET": "x"}, "DESCOPE_SECRET is not a setting"),
    ({"ATRIUM_NOTEBOOKS": "nowhere"}, "no readable folder at .*ATRIUM_NOTEBOOKS"),
    ({"ATRIUM_REQUIRED_AMR": "mfa, 2fa"}, "ATRIUM_REQUIRED_AMR has 2fa, which Descope never says"),
    ({"DESCOPE_MANAGEMENT_KEY": "x"}, "DESCOPE_PROJECT_ID is not set although"),
    ({**REAL, "DESCOPE_MANAGEMENT_KEY": "ké"}, "DESCOPE_MANAGEMENT_KEY has characters"),
    ({**REAL, "DESCOPE_CLIENT_SECRET": "an-access-key\nx"}, "DESCOPE_CLIENT_SECRET has characters"),
    ({"ATRIUM_UNIX_UIDS": "all"}, "ATRIUM_UNIX_UIDS is not a range .* or off"),
    ({"ATRIUM_UNIX_UIDS": "0-70000"}, "ATRIUM_UNIX_UIDS is not a range .* or off"),
    ({"ATRIUM_UNIX_UIDS": "80000-70000"}, "ATRIUM_UNIX_UIDS is not a range .* or off"),
    ({"ATRIUM_SIGN_IN_LIMIT": "1"}, "ATRIUM_SIGN_IN_LIMIT is not right: input should be greater"),
    (
        {"ATRIUM_TRUSTED_PROXIES": "proxy.internal"},
        "ATRIUM_TRUSTED_PROXIES is no list of addresses",
    ),
    ({"ATRIUM_TRUSTED_PROXIES": "10.0.0.5/24"}, "ATRIUM_TRUSTED_PROXIES is no list"),
    ({"ATRIUM_DATA": "nothing.csv"}, "no readable file at .*ATRIUM_DATA"),
    *(
        ({"ATRIUM_CUSTOMER_TENANTS": f"initech, {tenant}"}, f"ATRIUM_CUSTOMER_TENANTS has {said}")
        for tenant, said in (
            ("Admin", "Admin, which could be taken for the group admin"),
            ("customers", "customers, which could be taken"),
            ("lab", "lab, which could be taken"),
            ("Acme", "Acme, which could be taken for the tenant that owns"),
            ("Initech", "initech, which could be taken for the tenant Initech"),
            ("../x", "an id that cannot name"),
            (".hidden", "an id that cannot name"),
            ("globex.admin", "an id that cannot name"),
            ("gl\u00f6bex", "an id that cannot name"),
            ("x" * 65, "an id that cannot name"),
        )
    ),
    ({**REAL, "ATRIUM_CUSTOMER_TENANTS": "t1"}, "has t1, which could be taken for the tenant that"),
    (
        {**REAL, "ATRIUM_CUSTOMER_TENANTS": "globex"},
        "ATRIUM_SUBDOMAIN_HOST is not; set it to .*ATRIUM_TRUST_AUTHORS=yes",
    ),
    ({"ATRIUM_TRUST_AUTHORS": "perhaps"}, "ATRIUM_TRUST_AUTHORS is not right"),
    ({"ATRIUM_PUBLIC_URL": "hub.example.com"}, "ATRIUM_PUBLIC_URL is not an address"),
    # the stand-in lets everybody be anybody: it is never reachable from elsewhere
    (
        {"ATRIUM_PUBLIC_URL": "https://hub.example.com"},
        "ATRIUM_PUBLIC_URL is not an address of this",
    ),
    (
        {"ATRIUM_PUBLIC_URL": "http://127.0.0.1.example.com"},
        "ATRIUM_PUBLIC_URL is not an address of",
    ),
    (
        {"ATRIUM_BIND_URL": "http://0.0.0.0:8000"},
        "ATRIUM_BIND_URL is not an address of this machine",
    ),
    ({"ATRIUM_BIND_URL": "http://[::]:8000"}, "ATRIUM_BIND_URL is not an address of this machine"),
    (
        {"ATRIUM_SUBDOMAIN_HOST": "http://hub.example.com"},
        "ATRIUM_SUBDOMAIN_HOST is not an address",
    ),
    ({"ATRIUM_MEM_LIMIT": "lots"}, "ATRIUM_MEM_LIMIT is no amount of memory"),
    ({"ATRIUM_MEM_LIMIT": "4096"}, "ATRIUM_MEM_LIMIT is no amount of memory"),
    ({"ATRIUM_MEM_LIMIT": "100M"}, "ATRIUM_MEM_LIMIT is no amount of memory"),
    ({"ATRIUM_STARTS_AT_ONCE": "0"}, "ATRIUM_STARTS_AT_ONCE is"),
    ({"ATRIUM_CPU_LIMIT": "0"}, "ATRIUM_CPU_LIMIT is"),
]


@pytest.mark.parametrize(("names", "sentence"), WRONG)
def test_wrong_settings_are_named(
    names: dict[str, str], sentence: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        load(folder, monkeypatch, **names)
    assert "\n" not in str(refused.value)
    assert "an-access-key" not in str(refused.value)


def test_dotenv_is_read_and_the_environment_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = folder / ".env"
    dotenv.write_text("ATRIUM_STATE=kept\nATRIUM_HUB_ADMINS=a@b.test, c@d.test\n")
    dotenv.chmod(0o600)
    given = load(folder, monkeypatch, ATRIUM_STATE="elsewhere")
    assert given.state == folder / "elsewhere"
    assert given.hub_admins == {"a@b.test", "c@d.test"}


def test_an_empty_name_in_the_environment_hides_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = folder / ".env"
    dotenv.write_text("ATRIUM_STATE=kept\n")
    dotenv.chmod(0o600)
    assert load(folder, monkeypatch, ATRIUM_STATE=" ").state == folder / "kept"


@pytest.mark.parametrize("content", [b"ATRIUM_STATE=\xff\xfe\n", None])
def test_a_dotenv_that_cannot_be_read_is_one_sentence(
    content: bytes | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = folder / ".env"
    if content is None:
        dotenv.mkdir()
    else:
        dotenv.write_bytes(content)
    dotenv.chmod(0o700 if content is None else 0o600)
    with pytest.raises(SettingsError, match=r"the file \.env cannot be read"):
        load(folder, monkeypatch)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o620])
def test_a_dotenv_that_others_can_reach_is_refused(
    mode: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = folder / ".env"
    dotenv.write_text("ATRIUM_STATE=kept\n")
    dotenv.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        load(folder, monkeypatch)


def test_secrets_are_made_once_and_private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(folder, monkeypatch)
    first = state.open_state(given)
    secret = first.secret("cookie_secret")
    again = state.open_state(given)
    assert again.secret("cookie_secret") == secret
    assert again == first
    assert given.state.stat().st_mode & 0o777 == 0o700
    assert first.secret_file("cookie_secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("real_first", [True, False])
def test_a_state_folder_serves_one_provider_only(
    real_first: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, real = settings.load(folder), load(folder, monkeypatch, **REAL)
    first, then = (real, local) if real_first else (local, real)
    state.open_state(first)
    with pytest.raises(SettingsError, match="has served"):
        state.open_state(then)


def test_people_of_an_earlier_stand_in_are_not_mixed_with_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load(folder, monkeypatch)
    earlier = state.open_state(given).folder / "descope" / "descope.sqlite"
    earlier.parent.mkdir()
    earlier.touch()
    with pytest.raises(SettingsError, match="earlier version of the local stand-in"):
        state.open_state(given)


def test_a_state_folder_that_lost_its_mark_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = load(folder, monkeypatch)
    kept = state.open_state(given)
    (kept.folder / "jupyterhub.sqlite").touch()
    (kept.folder / "provider").unlink()
    with pytest.raises(SettingsError, match="lost its file"):
        state.open_state(given)


def test_a_state_folder_that_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "taken").write_text("")
    with pytest.raises(SettingsError, match="ATRIUM_STATE"):
        state.open_state(load(folder, monkeypatch, ATRIUM_STATE="taken/state"))


def test_every_setting_stands_in_the_example_and_the_guide_in_one_order() -> None:
    lines = (Path(settings.__file__).parents[1] / ".env.example").read_text().splitlines()
    named = [line[1:].partition("=")[0] for line in lines if line[:2] in {"#D", "#A"}]
    assert named == [str(field.alias) for field in settings.Settings.model_fields.values()]
    guide = (Path(settings.__file__).parents[1] / "README.md").read_text()
    assert named == re.findall(r"^\| `((?:DESCOPE|ATRIUM)_[A-Z_]+)` \|", guide, re.MULTILINE)
    secret = next(line for line in lines if "DESCOPE_CLIENT_SECRET=" in line)
    assert secret.endswith("=")


def test_the_hubs_own_ports_are_free_and_never_the_public_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = (19_001, 19_002, 19_003, 19_004)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(state.random, "sample", lambda *_: [8123, port, *free])
        public = "http://127.0.0.1:8123"
        kept = state.open_state(load(folder, monkeypatch, ATRIUM_PUBLIC_URL=public))
    ports = (kept.hub_port, kept.proxy_api_port, kept.descope_port, kept.files_port)
    assert ports == free


def test_no_connection_can_take_a_port_of_a_stopped_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = state.open_state(load(folder, monkeypatch))
    ports = {kept.hub_port, kept.proxy_api_port, kept.descope_port, kept.files_port}
    assert len(ports) == 4
    assert max(ports) < 32_768  # where Linux begins; ip(7), ip_local_port_range


def test_ports_of_an_earlier_version_are_kept_and_what_lacks_is_chosen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = state.open_state(load(folder, monkeypatch))
    ports = kept.folder / "ports.json"
    earlier = {"hub": 8001, "proxy_api": 8002, "descope": 8003}
    ports.write_text(json.dumps(earlier))
    chosen = state.open_state(load(folder, monkeypatch))
    assert (chosen.hub_port, chosen.proxy_api_port, chosen.descope_port) == (8001, 8002, 8003)
    assert chosen.files_port not in earlier.values()
    assert state.open_state(load(folder, monkeypatch)) == chosen
