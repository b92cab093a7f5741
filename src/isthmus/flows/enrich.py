"""Go through everybody's custom fields, and through what Ometria holds beside them, since nobody tells of either.

A metafield that changes fires no webhook and moves no updated_at
(https://shopify.dev/docs/api/webhooks has no topic of them), so all that are mapped are looked at once an interval: of
250 records in one call of a few points, by the ids we know, so that no listing need be paid for. What differs is put on
the pipeline as a hint and read like everything else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from isthmus.cases.sql import cases
from isthmus.db.pool import Database, Tx
from isthmus.flows import case_reporting, read_metafields, shared_properties
from isthmus.flows.context import ConnectionContext
from isthmus.flows.read_budget import OVERLAP, PAGE, acquire_shared_read_slot
from isthmus.flows.read_metafields import KINDS
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import Failure, RejectedError, TransientError
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.records.sql import store as records
from isthmus.runs.sql import scan_cursors as rounds
from isthmus.runs.sql.scan_cursors import ScanCursor
from isthmus.shopify.reads import UNREADABLE

HELD = {"held:contact": RecordKind.CONTACT, "held:product": RecordKind.PRODUCT}
"""What is looked at in Ometria once a mapping file names properties that others may write too."""

AT_ONCE = {"customer": 250, "product": 20}
"""Records of a page: one call's ids; a product brings its variants, of which there may be two thousand."""

AGAIN_AFTER = timedelta(minutes=1)
"""How long a store that could not be read is left alone."""


def scan_names(kinds: Sequence[str] = tuple(KINDS)) -> list[str]:
    """What the rounds of these kinds are called, those in Ometria among them."""
    return [*(f"metafields:{kind}" for kind in kinds), *HELD]


def due_scans(
    context: ConnectionContext, at: Mapping[tuple[str, str], ScanCursor], now: datetime
) -> list[tuple[str, str]]:
    """The rounds that have a page to look at now, as (store, name); what is looked at in Ometria has no store."""
    found = []
    for (store, name), every in _wanted(context).items():
        mark = at.get((store, name))
        if mark is None or mark.is_due(now, every):
            found.append((store, name))
    return found


def _wanted(context: ConnectionContext) -> dict[tuple[str, str], timedelta | None]:
    """Every round there should be, and how often; None for one that is made once after each change of the file."""
    wanted: dict[tuple[str, str], timedelta | None] = {
        ("", name): None for name, kind in HELD.items() if shared_properties.shared_property_names(context, kind)
    }
    for store, shop in context.shops.items():
        for kind, owners in KINDS.items():
            if any(owner in shop.rules.keys for owner in owners):
                wanted[store, f"metafields:{kind}"] = context.pace.metafields_every
    return wanted


def scan_next_page(db: Database, context: ConnectionContext) -> int:
    """One page of the first round that has one due; how many records it looked at."""
    with db.transaction() as tx:
        at = rounds.list_scans(tx, context.connection)
    return next(
        (
            n
            for store, name in due_scans(context, at, context.clock.now())
            if (n := scan_page(db, context, store, name))
        ),
        0,
    )


def scan_page(db: Database, context: ConnectionContext, store: str, name: str) -> int:
    """One page of a round; how many records it looked at, 0 where there was none to look at or it could not be read."""
    wanted = _wanted(context)
    if (store, name) not in wanted:
        return 0
    with db.transaction() as tx:
        taken = rounds.next_page(tx, context.connection, store, name, context.clock.now(), wanted[store, name])
    if taken is None:
        return 0
    try:
        if name in HELD:
            return _look_there(db, context, taken, HELD[name])
        return _look_here(db, context, taken, name.partition(":")[2])
    except Failure as failure:
        now = context.clock.now()
        with db.transaction() as tx:
            rounds.release_page(tx, context.connection, taken, now + AGAIN_AFTER)
            if name not in HELD or not isinstance(failure, TransientError):
                # A store's case ends with the next poll that is answered; Ometria's passing moods are nobody's.
                cases.open_or_count(tx, context.connection, [case_reporting.case_for(failure, "", store)], now)
        return 0


# In the shop ---------------------------------------------------------------------------------------------------------


def _look_here(db: Database, context: ConnectionContext, taken: ScanCursor, kind: str) -> int:
    """Some customers or products: their fields as the shop has them, beside ours."""
    shop = context.shops[taken.store]
    with db.transaction() as tx:
        page = records.record_ids(tx, context.connection, kind, taken.store, taken.cursor, AT_ONCE[kind])
        known = records.load_records(
            tx, context.connection, [(kind, taken.store, name) for name in page], context.packer
        )
    ours = {key: kept.record for key, kept in known.items() if kept.record is not None}
    try:
        told = read_metafields.read_with_metafields(shop.reader, kind, ours, shop.rules)
        changed = [key for key, record in told.items() if record != ours[key]]
    except RejectedError as failure:
        if failure.code != UNREADABLE:
            raise
        told, changed = {}, list(ours)  # one of them cannot be read: the pipeline reads each alone, and buries that one
    here = [
        one for record in told.values() if record is not None for one in shared_properties.metafields_by_owner(record)
    ]
    now = context.clock.now()
    is_last = len(page) < AT_ONCE[kind]
    with db.transaction() as tx:
        cases.open_or_count(tx, context.connection, shared_properties.report_field_mismatches(shop, here), now)
        hints = [RefetchRequest(f"poll/{kind}", f"{kind}:{key[2]}", Lane.ENRICHMENT, now) for key in changed]
        inbox.enqueue_internal(tx, context.connection, taken.store, hints, now)
        rounds.advance_scan(tx, context.connection, taken, None if is_last else page[-1], len(page), len(changed), now)
        if is_last:
            _conclude(tx, context, taken, kind, now)
    return len(page)


def _conclude(tx: Tx, context: ConnectionContext, taken: ScanCursor, kind: str, now: datetime) -> None:
    """A whole round saw every field: a case that it did not touch is over."""
    rules = context.shops[taken.store].rules
    subjects = [
        shared_properties.field_subject(entry.owner, entry.key)
        for entry in rules.metafields
        if entry.owner in KINDS[kind]
    ]
    cases.resolve_by_code(
        tx,
        context.connection,
        shared_properties.MISTYPED,
        now,
        "enrich",
        subjects=subjects,
        store=taken.store,
        quiet_since=taken.began_at,
    )


# On Ometria -----------------------------------------------------------------------------------------------------


def _look_there(db: Database, context: ConnectionContext, taken: ScanCursor, kind: RecordKind) -> int:
    """A page of Ometria's listing, for what it holds in shared properties."""
    offset = int(taken.cursor or 0)
    acquire_shared_read_slot(db, context)
    asked_at = context.clock.now()
    if kind is RecordKind.CONTACT:
        page = context.platform.contacts(context.collection, offset=offset, limit=PAGE)
    else:
        page = context.platform.products(offset=offset, limit=PAGE)
    found = {str(item["id"]): item for item in page if item.get("id") is not None}
    is_last = len(page) < PAGE
    now = context.clock.now()
    with db.transaction() as tx:
        n_changed = shared_properties.save_foreign_properties(tx, context, kind, found, asked_at, now)
        # Pages are by offset over a set that changes meanwhile: each reads a few rows of the one before again.
        cursor = None if is_last else str(offset + len(page) - OVERLAP)
        rounds.advance_scan(tx, context.connection, taken, cursor, len(page), n_changed, now)
    return len(page)
