"""The composition root: what every role of the program is made of."""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import msgspec
from msgspec import Struct

from isthmus.app import clients, rules
from isthmus.app.settings import Settings
from isthmus.cases.triage import decide_retry
from isthmus.connections import sql as connections
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve_secret
from isthmus.connections.sql import StoredConnection, Unusable
from isthmus.consent.policy import Policy
from isthmus.db.embedded import Embedded
from isthmus.db.pool import Database, is_retryable, is_unavailable
from isthmus.flows.context import ConnectionContext, ShopContext, Timings
from isthmus.kit.clock import SystemClock
from isthmus.kit.compression import Packer
from isthmus.model.failure import BlockedError, Failure, RejectedError
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.client import Shopify
from isthmus.shopify.consent import Consents
from isthmus.shopify.reads import Reads
from isthmus.web.webhooks.verify import StoreSecret, WebhookVerifier

READ_PATIENCE = 3.0
"""Seconds a reading of the pipeline may wait for points: with the answer it must stay within an event's lease, 12 s."""

FRESH_FOR = 2.0
"""Seconds that what was loaded of a connection is good for: a change by `connect` or `pause` is felt by then."""


class LoadedConnection(Struct):
    """A connection as it was last looked at, with its context, or why there is none."""

    connected: StoredConnection | Unusable
    context: ConnectionContext | None
    failure: Failure | None
    fingerprint: bytes


class App:
    """Settings, an open database, the clock, and the roads of all connections."""

    def __init__(self, settings: Settings, db: Database, clock: SystemClock) -> None:
        self.settings = settings
        self.db = db
        self.clock = clock
        self._hash_key: bytes | None = None
        self._loaded: dict[str, LoadedConnection] = {}
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        # Weak, since a context that was replaced may still be used by a thread, and goes when the last has left it.
        self._clients: weakref.WeakSet[Shopify | OmetriaClient] = weakref.WeakSet()
        self._embedded: Embedded | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls, settings: Settings, *, role: str = "cli", pool_size: int | None = None) -> Iterator["App"]:
        """The application with its database running: started or attached to, watched, and left properly at the end."""
        with contextlib.ExitStack() as stack:
            dsn = settings.database.address()
            embedded = None
            if dsn is None:
                embedded = Embedded(settings.database.data_dir)
                stack.callback(embedded.stop)  # also of a start that is interrupted
                dsn = embedded.start()
                embedded.watch()
            db = stack.enter_context(
                Database(dsn, pool_size or settings.database.pool_size, application_name=f"isthmus {role}")
            )
            clock = _clock(settings, db, stack)
            app = cls(settings, db, clock)
            app._embedded = embedded
            stack.callback(app.close)
            yield app

    def close(self) -> None:
        """Close what is open to the external APIs."""
        for client in list(self._clients):
            client.close()

    def leave_database(self) -> None:
        """Stop using the database at once, while threads may still use it: for a process that is about to be ended.

        The last process to leave the embedded server must stop it, since nobody else would.
        """
        if self._embedded is not None:
            self._embedded.stop()

    @property
    def hash_key(self) -> bytes:
        """The key of the hashes that name people: the operator's own, else the one this database was made with."""
        if self._hash_key is None:
            reference = self.settings.security.hash_key
            if reference is not None:
                self._hash_key = resolve_secret(reference, "security.hash_key").reveal().encode()
            else:
                with self.db.transaction() as tx:
                    self._hash_key = connections.load_hash_key(tx)
        return self._hash_key

    # Roads ---------------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The connections there are."""
        self._look()
        return sorted(self._loaded)

    def connected(self, name: str) -> StoredConnection:
        """A connection as stored, at most FRESH_FOR old. Raises KeyError when there is none of that name, BlockedError
        when this version cannot use what is stored."""
        connected = self._known(name).connected
        if isinstance(connected, Unusable):
            raise connected.failure
        return connected

    def unusable(self, name: str) -> BlockedError | None:
        """Why this version cannot use what is stored of a connection; None where it can."""
        connected = self._known(name).connected
        return connected.failure if isinstance(connected, Unusable) else None

    def context(self, name: str) -> ConnectionContext:
        """The context of a connection. Raises KeyError when there is none, the failure when a secret is missing."""
        loaded = self._known(name)
        if loaded.context is None:
            raise loaded.failure or KeyError(name)
        return loaded.context

    def trouble(self, name: str) -> str | None:
        """The code of why a connection has no context, a missing secret for instance; None where it has one."""
        try:
            self.context(name)
        except Failure as failure:
            return failure.code
        return None

    def forget(self) -> None:
        """Look again at once: something was just changed."""
        self._looked_at = float("-inf")

    def _known(self, name: str) -> LoadedConnection:
        """What is loaded of a connection; one that another process has heard of sooner is looked for at once."""
        self._look()
        loaded = self._loaded.get(name)
        if loaded is None:
            self.forget()
            self._look()
            loaded = self._loaded[name]
        return loaded

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked_at < FRESH_FOR:
                return
            with self.db.transaction() as tx:
                found = connections.load_connections(tx)
            self._loaded = {connected.name: self._load(connected) for connected in found}
            self._looked_at = time.monotonic()

    def _load(self, connected: StoredConnection | Unusable) -> LoadedConnection:
        """The context is built again only when something in it has changed: clients keep tokens and connections."""
        if isinstance(connected, Unusable):
            return LoadedConnection(connected, None, connected.failure, b"")
        fingerprint = msgspec.json.encode((connected.config.model_dump(mode="json"), connected.live_since))
        held = self._loaded.get(connected.name)
        if held is not None and held.fingerprint == fingerprint and held.context is not None:
            return LoadedConnection(connected, held.context, None, fingerprint)
        try:
            return LoadedConnection(connected, self.build(connected), None, fingerprint)
        except Failure as failure:
            return LoadedConnection(connected, None, failure, fingerprint)
        except Exception as error:
            if is_unavailable(error) or is_retryable(error):
                raise
            # A bug that one connection meets stops no other.
            verdict = decide_retry(error, 1)
            return LoadedConnection(connected, None, RejectedError(verdict.code, verdict.detail), fingerprint)

    def build(self, connected: StoredConnection) -> ConnectionContext:
        """A context from a stored connection, with its secrets resolved. Raises BlockedError for a missing one."""
        config = connected.config
        shops = {}
        for n, store in enumerate(config.stores):
            own = rules.mapping_rules(connected, store, self.hash_key)
            client = self.shopify(connected, n)
            reads = Reads(client, own.keys)
            shops[store.name] = ShopContext(store.name, own, reads, Bulk(client), client, Consents(client, self.clock))
        return ConnectionContext(
            connection=config.name,
            shops=shops,
            platform=self.ometria(connected.config),
            collection=config.ometria.collection,
            clock=self.clock,
            hash_key=self.hash_key,
            packer=Packer(),
            is_live=config.is_live,
            phones_identify=config.identity.by_phone,
            merges_by_rule=config.identity.merge == "sure",
            orders_horizon=config.orders.horizon,
            max_share=float(config.safety.max_share),
            pace=Timings(
                push_per_second=float(config.ometria.push_per_second),
                read_per_second=float(config.ometria.read_per_second),
                realtime_share=float(config.lanes.realtime_share),
                settle_after=config.ometria.settle_after,
                read_back=float(config.ometria.read_back),
                enrichment_every=config.lanes.enrichment_every,
                poll_every=config.lanes.poll_every,
                watch_every=config.lanes.watch_every,
                unsubscribes_every=config.consent.unsubscribes_every,
                profiles_every=config.consent.profiles_every,
                consent_audit_every=config.consent.audit_every,
                metafields_every=config.lanes.metafields_every,
                abandoned_after=config.lanes.abandoned_after,
                sight_grace=config.lanes.sight_grace,
                drift_grace=config.reconcile.grace_period,
            ),
            policy=Policy(config.consent.authority, config.consent.scope, config.consent.merge),
        )

    def shopify(
        self, connected: StoredConnection, n: int, *, patience: float = READ_PATIENCE, reserve: float = 0.0
    ) -> Shopify:
        """A client of the n-th store of a connection, which leaves `reserve` of the shop's points to others."""
        client = clients.shopify_client(connected.config, n, self.clock, patience=patience, reserve=reserve)
        self._clients.add(client)
        return client

    def ometria(self, config: ConnectionConfig) -> OmetriaClient:
        """A client of a connection's platform."""
        client = clients.ometria_client(config)
        self._clients.add(client)
        return client

    # Doors ---------------------------------------------------------------------------------------------------------

    def doors(self) -> WebhookVerifier:
        """Who may call, by domain and secret. A secret that cannot be resolved keeps its own door shut, no other."""
        with self.db.transaction() as tx:
            stored = connections.store_secret_refs(tx)
            calls = connections.automation_secret_refs(tx)
            past = connections.app_secret_refs(tx)
        doors = [
            StoreSecret(one.connection, one.store, one.domain, secret, _secret(one.previous_client_secret))
            for one in stored
            if (secret := _secret(one.client_secret))
        ]
        hooks = {name: secret for name, reference in calls if (secret := _secret(reference))}
        known = [(name, secret) for name, reference in past if (secret := _secret(reference))]
        return WebhookVerifier(doors, known, hooks)


def _secret(reference: str | None) -> str | None:
    """A secret, or None where it cannot be had now; the context of the connection tells about it."""
    if reference is None:
        return None
    try:
        return resolve_secret(reference, "secret").reveal()
    except Failure:
        return None


def _clock(settings: Settings, db: Database, stack: contextlib.ExitStack) -> SystemClock:
    """The clock all processes agree on: the database server's, or a simulator's, which somebody may turn."""
    clock = SystemClock()
    address = settings.clock.follow
    if address is not None:
        client = stack.enter_context(httpx2.Client(timeout=2.0))
        every = timedelta(seconds=1)

        def there() -> datetime:
            return datetime.fromisoformat(client.get(f"{address}/_sim/clock").json()["now"])

    elif settings.database.address() is None:
        return clock  # the embedded server runs on this machine
    else:
        every = timedelta(minutes=1)
        there = db.now

    def look() -> None:
        asked = datetime.now(UTC)
        said = there()
        answered = datetime.now(UTC)
        # What it said was true about half-way between asking and hearing.
        clock.offset = said - (asked + (answered - asked) / 2)

    look()
    stack.callback(_repeat(look, every=every, name="clock"))
    return clock


def _repeat(act: Callable[[], None], *, every: timedelta, name: str) -> Callable[[], None]:
    """Do something again and again in a thread of its own; call the result to end it."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(every.total_seconds()):
            with contextlib.suppress(Exception):  # the external API may be away for a while; the last offset holds
                act()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join(timeout=2)

    return stop
