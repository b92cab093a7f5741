"""Ask a store what changed lately, so that a webhook that never came is only late."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows import case_reporting
from isthmus.flows.context import ConnectionContext
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.records.sql import checkouts as baskets
from isthmus.records.sql import store as records
from isthmus.records.sql.store import RecordVersion
from isthmus.runs import window
from isthmus.runs.sql import watermarks as runs
from isthmus.runs.sql import webhook_activity as rhythm
from isthmus.shopify.reads import Listed

KINDS = ("product", "customer", "order")
VERSION = timedelta(seconds=1)
"""How long a version lasts: updated_at has no fractions."""

AT_ONCE = 250
"""One page of a listing."""

SEARCH = "integration.search_ignored"
"""A trouble of one listing: that another was understood says nothing about it."""

TROUBLES = (
    "storefront.unavailable",
    "storefront.throttled",
    "storefront.unexplained",
    "storefront.token_refused",
    "storefront.shop_closed",
)
"""What a listing that answers proves to be over."""


def poll_records(db: Database, context: ConnectionContext, store: str, kind: str) -> int:
    """Put what changed since the watermark and is newer than what we know in the pipeline; how many records that were.

    Only ids and versions are listed; the records themselves are read further down the pipeline, many at a time. What is
    newer than what we know may have been missed: flows/missed_webhooks.py judges that when its webhook had its time.
    """
    name = f"poll:{kind}"
    now = context.clock.now()
    with db.transaction() as tx:
        mark = runs.load_watermarks(tx, context.connection).get((store, name))
        if mark is None or mark.at is None:
            # Nothing was ever watched: the load brings what there is, and the watch begins here.
            runs.create_watermarks(tx, context.connection, store, [name], now)
            return 0
    wanted = window.window_after(mark.at, now)
    n = 0
    try:
        listed = list(context.shops[store].reader.changed(kind, wanted.since))
    except Failure as failure:
        with db.transaction() as tx:
            cases.open_or_count(tx, context.connection, [_sign(failure, name, store)], now)
        return 0
    for first in range(0, len(listed), AT_ONCE):
        page = listed[first : first + AT_ONCE]
        with db.transaction() as tx:
            known = records.record_versions(tx, context.connection, kind, store, [str(one.id) for one in page])
            hints = [
                RefetchRequest(f"poll/{kind}", f"{kind}:{one.id}", lane, now)
                for one in page
                if (lane := _wanted(kind, one, known.get(str(one.id)))) is not None
            ]
            n += inbox.enqueue_internal(tx, context.connection, store, hints, now)
            rhythm.save_changes(tx, context.connection, store, kind, changed_since_known(page, known), now)
    with db.transaction() as tx:
        runs.advance_watermark(tx, context.connection, store, name, wanted.seen_until, n)
        cases.resolve_by_code(tx, context.connection, SEARCH, now, "poll", subjects=[name], store=store)
        cases.resolve_by_code(tx, context.connection, TROUBLES, now, "poll", subjects=[""], store=store)
    return n


def poll_checkouts(db: Database, context: ConnectionContext, store: str) -> int:
    """Put baskets that changed since the watermark in the pipeline; how many were new to us.

    Their listing cannot be asked for ids and versions alone, and there is no reading by id, so each brings its record.
    """
    name, now = "poll:checkout", context.clock.now()
    with db.transaction() as tx:
        mark = runs.load_watermarks(tx, context.connection).get((store, name))
        if mark is None or mark.at is None:
            runs.create_watermarks(tx, context.connection, store, [name], now)
            return 0
    try:
        listed = list(context.shops[store].reader.checkouts(mark.at - window.OVERLAP))
    except Failure as failure:
        with db.transaction() as tx:
            cases.open_or_count(tx, context.connection, [_sign(failure, name, store)], now)
        return 0
    with db.transaction() as tx:
        known = baskets.newest_versions(tx, context.connection, store, {name for one in listed for name in one.names})
        hints = [
            RefetchRequest("poll/checkout", f"checkout:{one.token}", Lane.REALTIME, now, records.encode_record(one)[0])
            for one in listed
            if all(name not in known or known[name] < one.updated_at for name in one.names)
        ]
        n = inbox.enqueue_internal(tx, context.connection, store, hints, now)
        runs.advance_watermark(tx, context.connection, store, name, now, n)
        cases.resolve_by_code(tx, context.connection, SEARCH, now, "poll", subjects=[name], store=store)
    return n


def _sign(failure: Failure, name: str, store: str) -> Touch:
    return case_reporting.case_for(failure, name if failure.code == SEARCH else "", store)


def changed_since_known(
    listed: Iterable[Listed], known: Mapping[str, RecordVersion]
) -> list[tuple[str, datetime, bool]]:
    """Of listed records those that changed since we last heard of them, as (id, version, whether they are new)."""
    return [
        (str(one.id), one.updated_at, str(one.id) not in known)
        for one in listed
        if str(one.id) not in known or known[str(one.id)].updated_at < one.updated_at
    ]


def _wanted(kind: str, listed: Listed, known: RecordVersion | None) -> Lane | None:
    """The lane on which a listed record is read; None for one of which we know all that the listing can tell.

    A version is a second long. What was said within its own second is read once more, without hurry: a later change in
    that second has the same version, and its webhook may be the one that never came.
    """
    if known is None or known.updated_at < listed.updated_at:
        return _lane(kind)
    is_early = known.said_at is None or known.said_at < listed.updated_at + VERSION
    return Lane.REPAIR if known.updated_at == listed.updated_at and is_early else None


def _lane(kind: str) -> Lane:
    """What a webhook would have done: orders and people in real time, the catalogue at its interval."""
    return Lane.ENRICHMENT if kind == "product" else Lane.REALTIME
