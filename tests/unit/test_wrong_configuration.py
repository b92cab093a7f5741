"""Every wrong key and value of both files ends with exit code 2 and one line that names the key and the fix."""

import copy
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_connection_file import FULL, SECOND

from isthmus.app.exit_codes import WRONG_USE, exit_message
from isthmus.app.settings import load_settings
from isthmus.connections import file
from isthmus.kit.config_errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "isthmus.default.toml").read_text())
CONNECTION = tomllib.loads(FULL + SECOND)
HUSH = "hush-hush-0123456789"

WRONG_VALUES: tuple[Any, ...] = (
    -1, 0.5, 10**30, float("nan"), float("inf"), True, "", " ", HUSH, f"{HUSH}\n{HUSH}", "\x1b[31m" + HUSH, "x" * 5000,
    [], [HUSH], [[1]], {}, {"a": HUSH}, "env:", "file:", "file:a\u0000", "5 minutes", "-5m", "http://",
    "https://u:p@h/", "ftp://h", "999999999999999d", "0s", "2026-13-45", "\u0000",
)  # fmt: skip
"""Each is right for some key; where it is, nothing is said."""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key of a file, tables and their lists among them."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from places(inner, (*at, key))


def put(whole: dict[str, Any], at: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(whole)
    parent: Any = changed
    for key in at[:-1]:
        parent = parent[key]
    parent[at[-1]] = value
    return changed


def written(value: Any, path: tuple[str, ...] = ()) -> str:
    """A TOML text of these tables, inline below the first level."""
    return "".join(f"{key} = {inline(inner)}\n" for key, inner in value.items())


def inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key} = {inline(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case str():
            escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\' or ord(c) == 127 else c for c in value)
            return f'"{escaped}"'
    return str(value)


def complaint(which: str, whole: dict[str, Any], folder: Path) -> str | None:
    """The one line said about a file, None where it is fine. Anything but a ConfigError is a bug."""
    path = folder / f"{which}.toml"
    path.write_text(written(whole), encoding="utf-8")
    (folder / "acme.mapping.toml").write_text(MAPPING, encoding="utf-8")
    try:
        load_settings(path) if which == "isthmus" else file.read_connection_file(path)
    except ConfigError as error:
        told = exit_message(error)
        assert told is not None
        assert told.code == WRONG_USE
        return told.line
    return None


MAPPING = """[[metafields]]
owner = "customer"
namespace = "custom"
key = "skin_type"
type = "single_line_text_field"
property = "skin_type"
"""

FILES = [("isthmus", SETTINGS), ("acme", CONNECTION)]
EVERY = [(which, whole, at) for which, whole in FILES for at in places(whole)]
NAMES = [f"{which}:{'.'.join(map(str, at))}" for which, _, at in EVERY]


def spelled(at: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at).removeprefix(".")


def test_both_files_are_fine_as_they_stand(tmp_path: Path) -> None:
    assert [complaint(which, whole, tmp_path) for which, whole in FILES] == [None, None]
    assert len(EVERY) > 60


@pytest.mark.parametrize(("which", "whole", "at"), EVERY, ids=NAMES)
def test_no_value_is_taken_that_means_nothing(
    which: str, whole: dict[str, Any], at: tuple[str | int, ...], tmp_path: Path
) -> None:
    n_refused = 0
    for value in WRONG_VALUES:
        line = complaint(which, put(whole, at, value), tmp_path)
        if line is None:
            continue
        n_refused += 1
        assert line.startswith(f"{which}.toml: "), line
        assert "\n" not in line
        assert line.isprintable(), line
        assert len(line) < 400, line
        assert HUSH not in line
        key = spelled(at)
        assert key in line or spelled(at[:-1]) in line, (line, key)
    assert n_refused > len(WRONG_VALUES) // 3


@pytest.mark.parametrize(("which", "whole", "at"), [one for one in EVERY if isinstance(one[2][-1], str)])
def test_a_misspelt_key_is_named_with_the_one_that_was_meant(
    which: str, whole: dict[str, Any], at: tuple[str | int, ...], tmp_path: Path
) -> None:
    parent: Any = copy.deepcopy(whole)
    whole = parent
    for key in at[:-1]:
        parent = parent[key]
    right = str(at[-1])
    wrong = right[:-1] + "zq"
    parent[wrong] = parent.pop(right)
    line = complaint(which, whole, tmp_path)
    assert line is not None
    assert line.startswith(f"{which}.toml: {spelled((*at[:-1], wrong))} is not a known key; "), line
    assert "did you mean" in line or "known here" in line


@pytest.mark.parametrize("text", ["[", "a = ", "\x00", "a = 1\na = 2", "[[a]]\n[a]", "a = 2026-99-99", "a = 1e", "="])
@pytest.mark.parametrize("which", ["isthmus", "acme"])
def test_a_text_that_is_no_toml_is_one_line(which: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"{which}.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(path) if which == "isthmus" else file.read_connection_file(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{which}.toml: is no valid TOML")


def test_a_text_that_is_no_utf8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "isthmus.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text; save it as UTF-8"):
        load_settings(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        file.read_connection_file(tmp_path)
