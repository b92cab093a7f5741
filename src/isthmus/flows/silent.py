"""Notice that a topic has fallen silent: by the shop's own rhythm, or because nothing came since a missed change."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.missed import TOPIC
from isthmus.flows.road import Road
from isthmus.inbox.heard import sql as heard
from isthmus.runs.rhythm import sql as rhythm
from isthmus.runs.rhythm.silence import REACH, silence
from isthmus.runs.rhythm.sql import Counted

CODE = "integration.webhook_silent"

LAG = timedelta(seconds=15)
"""What arrived within it may not be committed yet: the door answers within two seconds or not at all."""

KEEP_CHANGES = timedelta(days=7)
KEEP_HOURS = timedelta(days=90)


def count(db: Database, road: Road) -> datetime:
    """Count what arrived since the last time, by topic and hour; until when it is counted now."""
    now = road.clock.now()
    with db.transaction() as tx:
        since = rhythm.counted_until(tx, road.connection, now - REACH)
        until = max(since, now - LAG)
        arrived = heard.arrivals(tx, road.connection, since, until)
        rhythm.add(
            tx, road.connection, [(one.store, one.topic, one.hour, one.n, one.last_at) for one in arrived], until
        )
    return until


class Rhythm(Struct, frozen=True):
    """What of each topic of a store was counted, and since when anything was."""

    topics: Mapping[str, Counted]
    begun: datetime | None


def load(db: Database, road: Road, store: str, until: datetime) -> Rhythm:
    """The rhythm of a store as it is counted until now."""
    with db.transaction() as tx:
        topics = rhythm.load(tx, road.connection, store, until - REACH)
        return Rhythm(topics, rhythm.begun(tx, road.connection, store))


def alarm(db: Database, road: Road, store: str, counts: Rhythm, until: datetime) -> list[str]:
    """Open a case for each topic that is silent, and close those of which a delivery came since; the silent topics.

    A shop that was never heard at all raises nothing by its rhythm, as it has none.
    """
    now = road.clock.now()
    counted = counts.topics
    with db.transaction() as tx:
        found = _silent(tx, road, store, counts, until)
        known = {
            case.subject: case.first_at
            for case in cases.listing(tx, road.connection, code=CODE, limit=1000)
            if case.store == store
        }
        cases.touch(tx, road.connection, [one for one in found if one.subject not in known], now)
        silent = [one.subject for one in found]
        spoke = [
            topic
            for topic, opened_at in known.items()
            if topic not in silent and topic in counted and (counted[topic].last_at or opened_at) > opened_at - LAG
        ]
        cases.resolve(tx, road.connection, CODE, now, "watch", subjects=spoke, store=store)
        rhythm.prune(tx, road.connection, store, now - KEEP_CHANGES, now - KEEP_HOURS)
    return silent


def _silent(tx: Tx, road: Road, store: str, counts: Rhythm, until: datetime) -> Sequence[Touch]:
    counted, begun = counts.topics, counts.begun
    found: dict[str, Touch] = {}
    for topic, one in counted.items():
        if one.last_at is None or begun is None:
            continue
        quiet = silence(one.hours, begun, one.last_at, until)
        if quiet.is_alarming:
            detail = f"nothing since {one.last_at:%Y-%m-%d %H:%M:%S}, where {quiet.expected:.0f} would be usual"
            found[topic] = Touch(CODE, topic, store, detail)
    for change, at in rhythm.last_missed(tx, road.connection, store).items():
        topic = TOPIC[change]
        last_at = counted[topic].last_at if topic in counted else None
        if topic not in found and (last_at is None or last_at < at):
            since = f"since {last_at:%Y-%m-%d %H:%M:%S}" if last_at else "ever"
            detail = f"nothing {since}, while a change of {at:%Y-%m-%d %H:%M:%S} was found without it"
            found[topic] = Touch(CODE, topic, store, detail)
    return list(found.values())
