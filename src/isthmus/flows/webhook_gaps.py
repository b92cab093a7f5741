"""Notice that a topic has fallen silent: by the shop's own rhythm, or because nothing came since a missed change."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.missed_webhooks import TOPIC
from isthmus.inbox.sql import webhook_stats as heard
from isthmus.runs.sql import webhook_activity as rhythm
from isthmus.runs.sql.webhook_activity import TopicActivity
from isthmus.runs.webhook_gaps import REACH, judge_silence

CODE = "integration.webhook_silent"

LAG = timedelta(seconds=15)
"""What arrived within it may not be committed yet: the webhook endpoint answers within two seconds or not at all."""

KEEP_CHANGES = timedelta(days=7)
KEEP_HOURS = timedelta(days=90)


def count_deliveries(db: Database, context: ConnectionContext) -> datetime:
    """Count what arrived since the last time, by topic and hour; until when it is counted now."""
    now = context.clock.now()
    with db.transaction() as tx:
        since = rhythm.counted_until(tx, context.connection, now - REACH)
        until = max(since, now - LAG)
        arrived = heard.count_arrivals(tx, context.connection, since, until)
        rhythm.add_counts(
            tx, context.connection, [(one.store, one.topic, one.hour, one.n, one.last_at) for one in arrived], until
        )
    return until


class ActivityReport(Struct, frozen=True):
    """What of each topic of a store was counted, and since when anything was."""

    topics: Mapping[str, TopicActivity]
    begun: datetime | None


def load_activity(db: Database, context: ConnectionContext, store: str, until: datetime) -> ActivityReport:
    """The rhythm of a store as it is counted until now."""
    with db.transaction() as tx:
        topics = rhythm.load_activity(tx, context.connection, store, until - REACH)
        return ActivityReport(topics, rhythm.first_counted_hour(tx, context.connection, store))


def report_silent_topics(
    db: Database, context: ConnectionContext, store: str, counts: ActivityReport, until: datetime
) -> list[str]:
    """Open a case for each topic that is silent, and close those of which a delivery came since; the silent topics.

    A shop that was never heard at all raises nothing by its rhythm, as it has none.
    """
    now = context.clock.now()
    counted = counts.topics
    with db.transaction() as tx:
        found = _silent(tx, context, store, counts, until)
        known = {
            case.subject: case.first_at
            for case in cases.list_cases(tx, context.connection, code=CODE, limit=1000)
            if case.store == store
        }
        cases.open_or_count(tx, context.connection, [one for one in found if one.subject not in known], now)
        silent = [one.subject for one in found]
        spoke = [
            topic
            for topic, opened_at in known.items()
            if topic not in silent and topic in counted and (counted[topic].last_at or opened_at) > opened_at - LAG
        ]
        cases.resolve_by_code(tx, context.connection, CODE, now, "watch", subjects=spoke, store=store)
        rhythm.prune_activity(tx, context.connection, store, now - KEEP_CHANGES, now - KEEP_HOURS)
    return silent


def _silent(tx: Tx, context: ConnectionContext, store: str, counts: ActivityReport, until: datetime) -> Sequence[Touch]:
    counted, begun = counts.topics, counts.begun
    found: dict[str, Touch] = {}
    for topic, one in counted.items():
        if one.last_at is None or begun is None:
            continue
        quiet = judge_silence(one.hours, begun, one.last_at, until)
        if quiet.is_alarming:
            detail = f"nothing since {one.last_at:%Y-%m-%d %H:%M:%S}, where {quiet.expected:.0f} would be usual"
            found[topic] = Touch(CODE, topic, store, detail)
    for change, at in rhythm.last_missed_by_kind(tx, context.connection, store).items():
        topic = TOPIC[change]
        last_at = counted[topic].last_at if topic in counted else None
        if topic not in found and (last_at is None or last_at < at):
            since = f"since {last_at:%Y-%m-%d %H:%M:%S}" if last_at else "ever"
            detail = f"nothing {since}, while a change of {at:%Y-%m-%d %H:%M:%S} was found without it"
            found[topic] = Touch(CODE, topic, store, detail)
    return list(found.values())
