"""Plans and their records in the database, and the records that no run may change by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.db.pool import Tx
from isthmus.safety.limits import ChangeGroup

OPEN = ("gathering", "stopped", "expired")

Record = tuple[str, str]
"""(store, subject): a record as its store names it, order:123."""


class StoppedPlan(Struct, frozen=True):
    """One plan as it stands."""

    connection: str
    id: int
    source: str
    run: int | None
    state: str
    started_at: datetime
    judged_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    counts: list[Any]

    @property
    def groups(self) -> list[ChangeGroup]:
        """What it would change, as it was counted."""
        return msgspec.convert(self.counts, list[ChangeGroup])


class PlanItem(Struct, frozen=True, kw_only=True):
    """One record of a plan; `cause` is empty for what a reading stated."""

    store: str
    subject: str
    kind: str
    repair: str
    cause: str = ""
    code: str = ""
    net_mills: int = 0
    state: str = "planned"
    address: bytes | None = None
    sms_address: bytes | None = None


class Released(Struct, frozen=True):
    """A record that may be changed: by which plan and run, why, and whether that counts."""

    plan: int
    run: int | None
    cause: str
    net_mills: int
    is_counted: bool


_COLUMNS = """connection, id, source, run, state, started_at, judged_at, expires_at, decided_at, decided_by, counts"""


# Plans ---------------------------------------------------------------------------------------------------------------


def create_plan(tx: Tx, connection: str, source: str, now: datetime, run: int | None = None) -> StoppedPlan:
    """A new plan that gathers."""
    return tx.fetch_as(
        StoppedPlan,
        f"""INSERT INTO plan (connection, source, run, state, started_at) VALUES (%s, %s, %s, 'gathering', %s)
            RETURNING {_COLUMNS}""",  # noqa: S608 - a constant
        (connection, source, run, now),
    )[0]


def find_plan(tx: Tx, number: int) -> StoppedPlan | None:
    """One plan by its number, which is unique over all connections; locked until the end of the transaction."""
    found = tx.fetch_as(StoppedPlan, f"SELECT {_COLUMNS} FROM plan WHERE id = %s FOR UPDATE", (number,))  # noqa: S608
    return found[0] if found else None


def abandon_plans(tx: Tx, connection: str, source: str, now: datetime) -> None:
    """Plans of this source that were never judged are over: whatever gathered them begins again."""
    tx.execute(
        """UPDATE plan SET state = 'superseded', decided_at = %s, decided_by = 'isthmus'
           WHERE connection = %s AND source = %s AND state = 'gathering'""",
        (now, connection, source),
    )


def forget_planned(tx: Tx, connection: str, source: str, store: str) -> None:
    """What plans that still gather have of a store is to be found again."""
    tx.execute(
        """DELETE FROM plan_item i USING plan p
           WHERE i.connection = %(connection)s AND i.store = %(store)s AND p.connection = i.connection
             AND p.id = i.plan AND p.source = %(source)s AND p.state = 'gathering'""",
        {"connection": connection, "store": store, "source": source},
    )


def plan_of_run(tx: Tx, connection: str, run: int) -> StoppedPlan | None:
    """The plan that a run made."""
    found = tx.fetch_as(
        StoppedPlan,
        f"SELECT {_COLUMNS} FROM plan WHERE connection = %s AND run = %s ORDER BY id LIMIT 1",  # noqa: S608
        (connection, run),
    )
    return found[0] if found else None


def open_plans(tx: Tx, connection: str, source: str, states: Sequence[str] = OPEN) -> list[StoppedPlan]:
    """Plans of this source in these states, the oldest first."""
    return tx.fetch_as(
        StoppedPlan,
        f"""SELECT {_COLUMNS} FROM plan WHERE connection = %s AND source = %s AND state = ANY(%s)
            ORDER BY id FOR UPDATE""",  # noqa: S608 - a constant
        (connection, source, list(states)),
    )


def list_plans(tx: Tx, connection: str | None, *, every: bool, limit: int) -> list[StoppedPlan]:
    """Plans that a person can decide or, with `every`, all, the newest first."""
    return tx.fetch_as(
        StoppedPlan,
        f"""SELECT {_COLUMNS} FROM plan
            WHERE (%(connection)s::text IS NULL OR connection = %(connection)s::text)
              AND (%(every)s OR state IN ('stopped', 'expired'))
            ORDER BY id DESC LIMIT %(limit)s""",  # noqa: S608 - a constant
        {"connection": connection, "every": every, "limit": limit},
    )


def save_judgement(
    tx: Tx,
    connection: str,
    plan: int,
    state: str,
    groups: Sequence[ChangeGroup],
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Write down what a plan was found to be."""
    tx.execute(
        """UPDATE plan SET state = %s, judged_at = %s, expires_at = coalesce(%s, expires_at), counts = %s
           WHERE connection = %s AND id = %s""",
        (state, now, expires_at, Jsonb(msgspec.to_builtins(groups)), connection, plan),
    )


def save_decision(tx: Tx, connection: str, plan: int, state: str, now: datetime, by: str) -> None:
    """A plan is over, or was let go."""
    tx.execute(
        "UPDATE plan SET state = %s, decided_at = %s, decided_by = %s WHERE connection = %s AND id = %s",
        (state, now, by, connection, plan),
    )


def set_run(tx: Tx, connection: str, plan: int, run: int) -> None:
    """The run by which a plan is undone."""
    tx.execute("UPDATE plan SET run = %s WHERE connection = %s AND id = %s", (run, connection, plan))


def is_plan_due(tx: Tx, connection: str, gathered: datetime, now: datetime) -> bool:
    """Whether a plan is to be judged (it has gathered since then) or has expired."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM plan WHERE connection = %s
                              AND ((state = 'gathering' AND source = 'events' AND started_at <= %s)
                                   OR (state = 'stopped' AND expires_at <= %s)))""",
            (connection, gathered, now),
        )
    )


# Records of plans ----------------------------------------------------------------------------------------------------


def add_items(tx: Tx, connection: str, plan: int, items: Sequence[PlanItem]) -> None:
    """Put records into a plan; of one that is there already the repairs are joined."""
    if not items:
        return
    merged: dict[Record, PlanItem] = {}
    for item in items:
        before = merged.get((item.store, item.subject))
        merged[item.store, item.subject] = item if before is None else _joined(before, item)
    rows = [merged[key] for key in sorted(merged)]
    tx.execute(
        """INSERT INTO plan_item AS i (connection, plan, store, subject, kind, cause, code, repair, net_mills, state,
                                       address, sms_address)
           SELECT %(connection)s, %(plan)s, x.store, x.subject, x.kind, x.cause, x.code, x.repair, x.net_mills,
                  x.state, o.address, o.sms_address
           FROM unnest(%(stores)s::text[], %(subjects)s::text[], %(kinds)s::text[], %(causes)s::text[],
                       %(codes)s::text[], %(repairs)s::text[], %(nets)s::bigint[], %(states)s::text[])
             AS x (store, subject, kind, cause, code, repair, net_mills, state)
           LEFT JOIN LATERAL (SELECT w.address, w.sms_address FROM outbox w
                              WHERE w.connection = %(connection)s AND w.store = x.store AND w.subject = x.subject
                                AND w.kind = 'contact' LIMIT 1) AS o ON x.kind = 'customer'
           ON CONFLICT (connection, plan, store, subject) DO UPDATE SET
               repair = CASE WHEN i.repair = excluded.repair THEN i.repair ELSE 'read+map' END,
               cause = CASE WHEN i.cause = '' THEN excluded.cause ELSE i.cause END,
               code = CASE WHEN i.cause = '' THEN excluded.code ELSE i.code END""",
        {
            "connection": connection,
            "plan": plan,
            "stores": [one.store for one in rows],
            "subjects": [one.subject for one in rows],
            "kinds": [one.kind for one in rows],
            "causes": [one.cause for one in rows],
            "codes": [one.code for one in rows],
            "repairs": [one.repair for one in rows],
            "nets": [one.net_mills for one in rows],
            "states": [one.state for one in rows],
        },
    )


def _joined(one: PlanItem, other: PlanItem) -> PlanItem:
    repairs = sorted({*one.repair.split("+"), *other.repair.split("+")}, reverse=True)
    first = one if one.cause else other
    return msgspec.structs.replace(first, repair="+".join(repairs))


def list_items(
    tx: Tx, connection: str, plan: int, states: Sequence[str], after: Record = ("", ""), limit: int = 1_000
) -> list[PlanItem]:
    """Records of a plan in these states, in the order of store and subject."""
    return tx.fetch_as(
        PlanItem,
        """SELECT store, subject, kind, cause, code, repair, net_mills, state, address, sms_address FROM plan_item
           WHERE connection = %s AND plan = %s AND state = ANY(%s) AND (store, subject) > (%s, %s)
           ORDER BY store, subject LIMIT %s""",
        (connection, plan, list(states), *after, limit),
    )


def move_items(
    tx: Tx,
    connection: str,
    plan: int,
    before: Sequence[str],
    after: str,
    records: Sequence[Record] | None = None,
    *,
    guarded_only: bool = False,
) -> int:
    """Move records of a plan (all, or these) from one of some states to another; how many."""
    return tx.execute(
        """UPDATE plan_item SET state = %(after)s WHERE connection = %(connection)s AND plan = %(plan)s
             AND state = ANY(%(before)s) AND (cause <> '' OR NOT %(guarded)s)
             AND (%(stores)s::text[] IS NULL OR (store, subject) IN (
                  SELECT * FROM unnest(%(stores)s::text[], %(subjects)s::text[])))""",
        {
            "connection": connection,
            "plan": plan,
            "before": list(before),
            "after": after,
            "guarded": guarded_only,
            "stores": None if records is None else [store for store, _ in records],
            "subjects": None if records is None else [subject for _, subject in records],
        },
    )


class PlannedRecordStatus(Struct, frozen=True):
    """What plans say of a record: whether it may be changed, and whether it stays as it is."""

    released: Released | None
    is_pinned: bool


def lookup_records(
    tx: Tx, connection: str, records: Sequence[Record], since: datetime
) -> dict[Record, PlannedRecordStatus]:
    """Of these records those that a plan let go since then, and those that stay as they are; in one round trip."""
    rows = tx.fetch_all(
        """SELECT x.store, x.subject, i.plan, i.run, i.cause, i.net_mills, i.is_counted, k.is_pinned
           FROM unnest(%(stores)s::text[], %(subjects)s::text[]) AS x (store, subject)
           LEFT JOIN LATERAL (
               SELECT i.plan, p.run, i.cause, i.net_mills,
                      p.state = 'carried_out' AND i.cause <> '' AS is_counted
               FROM plan_item i JOIN plan p ON p.connection = i.connection AND p.id = i.plan
               WHERE i.connection = %(connection)s AND i.store = x.store AND i.subject = x.subject
                 AND i.state = 'released' AND i.cause <> 'merge'
                 AND coalesce(p.decided_at, p.judged_at) > %(since)s
               ORDER BY i.plan DESC LIMIT 1) AS i ON true
           LEFT JOIN LATERAL (
               SELECT true AS is_pinned FROM pinned_record p
               LEFT JOIN record r ON r.connection = p.connection AND r.store = p.store
                                 AND r.kind = split_part(p.subject, ':', 1) AND r.id = split_part(p.subject, ':', 2)
               WHERE p.connection = %(connection)s AND p.store = x.store AND p.subject = x.subject
                 AND r.hash IS NOT DISTINCT FROM p.hash LIMIT 1) AS k ON true
           WHERE i.plan IS NOT NULL OR k.is_pinned""",
        {**_records(connection, records), "since": since},
    )
    return {
        (row["store"], row["subject"]): PlannedRecordStatus(
            None
            if row["plan"] is None
            else Released(row["plan"], row["run"], row["cause"], row["net_mills"], row["is_counted"]),
            bool(row["is_pinned"]),
        )
        for row in rows
    }


def mark_done(tx: Tx, connection: str, records: Sequence[Record]) -> None:
    """These released records were worked on."""
    tx.execute(
        """UPDATE plan_item SET state = 'done' WHERE connection = %(connection)s AND state = 'released'
             AND (store, subject) IN (SELECT * FROM unnest(%(stores)s::text[], %(subjects)s::text[]))""",
        _records(connection, records),
    )


def drop_waiting(tx: Tx, connection: str, records: Sequence[Record], but: int | None = None) -> list[int]:
    """These records wait in no plan (but this one) any more; the plans they were held in, as far as nothing is left."""
    rows = tx.fetch_all(
        """WITH gone AS (
               UPDATE plan_item SET state = 'dropped' WHERE connection = %(connection)s AND state = 'held'
                 AND plan IS DISTINCT FROM %(but)s::bigint
                 AND (store, subject) IN (SELECT * FROM unnest(%(stores)s::text[], %(subjects)s::text[]))
               RETURNING plan, store, subject)
           SELECT DISTINCT g.plan FROM gone g WHERE NOT EXISTS (
               SELECT FROM plan_item i WHERE i.connection = %(connection)s AND i.plan = g.plan AND i.state = 'held'
                 AND (i.store, i.subject) NOT IN (SELECT store, subject FROM gone WHERE plan = g.plan))""",
        {**_records(connection, records), "but": but},
    )
    return [row["plan"] for row in rows]


def drop_covered(tx: Tx, connection: str, plan: int, covered: Sequence[tuple[str, str]]) -> list[int]:
    """A run has looked at everything of these (store, kind): what plans but its own hold of it waits no more.

    Returns the plans of which nothing is left.
    """
    rows = tx.fetch_all(
        """WITH gone AS (
               UPDATE plan_item SET state = 'dropped' WHERE connection = %(connection)s AND state = 'held'
                 AND plan <> %(plan)s AND cause IN ('absence', 'rules')
                 AND (store, kind) IN (SELECT * FROM unnest(%(stores)s::text[], %(kinds)s::text[]))
               RETURNING plan, store, subject)
           SELECT DISTINCT g.plan FROM gone g WHERE NOT EXISTS (
               SELECT FROM plan_item i WHERE i.connection = %(connection)s AND i.plan = g.plan AND i.state = 'held'
                 AND (i.store, i.subject) NOT IN (SELECT store, subject FROM gone WHERE plan = g.plan))""",
        {
            "connection": connection,
            "plan": plan,
            "stores": [store for store, _ in covered],
            "kinds": [kind for _, kind in covered],
        },
    )
    return [row["plan"] for row in rows]


def refused_repairs(tx: Tx, connection: str, source: str) -> set[str]:
    """What a person has refused in plans of this source."""
    rows = tx.fetch_all(
        """SELECT DISTINCT i.repair FROM plan p JOIN plan_item i ON i.connection = p.connection AND i.plan = p.id
           WHERE p.connection = %s AND p.source = %s AND p.state = 'refused'""",
        (connection, source),
    )
    return {row["repair"] for row in rows}


def count_items(tx: Tx, connection: str, plan: int) -> list[tuple[str, str, str, int, int, list[str]]]:
    """What a plan would change by inference or rule: (store, kind, cause, records, net, examples)."""
    rows = tx.fetch_all(
        """SELECT store, kind, cause, count(*) AS n, sum(net_mills)::bigint AS net,
                  (array_agg(subject ORDER BY net_mills DESC, subject))[1:3] AS examples
           FROM plan_item WHERE connection = %s AND plan = %s AND cause <> '' AND state IN ('planned', 'held')
           GROUP BY store, kind, cause ORDER BY store, kind, cause""",
        (connection, plan),
    )
    return [(r["store"], r["kind"], r["cause"], r["n"], r["net"], r["examples"]) for r in rows]


# Records that stay as they are ---------------------------------------------------------------------------------------


def pin_records(tx: Tx, connection: str, records: Sequence[Record], reason: str, by: str, now: datetime) -> None:
    """Keep these records as they are now, until their shop states something new of them."""
    tx.execute(
        """INSERT INTO pinned_record (connection, store, subject, hash, reason, pinned_by, pinned_at)
           SELECT %(connection)s, x.store, x.subject, r.hash, %(reason)s, %(by)s, %(now)s
           FROM unnest(%(stores)s::text[], %(subjects)s::text[]) AS x (store, subject)
           LEFT JOIN record r ON r.connection = %(connection)s AND r.store = x.store
                             AND r.kind = split_part(x.subject, ':', 1) AND r.id = split_part(x.subject, ':', 2)
           ON CONFLICT (connection, store, subject) DO UPDATE SET hash = excluded.hash, reason = excluded.reason,
               pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at""",
        {**_records(connection, records), "reason": reason, "by": by, "now": now},
    )


def filter_pinned(tx: Tx, connection: str, records: Sequence[Record]) -> set[Record]:
    """Which of these records stay as they are: pinned, and not changed by their shop since."""
    rows = tx.fetch_all(
        """SELECT p.store, p.subject FROM unnest(%(stores)s::text[], %(subjects)s::text[]) AS x (store, subject)
           JOIN pinned_record p ON p.connection = %(connection)s AND p.store = x.store AND p.subject = x.subject
           LEFT JOIN record r ON r.connection = p.connection AND r.store = p.store
                             AND r.kind = split_part(p.subject, ':', 1) AND r.id = split_part(p.subject, ':', 2)
           WHERE r.hash IS NOT DISTINCT FROM p.hash""",
        _records(connection, records),
    )
    return {(row["store"], row["subject"]) for row in rows}


def unpin_records(tx: Tx, connection: str, records: Sequence[Record]) -> int:
    """A person asks for these records: nothing keeps them as they are any more."""
    return tx.execute(
        """DELETE FROM pinned_record WHERE connection = %(connection)s
             AND (store, subject) IN (SELECT * FROM unnest(%(stores)s::text[], %(subjects)s::text[]))""",
        _records(connection, records),
    )


def _records(connection: str, records: Iterable[Record]) -> dict[str, Any]:
    rows = list(records)
    return {
        "connection": connection,
        "stores": [store for store, _ in rows],
        "subjects": [subject for _, subject in rows],
    }
