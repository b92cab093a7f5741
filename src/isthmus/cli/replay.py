"""isthmus replay: put work back into the pipeline, or rehearse that."""

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.app.context import App
    from isthmus.flows.replay import Selection
    from isthmus.flows.replay_dry_run import Planned, ReplayPlan


def register(app: typer.Typer) -> None:
    app.command("replay", help=HELP)(replay)


HELP = """Reprocess events or records. Use --dry-run first: it shows what would be sent and which triggers would fire.

Events are parsed again, named records are mapped again by today's rules (or read again with --refetch), dead letters of
named records are sent again, and so is what Ometria lacks or holds differently by the last comparison. A replay brings
no record back to an older state, and fires no custom event unless asked to.

\b
isthmus replay acme --order 5001234567890 --dry-run
isthmus replay acme --customer 6001234567890 --refetch
isthmus replay acme --since 2h --state failed,quarantined
isthmus replay acme --event 17003 --with-events --dry-run
"""


def replay(
    name: Name,
    event: Annotated[list[int] | None, typer.Option("--event", metavar="ID", help="An event; may be repeated.")] = None,
    order: Annotated[
        list[str] | None, typer.Option("--order", metavar="ID", help="An order, or its name: #1009; may be repeated.")
    ] = None,
    customer: Annotated[
        list[str] | None, typer.Option("--customer", metavar="ID", help="A customer; may be repeated.")
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option("--product", metavar="ID", help="A product; may be repeated.")
    ] = None,
    store: Annotated[str | None, typer.Option("--store", metavar="NAME", help="Only in this store.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only events received since: 2h, 2026-11-23.")
    ] = None,
    state: Annotated[
        str,
        typer.Option(
            "--state", help="Only events that ended so, by comma: failed, quarantined, skipped, stale, processed."
        ),
    ] = "failed,quarantined",
    read: Annotated[bool, typer.Option("--refetch", help="Read the named records from the store again.")] = False,
    with_moments: Annotated[
        bool, typer.Option("--with-events", help="Let custom events fire, as if they had just happened.")
    ] = False,
    plan: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would come of it.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.flows import replay as flow
    from isthmus.flows.replay_dry_run import dry_run_replay
    from isthmus.kit.config_errors import ConfigError

    if not (event or order or customer or product or since):
        raise ConfigError("say what to replay: --event, --order, --customer, --product or --since")
    with open_app(config) as app:
        require_connection(app, name)
        chosen = _selection(
            app,
            name,
            event,
            {"order": order, "customer": customer, "product": product},
            store,
            since,
            state,
            is_read=read,
            with_moments=with_moments,
        )
        if plan:
            rehearsed = dry_run_replay(app.db, app.context(name), chosen)
        else:
            back = flow.replay_selection(app.db, app.context(name), chosen)
    if plan:
        if json:
            show.print_json(rehearsed)
        else:
            _print_plan(rehearsed)
        return
    if json:
        show.print_json(back)
        return
    if back.is_nothing:
        show.make_lines("Nothing to put back.")
    else:
        show.make_lines(
            f"{show.format_count(back.n_events, 'event')}, {show.format_count(back.n_records, 'record')} and"
            f" {show.format_count(back.n_writes, 'dead letter')} are back into the pipeline."
        )
    if back.n_again:
        show.make_lines(
            f"{show.format_count(back.n_again, 'record')} sent again: Ometria lacks it or holds it differently."
        )
    if back.n_withheld:
        show.make_lines(
            f"{show.format_count(back.n_withheld, 'contact')} not sent again: "
            f"Ometria does not hold the person as opted in,"
            " and sending it would opt them in."
        )
    if back.n_lost:
        show.make_lines(
            f"{show.format_count(back.n_lost, 'event')} cannot go again: the body is gone, and no record is named."
        )


def _selection(
    app: "App",
    name: str,
    events: list[int] | None,
    records: dict[str, list[str] | None],
    store: str | None,
    since: str | None,
    states: str,
    *,
    is_read: bool,
    with_moments: bool,
) -> "Selection":
    from isthmus.cli.options import parse_since as parsed
    from isthmus.flows.replay import Selection
    from isthmus.kit.config_errors import ConfigError
    from isthmus.model.event import EventState
    from isthmus.ops import order_names
    from isthmus.ops.status import PUBLIC

    wanted = [text.strip() for text in states.split(",") if text.strip()]
    ends = {PUBLIC.get(one, one.value): one for one in EventState if one is not EventState.WAITING}
    for text in wanted:
        if text not in ends:
            raise ConfigError(f"--state: {text!r} is none of {', '.join(ends)}")
    stores = [one.name for one in app.connected(name).config.stores]
    if store is not None and store not in stores:
        raise ConfigError(f"--store: there is no store {store!r}; there are: {', '.join(stores)}")
    if events:
        unknown = order_names.unknown_event_ids(app.db, name, events)
        if unknown:
            raise ConfigError(f"--event: event {unknown[0]} of {name} is not known; `isthmus trace` lists them")
    return Selection(
        events=tuple(events or ()),
        subjects=tuple(_subject(app, name, kind, one) for kind, given in records.items() for one in given or ()),
        store=store,
        since=None if since is None else parsed(since, app.clock.now()),
        states=tuple(ends[text] for text in wanted),
        is_read=is_read,
        with_moments=with_moments,
    )


def _subject(app: "App", name: str, kind: str, text: str) -> str:
    """A record by its number or, an order, by its name; UnknownError for one of which nothing was ever told."""
    from isthmus.cli.options import parse_number
    from isthmus.cli.options import parse_order as order_of
    from isthmus.kit.config_errors import UnknownError
    from isthmus.ops import order_names

    own = order_of(app, name, text) if kind == "order" else parse_number(text, f"--{kind}")
    if not order_names.is_number_known(app.db, name, kind, own):
        raise UnknownError(f"Nothing is known of {kind} {text}.")
    return f"{kind}:{own}"


def _differs(w: "Planned") -> str:
    if w.fields:
        return ", ".join(w.fields)
    return "nothing: sent again, since Ometria lacks it or holds it differently" if w.is_lacking else _SAME


_SAME = "nothing: the same again"


def _print_plan(plan: "ReplayPlan") -> None:
    from isthmus.cli import show

    show.make_lines(f"{show.format_count(plan.n_events, 'event')} would be heard again:")
    for end, n in sorted(plan.ends.items(), key=lambda told: -told[1]):
        show.make_lines(f"  {n:,} {end}")
    if plan.n_lost:
        show.make_lines(
            f"{show.format_count(plan.n_lost, 'event')} cannot go again: the body is gone, and no record is named."
        )
    if not plan.writes:
        show.make_lines("Nothing would be sent: the Ometria record of each would say what it says now.")
        return
    table = show.make_table("record", "now", "then", "what would differ")
    for w in plan.writes:
        then = (
            ("sent" if plan.is_live else "sent once live") if w.is_sent else f"{w.after}: {w.why}" if w.why else w.after
        )
        show.add_row(table, (f"{w.kind}:{w.id}", w.before or "new", then, _differs(w)))
    show.make_lines(table)
    if plan.triggers:
        show.make_lines("Triggers that would fire:")
        for t in plan.triggers:
            show.make_lines(f"  {t.name}  {t.kind}:{t.id}")
    else:
        show.make_lines("No trigger would fire.")
