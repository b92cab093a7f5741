"""Records that we have, with the custom fields that the shop has of them now: a few points for hundreds of records."""

from collections.abc import Mapping, Sequence

import msgspec

from isthmus.flows.road import Reader
from isthmus.mapping.rules import Rules
from isthmus.model.customer import Customer
from isthmus.model.metafield import Metafield
from isthmus.model.product import Product
from isthmus.records import remember
from isthmus.records.sql import Canonical, Key

KINDS = {"customer": ("customer",), "product": ("product", "variant")}
"""Kinds of records that have custom fields, and whose come with them."""

Told = Mapping[int, tuple[Metafield, ...] | None]


def read(reader: Reader, kind: str, known: Mapping[Key, Canonical], rules: Rules) -> dict[Key, Canonical | None]:
    """These records of one kind, but for their custom fields as we have them; None for one that is gone."""
    own: Told = {}
    theirs: Told = {}
    if kind in rules.keys:
        own = reader.metafields(kind, [int(key[2]) for key in known])
    if kind == "product" and "variant" in rules.keys:
        pages = [page for page in known.values() if isinstance(page, Product)]
        theirs = reader.metafields("variant", [one.id for page in pages for one in page.variants])
    return {key: _with(record, own, theirs, rules.keys) for key, record in known.items()}


def _with(record: Canonical, own: Told, theirs: Told, keys: Mapping[str, Sequence[str]]) -> Canonical | None:
    """A record as `records.remember` would have it after a reading; None where the reading found nothing."""
    match record:
        case Customer() | Product() if record.id in own and own[record.id] is None:
            return None
        case Customer():
            told = msgspec.structs.replace(record, metafields=own.get(record.id))
            return remember.customer(told, record, keys)
        case Product():
            variants = tuple(msgspec.structs.replace(one, metafields=theirs.get(one.id)) for one in record.variants)
            page = msgspec.structs.replace(record, metafields=own.get(record.id), variants=variants)
            return remember.product(page, record, keys)
    return record
