"""Nobody's personal data in the log, whoever writes the line."""

import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest
import structlog

from isthmus.kit.log import configure


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
    configure("info", "json")
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
