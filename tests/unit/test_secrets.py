import copy
import json
import logging
import pickle
from pathlib import Path

import pytest

from isthmus.connections.secrets import Secret, is_reference, resolve_secret
from isthmus.model.failure import BlockedError

HUSH = "shpss_0123456789"


def test_a_secret_comes_from_the_environment() -> None:
    assert resolve_secret("env:ACME_KEY", "ometria.api_key", {"ACME_KEY": HUSH}).reveal() == HUSH


def test_a_secret_comes_from_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(HUSH + "\n")
    assert resolve_secret(f"file:{tmp_path / 'key'}", "ometria.api_key", {}).reveal() == HUSH


@pytest.mark.parametrize("environ", [{}, {"ACME_KEY": ""}, {"ACME_KEY": "  "}])
def test_a_missing_variable_is_told_by_key_reference_and_fix(environ: dict[str, str]) -> None:
    with pytest.raises(BlockedError) as raised:
        resolve_secret("env:ACME_KEY", "ometria.api_key", environ)
    assert raised.value.code == "integration.secret_missing"
    assert raised.value.detail == (
        "ometria.api_key: environment variable ACME_KEY is not set; set it for every isthmus process"
    )


def test_a_missing_or_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(BlockedError, match="cannot be read"):
        resolve_secret(f"file:{tmp_path / 'gone'}", "ometria.api_key")
    with pytest.raises(BlockedError, match="is empty"):
        resolve_secret(f"file:{tmp_path / 'empty'}", "ometria.api_key")


def test_bytes_that_are_no_text_are_told_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe" + HUSH.encode())
    with pytest.raises(BlockedError, match="not text") as raised:
        resolve_secret(f"file:{tmp_path / 'key'}", "ometria.api_key")
    assert HUSH not in f"{raised.value!r}{raised.value.__cause__!r}"


def test_what_is_no_reference_is_not_repeated() -> None:
    with pytest.raises(BlockedError) as raised:
        resolve_secret(HUSH, "ometria.api_key")
    assert HUSH not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("env:NAME", True), ("file:/run/key", True), ("env:", False), ("env:a b", False), ("file:", False), (HUSH, False)],
)
def test_a_reference_says_where(text: str, is_one: bool) -> None:
    assert is_reference(text) is is_one


def test_a_secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(HUSH)
    logging.getLogger("test").warning("got %s %r", secret, {"key": secret})
    shown = f"{secret} {secret!r} {secret:>40} {[secret]} {caplog.text}"
    assert HUSH not in shown
    assert "Secret(…)" in shown


@pytest.mark.parametrize("written", [pickle.dumps, copy.copy, json.dumps])
def test_a_secret_is_never_written_down(written: object) -> None:
    with pytest.raises(TypeError) as raised:
        written(Secret(HUSH))  # type: ignore[operator]
    assert HUSH not in str(raised.value)


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
