"""Give records, as they are mapped, the ids that another writer gave them, and hold back what nobody can be sure of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.reconcile import order_totals
from isthmus.identity.foreign_match import (
    ForeignVerdict,
    Ours,
    Theirs,
    match_order,
    match_product,
    normalise_order_name,
)
from isthmus.identity.sql import foreign
from isthmus.identity.sql.foreign import Key
from isthmus.kit.email import normalise_email
from isthmus.kit.ids import keyed_hash
from isthmus.kit.money import ZERO
from isthmus.mapping import order as orders
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.write import RecordKind, Write

WITHHELD = "another writer has it"
"""Why an order is not sent that may be there already."""

CONFLICT = "platform.takeover_conflict"


TAKEN = "another order of ours goes on under that id"
OVERLAP = "placed after start_at, and the other writer has it"


class AdoptedIds(Struct, frozen=True):
    """The context with rules that know the other writer's ids, and the orders that are held back, by our id."""

    context: ConnectionContext
    withheld: frozenset[str] = frozenset()

    def of(self, write: Write) -> Write:
        """The write as it may go out. What an order is worth is known all the same: the person did buy."""
        if write.kind is not RecordKind.ORDER or write.id not in self.withheld or write.excluded is not None:
            return write
        return msgspec.structs.replace(write, body=None, rejected=None, excluded=WITHHELD)


def find_platform_ids(
    tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition], now: datetime
) -> AdoptedIds:
    """Find the ids of these records, and keep them for good; nothing to do where another writer is of no concern."""
    if not any(_is_concerned(shop) for shop in context.shops.values()):
        return AdoptedIds(context)
    placed = [
        (shop, last)
        for change in changes
        if isinstance(last := change.last, Order) and not last.is_test
        if _is_ours_to_say(last, (shop := context.shops[change.key[1]]))
    ]
    goods = _goods(context, changes, placed) if _adopts(context) else {}
    ours = {("order", one.id): one for one in (comparable_order(shop, last, context.hash_key) for shop, last in placed)}
    names = foreign.adopted_ids(tx, context.connection, [*goods, *ours])
    names |= _adopt_goods(tx, context, {key: good for key, good in goods.items() if key not in names}, now)
    found, withheld, touches, clear = _adopt_orders(tx, context, [ours[key] for key in ours if key not in names], now)
    names |= found
    stores = {f"{shop.rules.namespace}{last.id}": shop.name for shop, last in placed}
    cases.open_or_count(
        tx, context.connection, [msgspec.structs.replace(t, store=stores[own]) for own, t in touches.items()], now
    )
    cases.resolve_subjects(tx, context.connection, clear, CONFLICT, now, by="takeover")
    return AdoptedIds(_knowing(context, names), frozenset(withheld))


def _is_concerned(shop: ShopContext) -> bool:
    return shop.rules.adopts or shop.rules.start_at is not None


def _adopts(context: ConnectionContext) -> bool:
    return any(shop.rules.adopts for shop in context.shops.values())


def _is_ours_to_say(order: Order, shop: ShopContext) -> bool:
    return shop.rules.start_at is None or order.processed_at >= shop.rules.start_at


def rules_with_all_ids(tx: Tx, context: ConnectionContext) -> ConnectionContext:
    """The context with rules that know every id of another writer's: for whoever maps without a unit of work."""
    return _knowing(context, names) if (names := foreign.all_adopted_ids(tx, context.connection)) else context


def ids_as_known(tx: Tx, context: ConnectionContext, kind: RecordKind, ids: Iterable[str]) -> set[str]:
    """The ids under which records of ours are known, given those that we would give."""
    own = set(ids)
    if not _adopts(context):
        return own
    names = foreign.adopted_ids(tx, context.connection, [(kind.value, one) for one in own])
    return {names.get((kind.value, one), one) for one in own}


def comparable_order(shop: ShopContext, order: Order, hash_key: bytes) -> Ours:
    """An order as it is looked for: somebody may have copied its first total, its present one, or what is left."""
    kept = orders.net_revenue(order)
    back = sum((refund.returned.shop for refund in order.refunds), ZERO)
    totals = {order.total.shop, order.current_total.shop, kept, kept + back}
    return Ours(
        id=f"{shop.rules.namespace}{order.id}",
        number=order.id,
        name=order.name,
        who=hash_buyer(order.email, hash_key),
        customer=order.customer_id,
        currency=order.currency,
        totals=tuple(sorted(order_totals.to_mills(total) for total in totals)),
        placed_at=order.processed_at,
    )


def hash_buyer(email: str | None, hash_key: bytes) -> bytes | None:
    """A buyer's address as both sides are compared by it."""
    known = normalise_email(email)
    return keyed_hash(hash_key, "buyer", known) if known else None


def _knowing(context: ConnectionContext, names: Mapping[Key, str]) -> ConnectionContext:
    shops = {
        name: msgspec.structs.replace(shop, rules=msgspec.structs.replace(shop.rules, names=names))
        for name, shop in context.shops.items()
    }
    return msgspec.structs.replace(context, shops=shops)


def _goods(
    context: ConnectionContext, changes: Sequence[RecordTransition], placed: Sequence[tuple[ShopContext, Order]]
) -> dict[Key, tuple[int, bool]]:
    """Products and variants that these records are or name: (number, is_variant) by the key we would give."""
    found: dict[Key, tuple[int, bool]] = {}

    def note(shop: ShopContext, number: int | None, is_variant: bool) -> None:
        if number is not None:
            found["product", f"{shop.rules.namespace}{number}"] = (number, is_variant)

    for shop, last in placed:
        for line in last.lines:
            note(shop, line.product_id, False)
            note(shop, line.variant_id, True)
    for change in changes:
        shop = context.shops[change.key[1]]
        for record in (change.before, change.after):
            if isinstance(record, Product):
                note(shop, record.id, False)
                for variant in record.variants:
                    note(shop, variant.id, True)
    return found


def _adopt_goods(
    tx: Tx, context: ConnectionContext, goods: Mapping[Key, tuple[int, bool]], now: datetime
) -> dict[Key, str]:
    if not goods:
        return {}
    known = foreign.products_by_number(tx, context.connection, [number for number, _ in goods.values()])
    wanted = {
        key: theirs
        for key, (number, is_variant) in goods.items()
        if known and (theirs := match_product(number, is_variant, known)) is not None and theirs != key[1]
    }
    return _adopt(tx, context, wanted, now)


def _adopt_orders(
    tx: Tx, context: ConnectionContext, placed: Sequence[Ours], now: datetime
) -> tuple[dict[Key, str], set[str], dict[str, Touch], list[str]]:
    """The orders that get another id, those held back with their cases, and the subjects that are clear now."""
    names = [name for one in placed if (name := normalise_order_name(one.name))]
    by_name: dict[str | None, list[Theirs]] = {}
    for theirs in foreign.orders_by_number(tx, context.connection, names) if names else ():
        by_name.setdefault(theirs.name, []).append(theirs)
    matches = {one.id: match_order(one, by_name.get(normalise_order_name(one.name), ())) for one in placed}
    wanted = {("order", own): m.theirs[0] for own, m in matches.items() if m.verdict is ForeignVerdict.MATCHED}
    found = _adopt(tx, context, wanted, now) if _adopts(context) else {}
    # One of ours that went out already is there twice, which a reconciliation tells; to hold it back undoes nothing.
    fresh = foreign.records_never_sent(tx, context.connection, [("order", own) for own in matches])
    withheld: set[str] = set()
    touches: dict[str, Touch] = {}
    clear = []
    for one in placed:
        subject, told = f"order:{one.number}", matches[one.id]
        is_taken = told.verdict is ForeignVerdict.MATCHED and ("order", one.id) not in found
        if ("order", one.id) in fresh and (is_taken or told.verdict is ForeignVerdict.CONFLICTING):
            withheld.add(one.id)
            why = told.why or (TAKEN if _adopts(context) else OVERLAP)
            touches[one.id] = Touch(CONFLICT, subject, detail=f"{', '.join(told.theirs[:3])}: {why}")
        else:
            clear.append(subject)
    return found, withheld, touches, clear


def _adopt(tx: Tx, context: ConnectionContext, wanted: Mapping[Key, str], now: datetime) -> dict[Key, str]:
    if not wanted:
        return {}
    fresh = foreign.records_never_sent(tx, context.connection, wanted)
    return foreign.adopt_ids(tx, context.connection, [(key, wanted[key]) for key in sorted(fresh)], now)
