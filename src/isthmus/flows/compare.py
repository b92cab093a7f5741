"""Hold what Ometria says against a fresh mapping of what Shopify says: agreement, record by record.

Independent of everything in between: the stores are read now, mapped again, and compared with Ometria's records;
what people are worth is summed from the orders just read.
Of our own state only this is asked: which records have an open case or go on under another writer's ids, who was ever
sent as opted in or forced, what the ledger has of their addresses, who was merged with whom, whose erasure was asked
for, and which product a line was sold as that has been deleted since.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.consent import shop_statement
from isthmus.customer_metrics.properties import calculate_metrics
from isthmus.db.pool import Database
from isthmus.flows import retire, shared_properties
from isthmus.flows.consent import consent_status
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.map_to_outbox import owner_of_order
from isthmus.flows.takeover import id_mapping
from isthmus.flows.takeover.id_mapping import WITHHELD
from isthmus.identity.match import Account, Link, People, assign_survivors
from isthmus.identity.sql import links as identity
from isthmus.kit.email import normalise_email
from isthmus.mapping import contact, fields, order, product, service_hold
from isthmus.model.consent import Channel
from isthmus.model.customer import Customer
from isthmus.model.customer_metrics import NOTHING, CustomerMetrics
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.order_totals import OrderTotalsRow
from isthmus.model.product import Product
from isthmus.model.reading import found_record
from isthmus.model.service_hold import ServiceHoldState
from isthmus.model.write import RecordKind, Write
from isthmus.outbox import plan
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.outbox.sql import inspect as versions
from isthmus.records import carry_over
from isthmus.records.sql import store as records

Lookup = Callable[[RecordKind, str], Mapping[str, Any] | None]
"""How Ometria's record of this kind and id is found."""

ERASED = "the shop asked for their erasure"
"""Why a contact is not compared: it went out once more, and is nobody's any more."""

READ_AT_ONCE = 50
LOOKED_UP_AT_ONCE = 500


class Difference(Struct, frozen=True):
    """One record that does not agree, at `path`; `path` is empty where a side lacks the record altogether."""

    kind: RecordKind
    id: str
    path: str
    why: str


class Comparison(Struct, frozen=True):
    """What was compared. Records with an open case, and excluded ones by reason, are no differences."""

    n_equal: dict[str, int]
    n_excluded: dict[str, int]
    n_cases: int
    differences: tuple[Difference, ...]


def compare_both_sides(db: Database, context: ConnectionContext, lookup: Lookup) -> Comparison:
    """Read every record of every store, map it, and look for Ometria's."""
    told = {shop.name: _read(shop) for shop in context.shops.values()}
    with db.transaction() as tx:
        joins = identity.merged_accounts(tx, context.connection)
        standings = versions.outbox_statuses(tx, context.connection)
        context = id_mapping.rules_with_all_ids(tx, context)
    who = _people(context, {name: read[0] for name, read in told.items()}, joins)
    equal: dict[str, int] = {kind.value: 0 for kind in (RecordKind.PRODUCT, RecordKind.CONTACT, RecordKind.ORDER)}
    excluded: dict[str, int] = {}
    differences: list[Difference] = []
    n_cases = 0
    told = {name: _remembered(db, context, name, read) for name, read in told.items()}
    orders = {name: list(_orders(context.shops[name], read[1], who)) for name, read in told.items()}
    worths, holds = _worths(orders, who), _holds(context, told, who)
    for name, read in told.items():
        contacts = _contacts(db, context, name, read[0], who, worths, holds)
        for write in (*contacts, *_products(context.shops[name], read[2]), *orders[name]):
            row = standings.get((write.kind, write.id))
            if row is not None and row.state == "buried":
                n_cases += 1
            elif reason := write.excluded or (row and row.excluded == WITHHELD and WITHHELD):
                excluded[reason] = excluded.get(reason, 0) + 1
            elif (difference := _difference(context, write, lookup)) is not None:
                differences.append(difference)
            else:
                equal[write.kind.value] += 1
    return Comparison(equal, excluded, n_cases, tuple(differences))


def _people(context: ConnectionContext, told: Mapping[str, list[Customer]], joins: Mapping[Account, Account]) -> People:
    """Who is whom: by address as the stores say now, and by what was merged."""

    def contact_of(account: Account) -> str:
        return f"{context.shops[account[0]].rules.namespace}{account[1]}"

    living = {(name, one.id): normalise_email(one.email) for name, customers in told.items() for one in customers}
    gone = [account for account in joins if account not in living and account[0] in context.shops]
    return assign_survivors(
        [
            *(Link(*at, contact_of(at), email, joins.get(at)) for at, email in living.items()),
            *(Link(*at, contact_of(at), None, joins[at], is_gone=True) for at in gone),
        ]
    )


def _difference(context: ConnectionContext, write: Write, lookup: Lookup) -> Difference | None:
    found = lookup(write.kind, write.id)
    if found is None:
        return Difference(write.kind, write.id, "", "Ometria has no such record")
    path = plan.first_difference(
        shared_properties.without_shared_properties(context, write.kind, msgspec.json.decode(write.body or b"{}")),
        found,
    )
    return None if path is None else Difference(write.kind, write.id, path, "says something else")


Records = tuple[list[Customer], list[Order], list[Product]]


def _read(shop: ShopContext) -> Records:
    return (
        [r for r in _all(shop, "customer", shop.reader.customers) if isinstance(r, Customer)],
        [r for r in _all(shop, "order", shop.reader.orders) if isinstance(r, Order)],
        [r for r in _all(shop, "product", shop.reader.products) if isinstance(r, Product)],
    )


def _remembered(db: Database, context: ConnectionContext, store: str, told: Records) -> Records:
    """With the origin of lines whose product is deleted, which the shop itself forgets."""
    customers, orders, products = told
    kept: list[Order] = []
    for first in range(0, len(orders), LOOKED_UP_AT_ONCE):
        some = orders[first : first + LOOKED_UP_AT_ONCE]
        with db.transaction() as tx:
            known = records.load_records(
                tx, context.connection, [("order", store, str(o.id)) for o in some], context.packer
            )
        for placed in some:
            held = known.get(("order", store, str(placed.id)))
            kept.append(
                carry_over.carry_over_order(placed, held.record if held and isinstance(held.record, Order) else None)
            )
    return customers, kept, products


def _all(shop: ShopContext, kind: str, read: Callable[[list[int]], Mapping[int, Any]]) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = shop.reader.all_ids(kind, cursor)
        numbers = [one.id for one in page.listed]
        for first in range(0, len(numbers), READ_AT_ONCE):
            yield from filter(None, map(found_record, read(numbers[first : first + READ_AT_ONCE]).values()))
        if page.cursor is None:
            return
        cursor = page.cursor


def _orders(shop: ShopContext, placed: list[Order], who: People) -> Iterator[Write]:
    for one in placed:
        try:
            yield order.map_order(one, owner_of_order(shop, one, who), shop.rules, Lane.BACKFILL)
        except RejectedError as failure:
            yield _unsayable(RecordKind.ORDER, shop.rules.id_of("order", one.id), failure)


def _worths(orders: Mapping[str, list[Write]], who: People) -> dict[str, CustomerMetrics]:
    """What each person is worth by all their orders in all stores."""
    sales: dict[str, list[OrderTotalsRow]] = {}
    for name, writes in orders.items():
        for sale in (write.sale for write in writes if write.sale is not None):
            if sale.customer_id is not None:
                person = who.by_customer.get((name, sale.customer_id))
            else:
                person = who.by_email.get(sale.email or "")
            if person is not None:
                sales.setdefault(person, []).append(sale)
    return {person: calculate_metrics(some) for person, some in sales.items()}


def _holds(context: ConnectionContext, told: Mapping[str, Records], who: People) -> dict[str, ServiceHoldState]:
    """By what each person is held, by the state of all their orders in all stores."""
    now, found = context.clock.now(), dict[str, list[ServiceHoldState]]()
    for name, (_, orders, _) in told.items():
        for one in orders:
            person = owner_of_order(context.shops[name], one, who)
            if (
                person is not None
                and (asked := service_hold.hold_of_order(one, context.shops[name].rules, now)) is not None
            ):
                found.setdefault(person, []).append(asked)
    return {
        person: longest for person, some in found.items() if (longest := service_hold.longest_hold(some)) is not None
    }


def _contacts(
    db: Database,
    context: ConnectionContext,
    store: str,
    customers: list[Customer],
    who: People,
    worths: Mapping[str, CustomerMetrics],
    holds: Mapping[str, ServiceHoldState],
) -> Iterator[Write]:
    """Every contact that the store's present customers ask for. What cannot be said is left to its case."""
    rules = context.shops[store].rules
    for first in range(0, len(customers), LOOKED_UP_AT_ONCE):
        some = customers[first : first + LOOKED_UP_AT_ONCE]
        with db.transaction() as tx:
            stand = consent_status.consent_of_customers(tx, context, some)
            said = spoken.sent_consent_of(tx, context.connection, [f"{rules.namespace}{one.id}" for one in some])
            left = {
                one.id: retire.number_left(tx, context, name, (store, one.id), one)
                for one in some
                if fields.map_phone(one.phone, one.country_code) is None
                and (row := said.get(name := f"{rules.namespace}{one.id}"))
                and row.was_opted_in_sms
            }
            known = records.load_records(
                tx, context.connection, [("customer", store, str(one.id)) for one in some], context.packer
            )
        for customer in some:
            name = f"{rules.namespace}{customer.id}"
            held = known.get(("customer", store, str(customer.id)))
            if held is not None and isinstance(held.record, Customer) and held.record.is_redacted:
                yield Write(RecordKind.CONTACT, name, None, Lane.BACKFILL, excluded=ERASED)
                continue
            row, person = said.get(name), who.by_customer[store, customer.id]
            email = stand.of(Channel.EMAIL, normalise_email(customer.email), store)
            sms = shop_statement.consent_to_send(customer.sms_consent, stand.of(Channel.SMS, customer.phone, store))
            if (number := left.get(customer.id)) is not None:
                customer, sms = msgspec.structs.replace(customer, phone=number), None
            try:
                yield contact.map_contact(
                    customer,
                    person,
                    rules,
                    Lane.BACKFILL,
                    worth=worths.get(person, NOTHING),
                    hold=holds.get(person),
                    email_consent=shop_statement.consent_to_send(customer.email_consent, email),
                    sms_consent=sms,
                    was_opted_in=row is not None and row.was_opted_in,
                    was_opted_in_sms=row is not None and row.was_opted_in_sms,
                    must_force=row is not None and row.must_force,
                    was_forced=row is not None and row.was_forced,
                )
            except RejectedError as failure:
                yield _unsayable(RecordKind.CONTACT, name, failure)


def _products(shop: ShopContext, products: list[Product]) -> Iterator[Write]:
    for listed in products:
        yield from product.map_product(listed, shop.rules, Lane.BACKFILL)


def _unsayable(kind: RecordKind, name: str, failure: RejectedError) -> Write:
    return Write(kind, name, None, Lane.BACKFILL, excluded=f"case {failure.code}")
