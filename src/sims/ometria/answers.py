"""The answers that are alike on every path; the shape of an error body is ASSUMED, its words are the documents'."""

from __future__ import annotations

from collections.abc import Mapping

from sims.wire import Response, json_response

FORBIDDEN = "API key is not authorised to access this resource"
TOO_LARGE = "Payload invalid: Record is too large"


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error answer."""
    return json_response({"status": "ERROR", "message": message}, status, headers)


def forbidden() -> Response:
    """Return the answer to a missing or wrong key: 403, never 401."""
    return problem(403, FORBIDDEN)


def not_found(what: str) -> Response:
    """Return 404 in the words of "List with specified ID was not found"."""
    return problem(404, f"{what} with specified ID was not found")


def no_such_path() -> Response:
    """Return the 404 of a web server rather than of the API: a path that is not there says nothing of a record."""
    return Response(404, {"Content-Type": "text/html"}, b"<html><body>404 Not Found</body></html>")


def too_many(headers: Mapping[str, str] | None = None) -> Response:
    """Return 429; no Retry-After is documented."""
    return problem(429, "Too many requests: please reduce the number of requests", headers)
