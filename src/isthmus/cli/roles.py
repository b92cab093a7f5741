"""What runs: serve, web, work, sims."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from isthmus.cli.installation import Config, open_app

WithParent = Annotated[
    bool, typer.Option("--with-parent", help="End when standard input ends: for whoever starts this.", hidden=True)
]

Silent = Annotated[bool, typer.Option("--silent", help="Do not say where it listens.", hidden=True)]


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("web")(web)
    app.command("work")(work)
    app.command(
        "sims", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    )(sims)


def serve(config: Config = None) -> None:
    """Run every role in one process group: webhook endpoint, dashboard, workers, scheduler. Ctrl-C stops it cleanly.

    Brings the database to this version first. A role that dies is started again.
    """
    from isthmus.app import schema
    from isthmus.runtime import roles

    with _asked_to_end(), open_app(config, makes=True) as app:
        schema.migrate_database(app)
        roles.Supervisor(roles.supervised_roles(config, app.settings.workers.processes)).run()


def web(config: Config = None, with_parent: WithParent = False, silent: Silent = False) -> None:
    """Run only the webhook endpoint and dashboard."""
    from isthmus.runtime import roles

    with _asked_to_end(), open_app(config, role="web", pool_size=4) as app:
        if with_parent:  # once the database counts on us, since we may be the last to leave it
            roles.stop_with_parent(app)
        roles.run_web(app, is_silent=silent)


def work(
    lanes: Annotated[str, typer.Option(metavar="LANES", help="Only these lanes, separated by commas.")] = "",
    processes: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Worker processes; workers.processes without it.")
    ] = None,
    config: Config = None,
    with_parent: WithParent = False,
) -> None:
    """Run only workers (and the scheduler)."""
    from isthmus.kit.config_errors import ConfigError
    from isthmus.model.lane import Lane
    from isthmus.runtime import roles

    names = [lane.strip() for lane in lanes.split(",") if lane.strip()]
    unknown = [name for name in names if name not in set(Lane)]
    if unknown:
        raise ConfigError(f"--lanes: there is no lane {unknown[0]!r}; there are: {', '.join(Lane)}")
    with _asked_to_end(), open_app(config, role="worker", pool_size=None) as app:
        if with_parent:
            roles.stop_with_parent(app)
        n = app.settings.workers.processes if processes is None else processes
        if n == 1:
            roles.run_workers(app, tuple(Lane(name) for name in names) or tuple(Lane))
        else:
            roles.Supervisor(roles.supervised_roles(config, n, with_web=False)).run()


@contextlib.contextmanager
def _asked_to_end() -> Iterator[None]:
    """A role that is asked to end while it still starts has ended well, too."""
    with contextlib.suppress(KeyboardInterrupt):
        yield


def sims(context: typer.Context) -> None:
    """The two simulated APIs alone: --shopify-port, --ometria-port, --seed, --customers, --orders, --products."""
    os.execv(sys.executable, [sys.executable, "-m", "sims", *context.args])  # noqa: S606
