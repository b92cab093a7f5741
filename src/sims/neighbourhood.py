"""Shopify and Ometria with one clock, one set of faults and one tape: what a process, a test or a demo starts."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sims import native, ondemand
from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria import dump, importer, validate
from sims.ometria.app import Ometria, Settings
from sims.ometria.shelf import Shelf
from sims.shopify import kinship, life, tamper, troubles, world
from sims.shopify.app import Shopify
from sims.shopify.bulk.clerk import Clerk
from sims.shopify.deeds import app, fields, people
from sims.shopify.deliver import Deliveries, Post
from sims.shopify.events import Event
from sims.shopify.kinship import Tie
from sims.shopify.runner import Runner
from sims.shopify.state import Store
from sims.shopify.troubles import Trouble
from sims.shopify.truth import KINDS
from sims.statements import Statements
from sims.tape import Tape
from sims.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the seeded merchant is, over all stores."""

    customers: int = 200
    orders: int = 400
    products: int = 60
    metafields: int = 0
    """Custom fields of every customer, product and variant."""


class Neighbourhood:
    """The simulated world; `reset` builds it again from a seed, `live` lets things happen in the shops.

    Webhooks wait in `deliveries` until somebody delivers them: a test through `deliver`, a process through a thread of
    its own after `start`.
    """

    def __init__(self, clock: SimClock, seed: int = 1, sizes: Sizes | None = None) -> None:
        self.clock = clock
        self.faults = Faults(seed)
        self.tape = Tape()
        self.statements = Statements()
        self.ometria = Ometria(clock, self.faults, self.tape, Settings(seed=seed), self.statements)
        self._busy = threading.RLock()
        self._runner: Runner | None = None
        self._clerk: Clerk | None = None
        self.reset(seed, sizes or Sizes())

    def reset(self, seed: int, sizes: Sizes) -> None:
        """Start again: a new merchant, an empty account, no faults, an empty tape; the clock goes on."""
        with self._busy:
            was_delivering = self._runner is not None
            self.stop()
            self.seed, self.sizes = seed, sizes
            self.life_rate, self.n_steps = 0.0, 0
            self._imported_at: datetime | None = None
            self._backed_at: datetime | None = None
            self._dice = random.Random(seed)
            self.faults.reset(seed)
            self.tape.clear()
            self.statements.clear()
            self.ometria.reset(seed)
            self.world = world.build(seed, sizes.customers, sizes.orders, sizes.products, self.clock, self.statements)
            if sizes.metafields:
                for store in self.world.stores.values():
                    fields.seed(self.world, store, sizes.metafields)
            self.deliveries = deliveries = Deliveries(self.world, self.faults)

            def emit(events: list[Event]) -> None:
                deliveries.take(events)

            self.shopify = Shopify(
                self.world,
                self.clock,
                self.faults,
                self.tape,
                emit=emit,
                insecure_callbacks=True,
            )
            if was_delivering:
                self.start()

    def start(self) -> None:
        """Deliver webhooks over the network and write bulk results in threads of their own from now on."""
        with self._busy:
            if self._runner is None:
                self._runner = Runner(self.deliveries, self.clock)
                self._runner.start()
                self._clerk = Clerk(self.shopify.bulk)
                self._clerk.start()

    def stop(self) -> None:
        """Deliver no more; what waits keeps waiting."""
        with self._busy:
            runner, self._runner = self._runner, None
            clerk, self._clerk = self._clerk, None
            if runner is not None:
                runner.stop()
            if clerk is not None:
                clerk.stop()

    def deliver(self, post: Post) -> int:
        """Attempt every delivery that is due by the clock, through `post`; return how many that were."""
        due = self.deliveries.due(self.clock.now())
        for delivery in due:
            self.deliveries.attempt(delivery, post)
        return len(due)

    def handle_shopify(self, request: Request) -> Response:
        """Answer a request to the shop's side."""
        return self.shopify.handle(request)

    def store(self, shop: str) -> Store:
        """Return a store by its domain or short name; raises `ValueError` for one that is not there."""
        for domain, store in self.world.stores.items():
            if shop in (domain, store.shop.name):
                return store
        raise ValueError(f"unknown shop {shop!r}; known: {', '.join(self.world.stores)}")

    def subscribe(self, shop: str, uri: str, topics: Sequence[str]) -> list[str]:
        """Do what deploying the merchant's shopify.app.toml does; return the topics now subscribed."""
        known = self.world
        with known.lock:
            return [one.topic for one in app.deploy(known, self.store(shop), uri, topics, known.now())]

    def unsubscribe(self, shop: str, topics: Sequence[str] | None = None, owner: str | None = None) -> list[str]:
        """Lose subscriptions without a word: those of some topics or all, made by "api" or by "app" or both."""
        with self.world.lock:
            subscriptions = self.store(shop).subscriptions
            lost = [
                one
                for one in subscriptions.values()
                if (topics is None or one.topic in topics) and owner in (None, one.owner)
            ]
            for one in lost:
                del subscriptions[one.id]
            return [one.topic for one in lost]

    def tamper(
        self,
        side: str,
        kind: str,
        id: str | int,  # noqa: A002  (the control path's own word)
        set: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        shop: str | None = None,
        delete: bool = False,
        collection: str = "",
        dated: bool = True,
        source: str = "tamper",
    ) -> None:
        """Alter or delete a record on one side behind everybody's back: no webhook, no automation.

        `side` is "ometria" (kinds contact with `collection`, order, product, custom_event; `source` is who wrote it) or
        "shopify" (kinds customers, orders, products of a `shop`; `set` takes dotted paths). Without `dated` the
        record's time of change stays. Raises `ValueError` for what is not there.
        """
        if delete == (set is not None):
            raise ValueError("either set or delete")
        if side == "ometria":
            values = None if delete else set
            self.ometria.tamper(kind, str(id), values, collection=collection, is_dated=dated, source=source)
        elif side == "shopify" and shop is not None:
            kind = kind if kind.endswith("s") else f"{kind}s"
            if set is None:
                tamper.delete(self.world, self.store(shop), kind, int(id))
            else:
                tamper.change(self.world, self.store(shop), kind, int(id), set, is_dated=dated)
        else:
            raise ValueError("side is ometria, or shopify with a shop")

    def happen(self, shop: str, wish: Mapping[str, Any]) -> list[str]:
        """Do one of `ondemand.DEEDS` in a store; return the topics it fires."""
        with self._busy, self.world.lock:
            events = ondemand.happen(self.world, self.store(shop), wish)
            self.deliveries.take(events)
            return [event.topic for event in events]

    def change_fields(
        self,
        shop: str,
        owner: str = "customer",
        id: int | None = None,  # noqa: A002  (the control path's own word)
        namespace: str = "custom",
        key: str = "",
        type: str = "single_line_text_field",  # noqa: A002
        value: str | None = None,
        share: float = 0.0,
        seed: int = 1,
    ) -> dict[str, Any]:
        """Set a custom field of a record, take it away, make it another type for all, or change a share of them."""
        with self._busy, self.world.lock:
            store, now = self.store(shop), self.clock.now()
            if share:
                return {"ids": fields.stir(self.world, store, share, seed, now)}
            if not key:
                raise ValueError("say which: namespace and key")
            if id is None:
                return {"n": fields.retype(store, owner, (namespace, key), type, now)}
            record = fields.find(store, owner, id)
            if value is None:
                fields.take(store, record, (namespace, key))
            else:
                fields.put(self.world, store, record, (namespace, key), type, value, now)
            return {"n": 1}

    def import_natively(self) -> dict[str, dict[str, int]]:
        """Let Ometria's own importer read every store, where the account has it; return what it wrote."""
        done = {}
        with self.world.lock:
            for domain, store in self.world.stores.items():
                done[domain] = self.ometria.import_natively(
                    native.customers(store), native.orders(store), native.products(store), store.shop.namespace
                )
        return done

    def script(self, n: int = 3) -> dict[str, int]:
        """Let an agency's script go over the account; return what it did."""
        with self._busy:
            return native.script(self.ometria.account, self.clock.now(), n)

    def _write_beside(self, now: datetime) -> None:
        """Let Ometria's own connections run when it is time: the importer, and opt-outs on their way back."""
        switches = self.ometria.account.switches
        every = timedelta(seconds=switches.importer_every)
        if every and (self._imported_at is None or now - self._imported_at >= every):
            self._imported_at = now
            self.import_natively()
        if switches.native_unsubscriptions and (self._backed_at is None or now - self._backed_at >= native.BACK_EVERY):
            account, since = self.ometria.account, self._backed_at
            self._backed_at = now
            told = [one for one in account.unsubscribes if since is None or one.listed_at >= since]
            with self._busy, self.world.lock:
                for store in self.world.stores.values():
                    self.deliveries.take(native.unsubscribe(self.world, store, account, told, now))

    def sow(self, seed: int, each: int = 1, sorts: Sequence[str] = ()) -> list[Trouble]:
        """Sow troubles into both sides, silently; Ometria's are in the consent of people its importer knows."""
        wanted = tuple(sorts) or (*troubles.SORTS, *troubles.APART)
        with self._busy, self.world.lock:
            in_shops = tuple(name for name in wanted if name not in troubles.APART)
            sown = troubles.sow(self.world, seed, each, in_shops) if in_shops else []
            for sort in wanted:
                if sort in troubles.APART:
                    sown += self._tell_apart(seed, sort, each)
            return sown

    def tie(self, seed: int, each: int = 1, sorts: Sequence[str] = ()) -> list[Tie]:
        """Sow accounts that are one human's and humans who only look like one, silently, each with its label."""
        with self._busy:
            return kinship.sow(self.world, seed, each, tuple(sorts))

    def _tell_apart(self, seed: int, sort: str, each: int) -> list[Trouble]:
        state, optin = troubles.APART[sort]
        values = {"marketing_optin": validate.OPTED_IN if optin else validate.OPTED_OUT}
        known = self.ometria.account.collections.get(importer.COLLECTION, Shelf())
        sown: list[Trouble] = []
        for store, one in troubles.candidates(self.world, seed, state):
            if len(sown) == each:
                break
            key = f"{store.shop.namespace}{one.id}"
            if known.get(key) is not None:
                self.ometria.tamper("contact", key, values, collection=importer.COLLECTION)
                sown.append(Trouble(sort, store.shop.domain, "customers", (str(one.id),)))
        return sown

    def stores(self) -> list[dict[str, str]]:
        """Return name, domain, credentials, namespace and currency of each store."""
        names = ("name", "domain", "client_id", "client_secret", "namespace", "currency")
        return [{name: getattr(store.shop, name) for name in names} for store in self.world.stores.values()]

    def tick(self) -> None:
        """Do what is due by the clock: what shops do by themselves, applying pushes, bulk operations."""
        self.shopify.tick()
        self.ometria.tick()
        self._write_beside(self.clock.now())
        if not self.shopify.bulk.is_served:
            self.shopify.bulk.tick()

    def live(self, steps: int) -> None:
        """Let `steps` things happen in the shops; each fires its webhooks."""
        with self._busy:
            for _ in range(steps):
                with self.world.lock:
                    self.deliveries.take(life.step(self.world, self._dice))
                self._change_minds()
            self.n_steps += steps

    def _change_minds(self) -> None:
        """Let people think again, on either side, as often as the knobs say."""
        ometria = self.ometria
        for knob, deed in (
            ("ometria.p_unsubscribe", ometria.unsubscribe_somebody),
            ("ometria.p_unlisted", ometria.opt_somebody_out_unlisted),
            ("ometria.p_resubscribe", ometria.resubscribe_somebody),
        ):
            if self.faults.strikes(knob):
                deed()
        if self.faults.strikes("shopify.p_change_of_mind"):
            with self.world.lock:
                self.deliveries.take(life.change_of_mind(self.world, self._dice))

    def touch(self, shop: str, tag: str, first: int, n: int) -> int:
        """Let a merchant tag `n` customers from the `first` on, as an app for segments does; how many there were."""
        with self._busy, self.world.lock:
            store = self.store(shop)
            some = list(islice(store.customers.values(), first, first + n))
            for who in some:
                tags = [*who.tags, tag]
                self.deliveries.take(people.tag(self.world, store, who, tags, self.clock.now()))
            return len(some)

    def report(self) -> dict[str, Any]:
        """Return counts per kind on both sides, injected faults and what became of deliveries."""
        with self._busy:
            stores = self.world.stores.items()
            return {
                "shopify": {domain: {kind: len(getattr(store, kind)) for kind in KINDS} for domain, store in stores},
                "ometria": dump.report(self.ometria.account),
                "deliveries": self.deliveries.report(),
                "points": {domain: dict(spent) for domain, spent in self.shopify.points.items()},
                "bulk": self.shopify.bulk.report(),
                "injected": self.faults.injected,
                "life": {"rate": self.life_rate, "steps": self.n_steps},
                "tape": len(self.tape),
            }
