"""Names, logos and colours as an operator gives them; what is wrong ends the start."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from hub_extensions import brands, settings
from hub_extensions.settings import Settings, SettingsError
from hub_extensions.state import State

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><path d="M0 0h9"/></svg>'
FILES = "/services/files/"


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\6\0\0\0"


@pytest.fixture
def state(tmp_path: Path) -> State:
    (tmp_path / "state").mkdir()
    return State(
        folder=tmp_path / "state", hub_port=1, proxy_api_port=2, descope_port=3, files_port=4
    )


def load(state: State, **given: object) -> brands.Brands:
    return brands.load(Settings.model_validate(given), state, FILES)


def file_of(state: State, address: str) -> bytes:
    assert address.startswith(f"{FILES}brand/")
    return (brands.folder(state) / address.rpartition("/")[2]).read_bytes()


def test_nothing_set_is_our_own_look(state: State) -> None:
    found = load(state)
    assert found.installation == brands.Brand(name="Atrium")
    told = found.for_server(None)  # pyright: ignore[reportArgumentType]
    assert [json.loads(look) for look in told.values()] == [found.installation.page] * 2
    assert not brands.folder(state).exists()


@pytest.mark.parametrize(
    ("content", "kind", "is_letters"),
    [
        (SVG, "svg", True),
        (SVG.replace(b"120", b"40"), "svg", False),
        (b"<svg>", "svg", False),
        (png(200, 50), "png", True),
        (png(64, 64), "png", False),
    ],
)
def test_a_logo_is_served_under_an_address_that_nobody_guesses(
    content: bytes, kind: str, is_letters: bool, tmp_path: Path, state: State
) -> None:
    (tmp_path / "logo").write_bytes(content)
    brand = load(state, logo=tmp_path / "logo").installation
    assert brand.icon == ("" if is_letters else brand.logo)
    assert brand.logo.endswith(f".{kind}")
    assert brand.is_letters is is_letters
    assert file_of(state, brand.logo) == content
    (state.folder / "secrets" / "brand_key").write_text("00" * 32)
    assert load(state, logo=tmp_path / "logo").installation.logo != brand.logo


def test_an_accent_colours_the_mark_too(state: State) -> None:
    brand = load(state, accent="#7A1F5C").installation
    assert "--accent:#7a1f5c" in brand.css
    assert b'stroke="#7a1f5c"' in file_of(state, brand.icon)


def test_a_tenant_has_what_it_says_and_else_what_the_installation_has(
    tmp_path: Path, state: State
) -> None:
    (tmp_path / "own.svg").write_bytes(SVG)
    (tmp_path / "brands.toml").write_text('[globex]\nname = "Globex"\nlogo = "own.svg"\n')
    found = load(state, name="Acme charts", accent="#0000ff", brands=tmp_path / "brands.toml")
    (tmp_path / "brands.toml").write_text('[globex]\nname = "Globex"\n')
    mixed = load(state, logo=tmp_path / "own.svg", brands=tmp_path / "brands.toml")
    assert mixed.installation.is_letters
    assert not mixed.of_tenant("globex").is_letters  # whose name the letters are not
    globex = found.of_tenant("globex")
    assert (globex.name, file_of(state, globex.logo)) == ("Globex", SVG)
    assert "--accent:#0000ff" in globex.css
    assert found.of_tenant("acme") == found.of_tenant("") == found.installation
    assert "Globex" not in json.dumps(found.installation.page)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("globex = 1", "Input should be a valid dictionary"),
        ('[globex]\ncolor = "#000000"', "color: Extra inputs are not permitted"),
        ('[globex]\naccent = "red"', "accent: is not a colour"),
        ('[globex]\nlogo = "none.svg"', "none.svg, which cannot be read"),
        ('[initech]\nname = "Initech"', "names initech, which is no tenant"),
        ("[globex", "ATRIUM_BRANDS is no file in TOML"),
        (None, "there is no readable file at"),
    ],
)
def test_a_wrong_file_of_brands_ends_the_start(
    text: str | None, said: str, tmp_path: Path, state: State
) -> None:
    if text is not None:
        (tmp_path / "brands.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load(state, brands=tmp_path / "brands.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GIF89a", "is no picture in SVG or PNG"),
        (SVG + b" " * 70_000, "which is too large; a logo has 64 KB at most"),
        (None, "which cannot be read as a file"),
    ],
)
def test_a_wrong_logo_ends_the_start(
    content: bytes | None, said: str, tmp_path: Path, state: State
) -> None:
    if content is not None:
        (tmp_path / "logo").write_bytes(content)
    with pytest.raises(SettingsError, match=f"ATRIUM_LOGO names .*{said}"):
        load(state, logo=tmp_path / "logo")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ATRIUM_ACCENT", "red", "is not a colour; write it as"),
        ("ATRIUM_ACCENT", "#0b6", "is not a colour"),
        ("ATRIUM_EMBED_ORIGINS", "*", "is no list of origins; write each as"),
        ("ATRIUM_EMBED_ORIGINS", "https://a.example/path", "is no list of origins"),
        ("ATRIUM_EMBED_ORIGINS", "https://a.example; script-src *", "is no list of origins"),
        ("ATRIUM_EMBED_ORIGINS", "https://*.example", "is no list of origins"),
        ("ATRIUM_EMBED_ORIGINS", "http://a.example", "has an origin that is not https"),
        ("ATRIUM_NAME", "x" * 41, "is not a name of at most 40"),
        ("ATRIUM_NAME", "a\x07b", "is not a name"),
    ],
)
def test_a_wrong_name_colour_or_origin_ends_the_start(
    name: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} {said}"):
        settings.read(tmp_path)


def test_origins_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read(tmp_path).embed_origins == frozenset()
    given = "https://intranet.example.com, http://127.0.0.1:9000"
    monkeypatch.setenv("ATRIUM_EMBED_ORIGINS", given)
    assert sorted(settings.read(tmp_path).embed_origins, reverse=True) == given.split(", ")


def test_a_logo_that_no_page_shows_any_more_is_not_served(tmp_path: Path, state: State) -> None:
    (tmp_path / "logo").write_bytes(SVG)
    first = load(state, logo=tmp_path / "logo", accent="#7A1F5C").installation
    (tmp_path / "logo").write_bytes(png(64, 64))
    second = load(state, logo=tmp_path / "logo").installation
    assert file_of(state, second.logo) == png(64, 64)
    assert [file.name for file in brands.folder(state).iterdir()] == [
        second.logo.rpartition("/")[2]
    ]
    assert first.logo != second.logo
    load(state)
    assert list(brands.folder(state).iterdir()) == []
