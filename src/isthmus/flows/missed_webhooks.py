"""Judge which changes no webhook told of: those that we saw ourselves and whose delivery had its time to come."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.poll import KINDS, changed_since_known
from isthmus.inbox.sql import webhook_stats as heard
from isthmus.inbox.sql.webhook_stats import SubjectWindow
from isthmus.model.failure import Failure
from isthmus.records.sql import store as records
from isthmus.runs import window
from isthmus.runs.sql import watermarks as runs
from isthmus.runs.sql import webhook_activity as rhythm
from isthmus.runs.sql.webhook_activity import UnnotifiedChange
from isthmus.shopify.topics import TOPICS, TopicKind

CODE = "integration.missed_webhook"

GRACE = timedelta(minutes=2)
"""A webhook usually comes within seconds; what has not come by then is missed, though it may come late."""

SLACK = timedelta(seconds=10)
"""A delivery triggered this long before a change may tell it: a body is made when it is sent, not when it is due."""

CLEAN = timedelta(hours=1)
"""So long polls must find nothing missed of a topic before its case is over."""

LATE_WITHIN = timedelta(days=1)
"""Deliveries may come up to a day late (https://shopify.dev/docs/apps/build/webhooks/best-practices)."""

AT_ONCE = 1000
"""Missed changes that are held against late deliveries in one look: the newest."""

RECOVERED = "recovered: no webhook told of it"

BEGUN = "watch:begun"
"""The watermark that says since when a store's webhooks are watched; nothing before it counts."""

TOPIC = {
    ("order", True): "orders/create",
    ("order", False): "orders/updated",
    ("customer", True): "customers/create",
    ("customer", False): "customers/update",
    ("product", True): "products/create",
    ("product", False): "products/update",
}
"""The webhook that should have told a change, by kind and whether the record was new to us."""

_KINDS = {
    "order": (TopicKind.ORDER,),
    "customer": (TopicKind.CUSTOMER, TopicKind.CONSENT),
    "product": (TopicKind.PRODUCT, TopicKind.STOCK),
}


class MissedChanges(Struct, frozen=True):
    """What was missed in a store, by topic, and of which kinds something is still to be fetched."""

    missed: Mapping[str, Sequence[UnnotifiedChange]]
    to_poll: tuple[str, ...]


def check_for_missed_changes(db: Database, context: ConnectionContext, store: str) -> None:
    """See whether the last change of each kind is known. Costs one small call, and fetches nothing by itself.

    On a busy shop the last change is always on its way, so what is not known is remembered and judged later.
    """
    now = context.clock.now()
    try:
        found = context.shops[store].reader.newest()
    except Failure:
        return  # the poll says so, and when it is over
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
        for kind, listed in found.items():
            mark = marks.get((store, f"poll:{kind}"))
            if mark is None or mark.at is None or listed.updated_at < mark.at - window.OVERLAP:
                continue  # of history, or seen by a poll already
            known = records.record_versions(tx, context.connection, kind, store, [str(listed.id)])
            rhythm.save_changes(tx, context.connection, store, kind, changed_since_known([listed], known), now)


def judge_missed_changes(db: Database, context: ConnectionContext, store: str) -> MissedChanges:
    """Judge what has had its time, count what was missed, and open or close the cases that say so."""
    now = context.clock.now()
    missed: dict[str, list[UnnotifiedChange]] = {}
    to_poll = []
    with db.transaction() as tx:
        runs.create_watermarks(tx, context.connection, store, [BEGUN], now)
        marks = runs.load_watermarks(tx, context.connection)
        begun = marks[store, BEGUN].at or now
        for kind in KINDS:
            found = _missed(tx, context, store, _due(tx, context, store, kind), begun)
            if not found:
                continue
            known = records.record_versions(tx, context.connection, kind, store, [one.id for one in found])
            if any(one.id not in known or known[one.id].updated_at < one.version for one in found):
                to_poll.append(kind)
            for one in found:
                missed.setdefault(TOPIC[kind, one.is_new], []).append(one)
        rhythm.mark_missed(tx, context.connection, store, missed, now)
        cases.open_or_count(
            tx, context.connection, [_case(store, topic, found) for topic, found in missed.items()], now
        )
        for (kind, _), topic in TOPIC.items():
            mark = marks.get((store, f"poll:{kind}"))
            if mark is not None and mark.at is not None:
                clean_since = mark.at - CLEAN
                cases.resolve_by_code(
                    tx, context.connection, CODE, now, "poll", subjects=[topic], store=store, quiet_since=clean_since
                )
        _look_back(tx, context, store)
    return MissedChanges(missed, tuple(to_poll))


def _due(tx: Tx, context: ConnectionContext, store: str, kind: str) -> list[UnnotifiedChange]:
    """Changes old enough to be judged: also older than any delivery of which nobody knows yet what it tells."""
    now = context.clock.now()
    topics = [row.name for row in TOPICS.values() if row.kind in _KINDS[kind]]
    unread = heard.oldest_unparsed(tx, context.connection, store, topics, now)
    return rhythm.unjudged_changes(tx, context.connection, store, kind, min(now, unread or now) - GRACE)


def _missed(
    tx: Tx, context: ConnectionContext, store: str, due: Sequence[UnnotifiedChange], begun: datetime
) -> list[UnnotifiedChange]:
    """Of these changes those that no delivery told; the others are forgotten, and so is what was before the watch."""
    told = heard.had_webhook(
        tx, context.connection, store, [SubjectWindow(one.subject, one.version - SLACK) for one in due]
    )
    is_missed = [not is_told and one.version >= begun for one, is_told in zip(due, told, strict=True)]
    rhythm.discard_notified(
        tx, context.connection, store, [one for one, is_so in zip(due, is_missed, strict=True) if not is_so]
    )
    return [one for one, is_so in zip(due, is_missed, strict=True) if is_so]


def _case(store: str, topic: str, found: Sequence[UnnotifiedChange]) -> Touch:
    last = max(found, key=lambda one: one.version)
    detail = f"{len(found)} in one look, the last of {last.version:%Y-%m-%d %H:%M:%S} ({last.subject})"
    return Touch(CODE, topic, store, detail, n=len(found))


def _look_back(tx: Tx, context: ConnectionContext, store: str) -> None:
    """Note which missed changes a delivery told after all, and on our readings of the others that they recovered them.

    What was counted stays counted: late is missed, too.
    """
    now = context.clock.now()
    lately = rhythm.list_missed(tx, context.connection, store, now - LATE_WITHIN, AT_ONCE)
    if not lately:
        return
    spans = [SubjectWindow(one.subject, one.version - SLACK, one.version + GRACE) for one in lately]
    told = heard.had_webhook(tx, context.connection, store, spans)
    late = [one for one, is_told in zip(lately, told, strict=True) if is_told]
    rhythm.mark_late(tx, context.connection, store, late, now)
    readings = [SubjectWindow(one.subject, one.seen_at, one.seen_at + CLEAN) for one in lately]
    heard.annotate_refetches(tx, context.connection, store, readings, RECOVERED)
