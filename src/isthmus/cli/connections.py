"""isthmus connections, pause, resume: what is connected, and the switches an operator needs at night."""

from typing import Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection
from isthmus.model.lane import Lane


def register(app: typer.Typer) -> None:
    app.command("connections")(connections)
    app.command("pause", help=PAUSE)(pause)
    app.command("resume", help=RESUME)(resume)


OneLane = Annotated[Lane | None, typer.Option("--lane", help="Only this lane.", case_sensitive=False)]


def connections(json: Json = False, config: Config = None) -> None:
    """List the connections: mode, stores, switches."""
    from isthmus.cli import show

    with open_app(config) as app:
        unusable = {name: failure.detail for name in app.names() if (failure := app.unusable(name)) is not None}
        told = [app.connected(name) for name in app.names() if name not in unusable]
    rows = [
        {
            "name": c.name,
            "mode": c.config.connection.mode,
            "stores": [{"name": s.name, "domain": s.domain, "namespace": s.namespace} for s in c.config.stores],
            "connected_at": c.connected_at,
            "live_since": c.live_since,
            "paused": c.paused_at is not None,
            "paused_lanes": sorted(c.paused_lanes, key=lambda lane: lane.rank),
            "blocked": c.blocked_code,
        }
        for c in told
    ]
    if json:
        broken = [{"name": name, "unusable": why} for name, why in unusable.items()]
        show.print_json({"connections": rows + broken})
        raise typer.Exit(1 if unusable else 0)
    if not told and not unusable:
        show.make_lines("No connection yet. `isthmus connect FILE` makes one.")
        return
    listing = show.make_table("name", "mode", "stores", "connected", "live since", "switches")
    for c in told:
        switches = ["paused"] if c.paused_at else []
        switches += [f"{lane} paused" for lane in sorted(c.paused_lanes, key=lambda lane: lane.rank)]
        switches += [f"blocked by {c.blocked_code}"] if c.blocked_code else []
        stores = ", ".join(f"{s.name} ({s.domain})" for s in c.config.stores)
        show.add_row(
            listing,
            (
                c.name,
                c.config.connection.mode,
                stores,
                show.format_time(c.connected_at),
                show.format_time(c.live_since) or "–",
                ", ".join(switches) or "–",
            ),
        )
    show.make_lines(*([listing] if told else []), *unusable.values())
    if unusable:
        raise typer.Exit(1)


PAUSE = """Stop a connection, or one lane of it. Webhooks are still taken and kept; nothing is worked on or sent.

\b
isthmus pause acme
isthmus pause acme --lane backfill
"""


def pause(name: Name, lane: OneLane = None, json: Json = False, config: Config = None) -> None:
    _switch(name, lane, is_pause=True, json=json, config=config)


RESUME = """Let a connection, or one lane of it, go on. Resuming a whole connection also lifts a block.

\b
isthmus resume acme
isthmus resume acme --lane backfill
"""


def resume(name: Name, lane: OneLane = None, json: Json = False, config: Config = None) -> None:
    _switch(name, lane, is_pause=False, json=json, config=config)


def _switch(name: str, lane: Lane | None, *, is_pause: bool, json: bool, config: Config) -> None:
    from isthmus.cli import show
    from isthmus.flows import pause as switch

    with open_app(config) as app:
        require_connection(app, name)
        if is_pause:
            switch.pause(app.db, name, lane, app.clock.now())
        else:
            switch.resume(app.db, name, lane)
    if json:
        show.print_json({"name": name, "lane": lane, "paused": is_pause})
    else:
        what = f"The {lane} lane of {name}" if lane else name
        show.make_lines(f"{what} {'is paused' if is_pause else 'goes on'}.")
