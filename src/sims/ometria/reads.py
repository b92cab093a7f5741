"""The Data API's read paths, and the single-object writes that answer at once.

Sources: https://docs.ometria.com/docs/contacts-endpoint, /docs/orders-endpoint, /docs/product-endpoint,
https://support.ometria.com/hc/en-gb/articles/360011514197 (profiles), 360011619778 (lists), 360011622878
(unsubscribes). Paths and filters marked so in `assumptions` are ASSUMED.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sims.ometria import apply, times, views
from sims.ometria.account import Account
from sims.ometria.answers import not_found, problem
from sims.ometria.shelf import Shelf
from sims.ometria.validate import rules_for
from sims.wire import Response, json_response

LIMIT, LIMIT_MAX = 10, 250

Query = Mapping[str, str]


def collections(account: Account) -> Response:
    """Answer `GET /contacts`."""
    return json_response([{"id": name, "count": len(shelf)} for name, shelf in account.collections.items()])


def contacts(account: Account, collection: str, query: Query) -> Response:
    """Answer `GET /contacts/{collection}`."""
    return _page(account, account.collections.get(collection, Shelf()), query, views.contact)


def contact(account: Account, collection: str, listing_id: str) -> Response:
    """Answer `GET /contacts/{collection}/{id}`."""
    return _one(account, account.collections.get(collection, Shelf()), listing_id, views.contact, "Contact")


def orders(account: Account, query: Query) -> Response:
    """Answer `GET /orders`."""
    return _page(account, account.orders, query, views.order)


def order(account: Account, order_id: str) -> Response:
    """Answer `GET /orders/{id}`."""
    return _one(account, account.orders, order_id, views.order, "Order")


def products(account: Account, query: Query) -> Response:
    """Answer `GET /products`: parents only unless `includeVariants=true`; `active` picks one side."""
    wanted, active = query.get("includeVariants") == "true", query.get("active")
    rows = [
        row
        for row in account.products
        if (wanted or not row.record.get("is_variant"))
        and (active is None or row.record.get("is_active", True) is (active == "true"))
    ]
    try:
        limit, offset, _ = _window(query)
    except ValueError:
        return _bad_query()
    return json_response([views.product(account, row) for row in rows[offset : offset + limit]])


def product(account: Account, product_id: str) -> Response:
    """Answer `GET /products/{id}`."""
    return _one(account, account.products, product_id, views.product, "Product")


def events(account: Account, query: Query) -> Response:
    """Answer `GET /custom-events/`."""
    return _page(account, account.events, query, views.event)


def event(account: Account, event_id: str) -> Response:
    """Answer `GET /custom-events/{id}`."""
    return _one(account, account.events, event_id, views.event, "Custom event")


def profiles(account: Account, query: Query) -> Response:
    """Answer `GET /profiles/`, and `?email=` as a list or, by switch, as one object."""
    if "email" not in query:
        return _page(account, account.people.shelf, query, views.profile)
    found = [views.profile(account, one) for one in account.people.by_email(query["email"])]
    if account.switches.profiles_email == "array":
        return json_response(found)
    return json_response(found[0]) if found else not_found("Profile")


def profile(account: Account, profile_id: str) -> Response:
    """Answer `GET /profiles/{id}`."""
    return _one(account, account.people.shelf, profile_id, views.profile, "Profile")


def lists(account: Account, query: Query) -> Response:
    """Answer `GET /lists`; `mode` is active (default), archived or all."""
    mode = query.get("mode", "active")
    return json_response(
        [views.listed(one) for one in account.lists.values() if mode == "all" or one.archived == (mode == "archived")]
    )


def one_list(account: Account, list_id: str) -> Response:
    """Answer `GET /lists/{id}`."""
    found = account.lists.get(int(list_id)) if list_id.isdigit() else None
    return json_response(views.listed(found)) if found else not_found("List")


def list_changes(account: Account, list_id: str, query: Query) -> Response:
    """Answer `GET /lists/{id}/changes`."""
    found = account.lists.get(int(list_id)) if list_id.isdigit() else None
    if found is None:
        return not_found("List")
    try:
        since = times.read(query["since"]) if "since" in query else None
    except ValueError:
        return _bad_query()
    return json_response([one for one in found.changes if since is None or times.read(one["timestamp"]) >= since])


def unsubscribes(account: Account, query: Query, now: datetime) -> Response:
    """Answer `GET /unsubscribes`; opt-outs that came through the API are not there, and there is no paging."""
    try:
        since = times.read(query["since"]) if "since" in query else None
        before = times.read(query["before"]) if "before" in query else None
    except ValueError:
        return _bad_query()
    return json_response(
        [
            views.unsubscribe(one)
            for one in account.unsubscribes
            if one.listed_at <= now
            and (since is None or one.at >= since)
            and (before is None or one.at < before)
            and query.get("type", one.type) == one.type
        ]
    )


def write(account: Account, kind: str, path: Mapping[str, str], body: Any, now: datetime) -> Response:
    """Answer `POST` to one contact, order, product or to `/custom-events/`: checked and stored at once."""
    if not isinstance(body, dict):
        return problem(400, "Payload invalid: Body is not a JSON object")
    wrong = apply.one(account, {**body, **path, "@type": kind}, rules_for(account.switches), now)
    if wrong is not None:
        return problem(400, f"{wrong.message}: {wrong.path}")
    return json_response({"status": "OK"}, 201)


def push_errors(account: Account) -> Response:
    """Answer `GET /push/_errors`."""
    return json_response(account.errors.listed(account.switches.errors_shape, account.name))


def push_status(account: Account, request_id: str) -> Response:
    """Answer `GET /push/{request_id}`, where the account has that path."""
    found = account.requests.get(request_id) if account.switches.push_status_path else None
    return json_response(found) if found else not_found("Request")


def _page(account: Account, shelf: Shelf[Any], query: Query, view: Callable[[Account, Any], Any]) -> Response:
    try:
        limit, offset, since = _window(query)
    except ValueError:
        return _bad_query()
    rows: Iterable[Any] = shelf.page(limit, offset, since, query.get("orderby") == "timestamp_update")
    return json_response([view(account, row) for row in rows])


def _one(account: Account, shelf: Shelf[Any], key: str, view: Callable[[Account, Any], Any], what: str) -> Response:
    row = shelf.get(key)
    return json_response(view(account, row)) if row is not None else not_found(what)


def _window(query: Query) -> tuple[int, int, datetime | None]:
    limit, offset = int(query.get("limit", LIMIT)), int(query.get("offset", 0))
    if limit < 1 or offset < 0:
        raise ValueError("limit and offset are positive")
    since = times.read(query["updateSince"]) if "updateSince" in query else None
    return min(limit, LIMIT_MAX), offset, since


def _bad_query() -> Response:
    return problem(400, "Query invalid: limit and offset are numbers, dates are YYYY-MM-DDTHH:MM:SS")
