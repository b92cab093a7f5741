"""The demonstration's faults in words, and the report at its end."""

from collections import Counter
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus.runtime.demo import DemoReport

FAULT_TEXTS = {
    "shopify.p_duplicate": "delivered again",
    "shopify.p_reorder": "out of order",
    "shopify.p_drop": "never delivered",
    "shopify.p_older_body": "with an older body",
    "shopify.throttle": "throttled by Shopify",
    "shopify.error": "Shopify 502",
    "shopify.p_change_of_mind": "changed their mind in the shop",
    "shopify.p_consent_reverts": "consent written and taken back",
    "ometria.p_unsubscribe": "unsubscribed in Ometria",
    "ometria.p_unlisted": "opted out on a form of Ometria's",
    "ometria.p_resubscribe": "subscribed again in Ometria",
    "ometria.p429": "Ometria 429",
    "ometria.p502": "Ometria 502",
    "ometria.p_timeout_after_accept": "accepted but not answered",
}
"""What each injected fault is, after its number."""

SHOWN = 20
"""Differences that are named one by one; --json has all."""


def describe_fault(name: str) -> str:
    """A fault in words, or by its knob's name where nobody has found any."""
    return FAULT_TEXTS.get(name, name.partition(".")[2].removeprefix("p_").replace("_", " "))


def describe_report(report: DemoReport) -> None:
    """The convergence report, for people."""
    console, found = Console(highlight=False), report.comparison
    wrong = [(describe_fault(name), n) for name, n in sorted(report.injected.items()) if n]
    if report.n_kills:
        wrong.append(("process killed with -9", report.n_kills))
    console.print(_table("What went wrong, and was survived", ("times", "what"), ((str(n), what) for what, n in wrong)))
    console.print(
        _table(
            "Both sides, record by record",
            ("equal", "different", "kind"),
            (
                (str(n), str(sum(d.kind == kind for d in found.differences)), f"{kind}s")
                for kind, n in found.n_equal.items()
            ),
        )
    )
    accord = report.accord
    people = [(str(accord.n_both), "mailable on both"), (str(accord.n_neither), "on neither")]
    people += [(str(n), f"{sort}, explained by a case") for sort, n in _explained(report).items()]
    console.print(_table("Both sides, person by person", ("people", "who may be written to"), people))
    for person in accord.unexplained[:SHOWN]:
        who = f"{person.store} customer {person.customer_id}"
        words = f"{person.shop} in the shop, {person.platform} in Ometria; the ledger says {person.stance}"
        console.print(Text(f"differs: {who} by {person.channel}: {words}, by {person.rule}", style="red"))
    groups = report.status.connections[0].background.groups
    beside = [(str(n), f"left out on purpose: {reason}") for reason, n in found.n_excluded.items()]
    beside += [(str(group.cases), f"open case {group.code}, for {group.owner}") for group in groups]
    if beside:
        console.print(_table("No differences, and why", ("records", "why"), beside))
    for difference in found.differences[:SHOWN]:
        where = f" at {difference.path}" if difference.path else ""
        console.print(Text(f"differs: {difference.kind} {difference.id}{where}: {difference.why}", style="red"))
    if len(found.differences) > SHOWN:
        console.print(f"and {len(found.differences) - SHOWN} more; --json names them all")
    if not report.is_at_rest:
        console.print(Text("The two sides did not come to rest in time.", style="red"))
    n = sum(found.n_equal.values())
    agree = f"Of {n:,} records compared, all agree."
    verdict = (agree, "bold green") if report.is_good else ("The two sides do not agree.", "bold red")
    console.print(Text.assemble(verdict, f" {report.seconds:.0f} seconds in all."))


def _explained(report: DemoReport) -> Counter[str]:
    """In what ways the sides differ about people where a case says why."""
    left = set(report.accord.unexplained)
    return Counter(one.sort.value for one in report.accord.differs if one not in left)


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    """Numbers first, what they count last."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    *numbers, last = columns
    for name in numbers:
        table.add_column(name, justify="right", min_width=9)
    table.add_column(last)
    for row in rows:
        table.add_row(*row)
    table.add_section()
    return table
