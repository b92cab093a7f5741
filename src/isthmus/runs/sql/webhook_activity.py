"""The rhythm in the database: deliveries and misses by the hour, and changes whose webhook has still to come."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.db.sql import increment

MARK = "rhythm"
"""The watermark until which deliveries are counted."""


class TopicActivity(Struct, frozen=True):
    """One topic of one store: deliveries by the hour they came in (UTC), and when the last one did."""

    hours: Mapping[datetime, int]
    last_at: datetime | None


class UnnotifiedChange(Struct, frozen=True):
    """A change that we saw ourselves and that no delivery had told yet."""

    kind: str
    id: str
    version: datetime
    is_new: bool
    seen_at: datetime

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.id}"


# Deliveries ----------------------------------------------------------------------------------------------------------


def counted_until(tx: Tx, connection: str, first: datetime) -> datetime:
    """Until when deliveries are counted, `first` the first time; nobody else counts until this transaction ends."""
    tx.execute(
        """INSERT INTO watermark (connection, store, name, at) VALUES (%s, '', %s, %s) ON CONFLICT DO NOTHING""",
        (connection, MARK, first),
    )
    at: datetime = tx.fetch_value(
        "SELECT at FROM watermark WHERE connection = %s AND store = '' AND name = %s FOR UPDATE", (connection, MARK)
    )
    return at


def add_counts(
    tx: Tx, connection: str, counts: Iterable[tuple[str, str, datetime, int, datetime]], until: datetime
) -> None:
    """Count deliveries, as (store, topic, hour, n, last_at), and note until when they are counted."""
    tx.execute_many(
        """INSERT INTO rhythm AS r (connection, store, topic, hour, n, last_at) VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (connection, store, topic, hour) DO UPDATE
           SET n = r.n + excluded.n, last_at = greatest(r.last_at, excluded.last_at)""",
        [(connection, *one) for one in counts],
    )
    tx.execute(
        "UPDATE watermark SET at = %s WHERE connection = %s AND store = '' AND name = %s", (until, connection, MARK)
    )


def load_activity(tx: Tx, connection: str, store: str, since: datetime) -> dict[str, TopicActivity]:
    """Every topic of a store as counted since then; of one that fell silent before, only when."""
    rows = tx.fetch_all(
        """SELECT topic, max(last_at) AS last_at,
                  array_agg(hour) FILTER (WHERE n > 0 AND hour >= %(since)s) AS hours,
                  array_agg(n) FILTER (WHERE n > 0 AND hour >= %(since)s) AS ns
           FROM rhythm WHERE connection = %(connection)s AND store = %(store)s GROUP BY topic""",
        {"connection": connection, "store": store, "since": since},
    )
    return {
        row["topic"]: TopicActivity(dict(zip(row["hours"] or (), row["ns"] or (), strict=True)), row["last_at"])
        for row in rows
    }


def first_counted_hour(tx: Tx, connection: str, store: str) -> datetime | None:
    """The first hour in which anything of a store was counted."""
    at: datetime | None = tx.fetch_value(
        "SELECT min(hour) FROM rhythm WHERE connection = %s AND store = %s AND n > 0", (connection, store)
    )
    return at


# Changes without a delivery ------------------------------------------------------------------------------------------


def save_changes(
    tx: Tx, connection: str, store: str, kind: str, changes: Sequence[tuple[str, datetime, bool]], now: datetime
) -> None:
    """Remember changes that we saw ourselves, as (id, version, is_new): their webhooks may still be on their way."""
    tx.execute_many(
        """INSERT INTO unheard (connection, store, kind, id, version, is_new, seen_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        [(connection, store, kind, *change, now) for change in changes],
    )


def unjudged_changes(tx: Tx, connection: str, store: str, kind: str, until: datetime) -> list[UnnotifiedChange]:
    """Changes at or before `until` that nobody has judged, oldest first; nobody else judges them meanwhile."""
    return tx.fetch_as(
        UnnotifiedChange,
        """SELECT kind, id, version, is_new, seen_at FROM unheard
           WHERE connection = %s AND store = %s AND kind = %s AND missed_at IS NULL AND version <= %s
           ORDER BY version, id FOR UPDATE""",
        (connection, store, kind, until),
    )


def discard_notified(tx: Tx, connection: str, store: str, heard: Sequence[UnnotifiedChange]) -> None:
    """A delivery told of these: nothing was missed."""
    tx.execute_many(
        "DELETE FROM unheard WHERE connection = %s AND store = %s AND kind = %s AND id = %s AND version = %s",
        [(connection, store, one.kind, one.id, one.version) for one in heard],
    )


def mark_missed(
    tx: Tx, connection: str, store: str, missed: Mapping[str, Sequence[UnnotifiedChange]], now: datetime
) -> None:
    """No delivery told of these changes, by topic: they count, in the hour in which they happened."""
    rows = [(topic, one) for topic, changes in sorted(missed.items()) for one in changes]
    tx.execute_many(
        """UPDATE unheard SET missed_at = %s
           WHERE connection = %s AND store = %s AND kind = %s AND id = %s AND version = %s""",
        [(now, connection, store, one.kind, one.id, one.version) for _, one in rows],
    )
    tx.execute_many(
        """INSERT INTO rhythm AS r (connection, store, topic, hour, n_missed)
           VALUES (%s, %s, %s, date_trunc('hour', %s::timestamptz, 'UTC'), 1)
           ON CONFLICT (connection, store, topic, hour) DO UPDATE SET n_missed = r.n_missed + 1""",
        [(connection, store, topic, one.version) for topic, one in rows],
    )
    increment(tx, connection, {f"missed.{topic}": len(changes) for topic, changes in missed.items()})


def last_missed_by_kind(tx: Tx, connection: str, store: str) -> dict[tuple[str, bool], datetime]:
    """When the last missed change of each kind happened, by kind and whether the record was new."""
    rows = tx.fetch_all(
        """SELECT kind, is_new, max(version) AS version FROM unheard
           WHERE connection = %s AND store = %s AND missed_at IS NOT NULL GROUP BY kind, is_new""",
        (connection, store),
    )
    return {(row["kind"], row["is_new"]): row["version"] for row in rows}


def list_missed(tx: Tx, connection: str, store: str, since: datetime, limit: int) -> list[UnnotifiedChange]:
    """Changes judged missed since then of which no delivery was found to have come after all, the newest."""
    return tx.fetch_as(
        UnnotifiedChange,
        """SELECT kind, id, version, is_new, seen_at FROM unheard
           WHERE connection = %s AND store = %s AND missed_at >= %s AND late_at IS NULL
           ORDER BY missed_at DESC, version DESC, id LIMIT %s""",
        (connection, store, since, limit),
    )


def mark_late(tx: Tx, connection: str, store: str, late: Sequence[UnnotifiedChange], now: datetime) -> None:
    """A delivery told of these after they were counted; they stay counted, and this is noted beside it."""
    tx.execute_many(
        """UPDATE unheard SET late_at = %s
           WHERE connection = %s AND store = %s AND kind = %s AND id = %s AND version = %s""",
        [(now, connection, store, one.kind, one.id, one.version) for one in late],
    )
    increment(tx, connection, {"missed.late": len(late)})


def prune_activity(tx: Tx, connection: str, store: str, changes_before: datetime, hours_before: datetime) -> None:
    """Forget changes that were judged, or seen and never judged, before one time, and hours before another."""
    tx.execute(
        "DELETE FROM unheard WHERE connection = %s AND store = %s AND coalesce(missed_at, seen_at) < %s",
        (connection, store, changes_before),
    )
    tx.execute(
        "DELETE FROM rhythm WHERE connection = %s AND store = %s AND hour < %s", (connection, store, hours_before)
    )
