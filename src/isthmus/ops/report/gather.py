"""Put one reconciliation together: totals of every side by day and store, every finding, and what it means to people.

Everything is read in one snapshot, and nothing here names a person.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases.catalogue import row_of as catalogue
from isthmus.db.pool import Database, Row, Tx
from isthmus.kit import money
from isthmus.model.basis import Basis, verdict_outcome
from isthmus.ops.report import sql
from isthmus.ops.sql import begin_snapshot

SIDES = ("store", "ours", "platform")

SHOWN = 5_000
"""Findings that a page or a sheet holds at most; the counts are of all."""

CONSENT = ("marketing_optin", "channels.sms.allow_marketing", "channels")
"""Where a contact's difference means that somebody may be written to who said no, or may not who said yes."""


class Sums(Struct, frozen=True):
    """One side's orders of one day: net = gross - refunded - uncounted."""

    n: int
    gross: Decimal
    refunded: Decimal
    uncounted: Decimal
    net: Decimal


NOTHING = Sums(0, money.ZERO, money.ZERO, money.ZERO, money.ZERO)


class Day(Struct, frozen=True):
    """One day of one store in one currency, as each side tells it. Days are the shop's own where its zone is known."""

    on: date
    store: str
    currency: str
    sides: Mapping[str, Sums]

    @property
    def is_equal(self) -> bool:
        """Whether all sides say the same of what was kept, to the penny."""
        return len({(self.sides[side].n, self.sides[side].net) for side in SIDES}) == 1


class ReportedFinding(Struct, frozen=True):
    """One finding, both sides shown."""

    code: str
    title: str
    cause: str
    owner: str
    runbook: str
    kind: str
    id: str
    store: str
    subject: str
    detail: str
    n: int
    store_says: Any
    ours_say: Any
    platform_says: Any
    currency: str | None
    off: Decimal | None
    placed_at: datetime | None
    repair: str | None


class FindingCount(Struct, frozen=True):
    """Findings of one sort: how many, how many of those are on their way to be right, and by how much they are off."""

    code: str
    title: str
    cause: str
    kind: str
    n: int
    n_repaired: int
    currency: str | None
    off: Decimal | None


class MarketingImpact(Struct, frozen=True):
    """What the findings mean for marketing: people, and the orders behind them."""

    people_missing: int
    orders_missing: int
    people_overvalued: int
    orders_overvalued: int
    people_undervalued: int
    orders_undervalued: int
    contacts_consent: int


class ReconcileReport(Struct, frozen=True):
    """One reconciliation."""

    connection: str
    run: int
    asked: Any
    started_at: datetime
    ended_at: datetime | None
    is_whole: bool
    zones: Mapping[str, str]
    looked_at: Mapping[str, Mapping[str, int]]
    days: tuple[Day, ...]
    totals: tuple[Day, ...]
    counts: tuple[FindingCount, ...]
    findings: tuple[ReportedFinding, ...]
    meaning: MarketingImpact
    n_on_the_way: int
    """Orders that differ and have no finding: changed while the run looked, or not settled yet. Whole runs only."""

    basis: Basis | None = None
    """What its verdict rests on; None for a run that has not ended."""

    @property
    def n_findings(self) -> int:
        return sum(count.n for count in self.counts)

    @property
    def is_clean(self) -> bool:
        return not self.counts and self.basis is not None and verdict_outcome(self.basis).is_green


def load_report(db: Database, connection: str, run: int | None = None) -> ReconcileReport | None:
    """The report of a run, or of the newest finished one; None where there is none."""
    with db.transaction() as tx:
        begin_snapshot(tx)
        number = sql.latest_run(tx, connection) if run is None else run
        found = None if number is None else sql.load_run(tx, connection, number)
        if number is None or found is None:
            return None
        asked = found["asked"]
        is_whole = asked.get("since") is None and not asked.get("stores") and "order" in asked.get("kinds", ["order"])
        zones = sql.store_time_zones(tx, connection)
        days = _days(sql.daily_totals(tx, connection, number, zones, is_whole=is_whole))
        looked: dict[str, dict[str, int]] = {}
        for row in sql.count_observed(tx, connection, number):
            looked.setdefault(row["kind"], {})[row["side"]] = row["n"]
        people = sql.count_affected_people(tx, connection, number)
        return ReconcileReport(
            connection,
            number,
            asked,
            found["started_at"],
            found["ended_at"],
            is_whole,
            zones,
            looked,
            days,
            _totals(days),
            tuple(_count(row) for row in sql.findings_by_code(tx, connection, number)),
            tuple(_found(row) for row in sql.top_findings(tx, connection, number, SHOWN)),
            MarketingImpact(
                *people["missing"],
                *people["too_much"],
                *people["too_little"],
                sql.count_affected_contacts(tx, connection, number, CONSENT),
            ),
            _on_the_way(tx, connection, number) if is_whole else 0,
            _basis(found["result"]),
        )


def _basis(result: Any) -> Basis | None:
    kept = (result or {}).get("basis")
    return msgspec.convert(kept, Basis) if kept else None


def format_mills(mills: int, currency: str) -> Decimal:
    """Thousandths as money of a currency."""
    return money.quantize(Decimal(mills) / 1000, currency)


def _on_the_way(tx: Tx, connection: str, number: int) -> int:
    found = sql.explained_orders(tx, connection, number)
    return sum((row["store"], row["number"]) not in found for row in sql.differing_orders(tx, connection, number))


def _days(rows: Iterable[Row]) -> tuple[Day, ...]:
    grouped: dict[tuple[date, str, str], dict[str, Sums]] = {}
    for row in rows:
        currency = str(row["currency"])
        sums = Sums(
            row["n"], *(format_mills(row[name], currency) for name in ("gross", "refunded", "uncounted", "net"))
        )
        grouped.setdefault((row["day"], str(row["store"]), currency), {})[str(row["side"])] = sums
    return tuple(Day(*key, {side: sides.get(side, NOTHING) for side in SIDES}) for key, sides in grouped.items())


def _totals(days: Iterable[Day]) -> tuple[Day, ...]:
    """All days of a store together, dated by their first."""
    grouped: dict[tuple[str, str], list[Day]] = {}
    for day in days:
        grouped.setdefault((day.store, day.currency), []).append(day)
    return tuple(
        Day(min(d.on for d in some), store, currency, {side: _sum(d.sides[side] for d in some) for side in SIDES})
        for (store, currency), some in sorted(grouped.items())
    )


def _sum(sums: Iterable[Sums]) -> Sums:
    total = NOTHING
    for one in sums:
        total = Sums(
            total.n + one.n,
            total.gross + one.gross,
            total.refunded + one.refunded,
            total.uncounted + one.uncounted,
            total.net + one.net,
        )
    return total


def _count(row: Row) -> FindingCount:
    currency = row["currency"]
    off = None if row["off"] is None or currency is None else format_mills(row["off"], str(currency))
    code = str(row["code"])
    return FindingCount(
        code, catalogue(code).title, row["cause"], row["kind"], row["n"], row["n_repaired"], currency, off
    )


def _found(row: Row) -> ReportedFinding:
    code, currency = str(row["code"]), row["currency"]
    known = catalogue(code)
    off = None if row["off_mills"] is None or currency is None else format_mills(row["off_mills"], str(currency))
    return ReportedFinding(
        code,
        known.title,
        row["cause"],
        known.owner.value,
        known.runbook,
        row["kind"],
        row["id"],
        row["store"],
        row["subject"],
        row["detail"],
        row["n"],
        row["store_says"],
        row["ours_say"],
        row["platform_says"],
        currency,
        off,
        row["placed_at"],
        row["repair"],
    )
