"""See what another mapping file would change, by mapping recorded records with it and taking that back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.drift import mask
from isthmus.flows import read_metafields, shared_properties, store_records
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.parse_events import REMAP, ParsedUpdate
from isthmus.flows.read_metafields import KINDS
from isthmus.mapping import custom
from isthmus.model.event import Event
from isthmus.model.lane import Lane
from isthmus.outbox.sql import inspect as versions
from isthmus.outbox.sql.inspect import DesiredVersion
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, Key

AT_ONCE = 100
"""Records mapped in one transaction, whose locks the pipeline waits for."""

EXAMPLES = 5
"""Records of a kind that are shown in full."""


class PropertyChange(Struct, frozen=True):
    """What becomes of one property or attribute: how many records get it, lose it, or say something else."""

    kind: str
    name: str
    n_new: int
    n_gone: int
    n_other: int


class PreviewExample(Struct, frozen=True):
    """One record before and after, as far as it changes."""

    kind: str
    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class MistypedField(Struct, frozen=True):
    """A custom field that is not what the file expects, in so many records: nothing would be sent for it."""

    store: str
    owner: str
    key: str
    expected: str
    found: str
    n: int


class MappingPreview(Struct, frozen=True):
    """What a mapping file would change. `n_sent` counts platform records by kind, `n_cut` values without room."""

    n_looked_at: Mapping[str, int]
    n_people: int
    n_sent: Mapping[str, int]
    n_cut: int
    changes: tuple[PropertyChange, ...]
    mistyped: tuple[MistypedField, ...]
    examples: tuple[PreviewExample, ...]


class _Counts:
    """What has been seen so far."""

    def __init__(self, *, is_plain: bool) -> None:
        self.looked_at: dict[str, int] = {}
        self.people: set[str] = set()
        self.sent: dict[str, int] = {}
        self.n_cut = 0
        self.changes: dict[tuple[str, str], list[int]] = {}
        self.mistyped: dict[tuple[str, str, custom.TypeMismatch], int] = {}
        self.examples: list[PreviewExample] = []
        self._is_plain = is_plain

    def saw(self, before: Mapping[str, Any], after: Mapping[str, Any], version: DesiredVersion) -> None:
        """One platform record, before and after."""
        names = [
            name for name in (*after, *(n for n in before if n not in after)) if before.get(name) != after.get(name)
        ]
        if not names:
            return
        self.sent[version.kind] = self.sent.get(version.kind, 0) + 1
        self.n_cut += version.n_cut
        for name in names:
            row = self.changes.setdefault((version.kind, name), [0, 0, 0])
            row[0 if before.get(name) is None else 1 if after.get(name) is None else 2] += 1
        if sum(one.kind == version.kind for one in self.examples) < EXAMPLES:
            was, now = ({name: self._shown(side.get(name)) for name in names} for side in (before, after))
            self.examples.append(PreviewExample(version.kind, version.id, was, now))

    def _shown(self, value: Any) -> Any:
        return value if self._is_plain else mask.mask_value("", value)


def preview_mapping(
    db: Database,
    context: ConnectionContext,
    then: ConnectionContext,
    *,
    sample: int | None = None,
    is_plain: bool = False,
    tell: Callable[[str, str, int], None] = lambda *_: None,
) -> MappingPreview:
    """What would be sent by the rules `then`: every recorded customer and product, or the first of each.

    The shop is asked for custom fields that were not read yet; nothing is kept and nothing is sent. Texts are shown by
    their shape alone unless `is_plain`. Raises the failure where a store cannot be read.
    """
    counts = _Counts(is_plain=is_plain)
    for name, shop in then.shops.items():
        for kind in KINDS:
            after, n = "", 0
            while True:
                size = AT_ONCE if sample is None else min(AT_ONCE, sample - n)
                with db.transaction() as tx:
                    page = records.record_ids(tx, context.connection, kind, name, after, size) if size else []
                if not page:
                    break
                _page(db, then, shop, kind, page, counts)
                after, n = page[-1], n + len(page)
                counts.looked_at[kind] = counts.looked_at.get(kind, 0) + len(page)
                tell(name, kind, n)
    return MappingPreview(
        n_looked_at=counts.looked_at,
        n_people=len(counts.people),
        n_sent=counts.sent,
        n_cut=counts.n_cut,
        changes=tuple(PropertyChange(kind, name, *ns) for (kind, name), ns in sorted(counts.changes.items())),
        mistyped=tuple(
            MistypedField(store, owner, one.key, one.expected, one.found, n)
            for (store, owner, one), n in sorted(counts.mistyped.items(), key=lambda row: -row[1])
        ),
        examples=tuple(counts.examples),
    )


def _page(
    db: Database, then: ConnectionContext, shop: ShopContext, kind: str, names: Sequence[str], counts: _Counts
) -> None:
    keys: list[Key] = [(kind, shop.name, name) for name in names]
    with db.transaction() as tx:
        known = records.load_records(tx, then.connection, keys, then.packer)
    asked_at = then.clock.now()
    held = {key: kept.record for key, kept in known.items() if kept.record is not None}
    told = {
        key: one
        for key, one in read_metafields.read_with_metafields(shop.reader, kind, held, shop.rules).items()
        if one is not None
    }
    for record in told.values():
        for owner, some in shared_properties.metafields_by_owner(record):
            for one in custom.type_mismatches(some, owner, shop.rules):
                row = (shop.name, owner, one)
                counts.mistyped[row] = counts.mistyped.get(row, 0) + 1
    words = list(_words(told, shop.name, asked_at, then))
    with db.rehearsal() as tx:
        store_records.store_records(tx, then, words, asked_at, is_guarded=False)
        written = versions.changed_in_this_transaction(tx, then.connection)
    with db.transaction() as tx:
        before = versions.outbox_versions(tx, then.connection, [(one.kind, one.id) for one in written])
    for version in written:
        was = before.get((version.kind, version.id))
        n_sent = sum(counts.sent.values())
        counts.saw(_said(then, None if was is None else was.body), _said(then, version.body), version)
        if kind == "customer" and sum(counts.sent.values()) > n_sent:
            counts.people.add(version.id)


def _words(told: Mapping[Key, Canonical], store: str, asked_at: Any, then: ConnectionContext) -> Iterable[ParsedUpdate]:
    """Each record as a reading, and to be mapped again whether or not that changed it."""
    for n, (key, record) in enumerate(told.items(), start=1):
        subject = f"{key[0]}:{key[2]}"
        event = Event(
            -n,
            store,
            REMAP,
            Lane.BACKFILL,
            subject,
            None,
            then.clock.now(),
            None,
            attempts=1,
            webhook_id=None,
            action_id=None,
        )
        yield ParsedUpdate(event, key, record, is_reading=True, said_at=asked_at)
        yield ParsedUpdate(event, key, is_remap=True)


def _said(context: ConnectionContext, body: bytes | None) -> dict[str, Any]:
    """The properties of a body, and its attributes by their type."""
    if body is None:
        return {}
    record: dict[str, Any] = msgspec.json.decode(context.packer.unpack(body))
    said: dict[str, Any] = dict(record.get("properties") or {})
    for one in record.get("attributes") or ():
        said.setdefault(f"attribute {one['type']}", []).append(one["label"])
    return said
