"""From changed records to the writes they ask for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.customer_metrics.sql import order_totals as sales
from isthmus.customer_metrics.sql.order_totals import Buyer, OrderOwner
from isthmus.db.pool import Tx
from isthmus.flows import (
    case_reporting,
    contacts,
    identifiers,
    refresh_metrics,
    retire,
    service_hold,
    shared_properties,
)
from isthmus.flows.change import RecordTransition
from isthmus.flows.consent import write_back
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.retire import Retired
from isthmus.flows.takeover import id_mapping
from isthmus.identity import resolve
from isthmus.identity.match import People
from isthmus.identity.sql import merges
from isthmus.kit.email import normalise_email
from isthmus.mapping import custom_event, order, product
from isthmus.mapping.rules import METRICS
from isthmus.model.customer import Customer
from isthmus.model.customer_metrics import CustomerMetrics
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql import contact_consent as words
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.contact_consent import NO_BASIS
from isthmus.outbox.sql.queue import Bought, DesiredWrite
from isthmus.records.sql.store import Key


class Moved(Struct):
    """The store customers whose worth, and those whose service hold, a unit of work has changed."""

    worth: set[tuple[str, int]]
    hold: set[tuple[str, int]]


def map_to_outbox(
    tx: Tx,
    context: ConnectionContext,
    changes: Sequence[RecordTransition],
    was: People,
    who: People,
    standings: ConsentStatuses,
    now: datetime,
) -> Moved:
    """Map every changed record and put what comes out of it into the outbox; what that makes of people.

    `was` and `who` say everybody's surviving id before and now, `standings` where their addresses stand.
    """
    customers = [change for change in changes if change.key[0] == "customer"]
    helds = shared_properties.load_shared_properties(tx, context, changes)
    pages = {id_: held for (kind, id_), held in helds.items() if kind is RecordKind.PRODUCT}
    spoken = words.lock_contacts(
        tx, context.connection, [own for one in customers for own in contacts.contact_ids(context, one)]
    )
    mapped = _Mapped([], [])
    settled = id_mapping.find_platform_ids(tx, context, changes, now)
    for change in changes:
        if change.key[0] != "customer":
            _map(settled.context, change, mapped, lambda shop, change: _writes(shop, change, who, now, pages))
    if settled.withheld:
        mapped.wanted = [DesiredWrite(want.store, settled.of(want.write), want.since) for want in mapped.wanted]
    owners = _keep_sales(tx, context, mapped.wanted, {change.key: change.lane for change in changes})
    moved = Moved(
        refresh_metrics.customers_of_owners(owners, who),
        refresh_metrics.customers_of_owners(service_hold.save_service_holds(tx, context, changes, now), who),
    )
    buyers = _buyers(customers, who)
    worths, holds = _worths(tx, context, buyers), service_hold.holds_of_customers(tx, context, buyers)
    has_importer = bool(customers) and words.has_importer(tx, context.connection)
    merged = merges.profile_survivors(
        tx, context.connection, [contacts.contact_id(context, change) for change in customers if change.is_gone]
    )
    retired = retire.contacts_to_retire(tx, context, customers, who, merged, spoken)
    left = retire.numbers_left(tx, context, customers, spoken, retired)
    silent = retire.emails_left(tx, context, customers, spoken)
    elsewhere = identifiers.conflicts_of_changes(tx, context, customers, who, retired.keys())
    known = contacts.ContactMappingInput(
        was,
        who,
        standings,
        spoken,
        worths,
        has_importer,
        holds,
        moved.hold,
        elsewhere,
        helds,
        retired,
        left,
        silent,
    )
    for change in customers:
        _map(
            context,
            change,
            mapped,
            lambda shop, change: contacts.map_contacts(shop, change, known),
            (standings, retired),
        )
    identifiers.report_conflicts(tx, context, [contacts.account_of(change) for change in customers], elsewhere, now)
    write_back.request_store_updates(tx, context, customers, standings, now)
    outbox.upsert_desired(
        tx,
        context.connection,
        mapped.wanted,
        now=now,
        coalesce=context.pace.coalesce,
        contact_head_start=context.pace.contact_head_start,
        packer=context.packer,
    )
    retire.withdraw_retirements(tx, context, customers, now)
    shared_properties.save_own_properties(tx, context, mapped.wanted)
    cases.open_or_count(
        tx, context.connection, [*mapped.refused, *shared_properties.report_type_mismatches(context, changes)], now
    )
    _forget_baskets(tx, context, changes)
    return moved


def raise_priority(tx: Tx, context: ConnectionContext, same: Iterable[tuple[Key, Lane]]) -> None:
    """A record told again as it is travels, if it still waits, in the most urgent lane it was told on."""
    wanted: dict[tuple[RecordKind, Lane], set[str]] = {}
    for (kind, store, name), lane in same:
        if kind in _KINDS and kind != "checkout" and lane is not Lane.BACKFILL:
            wanted.setdefault((_KINDS[kind], lane), set()).add(f"{context.shops[store].rules.namespace}{name}")
    for (kind, lane), names in sorted(wanted.items()):
        outbox.raise_priority(
            tx, context.connection, kind, sorted(id_mapping.ids_as_known(tx, context, kind, names)), lane
        )


class _Mapped(Struct):
    """What a unit of work wants sent, and what cannot be said in Ometria's words at all."""

    wanted: list[DesiredWrite]
    refused: list[cases.Touch]


def _map(
    context: ConnectionContext,
    change: RecordTransition,
    mapped: _Mapped,
    writes: Callable[[ShopContext, RecordTransition], list[Write]],
    behind: tuple[ConsentStatuses, Mapping[str, Retired]] | None = None,
) -> None:
    shop = context.shops[change.key[1]]
    try:
        made = writes(shop, change)
    except RejectedError as failure:
        # A dead letter before it was ever sent.
        subject = f"{change.key[0]}:{change.key[2]}"
        made = [_unsayable(context, change, failure, subject)]
        mapped.refused.append(case_reporting.case_for(failure, subject, shop.name))
    mapped.wanted += [
        DesiredWrite(
            shop.name,
            write,
            change.since,
            NO_BASIS if behind is None else contacts.consent_basis(change, write, *behind),
        )
        for write in made
    ]


def _writes(
    shop: ShopContext, change: RecordTransition, who: People, now: datetime, pages: product.Helds
) -> list[Write]:
    last = change.last
    match last:
        case Order():
            person = owner_of_order(shop, last, who)
            writes = [order.map_order(last, person, shop.rules, change.lane, is_deleted=change.is_gone)]
            if change.lane is Lane.REALTIME:
                # Every state the order passed through, so that nothing that happened in between is missed.
                was = change.before
                for passed in change.passed:
                    assert isinstance(passed, Order)  # noqa: S101 - an order passes through orders
                    before = was if isinstance(was, Order) else None
                    writes += custom_event.events_of_order(passed, shop.rules, now, was=before, person=person)
                    was = passed
            return writes
        case Product():
            if change.is_gone:
                return product.map_removed_product(last, shop.rules, change.lane, pages)
            writes = product.map_product(last, shop.rules, change.lane, pages)
            if isinstance(change.before, Product):
                writes += product.map_removed_variants(change.before, last, shop.rules, change.lane, pages)
            return writes
        case _:
            return []


def _keep_sales(
    tx: Tx, context: ConnectionContext, wanted: Iterable[DesiredWrite], lanes: Mapping[Key, Lane]
) -> list[OrderOwner]:
    """Keep what the orders among these writes are worth; whose worth that changed, unless a load did."""
    told = []
    for want in wanted:
        if want.write.kind is RecordKind.ORDER:
            name = (want.write.subject or "").partition(":")[2]
            is_history = lanes["order", want.store, name] is Lane.BACKFILL
            told.append(sales.OrderTotalsUpdate(want.store, int(name), want.write.sale, is_history))
    return sales.save_order_totals(tx, context.connection, told)


def _buyers(changes: Iterable[RecordTransition], who: People) -> dict[tuple[str, int], Buyer]:
    """The person behind each of these contacts."""
    whole = who.whole()
    accounts = {contacts.account_of(change): change.after for change in changes}
    return {
        account: Buyer(whole.get(account, (account,)), normalise_email(customer.email))
        for account, customer in accounts.items()
        if isinstance(customer, Customer) and customer.is_read
    }


def _worths(
    tx: Tx, context: ConnectionContext, buyers: Mapping[tuple[str, int], Buyer]
) -> dict[tuple[str, int], CustomerMetrics]:
    """What each of these people is worth, where it is sent."""
    asked = {key: one for key, one in buyers.items() if context.shops[key[0]].rules.contact_properties & METRICS}
    return dict(zip(asked, sales.metrics_of_people(tx, context.connection, list(asked.values())), strict=True))


def owner_of_order(shop: ShopContext, placed: Order, who: People) -> str | None:
    """The surviving id of an order's owner (identity/resolve.py has the policy); None for nobody we know."""
    return resolve.order_owner(
        shop.name, shop.rules.namespace, placed.customer_id, normalise_email(placed.email), placed.phone, who
    ).person


_KINDS = {
    "customer": RecordKind.CONTACT,
    "order": RecordKind.ORDER,
    "product": RecordKind.PRODUCT,
    "checkout": RecordKind.MOMENT,
}


def _unsayable(context: ConnectionContext, change: RecordTransition, failure: RejectedError, subject: str) -> Write:
    kind, store, name = change.key
    own = context.shops[store].rules.id_of(kind, name)
    return Write(_KINDS[kind], own, None, change.lane, rejected=failure.code, subject=subject)


def _forget_baskets(tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition]) -> None:
    """An order calls back the reminders of its buyer's baskets that have not gone out yet."""
    placed: list[tuple[str, Order]] = [
        (change.key[1], change.after) for change in changes if isinstance(change.after, Order) and change.passed
    ]
    if placed:
        outbox.cancel_abandoned_checkout_events(
            tx,
            context.connection,
            [
                Bought(store, o.processed_at, o.checkout_token, o.cart_token, normalise_email(o.email), o.customer_id)
                for store, o in placed
            ],
            reason="an order was placed since",
        )
