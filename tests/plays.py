"""A town where single things happen on purpose: a person, an order, a refund, and what Ometria makes of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

import frozen
from isthmus.db.pool import Database
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.process import process_batch
from isthmus.flows.settle import settle_pushes
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.shopify.topics import COMPLIANCE, SUBSCRIBED, TOPICS
from scenes import Town
from sims.neighbourhood import Sizes
from sims.shopify import chance, world
from sims.shopify.deeds import paying, people, placing
from sims.shopify.events import Event
from sims.shopify.state import ZERO, Customer, EmailConsent, Order, Store, Variant

LEVEL = "SINGLE_OPT_IN"


class Play(Town):
    """A town with a catalogue and nobody in it; things happen in store `uk`, a second apart."""

    def __init__(self, db: Database, *, seed: int = 1, sizes: Sizes | None = None) -> None:
        sizes = sizes or Sizes(customers=0, orders=0, products=4)
        frozen.begin(self, db, (type(self), seed, sizes), lambda: self._begin(db, seed, sizes))

    def _begin(self, db: Database, seed: int, sizes: Sizes) -> None:
        super().__init__(db, seed=seed, sizes=sizes)
        self.dice = Random(7 * seed)
        self.world = self.sims.world
        self.uk = self.sims.store("uk")
        self.sims.subscribe(self.uk.shop.domain, "https://isthmus.example/hooks/shopify", [*SUBSCRIBED, *COMPLIANCE])
        self.load()
        self.come_to_rest()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def do(self, events: list[Event], *, is_told: bool = True) -> None:
        """Let a deed's events be told, or (a webhook that Shopify never sends) not."""
        if is_told:
            with self.world.lock:
                self.sims.deliveries.take(events)
        self.pass_time(1)

    def shelf(self, store: Store | None = None) -> list[Variant]:
        return world.shelf(store or self.uk)

    def person(
        self, email: str | None = "ada@example.com", state: str | None = None, *, store: Store | None = None,
        is_told: bool = True, **changed: Any,
    ) -> Customer:  # fmt: skip
        """Somebody new; with a consent state, as of now, or never asked."""
        at = store or self.uk
        made = chance.customer(self.world, at, self.dice, self.now, email or "nobody@example.com")
        made.email, made.phone, made.tags = email, None, []
        made.email_consent = EmailConsent(state, LEVEL, self.now) if state else EmailConsent()
        for name, value in changed.items():
            setattr(made, name, value)
        self.do(people.appear(at, made), is_told=is_told)
        return made

    def says(self, who: Customer, state: str, *, at: datetime | None = None, is_told: bool = True) -> None:
        """Their consent changes in the shop."""
        consent = EmailConsent(state, LEVEL, at or self.now)
        self.do(people.email_consent(self.world, self.uk, who, consent, self.now), is_told=is_told)

    def orders(
        self, who: Customer | None = None, *, store: Store | None = None, goods: Sequence[tuple[Variant, int]] = (),
        is_paid: bool = True, is_told: bool = True, **changed: Any,
    ) -> Order:  # fmt: skip
        """An order of somebody's or, with `email`, of a guest."""
        at = store or self.uk
        basket = chance.basket(at, self.dice, self.now, who, self.shelf(at))
        basket.goods = list(goods) or [(self.shelf(at)[0], 2), (self.shelf(at)[1], 1)]
        basket.test, basket.source_name, basket.shipping = False, "web", Decimal("3.95")
        basket.presentment_currency, basket.rate, basket.discount_code = None, None, None
        basket.discount_rate, basket.tax_rate, basket.taxes_included = ZERO, Decimal("0.2"), True
        basket.delivery = None
        for name, value in changed.items():
            setattr(basket, name, value)
        placed, events = placing.place(self.world, at, basket)
        self.do(events, is_told=is_told)
        if is_paid:
            self.do(paying.pay(self.world, at, placed, self.now), is_told=is_told)
        return placed

    def tell(self, topic: str, body: Any, *, webhook_id: str, store: str = "uk") -> None:
        """One delivery with a body of the test's own."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        lane = TOPICS[topic].lane if topic in TOPICS else Lane.ENRICHMENT
        with self.db.transaction() as tx:
            inbox.insert_deliveries(tx, [Delivery("acme", store, topic, lane, webhook_id, raw)], self.now)

    def hear(self) -> None:
        """Everything up to the outbox; nothing is pushed."""
        self.sims.deliver(self.post)
        while process_batch(self.db, self.context).n_claimed:
            pass

    def push(self) -> None:
        while push_next_batch(self.db, self.context).n_sent:
            pass
        settle_pushes(self.db, self.context)

    def load_history(self) -> None:
        """Load everything there is onto the backfill lane, once more."""
        self.backfill(again=True)

    # What became of it ------------------------------------------------------------------------------------------------

    def contact(self, who: Customer, namespace: str = "uk:") -> Mapping[str, Any]:
        found = self.lookup(RecordKind.CONTACT, f"{namespace}{who.id}")
        assert found is not None
        return found

    def order(self, placed: Order, namespace: str = "uk:") -> Mapping[str, Any]:
        found = self.lookup(RecordKind.ORDER, f"{namespace}{placed.id}")
        assert found is not None
        return found

    def order_was_pushed(self, placed: Order) -> bool:
        return f"uk:{placed.id}" in {order["id"] for order in self.pushed("order")}

    def mailable(self, email: str) -> str | None:
        """What Ometria holds of the person behind an address, over all listings."""
        (profile,) = self.context.platform.profiles(email=email)
        said: str | None = profile["marketing_optin"]
        return said

    def desired(self, kind: str, name: str) -> dict[str, Any]:
        """What the outbox wants said of a record."""
        (row,) = self.rows("SELECT body FROM outbox WHERE kind = %s AND id = %s", kind, name)
        said: dict[str, Any] = msgspec.json.decode(self.context.packer.unpack(row["body"]))
        return said

    def rows(self, query: str, *params: object) -> list[dict[str, Any]]:
        with self.db.transaction() as tx:
            return tx.fetch_all(query, params)

    def cases(self, code: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM cases WHERE code = %s AND state = 'open' ORDER BY id", code)

    def pushed(self, kind: str, since: int = 0) -> list[dict[str, Any]]:
        """Every record of a type that Ometria was sent, with what came before `since` left out."""
        return [
            record
            for entry in self.sims.tape.read(limit=200_000)
            if entry["n"] > since and entry["path"].endswith("/push") and entry["method"] == "POST"
            for record in entry["body"]
            if record["@type"] == kind
        ]

    def mark(self) -> int:
        """Where the tape is now."""
        return max((entry["n"] for entry in self.sims.tape.read(limit=200_000)), default=0)
