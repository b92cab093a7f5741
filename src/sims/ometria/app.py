"""Simulated Ometria as one plain object: a request in, a response out, time moved from outside.

Sources: https://docs.ometria.com/docs/ometria-data-api-introduction (transport, limits), facts per path in `reads`,
`push` and `merging`; everything unknown is a switch or listed in `assumptions`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote

import msgspec

from sims import manners
from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria import apply, merging, push, reads, tamper, unsubscribes, views
from sims.ometria.account import Account
from sims.ometria.answers import forbidden, no_such_path, problem, too_many
from sims.ometria.errors import PushError, Refusal
from sims.ometria.identity import Profile
from sims.ometria.importer import (
    ShopCustomer,
    ShopOrder,
    ShopProduct,
    import_customers,
    import_orders,
    import_products,
)
from sims.ometria.limits import Bucket
from sims.ometria.switches import Switches, turned
from sims.statements import Statements
from sims.tape import Tape
from sims.wire import Request, Response, timeout_response

KNOBS: dict[str, Any] = {
    "ometria.p429": 0.0,  # chance of a 429 although there is room
    "ometria.p502": 0.0,
    "ometria.p_timeout_after_accept": 0.0,  # a write takes effect, the answer never comes
    "ometria.p_drop_before_accept": 0.0,  # a write is lost, the answer never comes
    "ometria.hang_seconds": 30.0,  # how long "never" is
    "ometria.slow_application": 0.0,  # extra seconds between acceptance and application
    "ometria.slow_per_record": 0.0,  # the same for every record of a push
    "ometria.p_vanish": 0.0,  # chance that an accepted record is never applied, and in no error feed
    "ometria.vanish_ids": [],  # record ids that this happens to
    "ometria.refuse_ids": [],  # record ids that end up in the error ring
    "ometria.reject_sync": 0.0,  # chance that a record counts as `rejected` at once
    "ometria.error_feed_noise": 0.0,  # another writer's errors per second
    "ometria.down": False,
    "ometria.largest_body": 0,  # something in front answers 413 to more bytes than this; 0 is no limit
    "ometria.p_unsubscribe": 0.0,  # chance per thing that happens in a shop that somebody unsubscribes here
    "ometria.p_unlisted": 0.0,  # the same for an opt-out on a form, in no list of unsubscribes
    "ometria.p_resubscribe": 0.0,  # the same for somebody who unsubscribed here and thinks again
}
"""What can go wrong on this side, with the value that means off."""


@dataclass(frozen=True)
class Settings:
    """One account: its key, its name (the "account hash"), the dice's seed, its switches."""

    api_key: str = "sim-ometria-key"
    account: str = "acme"
    seed: int = 0
    switches: Switches = field(default_factory=Switches)


TRIES = 20
"""Draws of somebody with an email before the first one is taken."""

LATELY = 200
"""Of so many opt-outs one may be taken back."""


class Ometria:
    """The neighbour; safe to call from several threads."""

    def __init__(
        self,
        clock: SimClock,
        faults: Faults,
        tape: Tape,
        settings: Settings | None = None,
        statements: Statements | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.statements = statements if statements is not None else Statements()
        self._clock, self._faults, self._tape = clock, faults, tape
        self._lock = threading.RLock()
        faults.declare({**KNOBS, **manners.knobs("ometria")})
        self.reset(self.settings.seed)

    def reset(self, seed: int) -> None:
        """Forget everything the account holds; key, name and first switches stay."""
        with self._lock:
            now = self._clock.now()
            self.account = Account(self.settings.account, self.settings.switches, seed, self.statements)
            switches = self.account.switches
            self._push = Bucket(switches.push_rps, 1.0, now)
            self._data = Bucket(switches.data_rps, 1.0, now)
            self._merges = Bucket(switches.merge_rpm, 60.0, now)
            self._noise_at = now

    def turn(self, changes: Mapping[str, Any]) -> Switches:
        """Change switches of the running account; raises `ValueError` for an unknown name or value."""
        with self._lock:
            switches = turned(self.account.switches, changes)
            self.account.switches = switches
            self._push.retune(switches.push_rps)
            self._data.retune(switches.data_rps)
            self._merges.retune(switches.merge_rpm)
            return switches

    def decide(
        self,
        *,
        email: str | None = None,
        profile_id: str | None = None,
        action: str = "unsubscribe",
        type: str = unsubscribes.EMAIL_TYPES[0],  # noqa: A002  (Ometria's own word)
        channel: str = "email",
        way: str | None = None,
        forced: bool = False,
    ) -> dict[str, Any]:
        """Let a person unsubscribe or subscribe in Ometria itself; raises `ValueError` for who is unknown.

        `type` is how they unsubscribe, and with it the channel; `channel` is what they subscribe to. A `way` ("form",
        "csv") takes either to a listing elsewhere, `forced` or not, of which no list of unsubscribes tells.
        """
        if action not in ("unsubscribe", "subscribe"):
            raise ValueError(f"unknown action {action!r}; known: unsubscribe, subscribe")
        with self._lock:
            self.tick()
            now, is_in = self._clock.now(), action == "subscribe"
            person = unsubscribes.find(self.account, email=email, profile_id=profile_id)
            if way is not None:
                unsubscribes.say_elsewhere(
                    self.account, person, now, way, is_in=is_in, channel=channel, is_forced=forced
                )
            elif is_in:
                unsubscribes.opt_in(self.account, person, now, channel)
            else:
                is_text = channel == "sms" and type not in unsubscribes.SMS_TYPES
                unsubscribes.opt_out(self.account, person, now, unsubscribes.SMS_TYPES[0] if is_text else type)
            return views.profile(self.account, person)

    def unsubscribe_somebody(self) -> None:
        """Let one of those with an email unsubscribe by a link, drawn by the account's dice."""
        with self._lock:
            self.tick()
            person = self._somebody()
            if person is not None:
                unsubscribes.opt_out(self.account, person, self._clock.now(), "link_unsubscribe")

    def resubscribe_somebody(self) -> None:
        """Let one of those who unsubscribed here think again in the preference centre."""
        with self._lock:
            self.tick()
            account = self.account
            known = {one.profile_id for one in account.unsubscribes[-LATELY:] if one.type in unsubscribes.EMAIL_TYPES}
            people = [found for one in sorted(known) if (found := account.people.get(one)) is not None]
            if people:
                unsubscribes.opt_in(account, account.dice.choice(people), self._clock.now())

    def opt_somebody_out_unlisted(self) -> None:
        """Let one of those with an email opt out on a form, of which no list of unsubscribes tells."""
        with self._lock:
            self.tick()
            person = self._somebody()
            if person is not None:
                unsubscribes.say_elsewhere(self.account, person, self._clock.now(), "form", is_in=False)

    def _somebody(self) -> Profile | None:
        """Draw a person with an email; the first ones met when luck fails, so that a large account is not searched."""
        people, dice = self.account.people.shelf, self.account.dice
        for _ in range(TRIES if len(people) else 0):
            person = next(islice(people, dice.randrange(len(people)), None))
            if person.values("email"):
                return person
        return next((one for one in people if one.values("email")), None)

    def merge_by_hand(self, survivor: Mapping[str, str], merged: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Let staff merge people in the back office, which no limit of the API holds up.

        Named as `POST /merge-profile` names them; raises `ValueError` for what it would refuse.
        """
        with self._lock:
            self.tick()
            body = {"survivor": survivor, "customers_to_merge": list(merged)}
            answer = merging.merge(self.account, body, self._clock.now())
            if answer.status != 200:
                raise ValueError(str(answer.json().get("message")))
            return dict(answer.json())

    def tamper(
        self,
        kind: str,
        key: str,
        values: Mapping[str, Any] | None,
        *,
        collection: str = "",
        is_dated: bool = True,
        source: str = tamper.SOURCE,
    ) -> None:
        """Alter a record behind everybody's back, or delete it when `values` is None; see `tamper`."""
        with self._lock:
            self.tick()
            if values is None:
                tamper.delete(self.account, kind, key, collection=collection)
            else:
                now = self._clock.now()
                tamper.change(
                    self.account, kind, key, values, now, collection=collection, is_dated=is_dated, source=source
                )

    def import_natively(
        self,
        customers: Iterable[ShopCustomer],
        orders: Iterable[ShopOrder],
        products: Iterable[ShopProduct],
        namespace: str,
    ) -> dict[str, int]:
        """Let the account's own Shopify importer run, where `native_importer` is on; return what it wrote."""
        with self._lock:
            self.tick()
            now = self._clock.now()
            return {
                "customers": import_customers(self.account, customers, namespace, now),
                "orders": import_orders(self.account, orders, namespace, now),
                "products": import_products(self.account, products, namespace, now),
            }

    def tick(self) -> int:
        """Apply everything that is due by the clock; return how many records that were."""
        with self._lock:
            now = self._clock.now()
            n = apply.due(self.account, self._faults, now)
            self._make_noise(now)
            return n

    def handle(self, request: Request) -> Response:
        """Answer one request; whatever is due is applied first."""
        with self._lock:
            self.tick()
            now = self._clock.now()
            response = manners.carried(self._faults, "ometria", self._answer(request, now))
            self._tape.record(
                now,
                "ometria",
                request.method,
                request.path,
                response.status,
                account=self.account.name,
                summary={"query": dict(request.query)} if request.query else {},
                body=request.body,
            )
            return response

    def _answer(self, request: Request, now: datetime) -> Response:
        faults, is_write = self._faults, request.method != "GET"
        if faults.get("ometria.down"):
            faults.count("ometria.down")
            return problem(503, "Service unavailable")
        largest = faults.get("ometria.largest_body")
        if largest and len(request.body) > largest:
            faults.count("ometria.largest_body")
            return Response(
                413, {"Content-Type": "text/html"}, b"<html><body>413 Request Entity Too Large</body></html>"
            )
        if request.headers.get("x-ometria-auth") != self.settings.api_key:
            return forbidden()
        if faults.strikes("ometria.p502"):
            return Response(502, {"Content-Type": "text/html"}, b"<html><body>502 Bad Gateway</body></html>")
        if is_write and faults.strikes("ometria.p_drop_before_accept"):
            return timeout_response(faults.get("ometria.hang_seconds"))
        if faults.strikes("ometria.p429"):
            return too_many()
        response = self._route(request, _segments(request.path), now)
        if is_write and response.status < 300 and faults.strikes("ometria.p_timeout_after_accept"):
            return timeout_response(faults.get("ometria.hang_seconds"))
        return response

    def _route(self, request: Request, path: tuple[str, ...], now: datetime) -> Response:
        is_push = request.method == "POST" and path == ("push",)
        bucket = self._push if is_push else self._merges if path == ("merge-profile",) else self._data
        if not bucket.take(now):
            self.account.counts["push_429" if is_push else "data_429"] += 1
            return too_many(push.queue_headers(self.account) if is_push else None)
        if is_push:
            return push.receive(self.account, request.body, self._faults, now)
        match request.method:
            case "GET":
                return self._read(path, request.query, now)
            case "POST":
                try:
                    return self._write(path, request.json(), now)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    return problem(400, "Payload invalid: Body is not JSON")
        return problem(405, "Method not allowed")

    def _read(self, path: tuple[str, ...], query: Mapping[str, str], now: datetime) -> Response:
        account = self.account
        match path:
            case ("push", "_errors"):
                return reads.push_errors(account)
            case ("push", request_id):
                return reads.push_status(account, request_id)
            case ("contacts",):
                return reads.collections(account)
            case ("contacts", collection):
                return reads.contacts(account, collection, query)
            case ("contacts", collection, listing_id):
                return reads.contact(account, collection, listing_id)
            case ("orders",):
                return reads.orders(account, query)
            case ("orders", order_id):
                return reads.order(account, order_id)
            case ("products",):
                return reads.products(account, query)
            case ("products", product_id):
                return reads.product(account, product_id)
            case ("custom-events",):
                return reads.events(account, query)
            case ("custom-events", event_id):
                return reads.event(account, event_id)
            case ("profiles",):
                return reads.profiles(account, query)
            case ("profiles", profile_id):
                return reads.profile(account, profile_id)
            case ("lists",):
                return reads.lists(account, query)
            case ("lists", list_id):
                return reads.one_list(account, list_id)
            case ("lists", list_id, "changes"):
                return reads.list_changes(account, list_id, query)
            case ("unsubscribes",):
                return reads.unsubscribes(account, query, now)
        return no_such_path()

    def _write(self, path: tuple[str, ...], body: Any, now: datetime) -> Response:
        account = self.account
        match path:
            case ("contacts", collection, listing_id):
                return reads.write(account, "contact", {"@collection": collection, "id": listing_id}, body, now)
            case ("orders", order_id):
                return reads.write(account, "order", {"id": order_id}, body, now)
            case ("products", product_id):
                return reads.write(account, "product", {"id": product_id}, body, now)
            case ("custom-events",):
                return reads.write(account, "custom_event", {}, body, now)
            case ("merge-profile",):
                return merging.merge(account, body, now)
        return no_such_path()

    def _make_noise(self, now: datetime) -> None:
        """Let another writer's errors push ours out of the ring."""
        per_second = float(self._faults.get("ometria.error_feed_noise"))
        n = int(max(0.0, (now - self._noise_at).total_seconds()) * per_second)
        if per_second and n == 0:
            return
        self._noise_at = now
        for _ in range(min(n, self.account.switches.error_ring)):
            theirs = f"other-{self.account.errors.total}"
            record = {"@type": "contact", "id": theirs, "lastname": 7}
            error = PushError(self.account.new_uuid(), "contact", theirs, record, now, Refusal("root > lastname"))
            self.account.errors.add(error)
        if n:
            self._faults.count("ometria.error_feed_noise", n)


def _segments(path: str) -> tuple[str, ...]:
    parts = tuple(unquote(part) for part in path.split("/") if part)
    return parts[1:] if parts[:1] == ("v2",) else parts
