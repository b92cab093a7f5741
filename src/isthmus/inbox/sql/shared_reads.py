"""Which readings are under way, and which were made lately."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from isthmus.db.pool import Tx

Key = tuple[str, str, str]
"""(kind, store, id)"""


class ReadRequest(Struct, frozen=True):
    """A record that events ask to read: the rank of their most urgent lane, and when the newest was received."""

    key: Key
    lane: int
    heard_at: datetime


# A reading answers what was received before it began, if it was as urgent, and for a moment only: who asks again later
# wants to know how the record is now.
_BEGIN = """
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(kind)s::text[], %(store)s::text[], %(id)s::text[], %(lane)s::smallint[],
                         %(heard_at)s::timestamptz[]) AS a (kind, store, id, lane, heard_at)
),
ours AS (
    INSERT INTO reading AS r (connection, store, kind, id, lane, claim, heard_at, began_at, until)
    SELECT %(connection)s, store, kind, id, lane, %(claim)s, heard_at, %(now)s, %(until)s FROM asked
    ORDER BY store, kind, id
    ON CONFLICT (connection, store, kind, id) DO UPDATE
    SET lane = excluded.lane, claim = excluded.claim, heard_at = excluded.heard_at, began_at = excluded.began_at,
        until = excluded.until, is_told = false
    WHERE r.claim = excluded.claim OR r.began_at <= excluded.heard_at OR r.lane > excluded.lane
       OR r.until <= excluded.began_at
    RETURNING r.store, r.kind, r.id
)
SELECT a.kind, a.store, a.id, o.id IS NOT NULL AS is_ours, coalesce(r.is_told, false) AS is_told
FROM asked a
LEFT JOIN ours o ON o.store = a.store AND o.kind = a.kind AND o.id = a.id
LEFT JOIN reading r ON r.connection = %(connection)s AND r.store = a.store AND r.kind = a.kind AND r.id = a.id
"""


def begin_reads(
    tx: Tx, connection: str, asked: Sequence[ReadRequest], claim: UUID, now: datetime, until: datetime
) -> tuple[set[Key], set[Key]]:
    """Begin the readings that nobody makes and nobody has just made, each good until then. Those of the others that
    were told already, and those that are under way.
    """
    if not asked:
        return set(), set()
    rows = tx.fetch_all(
        _BEGIN,
        {
            "connection": connection,
            "claim": claim,
            "now": now,
            "until": until,
            "kind": [one.key[0] for one in asked],
            "store": [one.key[1] for one in asked],
            "id": [one.key[2] for one in asked],
            "lane": [one.lane for one in asked],
            "heard_at": [one.heard_at for one in asked],
        },
    )
    told: set[Key] = set()
    under_way: set[Key] = set()
    for row in rows:
        if not row["is_ours"]:
            (told if row["is_told"] else under_way).add((row["kind"], row["store"], row["id"]))
    return told, under_way


def finish_reads(
    tx: Tx, connection: str, claim: UUID, told: Sequence[Key], untold: Sequence[Key], now: datetime
) -> None:
    """What was read is taken in; whoever waits for the rest may read it."""
    keys = [*told, *untold]
    if not keys:
        return
    tx.execute(
        """UPDATE reading r SET is_told = t.is_told, until = CASE WHEN t.is_told THEN r.until ELSE %(now)s END
           FROM unnest(%(kind)s::text[], %(store)s::text[], %(id)s::text[], %(is_told)s::boolean[])
             AS t (kind, store, id, is_told)
           WHERE r.connection = %(connection)s AND r.store = t.store AND r.kind = t.kind AND r.id = t.id
             AND r.claim = %(claim)s""",
        {
            "connection": connection,
            "claim": claim,
            "now": now,
            "kind": [key[0] for key in keys],
            "store": [key[1] for key in keys],
            "id": [key[2] for key in keys],
            "is_told": [True] * len(told) + [False] * len(untold),
        },
    )


def abandon_reads(tx: Tx, connection: str, claim: UUID, now: datetime) -> None:
    """Nothing comes of this claim's readings: whoever waits for them may make them."""
    tx.execute(
        "UPDATE reading SET until = %s WHERE connection = %s AND claim = %s AND NOT is_told", (now, connection, claim)
    )


def prune_reads(tx: Tx, before: datetime, limit: int) -> int:
    """Forget readings that no waiting event can have asked for."""
    return tx.execute(
        "DELETE FROM reading WHERE ctid = ANY(ARRAY(SELECT ctid FROM reading WHERE until < %s LIMIT %s))",
        (before, limit),
    )
