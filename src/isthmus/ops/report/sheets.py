"""The report as sheets: one of days, one of findings, for whoever checks the sums in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

import msgspec

from isthmus.ops.report.gather import SIDES, ReconcileReport

_SUMS = ("n", "gross", "refunded", "uncounted", "net")


def days_csv(told: ReconcileReport) -> str:
    """One line per day, store and currency; the five sums of every side, and whether they agree."""
    head = ["day", "store", "currency", *(f"{side}_{name}" for side in SIDES for name in _SUMS), "equal"]
    return _sheet(
        head,
        (
            [d.on, d.store, d.currency, *(getattr(d.sides[side], n) for side in SIDES for n in _SUMS), d.is_equal]
            for d in told.days
        ),
    )


def findings_csv(told: ReconcileReport) -> str:
    """One line per finding, with what each side says of it."""
    head = [
        "code",
        "cause",
        "owner",
        "kind",
        "id",
        "store",
        "subject",
        "placed_at",
        "currency",
        "off",
        "n",
        "detail",
        "store_says",
        "ours_say",
        "platform_says",
        "repair",
        "runbook",
    ]
    return _sheet(
        head,
        (
            [
                f.code,
                f.cause,
                f.owner,
                f.kind,
                f.id,
                f.store,
                f.subject,
                f.placed_at,
                f.currency,
                f.off,
                f.n,
                f.detail,
                _said(f.store_says),
                _said(f.ours_say),
                _said(f.platform_says),
                f.repair,
                f.runbook,
            ]
            for f in told.findings
        ),
    )


def _said(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def _sheet(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def _safe(cell: object) -> object:
    """A text that a spreadsheet would run as a formula is put as text (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell
