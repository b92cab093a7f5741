"""A stage for flows: a real database, both simulated neighbours in this process, one clock that only moves when told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2

from isthmus.db.pool import Database
from isthmus.flows.road import Pace, Reader, Road, Shop
from isthmus.kit.clock import FrozenClock
from isthmus.kit.pack import Packer
from isthmus.mapping.rules import Rules
from isthmus.ometria.client import Ometria
from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria.app import Ometria as Platform
from sims.ometria.app import Settings
from sims.tape import Tape
from sims.wire import TIMEOUT_STATUS, Request, Response

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "sim-ometria-key"
HASH_KEY = b"a key for tests only"


class InProcess(httpx2.BaseTransport):
    """Hands every request to a simulated neighbour, without a socket between."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self._handle = handle

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._handle(
            Request(request.method, request.url.path, dict(request.url.params), dict(request.headers), request.read())
        )
        if answer.status == TIMEOUT_STATUS:
            raise httpx2.ReadTimeout("no answer", request=request)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


class Stage:
    """One connection called acme with one store called uk, live since before the play."""

    def __init__(self, db: Database, reader: Reader | None = None, pace: Pace | None = None) -> None:
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
        self.road = Road(
            connection="acme",
            shops={"uk": Shop("uk", self.rules, reader)} if reader else {},
            platform=Ometria("https://api.ometria.example/v2", KEY, transport=InProcess(self.platform.handle)),
            collection="shopify",
            clock=self.clock,
            hash_key=HASH_KEY,
            packer=Packer(),
            is_live=True,
            pace=pace or Pace(enrichment_every=timedelta(0), read_back=0.0),
        )
        with db.transaction() as tx:
            tx.execute(
                """INSERT INTO connection (connection, config, mode, connected_at, live_since)
                   VALUES ('acme', '{}', 'live', %s, %s)""",
                (AT, AT - timedelta(days=1)),
            )
            tx.execute("INSERT INTO store VALUES ('acme', 'uk', 'acme-uk.myshopify.com')")

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on, and the platform apply what is due by then."""
        self.clock.advance(seconds)
        self._moved(seconds)

    def _moved(self, seconds: float) -> None:
        self.sim_clock.advance(seconds)
        self.platform.tick()
