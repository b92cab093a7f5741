"""Faults of every sort, each with a label: what differs because of it, whose fault it is, whether it can be fixed.

Every deed leaves the world as if somebody had been careless or a delivery been lost, and says what it did, from the
world's own state and never from what isthmus makes of it.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.kit.ids import content_hash
from plays import Play
from sims.neighbourhood import Sizes
from sims.ometria import apply
from sims.ometria.shelf import Shelf, Stored
from sims.ometria.validate import rules_for
from sims.shopify import chance
from sims.shopify.deeds import catalogue, paying, people, placing, refunding, sending
from sims.shopify.events import Event
from sims.shopify.state import Customer, EmailConsent, MoneyBag, Order, Product, Store

KINDS = {"customers": "contact", "orders": "order", "products": "product"}


class Label(Struct, frozen=True):
    """One record that a fault made differ: what must be found of it, and on whom to blame it."""

    sort: str
    kind: str
    id: str
    cause: str
    is_repairable: bool = True


class Mischief(Play):
    """A seeded town in calm, where faults are made one by one; `labels` are all of them."""

    def __init__(self, db: Database, seed: int) -> None:
        super().__init__(db, seed=seed, sizes=Sizes(customers=60, orders=80, products=14))
        self.chance = Random(seed)
        self.labels: dict[tuple[str, str], Label] = {}
        self.owners: set[tuple[str, int | None]] = set()
        """Store and customer of orders that something was done to: what fixes those sends their contacts again."""
        self.pass_time(600)

    # Labels ------------------------------------------------------------------

    def untold(self, sort: str, store: Store, deed: Callable[[datetime], list[Event]]) -> None:
        """Something happens in a store and no delivery of it ever leaves; every record that it touched is labelled."""
        before = self._versions(store)
        owners = {number: one.customer_id for number, one in store.orders.items()}
        with self.world.lock:
            deed(self.now)
        after = self._versions(store)
        owners |= {number: one.customer_id for number, one in store.orders.items()}
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                kind, number = key
                if kind == "orders":
                    self.owners.add((store.shop.namespace, owners[number]))
                self.label(sort, KINDS[kind], f"{store.shop.namespace}{number}", "integration")
        self.pass_time(1)

    def label(self, sort: str, kind: str, own: str, cause: str, *, is_repairable: bool = True) -> None:
        assert (kind, own) not in self.labels, "one fault per record"
        self.labels[kind, own] = Label(sort, kind, own, cause, is_repairable)

    def _versions(self, store: Store) -> dict[tuple[str, int], datetime]:
        return {(kind, number): one.updated_at for kind in KINDS for number, one in getattr(store, kind).items()}

    # Who is still untouched ------------------------------------------------------------------

    def _free(self, kind: str, number: int, store: Store) -> bool:
        return (KINDS[kind], f"{store.shop.namespace}{number}") not in self.labels

    def an_order(self, store: Store, fits: Callable[[Order], bool] = lambda _: True) -> Order:
        """An order that nothing was done to, nor to its customer, and that is not a test."""
        found = [
            one
            for one in store.orders.values()
            if not one.test and fits(one) and self._free("orders", one.id, store)
            and (one.customer_id is None or self._free("customers", one.customer_id, store))
        ]  # fmt: skip
        return self.chance.choice(found)

    def an_order_somewhere(self, fits: Callable[[Order], bool]) -> tuple[Store, Order]:
        """The same of any store that has one."""
        stores = list(self.world.stores.values())
        self.chance.shuffle(stores)
        for store in stores:
            with contextlib.suppress(IndexError):
                return store, self.an_order(store, fits)
        raise AssertionError("no order fits")

    def a_subscriber(self, store: Store) -> Customer:
        """Somebody who is opted in, for whom nobody else speaks, and whose contact nothing sends again."""
        emails = Counter((c.email or "").lower() for one in self.world.stores.values() for c in one.customers.values())
        return self.somebody(
            store,
            lambda c: c.email_consent.state == "SUBSCRIBED" and emails[(c.email or "").lower()] == 1
            and (store.shop.namespace, c.id) not in self.owners,
        )  # fmt: skip

    def somebody(self, store: Store, fits: Callable[[Customer], bool] = lambda _: True) -> Customer:
        """A customer with an address that nothing was done to."""
        found = [
            one
            for one in store.customers.values()
            if one.email and fits(one) and self._free("customers", one.id, store)
        ]
        return self.chance.choice(found)

    def a_product(self, store: Store, fits: Callable[[Product], bool] = lambda _: True) -> Product:
        found = [one for one in store.products.values() if fits(one) and self._free("products", one.id, store)]
        return self.chance.choice(found)

    def a_store(self) -> Store:
        return self.chance.choice(list(self.world.stores.values()))

    # What no delivery told ------------------------------------------------------------------

    def order_placed(self) -> None:
        store, who = self.a_store(), None
        who = self.somebody(store)

        def deed(at: datetime) -> list[Event]:
            basket = chance.basket(store, self.dice, at, who, self.shelf(store))
            free = [v for v in self.shelf(store) if self._free("products", v.product_id, store)]
            basket.goods, basket.test = [(self.chance.choice(free), 1)], False
            placed, events = placing.place(self.world, store, basket)
            return events + paying.pay(self.world, store, placed, at)

        self.untold("order placed", store, deed)

    def order_refunded(self) -> None:
        store, order = self.an_order_somewhere(lambda o: o.cancelled_at is None and refunding.refundable(o).shop > 1)
        self.untold("order refunded", store, lambda at: self._give_back(store, order, at))

    def money_of_the_same_second(self) -> None:
        """A refund that leaves the version as it was."""
        store, order = self.an_order_somewhere(lambda o: o.cancelled_at is None and refunding.refundable(o).shop > 1)

        def deed(at: datetime) -> list[Event]:
            version = order.updated_at
            events = self._give_back(store, order, at)
            order.updated_at = version
            return events

        self.untold("refund beside the money", store, deed)
        self.label("money of the same second", "order", f"{store.shop.namespace}{order.id}", "integration")

    def _give_back(self, store: Store, order: Order, at: datetime) -> list[Event]:
        held = refunding.refundable(order)
        half = MoneyBag((held.shop / 2).quantize(held.shop), (held.presentment / 2).quantize(held.presentment))
        return refunding.refund(self.world, store, order, refunding.Giving(goodwill=half), at)

    def order_cancelled(self) -> None:
        store, order = self.an_order_somewhere(
            lambda o: o.cancelled_at is None and not any(line.fulfilled_quantity for line in o.lines) and not o.refunds
        )
        self.untold("order cancelled", store, lambda at: refunding.cancel(self.world, store, order, "CUSTOMER", at))

    def order_sent(self) -> None:
        store, order = self.an_order_somewhere(lambda o: o.cancelled_at is None and any(sending.everything(o).values()))
        self.untold(
            "order sent", store, lambda at: sending.send(self.world, store, order, sending.everything(order), at)
        )

    def order_erased(self) -> None:
        store = self.a_store()
        order = self.an_order(store)
        self.untold("order deleted", store, lambda _: placing.erase(store, order))

    def person_renamed(self) -> None:
        store = self.a_store()
        who = self.somebody(store)
        self.untold("person renamed", store, lambda at: people.rename(self.world, store, who, "Zoë", "Nova", at))

    def person_opted_out(self) -> None:
        store = self.a_store()
        who = self.somebody(store, lambda c: c.email_consent.state == "SUBSCRIBED")
        consent = EmailConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", self.now)
        self.untold("person opted out", store, lambda at: people.email_consent(self.world, store, who, consent, at))

    def person_appeared(self) -> None:
        store = self.a_store()
        made = chance.customer(self.world, store, self.dice, self.now, f"new{len(self.labels)}@example.com")
        self.untold("person appeared", store, lambda _: people.appear(store, made))

    def person_left(self) -> None:
        store = self.a_store()
        who = self.somebody(store, lambda c: not store.orders_of.get(c.id))
        self.untold("person deleted", store, lambda _: people.leave(store, who))

    def people_merged(self) -> None:
        store = self.a_store()
        kept = self.somebody(store)
        lost = self.somebody(store, lambda c: c is not kept and all(
            self._free("orders", number, store) for number in store.orders_of.get(c.id, ())))  # fmt: skip
        self.untold("people merged", store, lambda at: people.merge(self.world, store, kept, lost, at))

    def price_changed(self) -> None:
        store = self.a_store()
        product = self.a_product(store)
        variant = product.variants[0]
        self.untold(
            "price changed", store,
            lambda at: catalogue.price(self.world, store, variant, variant.price + 1, None, at),
        )  # fmt: skip

    def product_left(self) -> None:
        store = self.a_store()
        product = self.a_product(store)
        self.untold("product deleted", store, lambda _: catalogue.leave(store, product))

    # What we did wrong ------------------------------------------------------------------

    def forgotten(self) -> None:
        """A row of ours is lost."""
        store = self.a_store()
        order = self.an_order(store)
        with self.db.transaction() as tx:
            tx.execute(
                "DELETE FROM record WHERE kind = 'order' AND store = %s AND id = %s", (store.shop.name, str(order.id))
            )
        self.label("record lost", "order", f"{store.shop.namespace}{order.id}", "integration")

    def mapped_by_old_rules(self) -> None:
        """What is desired, and there, is not what the rules make of the record."""
        store = self.a_store()
        order = self.an_order(store)
        own = f"{store.shop.namespace}{order.id}"
        body = self.desired("order", own)
        body["channel"] = "a rule that is gone"
        self._desire("order", own, body)
        self._there("order", own).record["channel"] = body["channel"]
        self.label("mapped by old rules", "order", own, "integration")

    def nothing_desired(self) -> None:
        """A row of the outbox is lost."""
        store = self.a_store()
        who = self.somebody(store)
        own = f"{store.shop.namespace}{who.id}"
        with self.db.transaction() as tx:
            tx.execute("DELETE FROM outbox WHERE kind = 'contact' AND id = %s", (own,))
        self.label("nothing desired", "contact", own, "integration")

    def left_behind(self) -> None:
        """The store had another namespace once."""
        store = self.a_store()
        order = self.an_order(store)
        own = f"{store.shop.namespace}{order.id}"
        with self.db.transaction() as tx:
            tx.execute(
                """INSERT INTO outbox (connection, kind, id, store, subject, lane, state, due_at, since, body, desired,
                                       sent, settled, settled_at)
                   SELECT connection, kind, 'old:' || id, store, subject, lane, state, due_at, since, body, desired,
                          sent, settled, settled_at FROM outbox WHERE kind = 'order' AND id = %s""",
                (own,),
            )
        self._put("order", {**self._there("order", own).record, "id": f"old:{own}", "web_id": "#old"})
        self.label("left behind", "order", f"old:{own}", "integration", is_repairable=False)

    # What the storefront did ------------------------------------------------------------------

    def unreadable(self) -> None:
        """A record that nobody can read."""
        store = self.a_store()
        order = self.an_order(store)
        with self.world.lock:
            order.lines[0].id = "none"  # type: ignore[assignment]  # no number: no text is unreadable
            self.world.touch(store, order, self.now)
        self.label("unreadable", "order", f"{store.shop.namespace}{order.id}", "storefront", is_repairable=False)

    def unreadable_person(self) -> None:
        store = self.a_store()
        who = self.somebody(store)
        with self.world.lock:
            who.email = f"\0{who.email}"
            self.world.touch(store, who, self.now)
        self.label("unreadable person", "contact", f"{store.shop.namespace}{who.id}", "storefront", is_repairable=False)

    # What Ometria did ------------------------------------------------------------------

    def dropped_there(self) -> None:
        """An order that was applied and is gone."""
        store = self.a_store()
        own = f"{store.shop.namespace}{self.an_order(store).id}"
        self._shelf("order").drop(own)
        self.label("dropped there", "order", own, "platform")

    def product_dropped_there(self) -> None:
        store = self.a_store()
        own = f"{store.shop.namespace}{self.a_product(store).id}"
        self._shelf("product").drop(own)
        self.label("product dropped there", "product", own, "platform")

    def opted_in_dropped_there(self) -> None:
        """Whoever was opted in is not brought back as opted in by a machine."""
        store = self.a_store()
        who = self.a_subscriber(store)
        own = f"{store.shop.namespace}{who.id}"
        self._shelf("contact").drop(own)
        self.label("opted in, dropped there", "contact", own, "platform", is_repairable=False)

    def order_altered(self) -> None:
        """Somebody changes an order's sum, and Ometria does not say when."""
        store = self.a_store()
        own = f"{store.shop.namespace}{self.an_order(store).id}"
        self._alter("order", own, {"grand_total": 1.23})
        self.label("order altered", "order", own, "platform")

    def product_altered(self) -> None:
        store = self.a_store()
        own = f"{store.shop.namespace}{self.a_product(store).id}"
        self._alter("product", own, {"title": "Something else"})
        self.label("product altered", "product", own, "platform")

    def person_altered(self) -> None:
        store = self.a_store()
        own = f"{store.shop.namespace}{self.somebody(store).id}"
        self._alter("contact", own, {"lastname": "Agency"})
        self.label("person altered", "contact", own, "platform")

    def opted_out_there(self) -> None:
        """Somebody said no in Ometria: nothing of ours may overrule that."""
        store = self.a_store()
        who = self.a_subscriber(store)
        own = f"{store.shop.namespace}{who.id}"
        self._alter("contact", own, {"marketing_optin": "EXPLICITLY_OPTEDOUT"})
        self.label("opted out there", "contact", own, "platform", is_repairable=False)

    def refused(self) -> None:
        """Ometria's error feed names it."""
        store = self.a_store()
        product = self.a_product(store, lambda p: p.status == "ACTIVE")
        own = f"{store.shop.namespace}{product.id}"
        refused = [*self.sims.faults.get("ometria.refuse_ids"), own]
        self.sims.faults.set({"ometria.refuse_ids": refused})
        with self.world.lock:
            self.sims.deliveries.take(catalogue.status(self.world, store, product, "DRAFT", self.now))
        self.come_to_rest()
        self.label("refused", "product", own, "platform", is_repairable=False)

    def foreign_person(self) -> None:
        own = f"crm-{len(self.labels)}"
        self._put("contact", {"id": own, "email": f"{own}@example.com", "marketing_optin": "NOT_SPECIFIED"})
        self.label("foreign person", "contact", own, "platform", is_repairable=False)

    def foreign_order(self) -> None:
        """Under an id that looks like ours."""
        store = self.a_store()
        model = self._there("order", f"{store.shop.namespace}{self.an_order(store).id}").record
        own = f"{store.shop.namespace}99{len(self.labels)}"
        self._put("order", {**model, "id": own, "web_id": f"F{len(self.labels)}"})
        self.label("foreign order", "order", own, "platform", is_repairable=False)

    def order_twice(self) -> None:
        """The same order under a second id that looks like ours."""
        store = self.a_store()
        order = self.an_order(store)
        model = self._there("order", f"{store.shop.namespace}{order.id}").record
        own = f"{store.shop.namespace}88{len(self.labels)}"
        self._put("order", {**model, "id": own})
        self.label("order twice", "order", own, "platform", is_repairable=False)

    # Ometria's shelves ------------------------------------------------------------------

    def _shelf(self, kind: str) -> Shelf[Stored]:
        account = self.sims.ometria.account
        return {
            "contact": account.collections["shopify"],
            "order": account.orders,
            "product": account.products,
        }[kind]

    def _there(self, kind: str, own: str) -> Stored:
        found = self._shelf(kind).get(own)
        assert found is not None
        return found

    def _alter(self, kind: str, own: str, change: Mapping[str, Any]) -> None:
        self.pass_time(1)
        row = self._there(kind, own)
        row.record.update(change)
        row.updated_at = self.now
        row.version += 1
        self._shelf(kind).put(own, row)

    def _put(self, kind: str, record: dict[str, Any]) -> None:
        account = self.sims.ometria.account
        types = {"contact": {"@collection": "shopify"}, "order": {}, "product": {}}
        wrong = apply.one(
            account, {**record, **types[kind], "@type": kind}, rules_for(account.switches), self.now, "script"
        )
        assert wrong is None, wrong

    def _desire(self, kind: str, own: str, body: Mapping[str, Any]) -> None:
        raw = msgspec.json.encode(body)
        with self.db.transaction() as tx:
            tx.execute(
                """UPDATE outbox SET body = %s, desired = %s, sent = %s, settled = %s WHERE kind = %s AND id = %s""",
                (self.context.packer.pack(raw), *(content_hash(raw),) * 3, kind, own),
            )


SORTS: tuple[Callable[[Mischief], None], ...] = (
    Mischief.order_placed,
    Mischief.order_refunded,
    Mischief.money_of_the_same_second,
    Mischief.order_cancelled,
    Mischief.order_sent,
    Mischief.order_erased,
    Mischief.person_renamed,
    Mischief.person_opted_out,
    Mischief.person_appeared,
    Mischief.person_left,
    Mischief.people_merged,
    Mischief.price_changed,
    Mischief.product_left,
    Mischief.forgotten,
    Mischief.mapped_by_old_rules,
    Mischief.nothing_desired,
    Mischief.left_behind,
    Mischief.unreadable,
    Mischief.unreadable_person,
    Mischief.dropped_there,
    Mischief.product_dropped_there,
    Mischief.opted_in_dropped_there,
    Mischief.order_altered,
    Mischief.product_altered,
    Mischief.person_altered,
    Mischief.opted_out_there,
    Mischief.refused,
    Mischief.foreign_person,
    Mischief.foreign_order,
    Mischief.order_twice,
)
