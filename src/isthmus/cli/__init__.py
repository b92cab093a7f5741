"""The command line. Each group of commands is a file with `register(app)`; what they do is imported when they run."""

import functools
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

GROUPS = (
    "demo",
    "roles",
    "connect",
    "backfill",
    "takeover",
    "audit",
    "reconcile",
    "plans",
    "undo",
    "status",
    "check",
    "cases",
    "trace",
    "replay",
    "consent",
    "duplicates",
    "mapping",
    "connections",
    "setup",
)
"""The files of this folder that bring commands, in the order that --help shows them."""

ABOUT = """Joins Shopify stores to Ometria.

Exit codes: 0 done and clean; 1 done, and there is something a person must look at; 2 wrong use or wrong configuration;
3 Shopify, Ometria or the database could not be reached.
"""


def app() -> typer.Typer:
    """The whole command line."""
    whole = typer.Typer(
        name="isthmus",
        help=ABOUT,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    whole.callback()(_options)
    for group in GROUPS:
        import_module(f"isthmus.cli.{group}").register(whole)
    return whole


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"isthmus {version('isthmus')}")
        raise typer.Exit


def _options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None: ...


@functools.cache
def _command() -> Callable[[Sequence[str] | None], object]:
    """What a process that runs many commands makes once."""
    return typer.main.get_command(app())


def main(words: Sequence[str] | None = None) -> None:
    """Run one command: the process's own, or the given words. Every way to end goes through here."""
    try:
        _command()(words)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be written at exit either.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        from isthmus.app.exit_codes import exit_message

        told = exit_message(error)
        if told is None:
            raise
        print(f"isthmus: {told.line}", file=sys.stderr)
        sys.exit(told.code)
