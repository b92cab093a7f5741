"""What an answer of Shopify, or the lack of one, means for the road: one table for HTTP, one for GraphQL.

Sources: https://shopify.dev/docs/api/usage/response-codes and captured GraphQL errors.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from isthmus.kit.backoff import asked_for
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError

_BLOCKED = {
    401: "storefront.token_refused",
    402: "storefront.shop_closed",
    403: "storefront.access_denied",
    404: "storefront.shop_closed",
    423: "storefront.shop_closed",
}
_LATER = {408: "storefront.unavailable", 429: "storefront.throttled", 430: "storefront.throttled"}

# The request cannot have left.
_BEFORE_SENDING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def of_answer(status: int, headers: Mapping[str, str]) -> Failure:
    """The failure that an answer outside 2xx stands for; nothing of its body is repeated."""
    detail = f"answered {status}"
    if 300 <= status < 400:
        return BlockedError("storefront.moved", f"{detail}, now at {_host(headers.get('location', ''))}")
    if status in _BLOCKED:
        return BlockedError(_BLOCKED[status], detail)
    if status in _LATER:
        return TransientError(_LATER[status], detail, retry_after=asked_for(headers))
    if status >= 500:
        return TransientError(
            "storefront.unavailable", detail, retry_after=asked_for(headers), may_have_arrived=status != 503
        )
    return RejectedError("integration.query_refused", detail)


def of_silence(error: httpx2.RequestError) -> TransientError:
    """The failure of a call without an answer; of the error only its kind is told."""
    may_have_arrived = not isinstance(error, _BEFORE_SENDING)
    return TransientError("storefront.unavailable", type(error).__name__, may_have_arrived=may_have_arrived)


def of_nonsense() -> TransientError:
    """The failure of an answer that is no GraphQL answer: a proxy's page, half a body."""
    return TransientError("storefront.unavailable", "success without a readable answer", may_have_arrived=True)


def of_vanishing() -> TransientError:
    """The failure of a record that was there on its first page and not on its second: read it again."""
    return TransientError("storefront.unavailable", "a record went away while it was read")


def of_errors(errors: list[Any]) -> Failure:
    """The failure that `errors` of a GraphQL answer stand for: the one that closes most of the road, first of equals.

    Partial data is never used: a field that is null because we may not see it looks like a record that is gone.
    """
    failures = [_of_error(error if isinstance(error, dict) else {}) for error in errors]
    for weight in (BlockedError, RejectedError):
        for failure in failures:
            if isinstance(failure, weight):
                return failure
    return failures[0]


def by_place(errors: list[Any], field: str) -> dict[int, Failure] | None:
    """The failures of single elements of a list, by their place in it; None where an error is about anything more.

    What an app may not see is denied for every element alike, and stops the call as ever.
    """
    found: dict[int, Failure] = {}
    for error in errors:
        path = error.get("path") if isinstance(error, dict) else None
        if not isinstance(path, list) or len(path) < 2 or path[0] != field or type(path[1]) is not int:
            return None
        failure = _of_error(error)
        if isinstance(failure, BlockedError) or code_of(error) in ("THROTTLED", "MAX_COST_EXCEEDED"):
            return None
        found.setdefault(path[1], failure)
    return found


def is_throttled(errors: list[Any]) -> bool:
    return any(code_of(error) == "THROTTLED" for error in errors)


def is_too_expensive(failure: Failure) -> bool:
    """Whether a smaller batch may go through."""
    return failure.code == "integration.query_too_expensive"


def code_of(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else ""


def search_warning(extensions: Mapping[str, Any]) -> RejectedError | None:
    """Shopify answers a filter it does not understand with everything there is; only a warning tells.

    https://shopify.dev/docs/api/usage/search-syntax
    """
    for search in extensions.get("search") or ():
        if isinstance(search, dict) and search.get("warnings"):
            path = ".".join(str(step) for step in search.get("path") or ())
            return RejectedError("integration.search_ignored", f"the filter of {path} was not understood")
    return None


def _of_error(error: dict[str, Any]) -> Failure:
    code = code_of(error)
    path = ".".join(str(step) for step in error.get("path") or () if isinstance(step, str))
    where = f"{code or 'no code'} at {path or 'the query'}"
    if code == "ACCESS_DENIED":
        # Two causes share the code; the second is told by the text alone
        # (https://shopify.dev/docs/apps/launch/protected-customer-data).
        if "not approved" in str(error.get("message", "")):
            return BlockedError("storefront.protected_data_missing", where)
        needed = error["extensions"].get("requiredAccess")
        return BlockedError("storefront.access_denied", f"{where}: {needed}" if needed else where)
    if code == "THROTTLED":
        return TransientError("storefront.throttled", where)
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
        return TransientError("storefront.unavailable", where, may_have_arrived=True)
    if code in ("MAX_COST_EXCEEDED", "MAX_INPUT_SIZE_EXCEEDED"):
        return RejectedError("integration.query_too_expensive", where)
    return RejectedError("integration.query_refused", where)


def _host(location: str) -> str:
    return urlsplit(location).hostname or "an address it does not name"
