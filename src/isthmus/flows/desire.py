"""From changed records to the writes they ask for."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from isthmus.cases import sql as cases
from isthmus.consent import word
from isthmus.db.pool import Tx
from isthmus.flows import hold, holding, identifiers, revalue, trouble
from isthmus.flows.change import Change
from isthmus.flows.consent import write_back
from isthmus.flows.consent.standing import Standings
from isthmus.flows.holding import Helds
from isthmus.flows.road import Road, Shop
from isthmus.flows.takeover import adopt
from isthmus.identity import resolve
from isthmus.identity.conflict import Held
from isthmus.identity.match import People
from isthmus.identity.merges import sql as merges
from isthmus.kit.email import normalise
from isthmus.mapping import contact, moment, order, product
from isthmus.mapping.rules import METRICS
from isthmus.metrics import sql as sales
from isthmus.metrics.sql import Buyer, Owner
from isthmus.model.consent import OUT, Channel
from isthmus.model.customer import Customer
from isthmus.model.failure import RejectedError
from isthmus.model.held import UNHELD
from isthmus.model.hold import Hold
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.worth import NOTHING, Worth
from isthmus.model.write import Kind, Write
from isthmus.outbox import sql as outbox
from isthmus.outbox.spoken import sql as contacts
from isthmus.outbox.spoken.sql import NOBODY, UNSPOKEN, Behind, Spoken
from isthmus.outbox.sql import Wanted
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
    spoken = contacts.lock_contacts(tx, road.connection, [_contact_id(road, change) for change in customers])
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
    elsewhere = identifiers.of_changes(tx, road, customers, who)
    has_importer = bool(customers) and contacts.has_importer(tx, road.connection)
    merged = merges.heirs(tx, road.connection, [_contact_id(road, change) for change in customers if change.is_gone])
    people = _People(was, who, standings, spoken, worths, has_importer, holds, moved.hold, elsewhere, helds, merged)
    for change in customers:
        _map(road, change, mapped, lambda shop, change: _contact(shop, change, people), standings)
    identifiers.tell(tx, road, [_customer(change) for change in customers], elsewhere, now)
    write_back.wish(tx, road, customers, standings, now)
    outbox.desire(
        tx, road.connection, mapped.wanted, now=now, coalesce=road.pace.coalesce,
        contact_head_start=road.pace.contact_head_start, packer=road.packer,
    )  # fmt: skip
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


class _People(Struct, frozen=True):
    """What contacts are mapped from, beside the customers themselves."""

    was: People
    who: People
    standings: Standings
    spoken: Mapping[str, Spoken]
    worths: Mapping[tuple[str, int], Worth]
    has_importer: bool
    holds: Mapping[tuple[str, int], Hold | None]
    moved: Set[tuple[str, int]]
    """Whose hold has just changed."""
    elsewhere: Mapping[tuple[str, int], tuple[Held, ...]]
    """The identifiers that are somebody else's on the platform."""
    helds: Helds
    merged: Set[str]
    """Contacts of customers who are gone, that the platform has in one profile with somebody who is not."""


def _map(
    road: Road, change: Change, mapped: _Mapped, writes: Callable[[Shop, Change], list[Write]],
    standings: Standings | None = None,
) -> None:  # fmt: skip
    shop = road.shops[change.key[1]]
    try:
        made = writes(shop, change)
    except RejectedError as failure:
        # A dead letter before it was ever sent.
        subject = f"{change.key[0]}:{change.key[2]}"
        made = [_unsayable(road, change, failure, subject)]
        mapped.refused.append(trouble.sign(failure, subject, shop.name))
    mapped.wanted += [
        Wanted(shop.name, write, change.since, NOBODY if standings is None else _behind(change, write, standings))
        for write in made
    ]


def _behind(change: Change, write: Write, standings: Standings) -> Behind:
    """The addresses behind a contact, and the opt-outs of those that its body knows of."""
    customer = change.last
    if not isinstance(customer, Customer) or write.body is None:
        return NOBODY
    store, address, phone = change.key[1], normalise(customer.email), customer.phone
    n_outs = standings.of(Channel.EMAIL, address, store).n_outs if write.opts_in else 0
    if write.opts_in_sms:
        n_outs += standings.of(Channel.SMS, phone, store).n_outs
    return Behind(
        standings.name(Channel.EMAIL, address)[1] if address else None,
        standings.name(Channel.SMS, phone)[1] if phone and write.opts_in_sms else None,
        n_outs,
    )


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


def _contact(shop: Shop, change: Change, people: _People) -> list[Write]:
    """The contact of a customer; none before the first reading, since consent is unknown until then."""
    customer, before = change.last, change.before
    if not isinstance(customer, Customer) or not customer.is_read:
        return []
    key, own = _customer(change), f"{shop.rules.namespace}{customer.id}"
    spoken = people.spoken.get(own, UNSPOKEN)
    person = people.who.by_customer.get(key, own)
    held = people.helds.get((Kind.CONTACT, own), UNHELD)
    if change.is_gone:
        has_heir = bool((email := normalise(customer.email)) and people.who.by_email.get(email))
        said = customer.email_consent
        # Over there one profile with somebody who is still here: an opt-in that ends must not silence them.
        has_heir = has_heir or (own in people.merged and not (said is not None and said.state in OUT))
        return [
            # Under its own id: it must not speak for the person whom it was merged with.
            contact.retired(
                customer, own, shop.rules, change.lane, was_opted_in=spoken.was_opted_in, has_heir=has_heir,
                was_forced=spoken.was_forced, held=held,
            )
        ]  # fmt: skip
    worth, on_hold = people.worths.get(key, NOTHING), people.holds.get(key)
    # An importer beside us would take an opt-out back that is not forced; one that went out unforced was looked at.
    must_force = spoken.must_force or (people.has_importer and not spoken.opts_out)
    elsewhere = frozenset(one.field for one in people.elsewhere.get(key, ()))

    def mapped(customer: Customer, person: str, lane: Lane) -> Write:
        email = people.standings.of(Channel.EMAIL, normalise(customer.email), shop.name)
        sms = people.standings.of(Channel.SMS, customer.phone, shop.name)
        return contact.contact(
            customer, person, shop.rules, lane, worth=worth, hold=on_hold,
            email_consent=word.said(customer.email_consent, email), sms_consent=word.said(customer.sms_consent, sms),
            was_opted_in=spoken.was_opted_in, must_force=must_force, was_forced=spoken.was_forced,
            elsewhere=elsewhere, held=held,
        )  # fmt: skip

    if key in people.moved and change.lane is not Lane.BACKFILL:
        return [mapped(customer, person, Lane.REALTIME)]
    write = mapped(customer, person, _lane(change, customer))
    if write.opts_out and spoken.opts_in:
        return [replace(write, lane=Lane.REALTIME)]  # whatever brought it
    if write.lane is Lane.REALTIME and not change.is_remap and isinstance(before, Customer) and before.is_read:
        # Every order comes with an update of its customer: metrics alone are in no hurry.
        former = mapped(before, people.was.by_customer.get(key, own), Lane.ENRICHMENT)
        if former.body == write.body:
            return [former]
    return [write]


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
    return {
        _customer(change): Buyer(whole.get(_customer(change), (_customer(change),)), normalise(change.after.email))
        for change in changes
        if isinstance(change.after, Customer) and change.after.is_read
    }


def _worths(tx: Tx, road: Road, buyers: Mapping[tuple[str, int], Buyer]) -> dict[tuple[str, int], Worth]:
    """What each of these people is worth, where it is sent."""
    asked = {key: one for key, one in buyers.items() if road.shops[key[0]].rules.contact_properties & METRICS}
    return dict(zip(asked, sales.of_people(tx, road.connection, list(asked.values())), strict=True))


def _customer(change: Change) -> tuple[str, int]:
    return change.key[1], int(change.key[2])


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
    """The surviving id of an order's owner (identity/resolve.py has the policy); None for nobody we know."""
    return resolve.owner(
        shop.name, shop.rules.namespace, placed.customer_id, normalise(placed.email), placed.phone, who
    ).person


def _contact_id(road: Road, change: Change) -> str:
    return f"{road.shops[change.key[1]].rules.namespace}{change.key[2]}"


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
            tokens=[o.checkout_token for _, o in placed if o.checkout_token],
            emails=sorted({e for _, o in placed if (e := normalise(o.email))}),
            customers=[(store, o.customer_id) for store, o in placed if o.customer_id is not None],
            reason="an order was placed since",
        )
