"""What an answer of Shopify, or the lack of one, means: one table for HTTP, one for GraphQL.

Sources: https://shopify.dev/docs/api/usage/response-codes and captured GraphQL errors. What neither table knows is
taken to pass: it is tried again, and shown as a case while it lasts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx2

from isthmus.kit.backoff import requested_wait
from isthmus.model.failure import BlockedError, Failure, RejectedError, SlowError, TransientError
from isthmus.outbound.call import request_id, with_request_id
from isthmus.outbound.deadline_transport import SlowBodyError
from isthmus.outbound.status_table import StatusMeaning, blocking, rejected, retryable

UNEXPLAINED = "storefront.unexplained"

STATUSES: Mapping[int, StatusMeaning] = MappingProxyType(
    {
        400: rejected("integration.query_refused"),
        401: blocking("storefront.token_refused"),
        402: blocking("storefront.shop_closed"),
        403: blocking("storefront.access_denied"),
        404: blocking("storefront.shop_closed"),
        406: rejected("integration.query_refused"),
        408: retryable("storefront.unavailable", may_have_arrived=True),
        413: rejected("integration.query_too_expensive"),
        414: rejected("integration.query_refused"),
        415: rejected("integration.query_refused"),
        422: rejected("integration.query_refused"),
        423: blocking("storefront.shop_closed"),
        425: retryable("storefront.unavailable"),
        429: retryable("storefront.throttled"),
        430: retryable("storefront.throttled"),
        500: retryable("storefront.unavailable", may_have_arrived=True),
        501: rejected("integration.query_refused"),
        502: retryable("storefront.unavailable", may_have_arrived=True),
        503: retryable("storefront.unavailable"),
        504: retryable("storefront.unavailable", may_have_arrived=True),
        530: retryable("storefront.unavailable"),
        540: retryable("storefront.unavailable"),
    }
)
"""Answers by status."""

MOVED = blocking("storefront.moved")
REFUSED_SOMEHOW = retryable(UNEXPLAINED)
"""Any other 4xx: not one that Shopify documents, so most likely from something in front of it."""
BROKEN_SOMEHOW = retryable("storefront.unavailable", may_have_arrived=True)
"""Any other answer."""

ERRORS: Mapping[str, StatusMeaning] = MappingProxyType(
    {
        "ACCESS_DENIED": blocking("storefront.access_denied"),
        "SHOP_INACTIVE": blocking("storefront.shop_closed"),
        "THROTTLED": retryable("storefront.throttled"),
        "INTERNAL_SERVER_ERROR": retryable("storefront.unavailable", may_have_arrived=True),
        "TIMEOUT": retryable("storefront.unavailable", may_have_arrived=True),
        "MAX_COST_EXCEEDED": rejected("integration.query_too_expensive"),
        "MAX_INPUT_SIZE_EXCEEDED": rejected("integration.query_too_expensive"),
        "BAD_REQUEST": rejected("integration.query_refused"),
        "INVALID": rejected("integration.query_refused"),
        "INVALID_VARIABLE": rejected("integration.query_refused"),
        "RESOURCE_NOT_FOUND": rejected("integration.query_refused"),
        "argumentLiteralsIncompatible": rejected("integration.query_refused"),
        "argumentNotAccepted": rejected("integration.query_refused"),
        "cannotSpreadFragment": rejected("integration.query_refused"),
        "missingRequiredArguments": rejected("integration.query_refused"),
        "missingRequiredInputObjectAttribute": rejected("integration.query_refused"),
        "selectionMismatch": rejected("integration.query_refused"),
        "undefinedField": rejected("integration.query_refused"),
        "undefinedFragment": rejected("integration.query_refused"),
        "undefinedType": rejected("integration.query_refused"),
        "variableMismatch": rejected("integration.query_refused"),
        "variableNotDefined": rejected("integration.query_refused"),
        "variableNotUsed": rejected("integration.query_refused"),
        "variableRequiresValidType": rejected("integration.query_refused"),
    }
)
"""Errors of a GraphQL answer by `extensions.code`; from BAD_REQUEST on, they say that the request itself is wrong: a
value that the field refuses, an id that cannot be one, a query that the schema does not allow."""

UNKNOWN_ERROR = retryable(UNEXPLAINED, may_have_arrived=True)
"""Any other error, and one without a code."""

# The request cannot have left.
_BEFORE_SENDING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def error_from_response(status: int, headers: Mapping[str, str]) -> Failure:
    """The failure that an answer outside 2xx stands for; nothing of its body is repeated."""
    detail = with_request_id(f"answered {status}", headers)
    if 300 <= status < 400:
        return MOVED.of(f"{detail}, now at {_host(headers.get('location', ''))}")
    meaning = STATUSES.get(status) or (REFUSED_SOMEHOW if 400 <= status < 500 else BROKEN_SOMEHOW)
    return meaning.of(detail, requested_wait(headers))


def error_from_no_response(error: httpx2.RequestError) -> TransientError:
    """The failure of a call without an answer; of the error only its kind is repeated."""
    may_have_arrived = not isinstance(error, _BEFORE_SENDING)
    kind = SlowError if isinstance(error, SlowBodyError) else TransientError
    return kind("storefront.unavailable", type(error).__name__, may_have_arrived=may_have_arrived)


def error_from_malformed_response(headers: Mapping[str, str] = MappingProxyType({})) -> TransientError:
    """The failure of an answer that is no GraphQL answer: a proxy's page, half a body, values nested without end."""
    detail = with_request_id("success without a readable answer", headers)
    return TransientError("storefront.unavailable", detail, may_have_arrived=True)


def error_for_vanished_record() -> TransientError:
    """The failure of a record that was there on its first page and not on its second: read it again."""
    return TransientError("storefront.unavailable", "a record went away while it was read")


def error_from_graphql(errors: list[Any], headers: Mapping[str, str] = MappingProxyType({})) -> Failure:
    """The failure that `errors` of a GraphQL answer stand for: the one that stops most of the work, first of equals.

    Partial data is never used: a field that is null because we may not see it looks like a record that is gone.
    """
    call = request_id(headers)
    each = errors if isinstance(errors, list) else [errors]
    failures = [_of_error(error if isinstance(error, dict) else {}, call) for error in each]
    for weight in (BlockedError, RejectedError):
        for failure in failures:
            if isinstance(failure, weight):
                return failure
    return failures[0]


def errors_by_index(errors: list[Any], field: str) -> dict[int, Failure] | None:
    """The failures of single elements of a list, by their place in it; None where an error is about anything more.

    What an app may not see is denied for every element alike, and stops the call as ever.
    """
    found: dict[int, Failure] = {}
    for error in errors:
        path = error.get("path") if isinstance(error, dict) else None
        if not isinstance(path, list) or len(path) < 2 or path[0] != field or type(path[1]) is not int:
            return None
        failure = _of_error(error, "")
        if isinstance(failure, BlockedError) or error_code(error) in ("THROTTLED", "MAX_COST_EXCEEDED"):
            return None
        found.setdefault(path[1], failure)
    return found


def is_throttled(errors: Any) -> bool:
    return isinstance(errors, list) and any(error_code(error) == "THROTTLED" for error in errors)


def is_too_expensive(failure: Failure) -> bool:
    """Whether a smaller batch may go through."""
    return failure.code == "integration.query_too_expensive"


def error_code(error: Any) -> str:
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


def _of_error(error: dict[str, Any], call: str) -> Failure:
    code = error_code(error)
    steps = error.get("path")
    path = ".".join(str(step) for step in steps if isinstance(step, str)) if isinstance(steps, list) else ""
    shown = code if code in ERRORS else "an unknown code" if code else "no code"
    where = f"{shown} at {path or 'the query'}"
    if call:
        where += f" (request {call})"
    if code == "ACCESS_DENIED":
        # Two causes share the code; only the text tells them apart
        # (https://shopify.dev/docs/apps/launch/protected-customer-data).
        if "not approved" in str(error.get("message", "")):
            return BlockedError("storefront.protected_data_missing", where)
        needed = error["extensions"].get("requiredAccess")
        return BlockedError("storefront.access_denied", f"{where}: {needed}" if needed else where)
    return ERRORS.get(code, UNKNOWN_ERROR).of(where)


def _host(location: str) -> str:
    return urlsplit(location).hostname or "an address it does not name"
