"""The simulated Shopify at the wire: tokens, scopes and GraphQL of every store, one `Request` in, one `Response` out.

A store is addressed by a path prefix (`/acme-uk.myshopify.com/admin/…`), else by the Host header, else it is the first
one. https://shopify.dev/docs/api/admin-graphql
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from sims import manners
from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import access, auth, versions
from sims.shopify.answer import Library, answer
from sims.shopify.blinks import KNOBS as BLINKS
from sims.shopify.bulk.operations import Bulk
from sims.shopify.bulk.output import PATH as OUTPUTS
from sims.shopify.events import Event
from sims.shopify.merges import KNOBS as MERGES
from sims.shopify.run import Run
from sims.shopify.sorting import Sorting
from sims.shopify.state import Shop, Store, World
from sims.shopify.throttle import Bucket
from sims.shopify.views.shop import app_number
from sims.shopify.views.sight import Sight
from sims.shopify.whims import KNOBS as WHIMS
from sims.tape import Tape
from sims.wire import Request, Response, json_response, timeout_response

TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105
SCOPES_PATH = "/admin/oauth/access_scopes.json"
GRAPHQL = re.compile(r"/admin/api/([^/]+)/graphql\.json|/admin/api/graphql\.json")

KNOBS: dict[str, Any] = {
    "shopify.shop_status": 0,
    "shopify.dropped_scopes": "",
    "shopify.extra_scopes": "",
    "shopify.search_lag": 0.0,
    "shopify.throttle": 0.0,
    "shopify.unlimited": False,
    "shopify.plan": "",
    "shopify.error": 0.0,
    "shopify.timeout": 0.0,
    "shopify.timeout_after": 0.0,
    "shopify.internal_error": 0.0,
    "shopify.timeout_for": 30.0,
    "shopify.p_unexplained": 0.0,
    "shopify.p_drip_download": 0.0,
    "shopify.p_change_of_mind": 0.0,
}
"""Faults of this side and their off values.

shop_status: answer everything with 402 (frozen), 404 (gone), 423 (locked) or another status · dropped_scopes: scopes
taken away, comma-separated; without write_… its read_… stays · extra_scopes: more than
the app asks for (write_customer_merge) · search_lag: seconds that search trails behind ·
throttle, error (502), timeout (not done), timeout_after (done, but never answered), internal_error (a GraphQL error):
probabilities per call · p_unexplained: chance of errors without a code · p_drip_download: chance that the file of a
bulk operation comes at drip_rate bytes a second · timeout_for: seconds a caller is left hanging ·
plan: the plan by whose points every store is
served, its own when empty · unlimited: points do not run out, for a checker of a large shop · p_change_of_mind:
chance per thing that happens that somebody also subscribes or unsubscribes here.
"""

CLOSED = {
    402: "Unavailable Shop",
    403: "[API] This action requires merchant approval for this scope.",
    404: "Not Found",
    423: "Unavailable Shop",
}
"""What a shop says that is shut; the texts are ASSUMED."""


class Shopify:
    """One merchant's stores behind one address.

    `emit` receives the events that calls fire, in the order they happened. `insecure_callbacks` lets webhook addresses
    be http on this machine, since a demonstration on the loopback has no TLS: the real API refuses them.
    """

    def __init__(
        self,
        world: World,
        clock: SimClock,
        faults: Faults,
        tape: Tape,
        *,
        emit: Callable[[list[Event]], None] | None = None,
        insecure_callbacks: bool = False,
        app_id: int | None = None,
    ) -> None:
        self.world, self.clock, self.faults, self.tape = world, clock, faults, tape
        self.tokens = auth.Tokens(random.Random(f"tokens {world.seed}"))
        self.library = Library()
        self._emit = emit or (lambda _: None)
        self._app_id = app_id
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self.points: dict[str, Counter[str]] = defaultdict(Counter)
        self.bulk = Bulk(world, faults, self.library.schema, self._emit)
        self._sortings: dict[tuple[str, str, str], Sorting] = {}
        faults.declare(
            {
                **KNOBS,
                **manners.knobs("shopify"),
                **WHIMS,
                **BLINKS,
                **MERGES,
                "shopify.insecure_callbacks": insecure_callbacks,
            }
        )

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        store, path = self._address(request)
        if store is None:
            return json_response({"errors": "Not Found"}, 404)
        self.tick()
        summary: dict[str, Any] = {}
        if path.startswith(OUTPUTS):
            response = self.bulk.fetch(request)
            if self.faults.strikes("shopify.p_drip_download"):
                response = replace(response, drip=float(self.faults.get("shopify.drip_rate")))
        else:
            with self.world.lock:
                response, summary = self._answer(store, path, request)
            response = manners.carried(self.faults, "shopify", response)
        shop = store.shop.domain
        body = b"" if path == TOKEN_PATH else request.body  # a secret stands in it
        self.tape.record(
            self.clock.now(), "shopify", request.method, path, response.status, account=shop, summary=summary, body=body
        )
        return response

    def tick(self) -> None:
        """Do what the shops do by themselves, as far as it is due by the clock."""
        with self.world.lock:
            for events in self.world.later.due(self.world.now()):
                self._emit(events)

    def static_token(self, store: str) -> str:
        """Hand out a token that never expires, as an app made by the merchant has; `store` is a domain or a name."""
        return self.tokens.grant(self.world.store(store).shop, self.clock.now(), None)

    def revoke_tokens(self, store: str | None = None) -> int:
        """Make the tokens of a store, or of all, worthless; returns how many there were."""
        return self.tokens.revoke(None if store is None else self.world.store(store).shop.domain)

    def scopes(self) -> frozenset[str]:
        """Return what the app is granted now."""
        dropped = {each.strip() for each in self.faults.get("shopify.dropped_scopes").split(",")}
        left = {each.replace("write_", "read_", 1) for each in access.GRANTED if each in dropped}
        dropped |= {each.replace("read_", "write_", 1) for each in dropped}
        extra = {each.strip() for each in self.faults.get("shopify.extra_scopes").split(",") if each.strip()}
        return frozenset(each for each in (*access.GRANTED, *left, *extra) if each not in dropped)

    def _address(self, request: Request) -> tuple[Store | None, str]:
        first, _, rest = request.path.lstrip("/").partition("/")
        stores = self.world.stores
        if first in stores:
            return stores[first], f"/{rest}"
        if first.endswith(".myshopify.com"):
            return None, request.path
        host = request.headers.get("host", "").partition(":")[0]
        return stores.get(host) or next(iter(stores.values()), None), request.path

    def _answer(self, store: Store, path: str, request: Request) -> tuple[Response, dict[str, Any]]:
        shut = self.faults.get("shopify.shop_status")
        if shut:
            self.faults.count("shopify.shop_status")
            return json_response({"errors": CLOSED.get(shut, "Unavailable")}, shut), {"fault": "shop_status"}
        if self.faults.strikes("shopify.error"):
            return Response(502, {"Content-Type": "text/html"}, b"<html><body>Bad Gateway</body></html>"), {
                "fault": "error"
            }
        if self.faults.strikes("shopify.timeout"):
            return timeout_response(self.faults.get("shopify.timeout_for")), {"fault": "timeout"}
        response, summary = self._route(store, path, request)
        if self.faults.strikes("shopify.timeout_after"):
            return timeout_response(self.faults.get("shopify.timeout_for")), {**summary, "fault": "timeout_after"}
        return response, summary

    def _route(self, store: Store, path: str, request: Request) -> tuple[Response, dict[str, Any]]:
        if path == TOKEN_PATH and request.method == "POST":
            return auth.exchange(self.tokens, store.shop, request, self.scopes(), self.clock.now()), {}
        match = GRAPHQL.fullmatch(path)
        if match is None and path != SCOPES_PATH:
            return json_response({"errors": "Not Found"}, 404), {}
        token = request.headers.get("x-shopify-access-token", "")
        if not self.tokens.opens(token, store.shop, self.clock.now()):
            return auth.invalid_token(), {}
        if match is None:
            return auth.list_scopes(self.scopes()), {}
        if request.method != "POST":
            return json_response({"errors": "Method Not Allowed"}, 405), {}
        return self._graphql(store, versions.served(match[1] or ""), request)

    def _graphql(self, store: Store, version: str, request: Request) -> tuple[Response, dict[str, Any]]:
        headers = {versions.HEADER: version}
        try:
            call = request.json()
        except msgspec.DecodeError:
            unread = {"errors": {"query": "Required parameter missing or invalid"}}
            return json_response(unread, 400, headers), {}
        if self.faults.strikes("shopify.internal_error"):
            return json_response(_internal_error(), 200, headers), {"fault": "internal_error"}
        if self.faults.strikes("shopify.p_unexplained"):
            return json_response({"errors": [{"message": "Something went wrong"}]}, 200, headers), {
                "fault": "unexplained"
            }
        sight = self._sight(store, version, request)
        is_throttled = self.faults.strikes("shopify.throttle") or self.bulk.throttles_start(str(call))
        told = answer(self.library, call, sight, self._bucket(store.shop), is_throttled=is_throttled)
        spent = self.points[store.shop.domain]
        spent["calls"] += 1
        spent["throttled"] += bool(told.summary.get("throttled"))
        spent["points"] += told.summary.get("cost") or 0
        return json_response(told.body, 200, headers), told.summary

    def _sight(self, store: Store, version: str, request: Request) -> Sight:
        scopes = self.scopes()
        return Sight(
            self.world,
            store,
            self.clock.now().replace(microsecond=0),
            Run({}, scopes),
            scopes,
            timedelta(seconds=self.faults.get("shopify.search_lag")),
            self._app_id if self._app_id is not None else app_number(store.shop.client_id),
            self.faults.get("shopify.insecure_callbacks"),
            request.headers.get("shopify-search-query-debug") == "1",
            self._emit,
            self._sortings,
            version=version,
            bulk=self.bulk,
            base=_base(request),
            faults=self.faults,
        )

    def _bucket(self, shop: Shop) -> Bucket:
        plan = self.faults.get("shopify.plan") or shop.plan
        bucket = self._buckets.get((shop.domain, plan))
        if bucket is None or self.faults.get("shopify.unlimited"):
            bucket = self._buckets[shop.domain, plan] = Bucket.full(plan, self.clock.now())
        return bucket


def _base(request: Request) -> str:
    """Return the address a request came to; only this machine is reached without TLS."""
    host = request.headers.get("host", "localhost")
    name = host.rpartition(":")[0] or host
    return f"{'http' if name in ('127.0.0.1', 'localhost', '[::1]') else 'https'}://{host}"


def _internal_error() -> dict[str, Any]:
    told = "Internal error. Looks like something went wrong on our end."
    return {"errors": [{"message": told, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}
