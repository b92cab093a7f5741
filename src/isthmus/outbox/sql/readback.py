"""Writes whose place was seen in Ometria: doubted where it says something else, believed where it agrees."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.db.sql import OF_EVERYTHING
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind


class Applied(Struct, frozen=True):
    """A write that is held to be there as desired; `body` is packed."""

    kind: str
    id: str
    desired: bytes
    body: bytes


def applied_records(tx: Tx, connection: str, subjects: Sequence[str]) -> list[Applied]:
    """Of the Ometria records of these names (order:uk:1) those that are held to be there; no moments."""
    return tx.fetch_as(
        Applied,
        """SELECT kind, id, desired, body FROM outbox
           WHERE connection = %s AND state = 'applied' AND kind <> 'moment' AND body IS NOT NULL
             AND (kind, id) IN (SELECT split_part(s, ':', 1), substr(s, strpos(s, ':') + 1)
                                FROM unnest(%s::text[]) AS t (s))
           ORDER BY kind, id""",
        (connection, list(subjects)),
    )


def records_found_wrong(tx: Tx, connection: str, store: str, subject: str, codes: Sequence[str]) -> list[Applied]:
    """Of the Ometria records of a store's record those that are held to be there, and of which a comparison found
    one of these since they were settled, without a later one over everything that found them to agree; no moments.

    Where a later one found nothing it may not have judged the record: it agreed where it was judged so alone, or was
    seen in Ometria and not held up for a closer look.
    """
    return tx.fetch_as(
        Applied,
        f"""SELECT o.kind, o.id, o.desired, o.body FROM outbox o
           WHERE o.connection = %(connection)s AND o.store = %(store)s AND o.subject = %(subject)s
             AND o.state = 'applied' AND o.kind <> 'moment' AND o.body IS NOT NULL
             AND EXISTS (
                 SELECT FROM finding f WHERE f.connection = o.connection AND f.kind = o.kind AND f.id = o.id
                   AND f.code = ANY(%(codes)s) AND f.found_at > o.settled_at
                   AND NOT EXISTS (
                       SELECT FROM run r WHERE r.connection = f.connection AND r.id > f.run AND r.what = 'reconcile'
                         AND r.state = 'done' AND {OF_EVERYTHING}
                         AND (EXISTS (SELECT FROM suspect s WHERE s.connection = r.connection AND s.run = r.id
                                        AND s.kind = f.kind AND s.id = f.id AND s.result = 'agreed')
                              OR (EXISTS (SELECT FROM seen s WHERE s.connection = r.connection AND s.run = r.id
                                            AND s.side = 'platform' AND s.kind = f.kind AND s.id = f.id)
                                  AND NOT EXISTS (SELECT FROM suspect s
                                                  WHERE s.connection = r.connection AND s.run = r.id
                                                    AND s.kind = f.kind AND s.id = f.id)))
                         AND NOT EXISTS (SELECT FROM finding g WHERE g.connection = r.connection AND g.run = r.id
                                         AND g.kind = f.kind AND g.id = f.id)))
           ORDER BY o.kind, o.id""",  # noqa: S608 - a constant
        {"connection": connection, "store": store, "subject": subject, "codes": list(codes)},
    )


def release_uncertain_event(tx: Tx, connection: str, moment: str, now: datetime) -> int:
    """A person has looked: this held moment is not there, so it may go again."""
    return tx.execute(
        """UPDATE outbox SET state = 'due', due_at = %s, doubts = 0, is_known = false
           WHERE connection = %s AND kind = 'moment' AND id = %s AND state = 'held'""",
        (now, connection, moment),
    )


def requeue_unconfirmed(
    tx: Tx, connection: str, records: Sequence[tuple[RecordKind, str, bytes]], now: datetime
) -> int:
    """Ometria was seen to lack these (kind, id, desired hash) or to say something else: they go again, on the
    repair lane. Nothing that changed meanwhile, and no moment."""
    return tx.execute(
        """WITH again AS (
               SELECT o.connection, o.kind, o.id FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS r (kind, id, hash)
                 ON o.kind = r.kind AND o.id = r.id
               WHERE o.connection = %(connection)s AND o.kind <> 'moment' AND o.state IN ('applied', 'buried')
                 AND o.body IS NOT NULL AND o.desired = r.hash
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = 'due', case_code = NULL, lane = %(lane)s, due_at = %(now)s, since = %(now)s,
               is_known = false, attempts = 0, doubts = 0, batch_max = 100
           FROM again a WHERE o.connection = a.connection AND o.kind = a.kind AND o.id = a.id""",
        {
            "connection": connection,
            "lane": Lane.REPAIR.rank,
            "now": now,
            "kinds": [r[0].value for r in records],
            "ids": [r[1] for r in records],
            "hashes": [r[2] for r in records],
        },
    )


def confirm_dead_letters(
    tx: Tx, connection: str, records: Sequence[tuple[RecordKind, str, bytes]], now: datetime
) -> list[str]:
    """Ometria was seen to say what we desire of these dead letters (kind, id, desired hash): they are applied.

    Returns their subjects, to close their cases with.
    """
    rows = tx.fetch_all(
        """WITH there AS (
               SELECT o.connection, o.kind, o.id FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS r (kind, id, hash)
                 ON o.kind = r.kind AND o.id = r.id
               WHERE o.connection = %(connection)s AND o.state = 'buried' AND o.body IS NOT NULL AND o.desired = r.hash
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = 'applied', case_code = NULL, settled = o.desired, sent = o.desired,
               settled_at = %(now)s, is_known = true, doubts = 0
           FROM there t WHERE o.connection = t.connection AND o.kind = t.kind AND o.id = t.id
           RETURNING o.kind || ':' || o.id AS subject""",
        {
            "connection": connection,
            "now": now,
            "kinds": [r[0].value for r in records],
            "ids": [r[1] for r in records],
            "hashes": [r[2] for r in records],
        },
    )
    return [row["subject"] for row in rows]


def has_pending_opt_outs(tx: Tx, connection: str) -> bool:
    """Whether an opt-out of somebody who was sent as opted in is on its way."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM outbox WHERE connection = %s AND kind = 'contact' AND lane = %s
                              AND state IN ('due', 'leased') AND was_opted_in AND NOT opts_in)""",
            (connection, Lane.REALTIME.rank),
        )
    )
