"""Requests and responses as plain values, so that an external API can be driven over HTTP or inside a process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

JSON = "application/json; charset=utf-8"

TIMEOUT_STATUS = 599
"""Status of an answer that never comes: a network shell hangs, an in-process transport raises its timeout."""

TIMEOUT_HEADER = "x-sim-timeout"
"""Names, on a `TIMEOUT_STATUS` response, for how many seconds the caller is left hanging."""

LINES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower-case, a repeated query parameter keeps its last value."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the decoded body; raises `msgspec.DecodeError` when it is not JSON."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response; header names are kept as the external API spells them.

    A long body is a `stream` instead; one that ends before its Content-Length is a connection that broke off. It is
    sent `late` seconds after it was made, its body at `drip` bytes a second unless that is 0.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: Iterator[bytes] | None = None
    late: float = 0.0
    drip: float = 0.0

    def json(self) -> Any:
        """Return the decoded body; raises `msgspec.DecodeError` when it is not JSON."""
        return msgspec.json.decode(self.body)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as a JSON answer; datetimes become ISO 8601, Decimals strings."""
    return Response(status, {"Content-Type": JSON, **(headers or {})}, msgspec.json.encode(value))


def timeout_response(seconds: float) -> Response:
    """Return the marker of an answer that comes only after `seconds`, which is later than any caller waits."""
    return Response(TIMEOUT_STATUS, {TIMEOUT_HEADER: f"{seconds:g}"})


def lines_response(values: Iterable[Any]) -> Response:
    """Return values as JSON lines, encoded while they are sent."""
    return Response(200, {"Content-Type": "application/x-ndjson"}, stream=_lines(values))


def _lines(values: Iterable[Any]) -> Iterator[bytes]:
    encode, rest = msgspec.json.Encoder().encode, iter(values)
    while some := list(islice(rest, LINES_AT_ONCE)):
        yield b"".join(encode(one) + b"\n" for one in some)
