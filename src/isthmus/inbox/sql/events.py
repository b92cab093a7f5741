"""The inbox: keeps what we were told, hands it out by lease, and accounts for how each event ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from psycopg import sql

from isthmus.db.pool import Row, Tx
from isthmus.db.sql import increment, increment_sql
from isthmus.inbox.key import delivery_key
from isthmus.inbox.sql.partitions import partition_day
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery, Event, EventOutcome, EventState, RefetchRequest
from isthmus.model.lane import Lane

LANES = tuple(Lane)
_RANKS = {lane: str(lane.rank) for lane in Lane}

# A claim that nobody answers for may mean a row that kills its process. After two such claims a row is claimed alone,
# so that others are not blamed for it; after five it is given up.
ALONE_AFTER = 2
POISON_AFTER = 5

# Numbers come in blocks, so that one call of the sequence numbers a whole statement; the 1000 in the SQL below.
BLOCK = 1000


# -- in ------------------------------------------------------------------------------------------------------------

# A column comes as one text and the bodies as one run of bytes: to turn Python lists into arrays costs more than to
# insert them. One statement, so that a flush is one round trip and one commit; the keys go first, and in one order for
# everybody, so that two flushes with the same deliveries cannot wait for each other.
_KEEP = """
WITH block AS MATERIALIZED (SELECT nextval('event_block') * 1000 AS first),
told AS MATERIALIZED (
    SELECT t.*, decode(key_hex, 'hex') AS key FROM unnest(
        string_to_array(%(connection)s, %(separator)s), string_to_array(%(key)s, %(separator)s),
        string_to_array(%(store)s, %(separator)s), string_to_array(%(topic)s, %(separator)s),
        string_to_array(%(lane)s, %(separator)s)::smallint[], string_to_array(%(webhook_id)s, %(separator)s),
        string_to_array(%(action_id)s, %(separator)s, ''),
        string_to_array(%(triggered_at)s, %(separator)s, '')::timestamptz[],
        string_to_array(%(start)s, %(separator)s)::int[], string_to_array(%(length)s, %(separator)s)::int[],
        string_to_array(%(times)s, %(separator)s)::int[]
    ) WITH ORDINALITY
    AS t (connection, key_hex, store, topic, lane, webhook_id, action_id, triggered_at, start, length, times, n)
),
fresh AS (
    INSERT INTO event_key (connection, key, received_at)
    SELECT connection, key, %(now)s FROM told ORDER BY connection, key
    ON CONFLICT DO NOTHING
    RETURNING connection, key
),
numbered AS MATERIALIZED (
    SELECT first + n - 1 AS id, told.* FROM block, told JOIN fresh USING (connection, key)
),
bodies AS (
    INSERT INTO event_body (connection, day, event_id, body)
    SELECT connection, %(day)s, id, substring(%(bodies)b FROM start FOR length) FROM numbered
),
events AS (
    INSERT INTO event (connection, id, store, topic, lane, due_at, received_at, triggered_at, webhook_id, action_id)
    -- A text of no length is an array of no elements: no store in a flush may have a name.
    SELECT connection, id, coalesce(store, ''), topic, lane, %(now)s, %(now)s, triggered_at, webhook_id, action_id
    FROM numbered
),
numbers AS (
    SELECT connection, name, n FROM (
        SELECT told.connection, sum(told.times) AS received, sum(told.times) - count(numbered.n) AS duplicate
        FROM told LEFT JOIN numbered USING (n) GROUP BY told.connection
    ) AS sums, LATERAL (VALUES ('event.received', received), ('event.duplicate', duplicate)) AS each (name, n)
    WHERE n > 0
),
counted AS ({counting})
SELECT n FROM told WHERE n NOT IN (SELECT n FROM numbered)
""".replace("{counting}", increment_sql("numbers"))
_SEPARATOR = "\x1f"


class Flush:
    """Deliveries on their way into the inbox together: a statement, its parameters, and how to read its answer.

    At most BLOCK of them, and no text of theirs may hold a control character. It may be sent twice: what the first time
    kept is a duplicate the second time. One that was kept before, or comes twice, is counted and otherwise forgotten.
    """

    query = _KEEP

    def __init__(self, deliveries: Sequence[Delivery], now: datetime, packer: Packer) -> None:
        self._n = len(deliveries)
        places: dict[tuple[str, bytes], list[int]] = {}
        for place, told in enumerate(deliveries):
            places.setdefault((told.connection, delivery_key(told.store, told.topic, told.webhook_id)), []).append(
                place
            )
        self._places = [same[0] for same in places.values()]
        first = [deliveries[place] for place in self._places]
        packed = [packer.pack(told.body) for told in first]
        lengths = [len(body) for body in packed]
        join = _SEPARATOR.join
        self.params: dict[str, Any] = {
            "separator": _SEPARATOR,
            "connection": join([told.connection for told in first]),
            "key": join([own.hex() for _, own in places]),
            "store": join([told.store for told in first]),
            "topic": join([told.topic for told in first]),
            "lane": join([_RANKS[told.lane] for told in first]),
            "webhook_id": join([told.webhook_id for told in first]),
            "action_id": join([told.action_id or "" for told in first]),
            "triggered_at": join([told.triggered_at.isoformat() if told.triggered_at else "" for told in first]),
            "start": join(map(str, accumulate(lengths[:-1], initial=1))),
            "length": join(map(str, lengths)),
            "times": join([str(len(same)) for same in places.values()]),
            "bodies": b"".join(packed),
            "now": now,
            "day": partition_day(now),
        }

    def is_fresh(self, repeated: Iterable[int]) -> list[bool]:
        """For each delivery whether it was new, from the numbers that the statement answers."""
        fresh = [False] * self._n
        for place in self._places:
            fresh[place] = True
        for n in repeated:
            fresh[self._places[n - 1]] = False
        return fresh


def insert_deliveries(tx: Tx, deliveries: Sequence[Delivery], now: datetime) -> list[bool]:
    """Store deliveries, each once; for each, whether it was new."""
    flush = Flush(deliveries, now, Packer())
    return flush.is_fresh(row["n"] for row in tx.fetch_all(flush.query, flush.params))


_TELL = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(
        %(topic)s::text[], %(subject)s::text[], %(lane)s::smallint[], %(due_at)s::timestamptz[], %(body)b::bytea[]
    ) WITH ORDINALITY AS t (topic, subject, lane, due_at, body, n)
),
-- One that is being worked on may have read the record before it changed again, so only an unclaimed one will do.
-- Correlated and limited, so that each is one look into the index of subjects. The state is written so that the index
-- of the queue does not fit: the planner takes that for small when it is not, and walks all of it for every hint.
same AS MATERIALIZED (
    SELECT told.n, equal.id, told.due_at, told.due_at < equal.due_at AS is_sooner
    FROM told CROSS JOIN LATERAL (
        SELECT id, due_at FROM event
        WHERE connection = %(connection)s AND subject = told.subject AND store = %(store)s AND state || '' = 'waiting'
          AND lane <= told.lane AND claim IS NULL AND webhook_id IS NULL
          AND (topic = told.topic OR (topic ~ %(readings)s AND told.topic ~ %(readings)s))
          AND NOT EXISTS (SELECT FROM event_body WHERE connection = %(connection)s AND event_id = event.id)
        ORDER BY lane, due_at
        LIMIT 1
    ) AS equal
    WHERE told.body IS NULL
),
sooner AS (
    UPDATE event SET due_at = same.due_at FROM same
    WHERE event.connection = %(connection)s AND event.id = ANY(ARRAY(SELECT id FROM same WHERE is_sooner))
      AND event.id = same.id AND event.state || '' = 'waiting' AND event.claim IS NULL
),
block AS MATERIALIZED (
    SELECT nextval('event_block') * 1000 AS first, nth
    FROM generate_series(0, (SELECT max(n) - 1 FROM told) / 1000) AS nth
),
numbered AS MATERIALIZED (
    SELECT block.first + mod(told.n - 1, 1000) AS id, told.*
    FROM told JOIN block ON block.nth = (told.n - 1) / 1000
    WHERE told.n NOT IN (SELECT n FROM same)
),
bodies AS (
    INSERT INTO event_body (connection, day, event_id, body)
    SELECT %(connection)s, %(day)s, id, body FROM numbered WHERE body IS NOT NULL
),
events AS (
    INSERT INTO event (connection, id, store, topic, lane, due_at, received_at, subject)
    SELECT %(connection)s, id, %(store)s, topic, lane, due_at, %(now)s, subject FROM numbered
)
SELECT n FROM numbered
"""
_READINGS = "^(poll|load|repair)/"  # whichever source said it: read this record


def is_record_pending(tx: Tx, connection: str, store: str, kind: str, until: datetime) -> bool:
    """Whether anything about this kind of record that a store or we said until then is not worked on yet."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM event WHERE connection = %s AND store = %s AND state = 'waiting'
                              AND received_at <= %s AND subject LIKE %s)""",
            (connection, store, until, f"{kind}:%"),
        )
    )


def enqueue_internal(tx: Tx, connection: str, store: str, hints: Sequence[RefetchRequest], now: datetime) -> int:
    """Add refetch requests of our own to the inbox; how many were new.

    A hint without a body is a duplicate of an equal one that waits unclaimed in the same or a better lane: same
    subject, and the same topic or both a reading. The waiting one then becomes due as soon as either was.
    """
    if not hints:
        return 0
    packer = Packer()
    rows: dict[object, RefetchRequest] = {}
    for place, hint in enumerate(sorted(hints, key=lambda hint: (hint.lane.rank, hint.due_at))):
        rows.setdefault((_group(hint.topic), hint.subject) if hint.body is None else place, hint)
    told = sorted(rows.values(), key=lambda hint: (hint.lane.rank, hint.subject))
    kept = tx.fetch_all(
        _TELL,
        {
            "connection": connection,
            "store": store,
            "topic": [hint.topic for hint in told],
            "subject": [hint.subject for hint in told],
            "lane": [hint.lane.rank for hint in told],
            "due_at": [hint.due_at for hint in told],
            "body": [None if hint.body is None else packer.pack(hint.body) for hint in told],
            "readings": _READINGS,
            "now": now,
            "day": partition_day(now),
        },
    )
    increment(tx, connection, {"event.received": len(hints), "event.duplicate": len(hints) - len(kept)})
    return len(kept)


# -- out -----------------------------------------------------------------------------------------------------------

_CLAIM = sql.SQL("""
WITH due AS MATERIALIZED (
    SELECT id FROM event
    WHERE connection = %(connection)s AND state = 'waiting' AND lane = %(lane)s AND due_at <= %(now)s
      AND (leased_until IS NULL OR leased_until <= %(now)s) AND {suspicion}
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE event
SET claim = %(claim)s, leased_until = %(until)s, attempts = least(attempts + 1, 30000),
    unanswered = unanswered + 1
FROM due WHERE event.connection = %(connection)s AND event.id = due.id
RETURNING event.id, store, topic, lane, subject, received_at, triggered_at, attempts, webhook_id, action_id, due_at
""")
_FIT = _CLAIM.format(suspicion=sql.SQL(f"unanswered < {ALONE_AFTER}"))
_SUSPECT = _CLAIM.format(suspicion=sql.SQL(f"unanswered > {ALONE_AFTER - 1} AND unanswered < {POISON_AFTER}"))
_POISON = _CLAIM.format(suspicion=sql.SQL(f"unanswered > {ALONE_AFTER - 1} AND unanswered >= {POISON_AFTER}"))


_LOOK = sql.SQL("""
SELECT l.rank FROM unnest(%(ranks)s::smallint[], %(now)s::timestamptz[]) AS l (rank, now)
WHERE EXISTS (SELECT FROM event
              WHERE connection = %(connection)s AND state = 'waiting' AND lane = l.rank AND due_at <= l.now
                AND (leased_until IS NULL OR leased_until <= l.now))
UNION ALL
(SELECT NULL FROM event WHERE connection = %(connection)s AND state = 'waiting' AND unanswered > {answered}
 LIMIT 1)
""").format(answered=sql.SQL(str(ALONE_AFTER - 1)))


def lanes_with_work(tx: Tx, connection: str, due: Mapping[Lane, datetime]) -> tuple[set[Lane], bool]:
    """Of these lanes, each with the time until which its work is due, those with an event to claim; and whether a lease
    of any event ran out twice: without one there is none to claim alone, and no poison.
    """
    asked = {"connection": connection, "ranks": [lane.rank for lane in due], "now": list(due.values())}
    found = {row["rank"] for row in tx.fetch_all(_LOOK, asked)}
    return {lane for lane in due if lane.rank in found}, None in found


def claim_events(
    tx: Tx,
    connection: str,
    lanes: Iterable[Lane],
    now: datetime,
    limit: int,
    claim: UUID,
    lease_for: timedelta,
    *,
    has_suspects: bool = True,
) -> list[Event]:
    """Lease due events, best lane and longest due first. Whoever else claims meanwhile gets others.

    An event whose lease ran out is due again. One that happened to twice comes alone, before all others; none of those
    is looked for where the caller knows that there is none.
    """
    ranks = [lane.rank for lane in lanes]
    lease = {"connection": connection, "now": now, "claim": claim, "until": now + lease_for}
    alone = _lease(tx, _SUSPECT, ranks, 1, lease) if has_suspects else []
    return _events(tx, connection, alone or _lease(tx, _FIT, ranks, limit, lease))


def claim_poisoned(
    tx: Tx, connection: str, now: datetime, limit: int, claim: UUID, lease_for: timedelta
) -> list[Event]:
    """Lease the events whose leases ran out too often, for the flow to bury."""
    lease = {"connection": connection, "now": now, "claim": claim, "until": now + lease_for}
    return _events(tx, connection, _lease(tx, _POISON, [lane.rank for lane in LANES], limit, lease))


def _lease(tx: Tx, query: sql.Composed, ranks: Iterable[int], limit: int, lease: dict[str, Any]) -> list[Row]:
    # Lane by lane, so that the index gives the order and a deep backlog is never sorted.
    rows: list[Row] = []
    for rank in ranks:
        if len(rows) < limit:
            rows += tx.fetch_all(query, lease | {"lane": rank, "limit": limit - len(rows)})
    return rows


# Only what waits has a claim. To say so would let the planner walk the whole queue for it.
_SETTLE = """
WITH told AS (
    SELECT * FROM unnest(%(id)s::bigint[], %(state)s::text[], %(reason)s::text[], %(subject)s::text[])
    AS t (id, state, reason, subject)
)
UPDATE event
SET state = told.state, reason = told.reason, subject = coalesce(told.subject, event.subject), settled_at = %(now)s,
    claim = NULL, leased_until = NULL
FROM told
WHERE event.connection = %(connection)s AND event.id = ANY(%(id)s) AND event.id = told.id AND claim = %(claim)s
RETURNING event.id, event.state, (event.received_at AT TIME ZONE 'UTC')::date AS day
"""

_NAME_PEOPLE = """
INSERT INTO event_person (connection, person, event_id, day)
SELECT %s, person, event_id, day FROM unnest(%b::bytea[], %s::bigint[], %s::date[]) AS t (person, event_id, day)
ON CONFLICT DO NOTHING
"""


def settle_events(tx: Tx, connection: str, claim: UUID, outcomes: Sequence[EventOutcome], now: datetime) -> int:
    """End events that this claim still holds, and count them; how many they were."""
    if not outcomes:
        return 0
    told = sorted(outcomes, key=lambda outcome: outcome.id)
    rows = tx.fetch_all(
        _SETTLE,
        {
            "connection": connection,
            "claim": claim,
            "now": now,
            "id": [outcome.id for outcome in told],
            "state": [outcome.state.value for outcome in told],
            "reason": [outcome.reason for outcome in told],
            "subject": [outcome.subject for outcome in told],
        },
    )
    days = {row["id"]: row["day"] for row in rows}
    named = [(person, outcome.id) for outcome in told if outcome.id in days for person in outcome.people]
    if named:
        people = [person for person, _ in named]
        tx.execute(_NAME_PEOPLE, (connection, people, [own for _, own in named], [days[own] for _, own in named]))
    increment(tx, connection, Counter(f"event.{row['state']}" for row in rows))
    return len(rows)


def defer_events(
    tx: Tx,
    connection: str,
    claim: UUID,
    ids: Sequence[int],
    due_at: datetime,
    reason: str | None = None,
    *,
    is_attempt: bool = True,
) -> int:
    """Give events that this claim still holds back until `due_at`; how many they were.

    Unless it was an attempt, the event only waits for something else, and its first failure is still its first.
    """
    return tx.execute(
        "UPDATE event SET due_at = %s, reason = %s, claim = NULL, leased_until = NULL, unanswered = 0,"
        " attempts = attempts - %s WHERE connection = %s AND id = ANY(%s) AND claim = %s",
        (due_at, reason, 0 if is_attempt else 1, connection, list(ids), claim),
    )


def extend_lease(tx: Tx, connection: str, claim: UUID, ids: Sequence[int], until: datetime) -> int:
    """Hold events that this claim still holds for longer; how many they were."""
    return tx.execute(
        "UPDATE event SET leased_until = %s WHERE connection = %s AND id = ANY(%s) AND claim = %s",
        (until, connection, list(ids), claim),
    )


_REPEAT = """
WITH ended AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY id) AS n FROM event
    WHERE connection = %(connection)s AND id = ANY(%(ids)s) AND state IN ('applied', 'stale', 'skipped')
),
block AS MATERIALIZED (
    SELECT nextval('event_block') * 1000 AS first, nth
    FROM generate_series(0, (SELECT max(n) - 1 FROM ended) / 1000) AS nth
),
numbered AS MATERIALIZED (
    SELECT block.first + mod(ended.n - 1, 1000) AS own, ended.*
    FROM ended JOIN block ON block.nth = (ended.n - 1) / 1000
),
bodies AS (
    INSERT INTO event_body (connection, day, event_id, body)
    SELECT b.connection, b.day, numbered.own, b.body
    FROM numbered JOIN event_body b ON b.connection = numbered.connection AND b.event_id = numbered.id
)
INSERT INTO event (connection, id, store, topic, lane, due_at, received_at, triggered_at, action_id, subject, replay_of,
                   replayed_at)
SELECT connection, own, store, topic, %(lane)s, %(now)s, received_at, triggered_at, action_id, subject,
       coalesce(replay_of, id), %(now)s
FROM numbered
RETURNING id
"""

_REOPEN = """
WITH ended AS (
    SELECT id, state FROM event
    WHERE connection = %(connection)s AND id = ANY(%(ids)s) AND state IN ('buried', 'parked')
    ORDER BY id FOR UPDATE
)
UPDATE event
SET state = 'waiting', lane = %(lane)s, due_at = %(now)s, reason = NULL, attempts = 0, unanswered = 0, settled_at = NULL
FROM ended WHERE event.connection = %(connection)s AND event.id = ended.id
RETURNING ended.state
"""


def reopen_events(tx: Tx, connection: str, ids: Sequence[int], lane: Lane, now: datetime) -> int:
    """Let ended events be heard again; how many they were.

    What failed or was parked waits again, as if it had never ended. What ended otherwise keeps its outcome for good:
    its repetition is an event of its own.
    """
    given = {"connection": connection, "ids": list(ids), "lane": lane.rank, "now": now}
    # Read before anything is reopened, since the two go by the state.
    n_repeated = len(tx.fetch_all(_REPEAT, given))
    rows = tx.fetch_all(_REOPEN, given)
    counts = {name: -n for name, n in Counter(f"event.{row['state']}" for row in rows).items()}
    increment(tx, connection, {**counts, **({"event.received": n_repeated} if n_repeated else {})})
    return len(rows) + n_repeated


# -- looks ---------------------------------------------------------------------------------------------------------


# Correlated and limited, so that each is one look into the index however long the queue is.
def is_lane_due(tx: Tx, connection: str, lane: Lane, until: datetime) -> bool:
    """Whether anything of this lane is to be claimed; `until` is where the lane's own time stands."""
    return bool(
        tx.fetch_value(
            # In the order of the index, so that even stale statistics make nobody read the whole table.
            "SELECT true FROM event WHERE connection = %(connection)s AND lane = %(lane)s AND state = 'waiting'"
            " AND due_at <= %(until)s AND (leased_until IS NULL OR leased_until <= %(until)s)"
            " ORDER BY due_at LIMIT 1",
            {"connection": connection, "lane": lane.rank, "until": until},
        )
    )


def count_waiting(tx: Tx, connection: str) -> int:
    """How many events have not ended."""
    n: int = tx.fetch_value("SELECT count(*) FROM event WHERE connection = %s AND state = 'waiting'", (connection,))
    return n


_ENDED = sql.SQL("""
SELECT id, store, topic, lane, subject, received_at, triggered_at, attempts, webhook_id, action_id, due_at FROM event
WHERE connection = %(connection)s AND state = ANY(%(states)s) AND {which}
  AND (%(store)s::text IS NULL OR store = %(store)s::text)
  AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s::timestamptz)
  -- A repetition says nothing that its original does not, unless it failed.
  AND (replay_of IS NULL OR state IN ('buried', 'parked') OR id = ANY(%(ids)s))
ORDER BY received_at, id LIMIT %(limit)s
""")
_NAMED = _ENDED.format(which=sql.SQL("(id = ANY(%(ids)s) OR subject = ANY(%(subjects)s) OR topic = ANY(%(topics)s))"))
_ANY = _ENDED.format(which=sql.SQL("true"))


def ended_events(
    tx: Tx,
    connection: str,
    states: Iterable[EventState],
    *,
    ids: Sequence[int] = (),
    subjects: Sequence[str] = (),
    topics: Sequence[str] = (),
    store: str | None = None,
    since: datetime | None = None,
    limit: int,
) -> list[Event]:
    """Events that ended so, the oldest first, with their bodies while those are kept.

    Those of these numbers, about these subjects or of these topics; all where none of the three is given.
    """
    rows = tx.fetch_all(
        _NAMED if ids or subjects or topics else _ANY,
        {
            "connection": connection,
            "states": [state.value for state in states if state is not EventState.WAITING],
            "ids": list(ids),
            "subjects": list(subjects),
            "topics": list(topics),
            "store": store,
            "since": since,
            "limit": limit,
        },
    )
    return _events(tx, connection, rows)


def known_events(tx: Tx, connection: str, ids: Sequence[int]) -> set[int]:
    """Which of these numbers are events of this connection, whatever became of them."""
    rows = tx.fetch_all("SELECT id FROM event WHERE connection = %s AND id = ANY(%s)", (connection, list(ids)))
    return {row["id"] for row in rows}


def events_of_people(tx: Tx, connection: str, people: Sequence[bytes]) -> list[Event]:
    """Every stored event that is known to be about one of these people, with its body while that is kept."""
    rows = tx.fetch_all(
        "SELECT id, store, topic, lane, subject, received_at, triggered_at, attempts, webhook_id, action_id, due_at"
        " FROM event WHERE connection = %(connection)s AND id IN"
        " (SELECT event_id FROM event_person WHERE connection = %(connection)s AND person = ANY(%(people)b))",
        {"connection": connection, "people": list(people)},
    )
    return _events(tx, connection, rows)


# -- shared --------------------------------------------------------------------------------------------------------


def _events(tx: Tx, connection: str, rows: list[Row]) -> list[Event]:
    """Rows as events in the order of the pipeline, with their bodies."""
    if not rows:
        return []
    unpack = Packer().unpack
    found = tx.fetch_all(
        "SELECT event_id, body FROM event_body WHERE connection = %s AND day = ANY(%s) AND event_id = ANY(%s)",
        (connection, sorted({partition_day(row["received_at"]) for row in rows}), [row["id"] for row in rows]),
    )
    bodies = {row["event_id"]: unpack(row["body"]) for row in found}
    rows.sort(key=lambda row: (row["lane"], row["due_at"], row["id"]))
    return [
        Event(
            id=row["id"],
            store=row["store"],
            topic=row["topic"],
            lane=LANES[row["lane"]],
            subject=row["subject"],
            body=bodies.get(row["id"]),
            received_at=row["received_at"],
            triggered_at=row["triggered_at"],
            attempts=row["attempts"],
            webhook_id=row["webhook_id"],
            action_id=row["action_id"],
        )
        for row in rows
    ]


def _group(topic: str) -> str:
    return "reading" if topic.startswith(("poll/", "load/", "repair/")) else topic
