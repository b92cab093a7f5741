"""A two-sided audit of consent as a page that stands alone and prints well, as a sheet, and as a document."""

import csv
import io
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from isthmus.model import basis as rests_on
from isthmus.model.basis import as_of_times, verdict_sentence
from isthmus.model.consent_comparison import ConsentComparisonResult, DifferenceKind

REASON_TEXTS: dict[DifferenceKind, tuple[str, str]] = {
    DifferenceKind.AGAINST: (
        "Ometria writes to them, and they said no",
        "Every campaign until this is fixed goes to people who refused. Open each case; it says what to do.",
    ),
    DifferenceKind.UNPROVEN: (
        "Ometria writes to them, and nobody can show that they wanted it",
        "From a form, an upload or the preference centre. Record the opt-in in the shop, or opt them out.",
    ),
    DifferenceKind.SILENCED: (
        "They said yes to the shop, and Ometria does not write to them",
        "An old contact keeps them out, or the opt-in was not taken. They miss what they asked for.",
    ),
    DifferenceKind.BEHIND: (
        "They said no, and the shop still has a yes",
        "Ometria writes to them no more; the shop's own mails might. It is being written back, or a case says why not.",
    ),
    DifferenceKind.LACKING: (
        "They said yes to Ometria, and the shop has no yes",
        "The shop's own mails do not reach them. It is being written to the shop, or a case says why not.",
    ),
    DifferenceKind.WAITING: ("Under way", "Something about them is being sent or settled; look again in a minute."),
}
"""What each sort of difference is called, and what it means."""

COLUMNS = (
    "sort",
    "store",
    "customer_id",
    "channel",
    "shop",
    "shop_at",
    "platform",
    "platform_seen_at",
    "stance",
    "rule",
    "source",
    "since",
    "case",
    "is_missed",
)

SHOWN = 200
"""Rows of one sort on the page; the sheet has all of them."""


def consent_report_html(done: ConsentComparisonResult) -> str:
    """HTML."""
    pages = Environment(
        loader=PackageLoader("isthmus.ops"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = [(sort, *REASON_TEXTS[sort], [one for one in done.differs if one.sort is sort]) for sort in DifferenceKind]
    return pages.get_template("accord.html").render(
        done=done,
        groups=[group for group in groups if group[3]],
        verdict=consent_verdict(done),
        as_of=consent_as_of(done),
        not_judged=done.basis.not_judged if done.basis else (),
        shown=SHOWN,
    )


def consent_verdict(done: ConsentComparisonResult) -> str:
    """The answer in a sentence."""
    if done.basis is None:
        return "This audit is from before the shops were read: it proves nothing. Make another."
    said = verdict_sentence(done.basis)
    n_left = len({(one.store, one.customer_id) for one in done.unexplained})
    if done.found and n_left:
        said += f"; {n_left:,} of those who differ {'has' if n_left == 1 else 'have'} no case"
    elif done.found:
        said += "; each difference has a case"
    if not done.is_whole:
        return f"Ometria could not be read to the end: this is no proof. {said}."
    return f"{said}."


def consent_as_of(done: ConsentComparisonResult) -> str:
    """As of when each side was read."""
    return f"Read: {as_of_times(done.basis)} (UTC)." if done.basis is not None else ""


def consent_report_csv(done: ConsentComparisonResult) -> str:
    """CSV, a row for each difference."""
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow(COLUMNS)
    for one in msgspec.to_builtins(list(done.differs)):
        written.writerow([one[name] for name in COLUMNS])
    return out.getvalue()


def consent_report_json(done: ConsentComparisonResult) -> dict[str, Any]:
    """For --json."""
    told: dict[str, Any] = msgspec.to_builtins(done)
    end = {"says": consent_verdict(done), "n_differs": len(done.differs), "n_unexplained": len(done.unexplained)}
    return {**told, **end, "basis": rests_on.basis_document(done.basis) if done.basis is not None else None}
