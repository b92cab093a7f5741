"""What every command begins with: its common options, and the application behind them."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from isthmus.app.context import App

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; isthmus.toml if it is there.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection.")]


@contextlib.contextmanager
def open_app(
    config: Path | None,
    *,
    role: str = "cli",
    pool_size: int | None = 2,
    makes: bool = False,
    is_dry_run: bool = False,
) -> Iterator["App"]:
    """The application that the settings describe; logs go to standard error.

    There must be an installation, at a schema that this program works with; only a command that `makes` one may do
    without, and brings it to this version itself. A dry run of it uses an empty one that is gone afterwards.
    """
    from isthmus.app import schema
    from isthmus.app.context import App
    from isthmus.app.settings import load_settings
    from isthmus.kit.log import configure_logging

    settings = load_settings(config)
    configure_logging(settings.log.level, settings.log.format)
    with contextlib.ExitStack() as stack:
        if not makes:
            schema.require_installation(settings)
        elif is_dry_run and not schema.is_installed(settings):
            settings = settings.model_copy(
                update={"database": stack.enter_context(schema.temporary_settings(settings.database))}
            )
        stack.enter_context(_asked_to_end())
        app = stack.enter_context(App.opened(settings, role=role, pool_size=pool_size))
        if not makes:
            schema.require_compatible_schema(app, with_engine=role != "cli")
        yield app


@contextlib.contextmanager
def _asked_to_end() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does; else the last user of an embedded database would leave it running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def require_connection(app: "App", name: str) -> str:
    """The name of a connection; ConfigError where there is none of it."""
    from isthmus.kit.config_errors import ConfigError, closest_name

    names = app.names()
    if name in names:
        return name
    near = closest_name(name, names)
    there = f"did you mean {near}?" if near else f"there are: {', '.join(names)}" if names else "there is none yet"
    raise ConfigError(f"NAME: there is no connection {name!r}; {there}")
