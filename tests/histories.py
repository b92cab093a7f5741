"""Anything that can happen between the shops and Ometria, as deeds on a town, and what must hold after each."""

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import httpx2
import msgspec

from isthmus.consent.decide import OUT
from isthmus.consent.sql import ledger
from isthmus.db.pool import Database
from isthmus.flows import pause
from isthmus.flows.compare import Comparison, Difference
from isthmus.flows.context import ShopContext, Timings
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.process import LEASE, process_batch
from isthmus.flows.service_hold import release_expired_holds
from isthmus.flows.settle import settle_pushes
from isthmus.inbox.sql import events as inbox
from isthmus.kit.clock import Clock
from isthmus.kit.ids import claim_id
from isthmus.model.customer import Customer
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.ometria.client import OmetriaClient
from isthmus.ops import status
from isthmus.outbox.sql import queue as outbox
from isthmus.records.sql import store as records
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.reads import Reads
from scenes import HASH_KEY, Town
from sims.neighbourhood import Sizes
from sims.shopify import life
from sims.shopify.delivery import Delivery

NEVER_LOST = ("customers/delete", "customers/merge", "orders/delete", "products/delete")
"""A listing by updated_at shows no deletion: one whose webhook never came is a matter for reconciliation."""

SHOP_TROUBLE = {
    "throttle": {"shopify.throttle": 0.4},
    "502": {"shopify.error": 0.3},
    "no answer": {"shopify.timeout": 0.3, "shopify.timeout_after": 0.2},
    "internal error": {"shopify.internal_error": 0.3},
    "unexplained errors": {"shopify.p_unexplained": 0.3},
    "slow": {"shopify.p_late": 0.3, "shopify.late_by": 12.5},
    "a byte at a time": {"shopify.p_drip": 0.2},
    "nested without end": {"shopify.p_deep_json": 0.2},
    "young nulls": {"shopify.p_young_null": 0.5},
    "search lag": {"shopify.search_lag": 20.0},
    "older body on retry": {"shopify.p_older_body": 0.7},
    "another id on retry": {"shopify.webhook_id_changes": True},
    "copies": {"shopify.p_duplicate": 0.5},
    "held back": {"shopify.p_reorder": 0.6, "shopify.p_delay": 0.2},
}
PLATFORM_TROUBLE = {
    "429": {"ometria.p429": 0.4},
    "502": {"ometria.p502": 0.4},
    "late": {"ometria.p_late": 0.3, "ometria.late_by": 8.0},
    "nested without end": {"ometria.p_deep_json": 0.2},
    "small bodies only": {"ometria.largest_body": 20_000},
    "no answer after accept": {"ometria.p_timeout_after_accept": 0.5},
    "no answer before accept": {"ometria.p_drop_before_accept": 0.5},
    "rejects at once": {"ometria.reject_sync": 0.2},
    "noisy feed": {"ometria.error_feed_noise": 20.0},
    "slow": {"ometria.slow_application": 20.0},
    "down": {"ometria.down": True},
}

DEEDS = {deed.__name__: deed for deed, _ in life.HAPPENINGS}
"""Everything that people do to a shop, by name."""


class Gate(httpx2.BaseTransport):
    """Passes requests on and holds the first answer back until told, as a machine does that stops for a while."""

    def __init__(self, inner: httpx2.BaseTransport, path: str) -> None:
        self._inner, self._path = inner, path
        self.reached, self._go = threading.Event(), threading.Event()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._inner.handle_request(request)
        finally:
            if request.url.path.endswith(self._path) and not self._go.is_set():
                self.reached.set()
                self._go.wait(30)

    def open(self) -> None:
        self._go.set()


class Watch(httpx2.BaseTransport):
    """Sees every push go out and its answer come in, and notes a record that goes out while it is out already.

    A holder whose lease has ended counts as answered: others must be able to go on without it.
    """

    def __init__(self, clock: Clock, inner: httpx2.BaseTransport) -> None:
        self._clock, self._inner = clock, inner
        self._out: dict[tuple[str, str], datetime] = {}
        self.overlaps: list[tuple[str, str]] = []

    def around(self, inner: httpx2.BaseTransport) -> "Watch":
        """The same eyes on another way to Ometria."""
        other = Watch(self._clock, inner)
        other._out, other.overlaps = self._out, self.overlaps
        return other

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST":
            return self._inner.handle_request(request)
        now = self._clock.now()
        names = [(one["@type"], one["id"]) for one in msgspec.json.decode(request.read())]
        self.overlaps += [name for name in names if name in self._out and now - self._out[name] < outbox.LEASE]
        self._out |= dict.fromkeys(names, now)
        try:
            return self._inner.handle_request(request)
        finally:
            for name in names:
                self._out.pop(name, None)


class Stalled:
    """A worker in a thread of its own that stands still with an external API's answer in hand."""

    def __init__(self, gate: Gate, work: Callable[[], object]) -> None:
        self._gate, self.error = gate, None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        gate.reached.wait(30)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            self.error = error
        finally:
            self._gate.reached.set()

    def go_on(self) -> None:
        self._gate.open()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


def shops_through(town: Town, transport: httpx2.BaseTransport) -> dict[str, ShopContext]:
    """The shops of a town, read by another way."""
    shops = {}
    for at in town.sims.stores():
        client = Shopify(
            f"https://shopify.example/{at['domain']}",
            "2026-10",
            Credentials(at["client_id"], at["client_secret"]),
            town.clock,
            transport=transport,
        )
        shops[at["name"]] = msgspec.structs.replace(town.context.shops[at["name"]], reader=Reads(client))
    return shops


class History:
    """A town where anything may happen at any time; every deed is repeatable from its arguments.

    Either side of what is not documented: whether Ometria knows an event's id again (`is_idempotent`), whether two
    changes may carry one updated_at (`same_second`), whether a merge changes the orders of who is lost (`touching`).
    """

    def __init__(
        self, db: Database, seed: int, *, is_idempotent: bool = True, same_second: bool = False, touching: bool = True
    ) -> None:
        pace = Timings(push_per_second=1000, read_per_second=1000, enrichment_every=timedelta(0), read_back=0.0)
        self.town = Town(db, seed=seed, sizes=Sizes(customers=8, orders=10, products=6), pace=pace)
        self.db, self.context = db, self.town.context
        self.sims = self.town.sims
        self.sims.world.same_second, self.sims.world.merge_touches_orders = same_second, touching
        self.calm()
        self.sims.ometria.turn({"event_idempotency": is_idempotent})
        self.acknowledged: set[tuple[str, str, str]] = set()
        self.stalled: list[Stalled] = []
        self.watch = Watch(self.town.clock, self.town.platform_transport)
        self.context = msgspec.structs.replace(self.context, platform=self._platform(self.watch))
        self.town.context = self.context
        self.gone: set[tuple[str, str, str]] = set()

    # What happens in the shops ---------------------------------------------------------------------------------------

    def live(self, seed: int, steps: int) -> None:
        dice = random.Random(seed)
        for _ in range(steps):
            with self.sims.world.lock:
                self.sims.deliveries.take(life.step(self.sims.world, dice))

    def do(self, name: str, seed: int) -> None:
        """Let this happen somewhere, where it can."""
        dice = random.Random(seed)
        stores = list(self.sims.world.stores.values())
        with self.sims.world.lock:
            for _ in range(20):
                events = DEEDS[name](self.sims.world, dice.choice(stores), dice, self.sims.world.now())
                if events:
                    self.sims.deliveries.take(events)
                    return

    def calm(self) -> None:
        """Every knob back, but the shop's patience with a door that refuses."""
        self.sims.faults.clear()
        self.sims.faults.set({"shopify.retry_speed": 1000.0})

    # Deliveries ------------------------------------------------------------------------------------------------------

    def arrive(self, seed: int, *, order: str, lost: float, refused: float, copies: int) -> None:
        """Bring what is due, in this order; a share never comes, a share is not acknowledged and comes again."""
        dice = random.Random(seed)
        due = self.sims.deliveries.due(self.town.clock.now())
        if order == "backwards":
            due.reverse()
        elif order == "shuffled":
            dice.shuffle(due)
        for delivery in due:
            self.sims.deliveries.attempt(delivery, self._door(dice, delivery, lost, refused, copies))

    def _door(
        self, dice: random.Random, delivery: Delivery, lost: float, refused: float, copies: int
    ) -> Callable[[str, Mapping[str, str], bytes], int]:
        def post(uri: str, headers: Mapping[str, str], body: bytes) -> int:
            if dice.random() < lost and delivery.topic not in NEVER_LOST:
                return 200  # as if the shop had never sent it
            if dice.random() < refused:
                return 503
            named = {name.lower(): value for name, value in headers.items()}
            for _ in range(copies):
                self.town.post(uri, headers, body)
            self.acknowledged.add((delivery.shop, delivery.topic, named["x-shopify-webhook-id"]))
            return 200

        return post

    # Work ------------------------------------------------------------------------------------------------------------

    def process(self, limit: int, lanes: Sequence[Lane]) -> None:
        process_batch(self.db, self.context, self._open(lanes), limit)

    def deliver(self, lanes: Sequence[Lane]) -> None:
        push_next_batch(self.db, self.context, self._open(lanes))

    def load_again(self) -> None:
        """Load everything once more; a store that cannot be read now is left."""
        with contextlib.suppress(Failure):
            self.town.backfill(again=True)

    def settle(self) -> None:
        settle_pushes(self.db, self.context)

    def work(self) -> None:
        """A round of everything, as the workers do it; what is due by then arrives, too."""
        self.arrive(0, order="as told", lost=0, refused=0, copies=1)
        lanes = self._open(tuple(Lane))
        release_expired_holds(self.db, self.context)
        for _ in range(20):
            if not process_batch(self.db, self.context, lanes).n_claimed:
                break
        for _ in range(20):
            if not push_next_batch(self.db, self.context, lanes).n_sent:
                break
        settle_pushes(self.db, self.context)

    def pause(self, lane: Lane | None) -> None:
        pause.pause(self.db, "acme", lane, self.town.clock.now())

    def resume(self) -> None:
        for lane in (None, *Lane):
            pause.resume(self.db, "acme", lane)

    def _open(self, lanes: Sequence[Lane]) -> tuple[Lane, ...]:
        """What a worker is let do: nothing of a paused connection, nothing of a paused lane."""
        with self.db.transaction() as tx:
            paused = tx.fetch_value("SELECT paused_at FROM connection")
            shut = {row["lane"] for row in tx.fetch_all("SELECT lane FROM lane_pause")}
        return () if paused else tuple(lane for lane in lanes if lane.value not in shut)

    # Workers that die or are held up ---------------------------------------------------------------------------------

    def die_with_events(self, limit: int) -> None:
        """Somebody claims events and is never heard of again."""
        with self.db.transaction() as tx:
            inbox.claim_events(tx, "acme", tuple(Lane), self.town.clock.now(), limit, claim_id(), LEASE)

    def die_with_writes(self, kind: RecordKind, *, is_sent: bool) -> None:
        """Somebody claims a batch for a push, perhaps sends it, and is never heard of again."""
        with self.db.transaction() as tx:
            batch = outbox.claim_batch(
                tx, "acme", kind, tuple(Lane), now=self.town.clock.now(), claim=claim_id(), packer=self.context.packer
            )
        if batch and is_sent:
            with contextlib.suppress(Failure):  # whoever is dead does not care
                self.context.platform.push([row.body for row in batch])

    def stall_reading(self, limit: int) -> None:
        """A worker stands still with what it has read of the shop, before it writes it down."""
        gate = Gate(self.town.transport, "graphql.json")
        context = msgspec.structs.replace(self.context, shops=shops_through(self.town, gate))
        self.stalled.append(Stalled(gate, lambda: process_batch(self.db, context, self._open(tuple(Lane)), limit)))

    def stall_pushing(self) -> None:
        """A worker stands still with Ometria's answer to a push, before it writes it down."""
        gate = Gate(self.town.platform_transport, "/push")
        context = msgspec.structs.replace(self.context, platform=self._platform(self.watch.around(gate)))
        self.stalled.append(Stalled(gate, lambda: push_next_batch(self.db, context, self._open(tuple(Lane)))))

    def go_on(self) -> None:
        for one in self.stalled:
            one.go_on()
        self.stalled.clear()

    def _platform(self, transport: httpx2.BaseTransport) -> OmetriaClient:
        return OmetriaClient("https://api.ometria.example/v2", self.town.key, transport=transport)

    # What must hold at every moment ----------------------------------------------------------------------------------

    def check(self) -> None:
        self._adds_up()
        self._nothing_acknowledged_is_lost()
        self._no_bug_was_met()
        self._the_gone_stay_gone()
        self._nobody_is_opted_in_against_their_word()
        self._nothing_fired_twice_or_too_late()
        assert not self.watch.overlaps

    def _adds_up(self) -> None:
        (told,) = status.read_status(self.db, self.town.clock.now()).connections
        e = told.events
        assert e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed + e.waiting, e
        for kind, n in told.accounting.items():
            assert n.known == n.applied + n.excluded + n.waiting + n.case, (kind, n)
            assert min(n.known, n.applied, n.excluded, n.waiting, n.case) >= 0, (kind, n)

    def _nothing_acknowledged_is_lost(self) -> None:
        with self.db.transaction() as tx:
            kept = tx.fetch_value("SELECT count(*) FROM event WHERE webhook_id IS NOT NULL")
            keys = tx.fetch_value("SELECT count(*) FROM event_key")
        assert kept == keys == len(self.acknowledged)

    def _no_bug_was_met(self) -> None:
        with self.db.transaction() as tx:
            met = tx.fetch_all("SELECT subject, detail FROM cases WHERE code = 'internal.bug'")
        assert not met

    def _the_gone_stay_gone(self) -> None:
        with self.db.transaction() as tx:
            rows = tx.fetch_all("SELECT kind, store, id FROM record WHERE deleted_at IS NOT NULL")
        now = {(row["kind"], row["store"], row["id"]) for row in rows}
        assert self.gone <= now, self.gone - now
        self.gone = now

    def _nobody_is_opted_in_against_their_word(self) -> None:
        with self.db.transaction() as tx:
            keys = records.record_keys(tx, "acme", ["customer"])
            kept = records.load_records(tx, "acme", keys, self.context.packer)
            opted = {
                row["id"]
                for row in tx.fetch_all(
                    """SELECT id FROM outbox WHERE kind = 'contact' AND opts_in
                       AND state IN ('due', 'leased', 'accepted', 'held', 'applied')"""
                )
            }
            people = {}
            for (_, store, name), row in kept.items():
                if isinstance(row.record, Customer) and row.record.email:
                    hashed = ledger.hash_address(HASH_KEY, "email", row.record.email)
                    people[f"{self.context.shops[store].rules.namespace}{name}"] = (store, hashed)
            # The newest dated statement by store and address; of two in one second either may be the later.
            rows = tx.fetch_all(
                """SELECT DISTINCT ON (store, address) store, address, state FROM consent_claim
                   WHERE channel = 'email' AND claimed_at IS NOT NULL
                   ORDER BY store, address, claimed_at DESC, (state = ANY(%s))""",
                (list(OUT),),
            )
        said = {(row["store"], bytes(row["address"])): row["state"] for row in rows}
        against = [contact for contact in opted & people.keys() if said.get(people[contact]) in OUT]
        assert not against, against

    def _nothing_fired_twice_or_too_late(self) -> None:
        fired = self.sims.ometria.account.automations
        moments = Counter(one["event_id"] for one in fired if one["kind"] == "custom_event")
        assert all(n == 1 for n in moments.values()), moments
        since = self.town.live_since.isoformat()[:19]
        assert not [one for one in fired if one["kind"] == "subscribe" and one["timestamp"][:19] <= since]

    # The end ---------------------------------------------------------------------------------------------------------

    def end(self) -> Comparison:
        """Everything works again, traffic stops, a last poll: what is not equal now must have a case."""
        self.calm()
        self.go_on()
        self.resume()
        self.town.pass_time(LEASE.total_seconds() + 1)
        if self._is_loading():
            self.town.backfill()  # as the worker goes on with it that the shop's trouble stopped
        self.work()
        for _ in range(3):
            self.town.poll()
            self._come_to_rest()
        self.check()
        found = self.town.compare()
        named = self._named_by_a_case()
        left = tuple(d for d in found.differences if self._subject(d) not in named)
        return msgspec.structs.replace(found, differences=left)

    def _is_loading(self) -> bool:
        """Whether a load was asked for that is not over: what people are worth waits for it."""
        with self.db.transaction() as tx:
            return bool(tx.fetch_value("SELECT count(*) FROM load WHERE state NOT IN ('done', 'failed', 'split')"))

    def _come_to_rest(self) -> None:
        for round_ in range(200):
            self.work()
            with self.db.transaction() as tx:
                waiting = inbox.count_waiting(tx, "acme")
                moving = tx.fetch_value(
                    "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased', 'accepted', 'held')"
                )
            if not waiting and not moving and not self.sims.deliveries.pending:
                return
            self.town.pass_time(2 if round_ < 50 else 60)
        raise AssertionError(f"{waiting} events, {moving} writes, {self.sims.deliveries.pending} deliveries are left")

    def _named_by_a_case(self) -> set[tuple[str, str]]:
        with self.db.transaction() as tx:
            rows = tx.fetch_all("SELECT store, subject FROM cases WHERE state = 'open'")
        return {(row["store"], row["subject"]) for row in rows}

    def _subject(self, difference: Difference) -> tuple[str, str]:
        kinds = {RecordKind.CONTACT: "customer", RecordKind.ORDER: "order", RecordKind.PRODUCT: "product"}
        for name, shop in self.context.shops.items():
            if difference.id.startswith(shop.rules.namespace):
                return name, f"{kinds[difference.kind]}:{difference.id.removeprefix(shop.rules.namespace)}"
        raise ValueError(difference.id)
