"""The audit as one page that stands alone, prints well, and can be read by people who run campaigns.

As sheets and as a document, too.
"""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from isthmus.kit.money import quantize
from isthmus.model.audit_finding import (
    AuditFinding,
    AuditOutcome,
    AuditResult,
    Chart,
    FindingExample,
    Level,
    NotChecked,
)

_SAID = {
    AuditOutcome.READY: "Ready",
    AuditOutcome.CARE: "Ready with care",
    AuditOutcome.NOT_ENOUGH: "Not enough was looked at",
    AuditOutcome.NOT_READY: "Not ready",
}
_LEVELS = {Level.STOP: "Before launch", Level.CARE: "With care", Level.NOTE: "Good to know"}
_KINDS = {"customers": "customer", "orders": "order", "products": "product"}


def audit_report_html(audit: AuditResult) -> str:
    """HTML."""
    pages = Environment(
        loader=PackageLoader("isthmus.ops"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"money": format_money, "share": format_share, "record": _record, "bars": _bars, "count": _count}
    pages.globals["link"] = admin_link
    return pages.get_template("audit.html").render(
        audit=audit,
        unseen=audit_not_checked(audit),
        verdict=_SAID[audit.verdict],
        why=audit_reason(audit),
        levels=_LEVELS,
        rank=list(Level),
    )


def audit_reason(audit: AuditResult) -> str:
    """The verdict's reason in a sentence."""
    n = {level: sum(one.level is level for one in audit.found) for level in Level}
    parts = []
    if n[Level.STOP]:
        parts.append(f"{_count(n[Level.STOP], 'thing')} must be fixed before launch")
    if n[Level.CARE]:
        parts.append(f"{_count(n[Level.CARE], 'thing')} {'wants' if n[Level.CARE] == 1 else 'want'} care")
    if n[Level.NOTE]:
        parts.append(f"{_count(n[Level.NOTE], 'thing')} {'is' if n[Level.NOTE] == 1 else 'are'} good to know")
    said = ", ".join(parts) if parts else "nothing was found"
    unseen = f"; {_count(len(audit.unseen), 'check')} could not look" if audit.unseen else ""
    return f"{said[0].upper()}{said[1:]}{unseen}."


def audit_not_checked(audit: AuditResult) -> dict[str, list[str]]:
    """What could not be looked at, by reason."""
    by_reason: dict[str, list[str]] = {}
    for one in audit.unseen:
        by_reason.setdefault(one.reason, []).append(one.title)
    return by_reason


def audit_report_csv(audit: AuditResult) -> str:
    """CSV, one finding or unanswered check a row."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(
        ("level", "code", "title", "count", "unit", "of", "people", "money", "owner", "what", "remedy", "examples")
    )
    for one in audit.answers:
        if isinstance(one, AuditFinding):
            examples = "; ".join(f"{_record(each)} {each.says}".strip() for each in one.examples)
            rows.writerow(
                (
                    one.level.value,
                    one.code,
                    one.title,
                    one.n,
                    one.unit,
                    "" if one.of is None else one.of,
                    one.people,
                    format_money(one.money),
                    one.owner.value,
                    one.what,
                    one.remedy,
                    examples,
                )
            )
        elif isinstance(one, NotChecked):
            rows.writerow(("could not look", one.code, one.title, "", "", "", "", "", "", one.reason, "", ""))
    return out.getvalue()


def audit_report_json(audit: AuditResult) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "name": audit.name,
        "at": audit.at,
        "origin": audit.origin,
        "verdict": audit.verdict.value,
        "why": audit_reason(audit),
        "findings": [
            {
                "code": one.code,
                "level": one.level.value,
                "title": one.title,
                "what": one.what,
                "remedy": one.remedy,
                "owner": one.owner.value,
                "n": one.n,
                "of": one.of,
                "unit": one.unit,
                "people": one.people,
                "money": {currency: str(quantize(amount, currency)) for currency, amount in one.money.items()},
                "days_left": one.days_left,
                "examples": [
                    {
                        "kind": each.kind,
                        "id": each.id,
                        "store": each.store,
                        "says": each.says,
                        "url": admin_link(audit, each),
                    }
                    for each in one.examples
                ],
            }
            for one in audit.found
        ],
        "could_not_look": [{"code": one.code, "title": one.title, "reason": one.reason} for one in audit.unseen],
        "clean": [{"code": one.code, "title": one.title} for one in audit.clean],
        "facts": [{"store": one.store, "label": one.label, "says": one.says} for one in audit.facts],
        "pictures": audit.pictures,
        "read": audit.read,
        "seconds": round(audit.seconds, 1),
    }


def admin_link(audit: AuditResult, example: FindingExample) -> str | None:
    """Where the record is in the shop's admin; None where that cannot be told."""
    domain = audit.domains.get(example.store, "")
    if not domain.endswith(".myshopify.com") or not example.id.isdecimal() or example.kind not in _KINDS:
        return None
    return f"https://admin.shopify.com/store/{domain.removesuffix('.myshopify.com')}/{example.kind}/{example.id}"


def format_money(amounts: Mapping[str, Decimal]) -> str:
    """`1,204.50 GBP and 20.00 EUR`; the largest first."""
    told = [
        f"{quantize(amount, currency):,}{f' {currency}' if currency else ''}"
        for currency, amount in sorted(amounts.items(), key=lambda item: -item[1])
    ]
    return " and ".join(told)


def format_share(value: Decimal | None) -> str:
    if value is None:
        return ""
    if value >= 1:
        return "all"
    return "under 0.1 %" if 0 < value < Decimal("0.001") else f"{value * 100:.1f} %"


def _count(n: int, one: str) -> str:
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def _record(example: FindingExample) -> str:
    """How a record is called: `customer 123`, or by nothing where it has no number."""
    if not example.id:
        return f"{example.store}:" if example.store else example.kind
    return f"{_KINDS.get(example.kind, example.kind)} {example.id}"


def _bars(picture: Chart) -> list[dict[str, Any]]:
    """Bars in per cent of the longest."""
    top = max((bar.n for bar in picture.bars), default=0) or 1
    total = sum(bar.n for bar in picture.bars) or 1
    return [
        {
            "label": bar.label,
            "n": bar.n,
            "tone": bar.tone,
            "y": row * 26,
            "width": round(max(bar.n / top * 440, 1.5 if bar.n else 0), 1),
            "percent": format_share(Decimal(bar.n) / total),
        }
        for row, bar in enumerate(picture.bars)
    ]
