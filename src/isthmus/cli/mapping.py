"""isthmus mapping: check a mapping file, and see beforehand what it would change."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.opening import Json

File = Annotated[Path, typer.Argument(metavar="FILE", help="The mapping file.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        name="mapping", help="Which custom fields of the shop become which properties.", no_args_is_help=True
    )
    group.command("check", help=CHECK)(check)
    app.add_typer(group)


CHECK = """Look at a mapping file: everything that is wrong with it, each with line and key. Exit code 2 if anything is.

\b
isthmus mapping check acme.mapping.toml
"""


def check(file: File, json: Json = False) -> None:
    from isthmus.cli import show
    from isthmus.connections import mapping_file
    from isthmus.connections.custom import key_of

    checked = mapping_file.check(file)
    if json:
        show.document(
            {
                "file": file.name,
                "metafields": [one.model_dump(mode="json") for one in checked.fields],
                "errors": checked.wrong,
            }
        )
    elif checked.wrong:
        for one in checked.wrong:
            typer.echo(f"{file.name}:{one.line}: {one.says}", err=True)
    else:
        table = show.table("custom field", "type", "becomes", "mode", "length")
        for entry in checked.fields:
            becomes = f"{entry.target} {entry.property}"
            show.row(
                table,
                (f"{entry.owner} {key_of(entry)}", entry.type, becomes, entry.mode, str(entry.max_length or "")),
            )
        show.lines(table, f"{file.name} is right: {show.count(len(checked.fields), 'custom field')} will be sent.")
    if checked.wrong:
        raise typer.Exit(2)
