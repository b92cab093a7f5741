"""From changed records to the writes they ask for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.db.pool import Tx
from isthmus.flows import contacts, hold, holding, identifiers, retire, revalue, trouble
from isthmus.flows.change import Change
from isthmus.flows.consent import write_back
from isthmus.flows.consent.standing import Standings
from isthmus.flows.retire import Retired
from isthmus.flows.road import Road, Shop
from isthmus.flows.takeover import adopt
from isthmus.identity import resolve
from isthmus.identity.match import People
from isthmus.identity.merges import sql as merges
from isthmus.kit.email import normalise
from isthmus.mapping import moment, order, product
from isthmus.mapping.rules import METRICS
from isthmus.metrics import sql as sales
from isthmus.metrics.sql import Buyer, Owner
from isthmus.model.customer import Customer
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.worth import Worth
from isthmus.model.write import Kind, Write
from isthmus.outbox import sql as outbox
from isthmus.outbox.spoken import sql as words
from isthmus.outbox.spoken.sql import NOBODY
from isthmus.outbox.sql import Bought, Wanted
from isthmus.records.sql import Key


class Moved(Struct):
    """The store customers whose worth, and those whose service hold, a unit of work has changed."""

    worth: set[tuple[str, int]]
    hold: set[tuple[str, int]]


def desire(
    tx: Tx, road: Road, changes: Sequence[Change], was: People, who: People, standings: Standings, now: datetime
) -> Moved:
    """Map every changed record and put what comes out of it into the outbox; what that makes of people.

    `was` and `who` say everybody's surviving id before and now, `standings` where their addresses stand.
    """
    customers = [change for change in changes if change.key[0] == "customer"]
    helds = holding.of(tx, road, changes)
    pages = {id_: held for (kind, id_), held in helds.items() if kind is Kind.PRODUCT}
    spoken = words.lock_contacts(tx, road.connection, [own for one in customers for own in contacts.ids(road, one)])
    mapped = _Mapped([], [])
    settled = adopt.settle(tx, road, changes, now)
    for change in changes:
        if change.key[0] != "customer":
            _map(settled.road, change, mapped, lambda shop, change: _writes(shop, change, who, now, pages))
    if settled.withheld:
        mapped.wanted = [Wanted(want.store, settled.of(want.write), want.since) for want in mapped.wanted]
    owners = _keep_sales(tx, road, mapped.wanted, {change.key: change.lane for change in changes})
    moved = Moved(revalue.customers_of(owners, who), revalue.customers_of(hold.keep(tx, road, changes, now), who))
    buyers = _buyers(customers, who)
    worths, holds = _worths(tx, road, buyers), hold.of_buyers(tx, road, buyers)
    has_importer = bool(customers) and words.has_importer(tx, road.connection)
    merged = merges.heirs(
        tx, road.connection, [contacts.contact_id(road, change) for change in customers if change.is_gone]
    )
    retired = retire.of_changes(tx, road, customers, who, merged, spoken)
    left = retire.numbers_left(tx, road, customers, spoken, retired)
    silent = retire.emails_left(tx, road, customers, spoken)
    elsewhere = identifiers.of_changes(tx, road, customers, who, retired.keys())
    known = contacts.Known(
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
        _map(road, change, mapped, lambda shop, change: contacts.contacts(shop, change, known), (standings, retired))
    identifiers.tell(tx, road, [contacts.account_of(change) for change in customers], elsewhere, now)
    write_back.wish(tx, road, customers, standings, now)
    outbox.desire(
        tx,
        road.connection,
        mapped.wanted,
        now=now,
        coalesce=road.pace.coalesce,
        contact_head_start=road.pace.contact_head_start,
        packer=road.packer,
    )
    retire.withdraw(tx, road, customers, now)
    holding.keep(tx, road, mapped.wanted)
    cases.touch(tx, road.connection, [*mapped.refused, *holding.mistyped(road, changes)], now)
    _forget_baskets(tx, road, changes)
    return moved


def hurry(tx: Tx, road: Road, same: Iterable[tuple[Key, Lane]]) -> None:
    """A record told again as it is travels, if it still waits, in the most urgent lane it was told on."""
    wanted: dict[tuple[Kind, Lane], set[str]] = {}
    for (kind, store, name), lane in same:
        if kind in _KINDS and kind != "checkout" and lane is not Lane.BACKFILL:
            wanted.setdefault((_KINDS[kind], lane), set()).add(f"{road.shops[store].rules.namespace}{name}")
    for (kind, lane), names in sorted(wanted.items()):
        outbox.hurry(tx, road.connection, kind, sorted(adopt.known_as(tx, road, kind, names)), lane)


class _Mapped(Struct):
    """What a unit of work wants sent, and what cannot be said in the platform's words at all."""

    wanted: list[Wanted]
    refused: list[cases.Touch]


def _map(
    road: Road,
    change: Change,
    mapped: _Mapped,
    writes: Callable[[Shop, Change], list[Write]],
    behind: tuple[Standings, Mapping[str, Retired]] | None = None,
) -> None:
    shop = road.shops[change.key[1]]
    try:
        made = writes(shop, change)
    except RejectedError as failure:
        # A dead letter before it was ever sent.
        subject = f"{change.key[0]}:{change.key[2]}"
        made = [_unsayable(road, change, failure, subject)]
        mapped.refused.append(trouble.sign(failure, subject, shop.name))
    mapped.wanted += [
        Wanted(shop.name, write, change.since, NOBODY if behind is None else contacts.behind(change, write, *behind))
        for write in made
    ]


def _writes(shop: Shop, change: Change, who: People, now: datetime, pages: product.Helds) -> list[Write]:
    last = change.last
    match last:
        case Order():
            person = person_of(shop, last, who)
            writes = [order.order(last, person, shop.rules, change.lane, is_deleted=change.is_gone)]
            if change.lane is Lane.REALTIME:
                # Every state the order passed through, so that nothing that happened in between is missed.
                was = change.before
                for passed in change.passed:
                    assert isinstance(passed, Order)  # noqa: S101 - an order passes through orders
                    before = was if isinstance(was, Order) else None
                    writes += moment.of_order(passed, shop.rules, now, was=before, person=person)
                    was = passed
            return writes
        case Product():
            if change.is_gone:
                return product.retired(last, shop.rules, change.lane, pages)
            writes = product.product(last, shop.rules, change.lane, pages)
            if isinstance(change.before, Product):
                writes += product.dropped(change.before, last, shop.rules, change.lane, pages)
            return writes
        case _:
            return []


def _keep_sales(tx: Tx, road: Road, wanted: Iterable[Wanted], lanes: Mapping[Key, Lane]) -> list[Owner]:
    """Keep what the orders among these writes are worth; whose worth that changed, unless a load did."""
    told = []
    for want in wanted:
        if want.write.kind is Kind.ORDER:
            name = (want.write.subject or "").partition(":")[2]
            is_history = lanes["order", want.store, name] is Lane.BACKFILL
            told.append(sales.Told(want.store, int(name), want.write.sale, is_history))
    return sales.keep(tx, road.connection, told)


def _buyers(changes: Iterable[Change], who: People) -> dict[tuple[str, int], Buyer]:
    """The person behind each of these contacts."""
    whole = who.whole()
    accounts = {contacts.account_of(change): change.after for change in changes}
    return {
        account: Buyer(whole.get(account, (account,)), normalise(customer.email))
        for account, customer in accounts.items()
        if isinstance(customer, Customer) and customer.is_read
    }


def _worths(tx: Tx, road: Road, buyers: Mapping[tuple[str, int], Buyer]) -> dict[tuple[str, int], Worth]:
    """What each of these people is worth, where it is sent."""
    asked = {key: one for key, one in buyers.items() if road.shops[key[0]].rules.contact_properties & METRICS}
    return dict(zip(asked, sales.of_people(tx, road.connection, list(asked.values())), strict=True))


def person_of(shop: Shop, placed: Order, who: People) -> str | None:
    """The surviving id of an order's owner (identity/resolve.py has the policy); None for nobody we know."""
    return resolve.owner(
        shop.name, shop.rules.namespace, placed.customer_id, normalise(placed.email), placed.phone, who
    ).person


_KINDS = {"customer": Kind.CONTACT, "order": Kind.ORDER, "product": Kind.PRODUCT, "checkout": Kind.MOMENT}


def _unsayable(road: Road, change: Change, failure: RejectedError, subject: str) -> Write:
    kind, store, name = change.key
    own = road.shops[store].rules.id_of(kind, name)
    return Write(_KINDS[kind], own, None, change.lane, rejected=failure.code, subject=subject)


def _forget_baskets(tx: Tx, road: Road, changes: Sequence[Change]) -> None:
    """An order calls back the reminders of its buyer's baskets that have not gone out yet."""
    placed: list[tuple[str, Order]] = [
        (change.key[1], change.after) for change in changes if isinstance(change.after, Order) and change.passed
    ]
    if placed:
        outbox.withhold_baskets(
            tx,
            road.connection,
            [
                Bought(store, o.processed_at, o.checkout_token, o.cart_token, normalise(o.email), o.customer_id)
                for store, o in placed
            ],
            reason="an order was placed since",
        )
