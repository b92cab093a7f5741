"""Nobody's personal data in the log, whoever writes the line."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import structlog

from isthmus.kit.log import configure_logging
from isthmus.model.failure import RejectedError
from isthmus.web.listener import make_listener

HUSH = "ada@example.com"


class Person:
    def __repr__(self) -> str:
        return "Person(ada@example.com)"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to standard error, with logging put back as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    told = io.StringIO()
    monkeypatch.setattr("sys.stderr", told)
    configure_logging("info", "json")
    yield told
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_keys_that_name_somebody_are_never_written(lines: io.StringIO) -> None:
    structlog.get_logger().info("pushed", email="ada@example.com", body={"x": 1}, n=3)
    told = json.loads(lines.getvalue())
    assert (told["email"], told["body"], told["n"], told["event"]) == ("…", "…", 3, "pushed")


def test_what_is_hidden_in_a_mapping_is_found(lines: io.StringIO) -> None:
    structlog.get_logger().info("pushed", detail={"phone": "+44", "count": 2}, ids=["a", Person()])
    told = json.loads(lines.getvalue())
    assert told["detail"] == {"phone": "…", "count": 2}
    assert told["ids"] == ["a", "<Person>"]


def test_a_value_of_unknown_kind_shows_only_its_kind(lines: io.StringIO) -> None:
    structlog.get_logger().info("pushed", who=Person(), amount=Decimal(1))
    told = json.loads(lines.getvalue())
    assert (told["who"], told["amount"]) == ("<Person>", "<Decimal>")


def test_lines_of_libraries_take_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("library").warning("slow", extra={"email": "ada@example.com"})
    told = json.loads(lines.getvalue())
    assert (told["event"], told["logger"], told["level"], told["email"]) == ("slow", "library", "warning", "…")


def fail_at_a_cast() -> None:
    try:
        raise psycopg.errors.InvalidTextRepresentation(f'invalid input syntax for type bigint: "{HUSH}"')
    except psycopg.Error:
        raise KeyError(HUSH) from RejectedError("platform.refused", "orders[0].total")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_error_is_logged_with_its_places_and_without_its_words(
    monkeypatch: pytest.MonkeyPatch, lines: io.StringIO, form: str
) -> None:
    monkeypatch.setattr(sys, "stderr", lines)
    configure_logging("info", form)  # type: ignore[arg-type]
    try:
        fail_at_a_cast()
    except KeyError as error:
        logging.getLogger("library").error("a job failed", exc_info=True)
        structlog.get_logger().error("a task failed", exc_info=error)
    told = lines.getvalue()
    assert told.count("in fail_at_a_cast") == 2
    assert told.count("RejectedError: platform.refused: orders[0].total") == 2
    assert "KeyError" in told
    assert HUSH not in told


def test_the_http_server_logs_in_the_same_form(monkeypatch: pytest.MonkeyPatch, lines: io.StringIO) -> None:
    for name in ("uvicorn", "uvicorn.error"):  # another server of this process may have configured them
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)

    async def app(*_: Any) -> None: ...

    make_listener(app)
    try:
        fail_at_a_cast()
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    told = json.loads(lines.getvalue())
    assert "in fail_at_a_cast" in told["exception"]
    assert HUSH not in lines.getvalue()


def test_an_error_of_the_database_is_logged_by_its_sqlstate(lines: io.StringIO) -> None:
    try:
        raise psycopg.errors.UniqueViolation(f"Key (address)=({HUSH}) already exists")
    except psycopg.Error:
        logging.getLogger("library").exception("no")
    told = json.loads(lines.getvalue())["exception"]
    assert told.endswith("psycopg.errors.UniqueViolation: SQLSTATE 23505")
    assert HUSH not in told


def test_what_nobody_caught_ends_there_without_its_words(monkeypatch: pytest.MonkeyPatch, lines: io.StringIO) -> None:
    monkeypatch.setattr(sys, "stderr", lines)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    configure_logging("info", "json")
    thread = threading.Thread(target=fail_at_a_cast)
    thread.start()
    thread.join()
    try:
        fail_at_a_cast()
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    assert lines.getvalue().count("in fail_at_a_cast") == 2
    assert HUSH not in lines.getvalue()
