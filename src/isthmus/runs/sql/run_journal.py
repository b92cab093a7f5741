"""The journal of runs in the database. A run is held by a lease, so that no two processes ever do the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.db.pool import Tx
from isthmus.db.sql import OF_EVERY_KIND

LEASE = timedelta(minutes=2)
"""How long a run stays its holder's after its last sign of life; a page of anything takes seconds."""


class Run(Struct, frozen=True):
    """One run as it stands. `step` and `cursor` say where it goes on, `n` and `total` count the rows of the step."""

    id: int
    what: str
    asked: dict[str, Any]
    state: str
    step: str
    cursor: str | None
    n: int
    total: int | None
    started_at: datetime
    moved_at: datetime
    ended_at: datetime | None
    claim: UUID | None
    leased_until: datetime | None
    result: dict[str, Any] | None


def acquire_run(
    tx: Tx, connection: str, what: str, asked: Mapping[str, Any], claim: UUID, now: datetime, *, anew: bool = False
) -> Run | None:
    """The run of this sort to work on, held by `claim`: the one that stopped, else a new one; None while it is held.

    One that stopped and was asked for otherwise, or at all with `again`, is given up.
    """
    tx.execute("SELECT pg_advisory_xact_lock(hashtext('isthmus run'), hashtext(%s))", (f"{connection}:{what}",))
    open_run = _first(tx, connection, "what = %(what)s AND state = 'running'", what=what)
    if open_run is not None:
        if open_run.leased_until is not None and open_run.leased_until > now:
            return None
        if open_run.asked == asked and not anew:
            tx.execute(
                "UPDATE run SET claim = %s, leased_until = %s, moved_at = %s WHERE connection = %s AND id = %s",
                (claim, now + LEASE, now, connection, open_run.id),
            )
            return find_run(tx, connection, open_run.id)
        tx.execute(
            """UPDATE run SET state = 'failed', ended_at = %s, claim = NULL, leased_until = NULL, result = %s
               WHERE connection = %s AND id = %s""",
            (now, Jsonb({"why": "another run was asked for"}), connection, open_run.id),
        )
    made = tx.fetch_value(
        """INSERT INTO run (connection, what, asked, started_at, moved_at, claim, leased_until)
           VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        (connection, what, Jsonb(asked), now, now, claim, now + LEASE),
    )
    return find_run(tx, connection, made)


def heartbeat(
    tx: Tx,
    connection: str,
    run: int,
    claim: UUID,
    now: datetime,
    *,
    step: str,
    cursor: str | None,
    n: int,
    total: int | None = None,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """Note how far a run is and what it gathered, and hold it for another lease; False when it is no longer ours."""
    return bool(
        tx.execute(
            """UPDATE run SET step = %s, cursor = %s, n = %s, total = coalesce(%s, CASE WHEN step = %s THEN total END),
                   result = coalesce(%s, result), moved_at = %s, leased_until = %s
               WHERE connection = %s AND id = %s AND claim = %s AND state = 'running'""",
            (
                step,
                cursor,
                n,
                total,
                step,
                None if result is None else Jsonb(result),
                now,
                now + LEASE,
                connection,
                run,
                claim,
            ),
        )
    )


def finish_run(tx: Tx, connection: str, run: int, claim: UUID, now: datetime, result: Mapping[str, Any]) -> bool:
    """The run is done, with this result; False when it is no longer this holder's."""
    return bool(
        tx.execute(
            """UPDATE run SET state = 'done', ended_at = %s, moved_at = %s, claim = NULL, leased_until = NULL,
                   result = %s WHERE connection = %s AND id = %s AND claim = %s AND state = 'running'""",
            (now, now, Jsonb(result), connection, run, claim),
        )
    )


def release_run(
    tx: Tx, connection: str, run: int, claim: UUID, now: datetime, *, rest_until: datetime | None = None
) -> None:
    """Stop holding a run that is not done: whoever comes next goes on where it is, not before `rest_until`."""
    tx.execute(
        """UPDATE run SET leased_until = %s, claim = NULL, moved_at = %s
           WHERE connection = %s AND id = %s AND claim = %s""",
        (rest_until, now, connection, run, claim),
    )


def find_run(tx: Tx, connection: str, run: int) -> Run | None:
    """One run by its number."""
    return _first(tx, connection, "id = %(id)s", id=run)


def latest_run(
    tx: Tx,
    connection: str,
    what: str,
    *,
    state: str = "done",
    is_full: bool | None = None,
    is_of_every_kind: bool = False,
) -> Run | None:
    """The newest run of this sort in this state; with `is_full` only one that was asked with or without a window, with
    `is_of_every_kind` only one that looked at every kind, of every store.
    """
    return _first(
        tx,
        connection,
        f"""what = %(what)s AND state = %(state)s
           AND (%(is_full)s::boolean IS NULL OR (asked->>'since' IS NULL) = %(is_full)s)
           AND (NOT %(is_of_every_kind)s OR {OF_EVERY_KIND})""",
        what=what,
        state=state,
        is_full=is_full,
        is_of_every_kind=is_of_every_kind,
    )


def previous_run(tx: Tx, connection: str, what: str, run: int, asked: Mapping[str, Any]) -> Run | None:
    """The newest run before this one that looked at no fewer kinds and stores, with a window only if this has one."""
    return _first(
        tx,
        connection,
        """what = %(what)s AND state = 'done' AND id < %(run)s
           AND (asked->>'since' IS NULL OR %(has_window)s)
           AND asked->'kinds' @> %(kinds)s
           AND (jsonb_array_length(asked->'stores') = 0
                OR (jsonb_array_length(%(stores)s) > 0 AND asked->'stores' @> %(stores)s))""",
        what=what,
        run=run,
        has_window=asked.get("since") is not None,
        kinds=Jsonb(list(asked.get("kinds") or ())),
        stores=Jsonb(list(asked.get("stores") or ())),
    )


def _first(tx: Tx, connection: str, where: str, **values: object) -> Run | None:
    found = tx.fetch_as(
        Run,
        f"""SELECT id, what, asked, state, step, cursor, n, total, started_at, moved_at, ended_at, claim, leased_until,
                   result
            FROM run WHERE connection = %(connection)s AND {where} ORDER BY id DESC LIMIT 1""",  # noqa: S608 - constants
        {"connection": connection, **values},
    )
    return found[0] if found else None
