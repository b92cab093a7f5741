"""Pairs of people who may be one, as the last look found them, and what people said of them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.identity.match import Account


class Candidate(Struct, frozen=True):
    """Two people, each by the oldest account; `one` is the older."""

    one: Account
    two: Account
    verdict: str
    rule: str
    score: int
    reasons: tuple[str, ...]


class StoredCandidate(Struct, frozen=True):
    """A candidate with its number; `apart_by` said that they are different people."""

    id: int
    one_store: str
    one_id: int
    two_store: str
    two_id: int
    verdict: str
    rule: str
    score: int
    reasons: list[str]
    found_at: datetime
    seen_at: datetime
    apart_by: str | None

    @property
    def one(self) -> Account:
        return self.one_store, self.one_id

    @property
    def two(self) -> Account:
        return self.two_store, self.two_id


_COLUMNS = ", ".join(StoredCandidate.__struct_fields__)


def save_candidates(tx: Tx, connection: str, found: Sequence[Candidate], now: datetime) -> None:
    """Keep what a look found, and forget what it did not find again, but for what people said."""
    tx.execute(
        """INSERT INTO duplicate AS d (connection, one_store, one_id, two_store, two_id, verdict, rule, score, reasons,
                                       found_at, seen_at)
           SELECT %(connection)s, one_store, one_id, two_store, two_id, verdict, rule, score,
                  string_to_array(reasons, '|'), %(now)s, %(now)s
           FROM unnest(%(one_store)s::text[], %(one_id)s::bigint[], %(two_store)s::text[], %(two_id)s::bigint[],
                       %(verdict)s::text[], %(rule)s::text[], %(score)s::smallint[], %(reasons)s::text[])
             AS c (one_store, one_id, two_store, two_id, verdict, rule, score, reasons)
           ON CONFLICT (connection, one_store, one_id, two_store, two_id) DO UPDATE
           SET verdict = excluded.verdict, rule = excluded.rule, score = excluded.score, reasons = excluded.reasons,
               seen_at = excluded.seen_at""",
        {
            "connection": connection,
            "now": now,
            "one_store": [c.one[0] for c in found],
            "one_id": [c.one[1] for c in found],
            "two_store": [c.two[0] for c in found],
            "two_id": [c.two[1] for c in found],
            "verdict": [c.verdict for c in found],
            "rule": [c.rule for c in found],
            "score": [c.score for c in found],
            "reasons": ["|".join(c.reasons) for c in found],
        },
    )
    tx.execute("DELETE FROM duplicate WHERE connection = %s AND seen_at < %s AND apart_by IS NULL", (connection, now))


def list_candidates(tx: Tx, connection: str, limit: int | None = None) -> list[StoredCandidate]:
    """Those of the last look, best first."""
    return tx.fetch_as(
        StoredCandidate,
        f"""SELECT {_COLUMNS} FROM duplicate WHERE connection = %s
              AND seen_at = (SELECT max(seen_at) FROM duplicate WHERE connection = %s)
            ORDER BY apart_by IS NOT NULL, score DESC, id LIMIT %s""",  # noqa: S608 - constant columns
        (connection, connection, limit),
    )


def get_candidate(tx: Tx, connection: str, number: int) -> StoredCandidate | None:
    found = tx.fetch_as(
        StoredCandidate,
        f"SELECT {_COLUMNS} FROM duplicate WHERE connection = %s AND id = %s",  # noqa: S608 - names of columns
        (connection, number),
    )
    return found[0] if found else None


def dismiss_candidate(tx: Tx, connection: str, number: int, by: str, now: datetime) -> None:
    """A person says that these two are different people: they are never merged."""
    tx.execute(
        "UPDATE duplicate SET apart_by = %s, apart_at = %s WHERE connection = %s AND id = %s",
        (by, now, connection, number),
    )


def is_dismissed(tx: Tx, connection: str, one: Account, two: Account) -> bool:
    """Whether somebody said so of these two people."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM duplicate WHERE connection = %s AND apart_by IS NOT NULL
                 AND ((one_store, one_id, two_store, two_id) = (%s, %s, %s, %s)
                   OR (one_store, one_id, two_store, two_id) = (%s, %s, %s, %s)))""",
            (connection, *one, *two, *two, *one),
        )
    )
