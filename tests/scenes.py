"""A stage for flows: a real database, both simulated APIs in this process, a clock that only moves when told."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

import frozen
from isthmus.db.pool import Database
from isthmus.drift.sql import findings
from isthmus.drift.sql.findings import DriftFinding
from isthmus.flows.abandoned_checkouts import send_abandoned_checkouts
from isthmus.flows.backfill.load import backfill
from isthmus.flows.backfill.progress import Progress
from isthmus.flows.compare import Comparison, compare_both_sides
from isthmus.flows.context import ConnectionContext, Reader, ShopContext, Timings
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.poll import KINDS, poll_records
from isthmus.flows.process import process_batch
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.reconcile.run import Reconciled, reconcile
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.flows.safety import decide
from isthmus.flows.service_hold import release_expired_holds
from isthmus.flows.settle import settle_pushes
from isthmus.inbox.sql import events as inbox
from isthmus.kit.clock import FrozenClock
from isthmus.kit.compression import Packer
from isthmus.mapping.rules import Rules
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify import topics, webhooks
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.consent import Consents
from isthmus.shopify.reads import Reads
from sims.clock import SimClock
from sims.faults import Faults
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria.app import Ometria as Platform
from sims.ometria.app import Settings
from sims.tape import Tape
from sims.wire import TIMEOUT_STATUS, Request, Response

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "sim-ometria-key"
HASH_KEY = b"a key for tests only"
PUSH_WITHIN = 5.5
"""Seconds that Ometria's client waits for an answer."""


class InProcess(httpx2.BaseTransport):
    """Hands every request to a simulated APIs, without a socket between."""

    def __init__(
        self, handle: Callable[[Request], Response], patience: float = 20.0, wait: Callable[[float], object] = float
    ) -> None:
        """`patience` is how long a caller waits for an answer, `wait` lets that time pass."""
        self._handle, self._patience, self._wait = handle, patience, wait

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._handle(
            Request(request.method, request.url.path, dict(request.url.params), dict(request.headers), request.read())
        )
        if answer.status == TIMEOUT_STATUS:
            raise httpx2.ReadTimeout("no answer", request=request)
        if answer.late:
            self._wait(min(answer.late, self._patience))
        if answer.drip or answer.late > self._patience:
            raise httpx2.ReadTimeout("no answer in time", request=request)
        if answer.stream is not None:
            return httpx2.Response(answer.status, headers=dict(answer.headers), stream=_Pieces(answer))
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


class _Pieces(httpx2.SyncByteStream):
    """A long body, which breaks off like a connection when it is shorter than announced."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        left = int(self._answer.headers["Content-Length"])
        for piece in self._answer.stream or ():
            left -= len(piece)
            yield piece
        if left > 0:
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")


class Town:
    """The whole road in one process: Shopify and Ometria, two stores, webhooks posted straight into the inbox."""

    def __init__(self, db: Database, *, seed: int = 1, sizes: Sizes | None = None, pace: Timings | None = None) -> None:
        self.db = db
        self.sim_clock = SimClock(AT, rate=0)
        self.sims = Neighbourhood(self.sim_clock, seed, sizes or Sizes(customers=12, orders=16, products=5))
        self.clock = FrozenClock(self.sim_clock.now(), on_wait=self._moved)
        self.live_since = self.clock.now() - timedelta(minutes=1)
        self.sims.ometria.turn({"data_rps": 1e6, "push_rps": 1e6})
        self.key = self.sims.ometria.settings.api_key
        self.transport = InProcess(self.sims.shopify.handle, wait=self.clock.wait)
        self.platform_transport = InProcess(self.sims.ometria.handle, PUSH_WITHIN, self.clock.wait)
        shops = {}
        for at in self.sims.stores():
            rules = Rules(
                store=at["name"],
                namespace=at["namespace"],
                domain=at["domain"],
                currency=at["currency"],
                reporting_currency="GBP",
                live_since=self.live_since,
                hash_key=HASH_KEY,
            )
            client = Shopify(
                f"https://shopify.example/{at['domain']}",
                "2026-10",
                Credentials(at["client_id"], at["client_secret"]),
                self.clock,
                transport=self.transport,
            )
            shops[at["name"]] = ShopContext(
                at["name"], rules, Reads(client), Bulk(client), client, Consents(client, self.clock)
            )
            self.sims.subscribe(at["domain"], "https://isthmus.example/hooks/shopify", topics.SUBSCRIBED)
        self.context = ConnectionContext(
            connection="acme",
            shops=shops,
            platform=OmetriaClient("https://api.ometria.example/v2", self.key, transport=self.platform_transport),
            collection="shopify",
            clock=self.clock,
            hash_key=HASH_KEY,
            packer=Packer(),
            is_live=True,
            pace=pace
            or Timings(
                push_per_second=1000,
                read_per_second=1000,
                enrichment_every=timedelta(0),
                read_back=0.0,
                settle_after=timedelta(seconds=5),
            ),
        )
        with db.transaction() as tx:
            tx.execute(
                """INSERT INTO connection (connection, config, mode, connected_at, live_since)
                   VALUES ('acme', '{}', 'live', %s, %s)""",
                (AT, self.live_since),
            )
            for at in self.sims.stores():
                tx.execute("INSERT INTO store VALUES ('acme', %s, %s)", (at["name"], at["domain"]))
        self.names = {at["domain"]: at["name"] for at in self.sims.stores()}

    def _moved(self, seconds: float) -> None:
        self.sim_clock.advance(seconds)
        self.sims.tick()

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on, and Ometria apply what is due by then."""
        self.clock.wait(seconds)

    def post(self, uri: str, headers: Mapping[str, str], body: bytes) -> int:
        """The webhook endpoint, without HTTP: an arrival becomes durable, then it is answered."""
        arrived = webhooks.read_delivery_headers({name.lower(): value for name, value in headers.items()})
        row = topics.TOPICS.get(arrived.topic)
        told = Delivery(
            connection="acme",
            store=self.names[arrived.shop],
            topic=arrived.topic,
            lane=row.lane if row else Lane.REALTIME,
            webhook_id=arrived.webhook_id or "",
            body=body,
            triggered_at=arrived.triggered_at,
        )
        with self.db.transaction() as tx:
            inbox.insert_deliveries(tx, [told], self.clock.now())
        return 200

    def load(self) -> None:
        """Load all there is onto the backfill lane."""
        self.backfill()

    def backfill(self, kinds: Sequence[str] = KINDS, **asked: Any) -> list[Progress]:
        """Load history by bulk operations, from asking to the last record."""
        with tempfile.TemporaryDirectory() as folder:
            return backfill(self.db, self.context, sorted(self.context.shops), kinds, folder=Path(folder), **asked)

    def poll(self) -> None:
        for store in self.context.shops:
            for kind in KINDS:
                poll_records(self.db, self.context, store, kind)

    def work(self) -> None:
        """One round of everything that is due now."""
        self.sims.deliver(self.post)
        while process_batch(self.db, self.context).n_claimed:
            pass
        send_abandoned_checkouts(self.db, self.context)
        release_expired_holds(self.db, self.context)
        decide.judge_plans(self.db, self.context)
        while push_next_batch(self.db, self.context).n_sent:
            pass
        settle_pushes(self.db, self.context)

    def come_to_rest(self, rounds: int = 80) -> None:
        """Let time pass until nothing waits on either side."""
        for _ in range(rounds):
            self.work()
            with self.db.transaction() as tx:
                waiting = inbox.count_waiting(tx, "acme")
                moving = tx.fetch_value(
                    "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased', 'accepted', 'held')"
                )
            if not waiting and not moving and not self.sims.deliveries.pending:
                close_finished_cases(self.db, self.context)
                return
            self.pass_time(2)
        raise AssertionError(f"{waiting} events and {moving} writes are still under way")

    def lookup(self, kind: RecordKind, name: str) -> Mapping[str, Any] | None:
        """What Ometria says of a record now."""
        match kind:
            case RecordKind.CONTACT:
                return self.context.platform.contact("shopify", name)
            case RecordKind.ORDER:
                return self.context.platform.order(name)
            case RecordKind.PRODUCT:
                return self.context.platform.product(name)
            case RecordKind.MOMENT:
                return self.context.platform.event(name)

    def reconcile(
        self, since: datetime | None = None, *, repair: bool = True, kinds: Sequence[str] = KINDS
    ) -> Reconciled:
        """One reconciliation, from its first page to its last finding."""
        done = reconcile(self.db, self.context, ReconcileRequest(since=since, kinds=tuple(kinds), repair=repair))
        assert done is not None
        assert done.is_done
        return done

    def findings(self, run: int) -> list[DriftFinding]:
        """What a reconciliation found."""
        with self.db.transaction() as tx:
            return findings.list_findings(tx, "acme", run)

    def compare(self) -> Comparison:
        return compare_both_sides(self.db, self.context, self.lookup)


class Loaded(Town):
    """A town that is loaded and at rest since a while; one that `is_watched` was polled once."""

    def __init__(
        self, db: Database, *, seed: int = 1, sizes: Sizes | None = None, is_watched: bool = False, since: float = 0
    ) -> None:
        def build() -> None:
            Town.__init__(self, db, seed=seed, sizes=sizes)
            self.load()
            if is_watched:
                self.poll()
            self.come_to_rest()
            if since:
                self.pass_time(since)

        frozen.begin(self, db, (type(self), seed, sizes, is_watched, since), build, is_common=True)


class Stage:
    """One connection called acme with one store called uk, live since before the play."""

    def __init__(self, db: Database, reader: Reader | None = None, pace: Timings | None = None) -> None:
        self.db = db
        self.sim_clock = SimClock(AT, rate=0)
        self.faults = Faults()
        self.tape = Tape()
        self.platform = Platform(self.sim_clock, self.faults, self.tape, Settings(api_key=KEY))
        self.clock = FrozenClock(AT, on_wait=self._moved)
        self.rules = Rules(
            store="uk",
            namespace="uk:",
            domain="acme-uk.myshopify.com",
            currency="GBP",
            reporting_currency="GBP",
            live_since=AT - timedelta(days=1),
            hash_key=HASH_KEY,
        )
        self.reader = reader
        self.context = ConnectionContext(
            connection="acme",
            shops={"uk": ShopContext("uk", self.rules, reader)} if reader else {},
            platform=OmetriaClient("https://api.ometria.example/v2", KEY, transport=InProcess(self.platform.handle)),
            collection="shopify",
            clock=self.clock,
            hash_key=HASH_KEY,
            packer=Packer(),
            is_live=True,
            pace=pace or Timings(enrichment_every=timedelta(0), read_back=0.0),
        )
        with db.transaction() as tx:
            tx.execute(
                """INSERT INTO connection (connection, config, mode, connected_at, live_since)
                   VALUES ('acme', '{}', 'live', %s, %s)""",
                (AT, AT - timedelta(days=1)),
            )
            tx.execute("INSERT INTO store VALUES ('acme', 'uk', 'acme-uk.myshopify.com')")

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on, and Ometria apply what is due by then."""
        self.clock.advance(seconds)
        self._moved(seconds)

    def _moved(self, seconds: float) -> None:
        self.sim_clock.advance(seconds)
        self.platform.tick()
