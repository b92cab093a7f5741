"""Properties that others may write too: what Ometria was last seen to hold, and which custom fields are mistyped.

The last reading of a record is the newest of: a page of Ometria's listing (a reconciliation's, or the look that
begins when a mapping file first names such a property) and a read-back after a push, each only while nothing of ours
was on its way. docs/howto/map-metafields.md says what that means to whoever writes a mapping file.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.parse_events import REMAP
from isthmus.inbox.sql import events as inbox
from isthmus.mapping import custom, product
from isthmus.mapping.rules import WriteMode
from isthmus.model.customer import Customer
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.metafield import Metafield
from isthmus.model.product import Product
from isthmus.model.shared_property import UNHELD, SharedProperty
from isthmus.model.write import RecordKind
from isthmus.outbox.sql import shared_properties as held
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql.store import Canonical

Helds = Mapping[tuple[RecordKind, str], SharedProperty]

MISTYPED = "storefront.metafield_type"

OWNERS = {RecordKind.CONTACT: ("customer",), RecordKind.PRODUCT: ("product", "variant")}
"""Whose custom fields become properties of which kind of record."""


def load_shared_properties(
    tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition]
) -> dict[tuple[RecordKind, str], SharedProperty]:
    """What Ometria holds of the records that these changes are about, where anything of them is shared."""
    wanted: list[tuple[RecordKind, str]] = []
    for change in changes:
        rules = context.shops[change.key[1]].rules
        match change.last:
            case Customer() as customer if rules.shared("customer"):
                wanted.append((RecordKind.CONTACT, f"{rules.namespace}{customer.id}"))
            case Product() as last if rules.shared("product", "variant"):
                before = change.before
                pages = [last, before] if isinstance(before, Product) else [last]
                wanted += [
                    (RecordKind.PRODUCT, id_)
                    for id_ in dict.fromkeys(i for p in pages for i in product.product_record_ids(p, rules))
                ]
    return held.shared_properties_of(tx, context.connection, wanted)


def save_own_properties(tx: Tx, context: ConnectionContext, wanted: Iterable[DesiredWrite]) -> None:
    """Remember what is our own part of shared properties, with the bodies that say it."""
    told = [((want.write.kind, want.write.id), ours) for want in wanted if (ours := want.write.ours) is not None]
    held.save_own_part(tx, context.connection, told)


def shared_property_names(context: ConnectionContext, kind: RecordKind) -> dict[str, WriteMode]:
    """The properties of this kind of record that others may write too."""
    return {
        name: mode for shop in context.shops.values() for name, mode in shop.rules.shared(*OWNERS.get(kind, ())).items()
    }


def without_shared_properties(
    context: ConnectionContext, kind: RecordKind, body: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What of a body is ours alone: only that can differ. What is shared goes by its mode and its last reading."""
    names = shared_property_names(context, kind)
    properties = body.get("properties")
    if not names or not isinstance(properties, Mapping):
        return body
    return {**body, "properties": {name: value for name, value in properties.items() if name not in names}}


def save_foreign_properties(
    tx: Tx,
    context: ConnectionContext,
    kind: RecordKind,
    records: Mapping[str, Mapping[str, Any]],
    asked_at: datetime,
    now: datetime,
) -> int:
    """Take in what a reading found of these records, by id; those that now hold something else are mapped again."""
    modes = shared_property_names(context, kind)
    if not modes:
        return 0
    known = held.shared_properties_of(tx, context.connection, [(kind, id_) for id_ in records])
    theirs = {id_: _of_others(record, known.get((kind, id_), UNHELD), modes) for id_, record in records.items()}
    changed = held.save_foreign_part(tx, context.connection, kind, theirs, asked_at)
    hints: dict[str, list[RefetchRequest]] = {}
    for store, subject in held.subjects_of_records(tx, context.connection, kind, changed):
        hints.setdefault(store, []).append(RefetchRequest(REMAP, subject, Lane.ENRICHMENT, now))
    for store, some in sorted(hints.items()):
        if store in context.shops:
            inbox.enqueue_internal(tx, context.connection, store, some, now)
    return len(changed)


def report_type_mismatches(context: ConnectionContext, changes: Iterable[RecordTransition]) -> list[Touch]:
    """Cases of custom fields that are not what the mapping file expects, in records that changed."""
    found: list[Touch] = []
    for change in changes:
        shop = context.shops[change.key[1]]
        if shop.rules.metafields and change.after is not None:
            found += report_field_mismatches(shop, metafields_by_owner(change.after))
    return found


def report_field_mismatches(shop: ShopContext, told: Iterable[tuple[str, Sequence[Metafield] | None]]) -> list[Touch]:
    """The same of fields by their owner. One case for each field, however many records have it so."""
    return [
        Touch(MISTYPED, field_subject(owner, one.key), shop.name, f"expected {one.expected}, found {one.found}")
        for owner, fields in told
        for one in custom.type_mismatches(fields, owner, shop.rules)
    ]


def field_subject(owner: str, key: str) -> str:
    """What the case of a custom field is about."""
    return f"metafield:{owner}:{key}"


def metafields_by_owner(record: Canonical) -> list[tuple[str, Sequence[Metafield] | None]]:
    """The custom fields of a record, and of each of its variants, by their owner."""
    match record:
        case Customer():
            return [("customer", record.metafields)]
        case Product():
            return [("product", record.metafields), *(("variant", one.metafields) for one in record.variants)]
    return []


def _of_others(record: Mapping[str, Any], known: SharedProperty, modes: Mapping[str, WriteMode]) -> dict[str, object]:
    """What others put into the shared properties of a record that was just read."""
    told = record.get("properties")
    there = told if isinstance(told, Mapping) else {}
    found = {
        name: custom.foreign_values(there.get(name), known.ours.get(name), mode) for name, mode in sorted(modes.items())
    }
    return {name: value for name, value in found.items() if value is not None}
