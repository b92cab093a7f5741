"""The queue of merges in Ometria, and the book of everything that was ever said of merging anybody."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.identity.match import Account


class MergeLogEntry(Struct, frozen=True):
    """One entry of the book. Ids are Ometria's names of contacts; `merge` is None where we did not ask for it."""

    survivor: str
    loser: str
    what: str
    by: str
    detail: str = ""
    merge: int | None = None


class QueuedMerge(Struct, frozen=True):
    """One merge of the queue; the migration tells of its columns."""

    id: int
    survivor_store: str
    survivor_id: int
    loser_store: str
    loser_id: int
    rule: str
    wanted_by: str
    wanted_at: datetime
    state: str
    due_at: datetime
    n_asked: int
    asked_at: datetime | None
    survivor_profile: str | None
    loser_profile: str | None
    request_id: str | None
    why: str | None
    closed_at: datetime | None

    @property
    def survivor(self) -> Account:
        return self.survivor_store, self.survivor_id

    @property
    def loser(self) -> Account:
        return self.loser_store, self.loser_id


_COLUMNS = ", ".join(QueuedMerge.__struct_fields__)


def enqueue_merge(
    tx: Tx, connection: str, survivor: Account, loser: Account, rule: str, by: str, now: datetime
) -> int | None:
    """Queue a merge; its number, or None where one of this loser waits already."""
    value = tx.fetch_value(
        """INSERT INTO merge (connection, survivor_store, survivor_id, loser_store, loser_id, rule, wanted_by,
                              wanted_at, due_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (connection, loser_store, loser_id) WHERE state IN ('wanted', 'asked') DO NOTHING
           RETURNING id""",
        (connection, *survivor, *loser, rule, by, now, now),
    )
    return None if value is None else int(value)


def requeue_merge(tx: Tx, connection: str, loser: str, now: datetime) -> int:
    """Queue the refused merge of this contact once more, unless one of it waits; how many were queued."""
    return tx.execute(
        """UPDATE merge SET state = 'wanted', closed_at = NULL, why = NULL, n_asked = 0, due_at = %(now)s
           WHERE connection = %(connection)s AND state = 'refused' AND id = (
               SELECT max(m.id) FROM merge m JOIN link l ON l.connection = m.connection AND l.store = m.loser_store
                 AND l.customer_id = m.loser_id
               WHERE m.connection = %(connection)s AND l.contact = %(loser)s)
             AND NOT EXISTS (SELECT FROM merge o JOIN link l ON l.connection = o.connection
                               AND l.store = o.loser_store AND l.customer_id = o.loser_id
                             WHERE o.connection = %(connection)s AND l.contact = %(loser)s
                               AND o.state IN ('wanted', 'asked'))""",
        {"connection": connection, "loser": loser, "now": now},
    )


def next_due_merge(tx: Tx, connection: str, now: datetime) -> QueuedMerge | None:
    """The merge whose turn it is: one that may have been asked for comes before any new one. Nobody else gets it until
    the transaction ends.
    """
    found = tx.fetch_as(
        QueuedMerge,
        f"""SELECT {_COLUMNS} FROM merge WHERE connection = %s AND state IN ('wanted', 'asked') AND due_at <= %s
            ORDER BY state, due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED""",  # noqa: S608 - constant columns
        (connection, now),
    )
    return found[0] if found else None


def is_merge_due(tx: Tx, connection: str, now: datetime) -> bool:
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM merge WHERE connection = %s AND state IN ('wanted', 'asked')
                              AND due_at <= %s)""",
            (connection, now),
        )
    )


def mark_requested(
    tx: Tx, connection: str, merge: QueuedMerge, profiles: tuple[str, str], now: datetime, until: datetime
) -> bool:
    """From here on nobody knows whether Ometria has it: it is looked up at `until`, and not before.

    False when somebody else has taken it on meanwhile.
    """
    return bool(
        tx.execute(
            """UPDATE merge SET state = 'asked', asked_at = %s, n_asked = n_asked + 1, due_at = %s,
                   survivor_profile = %s, loser_profile = %s
               WHERE connection = %s AND id = %s AND state = 'wanted' AND n_asked = %s""",
            (now, until, *profiles, connection, merge.id, merge.n_asked),
        )
    )


def defer_merge(tx: Tx, connection: str, number: int, due_at: datetime, state: str, why: str) -> None:
    """Not yet: it waits until then, as what it was or (an ask that surely did nothing) as wanted again."""
    tx.execute(
        "UPDATE merge SET state = %s, due_at = %s, why = %s WHERE connection = %s AND id = %s",
        (state, due_at, why, connection, number),
    )


def close_merge(
    tx: Tx,
    connection: str,
    number: int,
    state: str,
    now: datetime,
    why: str | None = None,
    request_id: str | None = None,
) -> None:
    """It is done, or refused."""
    tx.execute(
        """UPDATE merge SET state = %s, closed_at = %s, why = %s, request_id = coalesce(%s, request_id)
           WHERE connection = %s AND id = %s""",
        (state, now, why, request_id, connection, number),
    )


def list_merges(tx: Tx, connection: str, limit: int = 200) -> list[QueuedMerge]:
    """The queue: what waits first, then what was closed last."""
    return tx.fetch_as(
        QueuedMerge,
        f"""SELECT {_COLUMNS} FROM merge WHERE connection = %s
            ORDER BY closed_at IS NOT NULL, closed_at DESC, due_at, id LIMIT %s""",  # noqa: S608
        (connection, limit),
    )


def get_merge(tx: Tx, connection: str, number: int) -> QueuedMerge | None:
    found = tx.fetch_as(
        QueuedMerge,
        f"SELECT {_COLUMNS} FROM merge WHERE connection = %s AND id = %s",  # noqa: S608 - names of columns
        (connection, number),
    )
    return found[0] if found else None


def append_log(tx: Tx, connection: str, entries: Sequence[MergeLogEntry], now: datetime) -> None:
    """Write into the book; nothing in it is ever changed."""
    tx.execute_many(
        """INSERT INTO merge_said (connection, survivor, loser, merge, at, what, by, detail)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [(connection, one.survivor, one.loser, one.merge, now, one.what, one.by, one.detail) for one in entries],
    )


FOLLOWED = "followed"
"""One entry for each account that is its survivor's over there."""


def profile_survivors(tx: Tx, connection: str, contacts: Sequence[str]) -> set[str]:
    """Those of these contacts that Ometria has in one profile with somebody who is still there."""
    if not contacts:
        return set()
    rows = tx.fetch_all(
        """SELECT DISTINCT c.contact FROM unnest(%(contacts)s::text[]) AS c (contact)
           JOIN merge_said m ON m.connection = %(connection)s AND m.what = %(what)s
                            AND c.contact IN (m.survivor, m.loser)
           JOIN link l ON l.connection = %(connection)s AND l.gone_at IS NULL AND l.contact <> c.contact
                      AND l.contact IN (m.survivor, m.loser)""",
        {"connection": connection, "contacts": list(contacts), "what": FOLLOWED},
    )
    return {row["contact"] for row in rows}


class LoggedMerge(Struct, frozen=True):
    """An entry as it stands in the book."""

    at: datetime
    survivor: str
    loser: str
    merge: int | None
    what: str
    by: str
    detail: str


def read_log(tx: Tx, connection: str, limit: int = 200) -> list[LoggedMerge]:
    """What was last written, newest first."""
    return tx.fetch_as(
        LoggedMerge,
        """SELECT at, survivor, loser, merge, what, by, detail FROM merge_said WHERE connection = %s
           ORDER BY id DESC LIMIT %s""",
        (connection, limit),
    )
