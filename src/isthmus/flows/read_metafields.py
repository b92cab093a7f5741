"""Records that we have, with the custom fields that the shop has of them now: a few points for hundreds of records."""

from collections.abc import Mapping, Sequence

import msgspec

from isthmus.flows.context import Reader
from isthmus.mapping.rules import Rules
from isthmus.model.customer import Customer
from isthmus.model.metafield import Metafield
from isthmus.model.product import Product
from isthmus.model.reading import Absent, CannotSee, ReadResult, found_record
from isthmus.records import carry_over
from isthmus.records.sql.store import Canonical, Key

KINDS = {"customer": ("customer",), "product": ("product", "variant")}
"""Kinds of records that have custom fields, and whose come with them."""

MetafieldsRead = Mapping[int, ReadResult[tuple[Metafield, ...]]]


def read_with_metafields(
    reader: Reader, kind: str, known: Mapping[Key, Canonical], rules: Rules
) -> dict[Key, Canonical | None]:
    """These records of one kind, but for their custom fields as we have them; None for one that is absent. One that
    cannot be seen stays as it is."""
    own: MetafieldsRead = {}
    theirs: MetafieldsRead = {}
    if kind in rules.keys:
        own = reader.metafields(kind, [int(key[2]) for key in known])
    if kind == "product" and "variant" in rules.keys:
        pages = [page for page in known.values() if isinstance(page, Product)]
        theirs = reader.metafields("variant", [one.id for page in pages for one in page.variants])
    return {key: _with(record, own, theirs, rules.keys) for key, record in known.items()}


def _with(
    record: Canonical, own: MetafieldsRead, theirs: MetafieldsRead, keys: Mapping[str, Sequence[str]]
) -> Canonical | None:
    """A record as `records.remember` would have it after a reading; None where the reading found nothing."""
    match record:
        case Customer() | Product() if isinstance(own.get(record.id), Absent):
            return None
        case Customer() | Product() if isinstance(own.get(record.id), CannotSee):
            return record
        case Customer():
            told = msgspec.structs.replace(record, metafields=found_record(own.get(record.id)))
            return carry_over.carry_over_customer(told, record, keys)
        case Product():
            variants = tuple(
                msgspec.structs.replace(one, metafields=found_record(theirs.get(one.id))) for one in record.variants
            )
            page = msgspec.structs.replace(record, metafields=found_record(own.get(record.id)), variants=variants)
            return carry_over.carry_over_product(page, record, keys)
    return record
