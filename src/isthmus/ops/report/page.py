"""The report as one page that stands alone: no script, nothing from elsewhere, made to be printed."""

from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from isthmus.model.basis import as_of_times, verdict_sentence
from isthmus.ops.report.gather import SIDES, Day, ReconcileReport

SHOWN = 200
"""Findings and days on the page; the sheets have more."""

_REPAIRS = {"read": "read again", "map": "mapped again", "send": "sent again", "settle": "looked at again"}


def report_html(told: ReconcileReport) -> str:
    """HTML."""
    pages = Environment(
        loader=PackageLoader("isthmus.ops.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["money"], pages.filters["said"], pages.filters["repaired"] = _money, describe_side, _repaired
    pages.filters["orders"] = _orders
    return pages.get_template("report.html").render(
        told=told, sides=SIDES, verdict=report_verdict(told), chart=daily_chart(told.days), shown=SHOWN
    )


def report_verdict(told: ReconcileReport) -> str:
    """One sentence for whoever has only one glance."""
    basis = f" {verdict_sentence(told.basis)}; {as_of_times(told.basis)}." if told.basis is not None else ""
    if told.is_clean:
        return f"Shopify and Ometria say the same, to the penny.{basis}"
    if not told.n_findings:
        return f"Not enough was judged to say that the sides agree.{basis}"
    repaired = sum(count.n_repaired for count in told.counts)
    left = told.n_findings - repaired
    found = "1 difference" if told.n_findings == 1 else f"{told.n_findings:,} differences"
    return f"{found}: {repaired:,} on the way to be right, {left:,} for a person to look at.{basis}"


def daily_chart(days: tuple[Day, ...]) -> list[dict[str, Any]]:
    """Per store and currency, the last 60 days as bars of the store's net, marked where Ometria's is another."""
    made = []
    for store, currency in sorted({(d.store, d.currency) for d in days}):
        mine = sorted((d for d in days if (d.store, d.currency) == (store, currency)), key=lambda d: d.on)[-60:]
        top = max((max(d.sides[s].net for s in SIDES) for d in mine), default=Decimal(0)) or Decimal(1)
        width = 1000 / max(len(mine), 1)
        made.append(
            {
                "store": store,
                "currency": currency,
                "first": mine[0].on,
                "last": mine[-1].on,
                "bars": [
                    {
                        "x": round(n * width, 2),
                        "width": round(width * 0.82, 2),
                        "height": round(float(max(d.sides["store"].net, Decimal(0)) / top) * 100, 2),
                        "there": round(float(max(d.sides["platform"].net, Decimal(0)) / top) * 100, 2),
                        "is_equal": d.is_equal,
                        "on": d.on,
                    }
                    for n, d in enumerate(mine)
                ],
            }
        )
    return made


def describe_side(value: Any) -> str:
    """One side's words on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {describe_side(part)}" for key, part in value.items()) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _money(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,}"


def _repaired(repair: str | None) -> str:
    return "needs a person" if not repair else ", ".join(_REPAIRS.get(one, one) for one in repair.split("+"))


def _orders(n: int) -> str:
    return "1 order" if n == 1 else f"{n:,} orders"
