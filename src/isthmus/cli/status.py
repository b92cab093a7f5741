"""isthmus status: accounting, lag, depth, cases."""

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.ops.status import ConnectionStatus


def register(app: typer.Typer) -> None:
    app.command("status", help=HELP)(status)


HELP = """Show the status of all connections, or one.

Every known record is in exactly one class: applied (Ometria says what it should), excluded (on purpose not sent),
waiting, or case (a person must act). What may be said of how both sides agree rests on the last reconciliation: what
changed since then is not compared yet, and is counted.

Exit code 1 while a case is open, and unless everything was compared and agrees: when the last comparison found
differences, when nothing was compared yet, when a record changed since or could not be judged. Excluded records, those
before an accepted horizon, and at most 1 % in flight are printed and end with 0; with --strict they end with 1 too.

\b
isthmus status
isthmus status acme --json
"""


def status(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One connection; all without it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 unless everything was compared and agrees.")] = False,
    long: Annotated[bool, typer.Option("--verbose", help="Also why records are excluded, and the switches.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.ops import status as numbers

    with open_app(config) as app:
        if name is not None:
            require_connection(app, name)
        told = numbers.read_status(app.db, app.clock.now(), name)
    if json:
        show.print_json(numbers.status_as_json(told, is_long=long))
    elif not told.connections:
        show.make_lines("No connection yet. `isthmus connect FILE` makes one.")
    else:
        for connection in told.connections:
            _print(connection, is_long=long)
    raise typer.Exit(1 if told.n_cases or any(_needs_a_look(c, strict=strict) for c in told.connections) else 0)


def _needs_a_look(c: "ConnectionStatus", *, strict: bool) -> bool:
    """Whether anything differs or was not judged. Without `strict` what is excluded, before an accepted horizon, or in
    flight and at most 1 % is printed, and is no reason for 1.
    """
    from isthmus.model.basis import verdict_outcome

    return verdict_outcome(c.basis, strict=strict).exit_code != 0


def _print(c: "ConnectionStatus", *, is_long: bool) -> None:
    from rich.text import Text

    from isthmus.cli import show
    from isthmus.model.basis import as_of_times, verdict_sentence

    share = c.share_applied
    applied = "nothing to send yet" if share is None else f"{share:.2%} applied".replace(".00%", "%")
    switches = [c.background.mode]
    if c.paused:
        switches.append("paused")
    if c.background.blocked_code:
        switches.append(f"blocked by {c.background.blocked_code}")
    switches += [f"{lane} paused" for lane in c.paused_lanes]
    show.make_lines(Text.assemble((c.name, "bold"), f"  {', '.join(switches)}  –  {applied}"))
    show.make_lines(f"{verdict_sentence(c.basis)}.", *([f"{as_of_times(c.basis)}."] if c.basis.as_of else []), "")

    records = show.make_table("records", "known", "applied", "excluded", "waiting", "case", right=_NUMBERS)
    for kind, n in c.accounting.items():
        counts = (n.known, n.applied, n.excluded, n.waiting, n.case)
        show.add_row(records, (kind.replace("_", " "), *(f"{value:,}" for value in counts)), "red" if n.case else None)
    lanes = show.make_table("lane", "depth", "oldest", "p50", "p99", right=_NUMBERS)
    for lane, told in c.lanes.items():
        spans = (told.oldest_seconds, told.p50_seconds, told.p99_seconds)
        show.add_row(lanes, (lane, f"{told.depth:,}", *(show.format_seconds(span) if span else "–" for span in spans)))
    show.make_lines(records, lanes)

    e, p = c.events, c.pushes
    show.make_lines(
        f"events  {e.received:,} received = {e.processed:,} processed + {e.duplicate:,} duplicate + {e.stale:,} stale"
        f" + {e.skipped:,} skipped + {e.quarantined:,} quarantined + {e.failed:,} failed + {e.waiting:,} waiting",
        f"pushes  {p.requests:,} requests with {p.records:,} records: {p.accepted:,} accepted, {p.applied:,} applied,"
        f" {p.refused:,} refused",
        "",
    )
    for cut in c.background.cut:
        show.make_lines(
            f"cut  {show.format_count(cut.n_values, 'value')} of {cut.n:,} {cut.kind}: Ometria has no room for them"
        )
    if is_long and c.background.rounds:
        rounds = show.make_table(
            "round", "store", "began", "ended", "looked at", "changed", right=("looked at", "changed")
        )
        for one in c.background.rounds:
            ended = show.format_time(one.done_at) or "under way"
            show.add_row(
                rounds, (one.name, one.store, show.format_time(one.began_at), ended, f"{one.n:,}", f"{one.n_changed:,}")
            )
        show.make_lines(rounds)
    if is_long and c.background.excluded:
        reasons = show.make_table("excluded", "why", "n", right=_NUMBERS)
        for reason in c.background.excluded:
            show.add_row(reasons, (reason.kind, reason.reason, f"{reason.n:,}"))
        show.make_lines(reasons)
    _print_cases(c)


def _print_cases(c: "ConnectionStatus") -> None:
    from isthmus.cases.catalogue import row_of
    from isthmus.cli import show

    if not c.background.groups:
        show.make_lines("No open case.", "")
        return
    cases = show.make_table("cases", "code", "what", "owner", "cause", "severity", right=("cases",))
    for group in c.background.groups:
        title = row_of(group.code).title + (f" ({', '.join(group.stores)})" if group.stores else "")
        show.add_row(cases, (f"{group.cases:,}", group.code, title, group.owner, group.cause, group.severity))
    show.make_lines(cases)


_NUMBERS = ("known", "applied", "excluded", "waiting", "case", "depth", "oldest", "p50", "p99", "n")
