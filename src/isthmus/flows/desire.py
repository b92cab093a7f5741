"""From changed records to the writes they ask for."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from isthmus.cases import sql as cases
from isthmus.consent.decide import OUT
from isthmus.db.pool import Tx
from isthmus.flows import trouble
from isthmus.flows.change import Change
from isthmus.flows.road import Road, Shop
from isthmus.identity.match import People
from isthmus.kit.email import normalise
from isthmus.mapping import contact, moment, order, product
from isthmus.model.customer import Customer
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.write import Kind, Write
from isthmus.outbox import sql as outbox
from isthmus.outbox.sql import Wanted
from isthmus.records.sql import Key


def desire(tx: Tx, road: Road, changes: Sequence[Change], who: People, now: datetime) -> None:
    """Map every changed record and put what comes out of it into the outbox."""
    contacts = [_contact_id(road, change) for change in changes if change.key[0] == "customer"]
    opted = outbox.lock_contacts(tx, road.connection, contacts)
    wanted: list[Wanted] = []
    refused: list[cases.Touch] = []
    for change in changes:
        shop = road.shops[change.key[1]]
        try:
            writes = _writes(shop, change, who, opted, now)
        except RejectedError as failure:
            # The record cannot be said in the platform's words at all: a dead letter before it was ever sent.
            subject = f"{change.key[0]}:{change.key[2]}"
            writes = [_unsayable(road, change, failure, subject)]
            refused.append(trouble.sign(failure, subject, shop.name))
        wanted += [Wanted(shop.name, write, change.since) for write in writes]
    outbox.desire(
        tx, road.connection, wanted, now=now, coalesce=road.pace.coalesce,
        contact_head_start=road.pace.contact_head_start, packer=road.packer,
    )  # fmt: skip
    cases.touch(tx, road.connection, refused, now)
    _forget_baskets(tx, road, changes)


def hurry(tx: Tx, road: Road, same: Iterable[tuple[Key, Lane]]) -> None:
    """A record told again as it is travels, if it still waits, in the most urgent lane it was told on."""
    wanted: dict[tuple[Kind, Lane], set[str]] = {}
    for (kind, store, name), lane in same:
        if kind in _KINDS and kind != "checkout" and lane is not Lane.BACKFILL:
            wanted.setdefault((_KINDS[kind], lane), set()).add(f"{road.shops[store].rules.namespace}{name}")
    for (kind, lane), names in sorted(wanted.items()):
        outbox.hurry(tx, road.connection, kind, sorted(names), lane)


def _writes(shop: Shop, change: Change, who: People, opted: dict[str, bool], now: datetime) -> list[Write]:
    last = change.after if change.after is not None else change.before
    match last:
        case Customer():
            return _contact(shop, change, last, who, opted)
        case Order():
            person = person_of(shop, last, who)
            writes = [order.order(last, person, shop.rules, change.lane, is_deleted=change.is_gone)]
            if change.lane is Lane.REALTIME:
                # Every state the order passed through, so that nothing that happened in between is missed.
                for passed in change.passed:
                    assert isinstance(passed, Order)  # noqa: S101 - an order passes through orders
                    writes += moment.of_order(passed, shop.rules, now, person=person)
            return writes
        case Product():
            if change.is_gone:
                return product.retired(last, shop.rules, change.lane)
            writes = product.product(last, shop.rules, change.lane)
            if isinstance(change.before, Product):
                writes += product.dropped(change.before, last, shop.rules, change.lane)
            return writes
        case _:
            return []


def _contact(shop: Shop, change: Change, customer: Customer, who: People, opted: dict[str, bool]) -> list[Write]:
    """The contact of a customer; none before the first reading, since consent is unknown until then."""
    if not customer.is_read:
        return []
    name = f"{shop.rules.namespace}{customer.id}"
    person = who.by_customer.get((shop.name, customer.id), name)
    was_opted_in = opted.get(name, False)
    if change.is_gone:
        has_heir = bool((email := normalise(customer.email)) and who.by_email.get(email))
        return [
            contact.retired(customer, person, shop.rules, change.lane, was_opted_in=was_opted_in, has_heir=has_heir)
        ]
    return [
        contact.contact(
            customer, person, shop.rules, _lane(change, customer), email_consent=customer.email_consent,
            sms_consent=customer.sms_consent, was_opted_in=was_opted_in,
        )
    ]  # fmt: skip


def _lane(change: Change, customer: Customer) -> Lane:
    """Opt-outs, new people and changed addresses are in a hurry, whatever brought them, unless they are history."""
    before = change.before
    if change.lane is Lane.REALTIME or not isinstance(before, Customer) or not before.is_read:
        return change.lane
    opts_out = any(
        now is not None and now.state in OUT and (was is None or was.state not in OUT)
        for was, now in ((before.email_consent, customer.email_consent), (before.sms_consent, customer.sms_consent))
    )
    moved = (normalise(before.email), before.phone) != (normalise(customer.email), customer.phone)
    return Lane.REALTIME if opts_out or moved else change.lane


def person_of(shop: Shop, placed: Order, who: People) -> str | None:
    """The surviving id of an order's owner: by customer, else for a guest by address, else nobody we know."""
    if placed.customer_id is not None:
        own = f"{shop.rules.namespace}{placed.customer_id}"
        return who.by_customer.get((shop.name, placed.customer_id), own)
    email = normalise(placed.email)
    return who.by_email.get(email) if email else None


def _contact_id(road: Road, change: Change) -> str:
    return f"{road.shops[change.key[1]].rules.namespace}{change.key[2]}"


_KINDS = {"customer": Kind.CONTACT, "order": Kind.ORDER, "product": Kind.PRODUCT, "checkout": Kind.MOMENT}


def _unsayable(road: Road, change: Change, failure: RejectedError, subject: str) -> Write:
    return Write(
        _KINDS[change.key[0]], _contact_id(road, change), None, change.lane, rejected=failure.code, subject=subject
    )


def _forget_baskets(tx: Tx, road: Road, changes: Sequence[Change]) -> None:
    """An order calls back the reminders of its buyer's baskets that have not gone out yet."""
    placed: list[tuple[str, Order]] = [
        (change.key[1], change.after) for change in changes if isinstance(change.after, Order) and change.passed
    ]
    if placed:
        outbox.withhold_baskets(
            tx,
            road.connection,
            tokens=[o.checkout_token for _, o in placed if o.checkout_token],
            emails=sorted({e for _, o in placed if (e := normalise(o.email))}),
            customers=[(store, o.customer_id) for store, o in placed if o.customer_id is not None],
            reason="an order was placed since",
        )
