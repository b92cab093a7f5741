"""A request budget is one row: whoever takes a slot moves the next one on, so that nobody calls too often."""

from datetime import datetime, timedelta

from isthmus.db.pool import Row, Tx


def reserve_slot(tx: Tx, connection: str, budget: str, per_second: float, now: datetime) -> tuple[datetime, int]:
    """Take the next free request slot of a budget: when it is, and its running number."""
    row = _reserve(tx, connection, budget, per_second, now)
    return row["at"], row["n"]


def reserve_slot_and_bytes(
    tx: Tx, connection: str, budget: str, per_second: float, now: datetime
) -> tuple[datetime, int, int | None]:
    """The same, and how many bytes a request may have, where something on the way takes fewer than the server does."""
    row = _reserve(tx, connection, budget, per_second, now)
    return row["at"], row["n"], row["most_bytes"]


def limit_bytes(tx: Tx, connection: str, budget: str, most_bytes: int, until: datetime) -> None:
    """Requests of at most so many bytes until then: a larger one was refused for its size."""
    tx.execute(
        "UPDATE pace SET most_bytes = %s, most_until = %s WHERE connection = %s AND budget = %s",
        (most_bytes, until, connection, budget),
    )


def _reserve(tx: Tx, connection: str, budget: str, per_second: float, now: datetime) -> Row:
    row = tx.fetch_one(
        """INSERT INTO pace (connection, budget, next_at, n) VALUES (%(connection)s, %(budget)s, %(now)s + %(gap)s, 1)
           ON CONFLICT (connection, budget) DO UPDATE
           SET next_at = greatest(pace.next_at, %(now)s) + %(gap)s, n = pace.n + 1
           RETURNING next_at - %(gap)s AS at, n,
               CASE WHEN most_until > %(now)s THEN most_bytes END AS most_bytes""",
        {"connection": connection, "budget": budget, "now": now, "gap": timedelta(seconds=1 / per_second)},
    )
    assert row is not None  # noqa: S101 - an upsert that returns always returns
    return row


def reserve_shared_slot(
    tx: Tx, connection: str, budget: str, per_second: float, part: float, now: datetime, *, is_lending: bool
) -> datetime | None:
    """A slot of a budget for somebody who owns only `part` of it: when it is, or None when it is not their turn.

    While nobody else waits for the budget (and it `is_lending`) its idle slots are lent; else one slot comes every
    1 / (per_second x part) seconds, in the same queue as everybody's.
    """
    own = f"{budget}:shared"
    row = tx.fetch_one(
        """SELECT (SELECT next_at FROM pace WHERE connection = %(connection)s AND budget = %(budget)s) AS budget_at,
                  (SELECT next_at FROM pace WHERE connection = %(connection)s AND budget = %(own)s) AS own_at""",
        {"connection": connection, "budget": budget, "own": own},
    )
    is_idle = row is None or row["budget_at"] is None or row["budget_at"] <= now
    is_mine = row is None or row["own_at"] is None or row["own_at"] <= now
    if not is_mine and not (is_idle and is_lending):
        return None
    if is_mine:
        reserve_slot(tx, connection, own, per_second * part, now)
    at, _ = reserve_slot(tx, connection, budget, per_second, now)
    return at


def is_backing_off(tx: Tx, connection: str, budget: str, until: datetime) -> bool:
    """Whether the next free slot comes only after `until`, because the external API was found to need a rest."""
    return bool(
        tx.fetch_value(
            "SELECT next_at > %s FROM pace WHERE connection = %s AND budget = %s", (until, connection, budget)
        )
    )


def refund_slot(tx: Tx, connection: str, budget: str, per_second: float, at: datetime) -> None:
    """Return an unused slot, if nobody has taken the one after it."""
    gap = timedelta(seconds=1 / per_second)
    tx.execute(
        "UPDATE pace SET next_at = next_at - %s, n = n - 1 WHERE connection = %s AND budget = %s AND next_at = %s",
        (gap, connection, budget, at + gap),
    )


def back_off(tx: Tx, connection: str, budget: str, until: datetime) -> int:
    """No slot before `until`, since a whole request failed; how many have failed in a row."""
    row = tx.fetch_one(
        """UPDATE pace SET next_at = greatest(next_at, %s), failures = failures + 1
           WHERE connection = %s AND budget = %s RETURNING failures""",
        (until, connection, budget),
    )
    return 0 if row is None else int(row["failures"])


def count_failures(tx: Tx, connection: str, budget: str) -> int:
    value = tx.fetch_value("SELECT failures FROM pace WHERE connection = %s AND budget = %s", (connection, budget))
    return int(value or 0)


def record_success(tx: Tx, connection: str, budget: str) -> bool:
    """Note that a request went through; whether that ended a row of failures."""
    return (
        tx.execute(
            "UPDATE pace SET failures = 0 WHERE connection = %s AND budget = %s AND failures > 0", (connection, budget)
        )
        > 0
    )
