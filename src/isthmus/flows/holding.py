"""Properties that others may write too: what the platform was last seen to hold, and which custom fields are mistyped.

The last reading of a record is the newest of: a page of the platform's listing (a reconciliation's, or the look that
begins when a mapping file first names such a property) and a read-back after a push, each only while nothing of ours
was on its way. docs/howto/map-metafields.md says what that means to whoever writes a mapping file.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from isthmus.cases.sql import Touch
from isthmus.db.pool import Tx
from isthmus.flows.change import Change
from isthmus.flows.road import Road, Shop
from isthmus.flows.told import REMAP
from isthmus.inbox import sql as inbox
from isthmus.mapping import custom, product
from isthmus.mapping.rules import Mode
from isthmus.model.customer import Customer
from isthmus.model.event import Hint
from isthmus.model.held import UNHELD, Held
from isthmus.model.lane import Lane
from isthmus.model.metafield import Metafield
from isthmus.model.product import Product
from isthmus.model.write import Kind
from isthmus.outbox.held import sql as held
from isthmus.outbox.sql import Wanted
from isthmus.records.sql import Canonical

Helds = Mapping[tuple[Kind, str], Held]

MISTYPED = "storefront.metafield_type"

OWNERS = {Kind.CONTACT: ("customer",), Kind.PRODUCT: ("product", "variant")}
"""Whose custom fields become properties of which kind of record."""


def of(tx: Tx, road: Road, changes: Sequence[Change]) -> dict[tuple[Kind, str], Held]:
    """What the platform holds of the records that these changes are about, where anything of them is shared."""
    wanted: list[tuple[Kind, str]] = []
    for change in changes:
        rules = road.shops[change.key[1]].rules
        match change.last:
            case Customer() as customer if rules.shared("customer"):
                wanted.append((Kind.CONTACT, f"{rules.namespace}{customer.id}"))
            case Product() as last if rules.shared("product", "variant"):
                before = change.before
                pages = [last, before] if isinstance(before, Product) else [last]
                wanted += [
                    (Kind.PRODUCT, id_) for id_ in dict.fromkeys(i for p in pages for i in product.ids(p, rules))
                ]
    return held.of(tx, road.connection, wanted)


def keep(tx: Tx, road: Road, wanted: Iterable[Wanted]) -> None:
    """Remember what is our own part of shared properties, with the bodies that say it."""
    told = [((want.write.kind, want.write.id), ours) for want in wanted if (ours := want.write.ours) is not None]
    held.keep_ours(tx, road.connection, told)


def shared(road: Road, kind: Kind) -> dict[str, Mode]:
    """The properties of this kind of record that others may write too."""
    return {
        name: mode for shop in road.shops.values() for name, mode in shop.rules.shared(*OWNERS.get(kind, ())).items()
    }


def alone(road: Road, kind: Kind, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a body is ours alone: only that can differ. What is shared goes by its mode and its last reading."""
    names = shared(road, kind)
    properties = body.get("properties")
    if not names or not isinstance(properties, Mapping):
        return body
    return {**body, "properties": {name: value for name, value in properties.items() if name not in names}}


def see(
    tx: Tx, road: Road, kind: Kind, records: Mapping[str, Mapping[str, Any]], asked_at: datetime, now: datetime
) -> int:
    """Take in what a reading found of these records, by id; those that now hold something else are mapped again."""
    modes = shared(road, kind)
    if not modes:
        return 0
    known = held.of(tx, road.connection, [(kind, id_) for id_ in records])
    theirs = {id_: _of_others(record, known.get((kind, id_), UNHELD), modes) for id_, record in records.items()}
    changed = held.saw(tx, road.connection, kind, theirs, asked_at)
    hints: dict[str, list[Hint]] = {}
    for store, subject in held.subjects(tx, road.connection, kind, changed):
        hints.setdefault(store, []).append(Hint(REMAP, subject, Lane.ENRICHMENT, now))
    for store, some in sorted(hints.items()):
        if store in road.shops:
            inbox.tell(tx, road.connection, store, some, now)
    return len(changed)


def mistyped(road: Road, changes: Iterable[Change]) -> list[Touch]:
    """Cases of custom fields that are not what the mapping file expects, in records that changed."""
    found: list[Touch] = []
    for change in changes:
        shop = road.shops[change.key[1]]
        if shop.rules.metafields and change.after is not None:
            found += told_mistyped(shop, fields_of(change.after))
    return found


def told_mistyped(shop: Shop, told: Iterable[tuple[str, Sequence[Metafield] | None]]) -> list[Touch]:
    """The same of fields by their owner. One case for each field, however many records have it so."""
    return [
        Touch(MISTYPED, subject(owner, one.key), shop.name, f"expected {one.expected}, found {one.found}")
        for owner, fields in told
        for one in custom.mistyped(fields, owner, shop.rules)
    ]


def subject(owner: str, key: str) -> str:
    """What the case of a custom field is about."""
    return f"metafield:{owner}:{key}"


def fields_of(record: Canonical) -> list[tuple[str, Sequence[Metafield] | None]]:
    """The custom fields of a record, and of each of its variants, by their owner."""
    match record:
        case Customer():
            return [("customer", record.metafields)]
        case Product():
            return [("product", record.metafields), *(("variant", one.metafields) for one in record.variants)]
    return []


def _of_others(record: Mapping[str, Any], known: Held, modes: Mapping[str, Mode]) -> dict[str, object]:
    """What others put into the shared properties of a record that was just read."""
    told = record.get("properties")
    there = told if isinstance(told, Mapping) else {}
    found = {name: custom.others(there.get(name), known.ours.get(name), mode) for name, mode in sorted(modes.items())}
    return {name: value for name, value in found.items() if value is not None}
