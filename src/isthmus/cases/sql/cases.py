"""Cases in the database: opened or counted up by failures, closed by whoever found the matter fixed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.cases.catalogue import Cause, Severity, row_of
from isthmus.db.pool import Tx

ENDED = {
    "a later merge": "a later merge of the two went through",
    "backfill": "a later load brought what was missing",
    "connect": "the connection file was stored again, and it is no longer so",
    "consent": "both sides were looked at, and they agree",
    "deliver": "a push was accepted",
    "duplicates": "the daily look for duplicates no longer finds it",
    "enrich": "a round through the custom fields no longer meets it",
    "govern": "the daily look found it as it should be",
    "identity": "the profiles were read again, and nobody else holds the identifier",
    "merge": "Ometria made the merge",
    "poll": "a listing was answered",
    "readings": "a reading was answered",
    "reconcile": "a reconciliation looked at it, and all sides agree",
    "settle": "the record was found applied at Ometria",
    "takeover": "the takeover finds nothing in its way",
    "tell": "a message was taken",
    "watch": "the look at the webhooks found it as it should be",
}
"""By which way a case ended, for each check that closes some; a check may say it more exactly."""


class Touch(Struct, frozen=True):
    """One sign of trouble. `subject` is order:123, a topic or "" for the whole connection; `detail` names no person.

    `due_on` is set where something ends by itself on a day; a law's date is the catalogue's. `difference` holds both
    values where two sides differ, fit to be shown (drift/mask.py).
    """

    code: str
    subject: str = ""
    store: str = ""
    detail: str = ""
    n: int = 1
    due_on: date | None = None
    difference: Mapping[str, Any] | None = None


class Case(Struct, frozen=True):
    """One case as it stands. `closed_by` is a person's name, or the check that found the matter over; `note` says how.
    `replayed_at` is when a person last sent again what it is about.
    """

    connection: str
    id: int
    code: str
    subject: str
    store: str
    state: str
    cause: str
    owner: str
    severity: str
    detail: str
    n: int
    first_at: datetime
    last_at: datetime
    due_on: date | None
    assigned: str | None
    closed_at: datetime | None
    closed_by: str | None
    note: str | None = None
    difference: Mapping[str, Any] | None = None
    replayed_at: datetime | None = None
    replayed_by: str | None = None


class CaseGroup(Struct, frozen=True):
    """All open cases of one code of one connection: how many, how often, and one of them as a sample (the newest)."""

    connection: str
    code: str
    cause: str
    owner: str
    severity: str
    cases: int
    times: int
    first_at: datetime
    last_at: datetime
    due_on: date | None
    sample_id: int
    sample_subject: str
    sample_detail: str
    stores: list[str]
    """The stores that they are of; empty where none is named."""


def open_or_count(tx: Tx, connection: str, touches: Iterable[Touch], now: datetime) -> list[int]:
    """Open a case for each sign of trouble, or count up the one that is open; the ids of those newly opened.

    A case that somebody chose to ignore is counted up and stays ignored.
    """
    told = _merged(touches)
    if not told:
        return []
    rows = [row_of(t.code) for t in told]
    opened = tx.fetch_all(
        _TOUCH,
        {
            "connection": connection,
            "now": now,
            "codes": [t.code for t in told],
            "subjects": [t.subject for t in told],
            "stores": [t.store for t in told],
            "details": [t.detail for t in told],
            "ns": [t.n for t in told],
            "causes": [r.cause.value for r in rows],
            "owners": [r.owner.value for r in rows],
            "severities": [r.severity.value for r in rows],
            "due_on": [
                t.due_on if r.due_days is None else (now + timedelta(days=r.due_days)).date()
                for t, r in zip(told, rows, strict=True)
            ],
            "differences": [None if t.difference is None else Jsonb(t.difference) for t in told],
        },
    )
    return [found["id"] for found in opened if found["is_new"]]


# xmax is 0 on a row version that an INSERT made, and the updating transaction's on one that ON CONFLICT updated.
_TOUCH = """
WITH told AS (
    SELECT * FROM unnest(
        %(codes)s::text[], %(subjects)s::text[], %(stores)s::text[], %(details)s::text[], %(ns)s::bigint[],
        %(causes)s::text[], %(owners)s::text[], %(severities)s::text[], %(due_on)s::date[],
        %(differences)s::jsonb[]
    ) AS t (code, subject, store, detail, n, cause, owner, severity, due_on, difference)
), hushed AS (
    UPDATE cases c SET n = c.n + t.n, last_at = greatest(c.last_at, %(now)s)
    FROM told t
    WHERE c.connection = %(connection)s AND c.state = 'ignored'
      AND c.code = t.code AND c.store = t.store AND c.subject = t.subject
    RETURNING c.code, c.store, c.subject
)
INSERT INTO cases AS c
    (connection, code, subject, store, cause, owner, severity, detail, n, first_at, last_at, due_on,
     difference)
SELECT %(connection)s, t.code, t.subject, t.store, t.cause, t.owner, t.severity, t.detail, t.n, %(now)s, %(now)s,
       t.due_on, t.difference
FROM told t
WHERE NOT EXISTS (
    SELECT FROM hushed h WHERE h.code = t.code AND h.store = t.store AND h.subject = t.subject
)
ORDER BY t.code, t.store, t.subject
ON CONFLICT (connection, code, store, subject) WHERE state = 'open' DO UPDATE SET
    n = c.n + excluded.n,
    last_at = greatest(c.last_at, excluded.last_at),
    detail = CASE WHEN excluded.detail = '' THEN c.detail ELSE excluded.detail END,
    difference = coalesce(excluded.difference, c.difference)
RETURNING c.id, c.xmax = 0 AS is_new
"""


def resolve_by_code(
    tx: Tx,
    connection: str,
    codes: str | Sequence[str],
    now: datetime,
    by: str,
    *,
    subjects: Sequence[str] | None = None,
    store: str | None = None,
    quiet_since: datetime | None = None,
    note: str | None = None,
) -> list[int]:
    """Close the open cases of a code or several, all or those of these subjects, this store or untouched since then;
    their ids.

    Only for a check that looked and found the matter over: could not look closes nothing. `note` says what it saw.
    """
    if subjects is not None and not subjects:
        return []
    rows = tx.fetch_all(
        """WITH fixed AS (
               SELECT connection, id FROM cases
               WHERE connection = %(connection)s AND state = 'open' AND code = ANY(%(codes)s)
                 AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s::text[]))
                 AND (%(store)s::text IS NULL OR store = %(store)s::text)
                 AND (%(quiet_since)s::timestamptz IS NULL OR last_at < %(quiet_since)s::timestamptz)
               ORDER BY code, store, subject FOR UPDATE)
           UPDATE cases c SET state = 'resolved', closed_at = %(now)s, closed_by = %(by)s,
               note = nullif(concat_ws('; ', 'replayed by ' || c.replayed_by, coalesce(%(note)s, c.note)), '')
           FROM fixed m WHERE c.connection = m.connection AND c.id = m.id
           RETURNING c.id""",
        {
            "connection": connection,
            "codes": [codes] if isinstance(codes, str) else list(codes),
            "subjects": None if subjects is None else list(subjects),
            "store": store,
            "quiet_since": quiet_since,
            "now": now,
            "by": by,
            "note": note or ENDED.get(by),
        },
    )
    return sorted(found["id"] for found in rows)


def resolve_subjects(
    tx: Tx, connection: str, subjects: Sequence[str], prefix: str, now: datetime, by: str, note: str | None = None
) -> int:
    """Close whatever is open about these subjects under codes that begin with `prefix`; how many that were.

    For a record that was found applied: every platform.* case about it is then over.
    """
    return tx.execute(
        """UPDATE cases SET state = 'resolved', closed_at = %(now)s, closed_by = %(by)s,
               note = nullif(concat_ws('; ', 'replayed by ' || replayed_by, coalesce(%(note)s, note)), '')
           WHERE connection = %(connection)s AND state = 'open' AND subject = ANY(%(subjects)s)
             AND subject <> '' AND starts_with(code, %(prefix)s)""",
        {
            "connection": connection,
            "subjects": list(subjects),
            "prefix": prefix,
            "now": now,
            "by": by,
            "note": note or ENDED.get(by),
        },
    )


def close_case(tx: Tx, case_id: int, now: datetime, by: str, note: str | None = None) -> bool:
    """Close one open case, by a person's word or a check's that looked at it alone; False when it is not open."""
    return bool(
        tx.execute(
            """UPDATE cases SET state = 'resolved', closed_at = %s, closed_by = %s,
                   note = nullif(concat_ws('; ', 'replayed by ' || replayed_by, coalesce(%s, note)), '')
               WHERE id = %s AND state = 'open'""",
            (now, by, note or ENDED.get(by), case_id),
        )
    )


def mark_replayed(tx: Tx, case_id: int, now: datetime, by: str) -> None:
    """A person has sent again what an open case is about; a later look tells whether that helped."""
    tx.execute(
        "UPDATE cases SET replayed_at = %s, replayed_by = %s WHERE id = %s AND state = 'open'", (now, by, case_id)
    )


def ignore_case(tx: Tx, case_id: int, now: datetime, by: str) -> bool:
    """A person chooses not to hear of one case again; False when it is not open, or too urgent for that."""
    return bool(
        tx.execute(
            """UPDATE cases SET state = 'ignored', closed_at = %s, closed_by = %s
               WHERE id = %s AND state = 'open' AND severity <> %s""",
            (now, by, case_id, Severity.URGENT.value),
        )
    )


def reopen_case(tx: Tx, case_id: int) -> bool:
    """Take back a resolve or an ignore; False when the case is open, or another of the same matter is."""
    return bool(
        tx.execute(
            """UPDATE cases c SET state = 'open', closed_at = NULL, closed_by = NULL, note = NULL
               WHERE id = %s AND state <> 'open' AND NOT EXISTS (
                   SELECT FROM cases o WHERE o.connection = c.connection AND o.code = c.code AND o.store = c.store
                      AND o.subject = c.subject AND o.state = 'open')""",
            (case_id,),
        )
    )


def assign_case(tx: Tx, case_id: int, to: str | None) -> bool:
    """Give an open case to somebody, or back to nobody; False when it is not open."""
    return bool(tx.execute("UPDATE cases SET assigned = %s WHERE id = %s AND state = 'open'", (to, case_id)))


_COLUMNS = """connection, id, code, subject, store, state, cause, owner, severity, detail, n, first_at, last_at, due_on,
              assigned, closed_at, closed_by, note, difference, replayed_at, replayed_by"""


def get_case(tx: Tx, case_id: int) -> Case | None:
    """One case by its number, which is unique over all connections."""
    found = tx.fetch_as(Case, f"SELECT {_COLUMNS} FROM cases WHERE id = %s", (case_id,))  # noqa: S608 - a constant
    return found[0] if found else None


def list_cases(
    tx: Tx,
    connection: str | None = None,
    *,
    state: str = "open",
    code: str | None = None,
    cause: str | None = None,
    subject: str | None = None,
    subjects: Sequence[str] | None = None,
    assigned: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Case]:
    """Cases that fit every filter given, the nearest legal date first, then the most severe, then the newest."""
    return tx.fetch_as(
        Case,
        f"""SELECT {_COLUMNS} FROM cases
            WHERE state = %(state)s
              AND (%(connection)s::text IS NULL OR connection = %(connection)s::text)
              AND (%(code)s::text IS NULL OR code = %(code)s::text)
              AND (%(cause)s::text IS NULL OR cause = %(cause)s::text)
              AND (%(subject)s::text IS NULL OR subject = %(subject)s::text)
              AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s::text[]))
              AND (%(assigned)s::text IS NULL OR assigned = %(assigned)s::text)
            ORDER BY due_on NULLS LAST, array_position(%(severities)s::text[], severity), last_at DESC, id DESC
            LIMIT %(limit)s OFFSET %(offset)s""",  # noqa: S608 - a constant
        {
            "state": state,
            "connection": connection,
            "code": code,
            "cause": cause,
            "subject": subject,
            "subjects": None if subjects is None else list(subjects),
            "assigned": assigned,
            "severities": [severity.value for severity in Severity],
            "limit": limit,
            "offset": offset,
        },
    )


def group_by_code(tx: Tx, connection: str | None = None) -> list[CaseGroup]:
    """Open cases by code, the most severe first: ten thousand cases of one mistake are one line."""
    return tx.fetch_as(
        CaseGroup,
        """SELECT connection, code, cause, owner, severity, count(*) AS cases, sum(n)::bigint AS times,
                  min(first_at) AS first_at, max(last_at) AS last_at, min(due_on) AS due_on,
                  (array_agg(id ORDER BY last_at DESC, id DESC))[1] AS sample_id,
                  (array_agg(subject ORDER BY last_at DESC, id DESC))[1] AS sample_subject,
                  (array_agg(detail ORDER BY last_at DESC, id DESC))[1] AS sample_detail,
                  coalesce(array_agg(DISTINCT store ORDER BY store) FILTER (WHERE store <> ''), '{}') AS stores
           FROM cases
           WHERE state = 'open' AND (%(connection)s::text IS NULL OR connection = %(connection)s::text)
           GROUP BY connection, code, cause, owner, severity
           ORDER BY array_position(%(severities)s::text[], severity), min(due_on) NULLS LAST, count(*) DESC, code""",
        {"connection": connection, "severities": [severity.value for severity in Severity]},
    )


def open_subjects(tx: Tx, connection: str, codes: Sequence[str]) -> set[tuple[str, str, str]]:
    """What the open cases of these codes are about: (code, store, subject)."""
    rows = tx.fetch_all(
        """SELECT code, store, subject FROM cases
           WHERE connection = %s AND state = 'open' AND code = ANY(%s)""",
        (connection, list(codes)),
    )
    return {(row["code"], row["store"], row["subject"]) for row in rows}


def count_by_cause(tx: Tx, connection: str) -> dict[str, int]:
    """How many cases are open, for every cause."""
    rows = tx.fetch_all(
        "SELECT cause, count(*) AS n FROM cases WHERE connection = %s AND state = 'open' GROUP BY cause", (connection,)
    )
    return {cause.value: 0 for cause in Cause} | {found["cause"]: found["n"] for found in rows}


def prune_resolved(tx: Tx, before: datetime) -> int:
    """Forget resolved cases that were closed before a time; open and ignored ones stay."""
    return tx.execute("DELETE FROM cases WHERE state = 'resolved' AND closed_at < %s", (before,))


def _merged(touches: Iterable[Touch]) -> list[Touch]:
    """One touch per case: counts add up, the last detail that says anything stays."""
    found: dict[tuple[str, str, str], Touch] = {}
    for t in touches:
        key = (t.code, t.store, t.subject)
        before = found.get(key)
        if before is not None:
            t = Touch(
                t.code,
                t.subject,
                t.store,
                t.detail or before.detail,
                before.n + t.n,
                t.due_on or before.due_on,
                t.difference or before.difference,
            )
        found[key] = t
    return list(found.values())
