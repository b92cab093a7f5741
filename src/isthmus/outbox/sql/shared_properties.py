"""The last reading of shared properties in the database, and our own part of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from isthmus.db.pool import Tx
from isthmus.model.shared_property import SharedProperty
from isthmus.model.write import RecordKind

Record = tuple[RecordKind, str]


def shared_properties_of(tx: Tx, connection: str, records: Sequence[Record]) -> dict[Record, SharedProperty]:
    """What is known of these records; one that was never sent nor read is left out."""
    if not records:
        return {}
    rows = tx.fetch_all(
        """SELECT w.kind, w.id, h.theirs, h.ours, o.sent IS NOT NULL AS is_sent
           FROM unnest(%(kinds)s::text[], %(ids)s::text[]) AS w (kind, id)
           LEFT JOIN held h ON h.connection = %(connection)s AND h.kind = w.kind AND h.id = w.id
           LEFT JOIN outbox o ON o.connection = %(connection)s AND o.kind = w.kind AND o.id = w.id
           WHERE h.id IS NOT NULL OR o.sent IS NOT NULL""",
        {"connection": connection, "kinds": [r[0].value for r in records], "ids": [r[1] for r in records]},
    )
    return {
        (RecordKind(row["kind"]), row["id"]): SharedProperty(row["theirs"], row["ours"] or {}, is_sent=row["is_sent"])
        for row in rows
    }


def save_own_part(tx: Tx, connection: str, told: Sequence[tuple[Record, Mapping[str, object]]]) -> None:
    """From now on this is our own part of these records' shared properties."""
    tx.execute_many(
        """INSERT INTO held (connection, kind, id, ours) VALUES (%s, %s, %s, %s)
           ON CONFLICT (connection, kind, id) DO UPDATE SET ours = excluded.ours""",
        [(connection, kind.value, id_, Jsonb(ours)) for (kind, id_), ours in sorted(told, key=lambda one: one[0])],
    )


def save_foreign_part(
    tx: Tx, connection: str, kind: RecordKind, theirs: Mapping[str, Mapping[str, object]], asked_at: datetime
) -> list[str]:
    """What others put into records, as a reading that began then found them; those of which that was news.

    Only of records of which nothing of ours waits or is on its way: our own part could be taken for somebody else's
    otherwise. Those are looked at again the next time.
    """
    if not theirs:
        return []
    rows = tx.fetch_all(
        """WITH seen AS (
               SELECT * FROM unnest(%(ids)s::text[], %(theirs)s::jsonb[]) AS s (id, theirs)
               WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.connection = %(connection)s AND o.kind = %(kind)s
                                 AND o.id = s.id AND o.sent IS NOT NULL
                                 AND (NOT o.is_known OR o.settled IS DISTINCT FROM o.sent
                                      OR o.settled IS DISTINCT FROM o.desired OR o.settled_at > %(asked_at)s)))
           INSERT INTO held AS h (connection, kind, id, theirs, read_at)
           SELECT %(connection)s, %(kind)s, s.id, s.theirs, %(asked_at)s FROM seen s ORDER BY s.id
           ON CONFLICT (connection, kind, id) DO UPDATE SET theirs = excluded.theirs, read_at = excluded.read_at
           WHERE h.theirs IS DISTINCT FROM excluded.theirs AND (h.read_at IS NULL OR h.read_at < excluded.read_at)
           RETURNING h.id""",
        {
            "connection": connection,
            "kind": kind.value,
            "ids": list(theirs),
            "asked_at": asked_at,
            "theirs": [Jsonb(one) for one in theirs.values()],
        },
    )
    return [row["id"] for row in rows]


def subjects_of_records(tx: Tx, connection: str, kind: RecordKind, ids: Sequence[str]) -> list[tuple[str, str]]:
    """The shop's records behind these of Ometria, as (store, subject), each once."""
    rows = tx.fetch_all(
        """SELECT DISTINCT store, subject FROM outbox
           WHERE connection = %s AND kind = %s AND id = ANY(%s) AND subject IS NOT NULL ORDER BY store, subject""",
        (connection, kind.value, list(ids)),
    )
    return [(row["store"], row["subject"]) for row in rows]
