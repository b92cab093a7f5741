"""isthmus mapping: check a mapping file, and see beforehand what it would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.flows.preview import MappingPreview

File = Annotated[Path, typer.Argument(metavar="FILE", help="The mapping file.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        name="mapping", help="Which custom fields of the shop become which properties.", no_args_is_help=True
    )
    group.command("check", help=CHECK)(check)
    group.command("preview", help=PREVIEW)(preview)
    app.add_typer(group)


CHECK = """Look at a mapping file: everything that is wrong with it, each with line and key. Exit code 2 if anything is.

\b
isthmus mapping check acme.mapping.toml
"""


def check(file: File, json: Json = False, config: Config = None) -> None:  # noqa: ARG001 - every command takes it
    from isthmus.cli import show
    from isthmus.connections import mapping_file
    from isthmus.connections.custom import field_key

    checked = mapping_file.check_mapping_file(file)
    if json:
        show.print_json(
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
        table = show.make_table("custom field", "type", "becomes", "mode", "length")
        for entry in checked.fields:
            becomes = f"{entry.target} {entry.property}"
            show.add_row(
                table,
                (f"{entry.owner} {field_key(entry)}", entry.type, becomes, entry.mode, str(entry.max_length or "")),
            )
        show.make_lines(
            table, f"{file.name} is right: {show.format_count(len(checked.fields), 'custom field')} will be sent."
        )
    if checked.wrong:
        raise typer.Exit(2)


PREVIEW = """Map recorded customers and products by another mapping file, and show what would be sent. Changes nothing.

Custom fields that were not read yet are read from the shop. Texts are shown by their shape without --show-values.

\b
isthmus mapping preview acme acme.mapping.toml
isthmus mapping preview acme acme.mapping.toml --sample 500 --show-values
"""


def preview(
    name: Name,
    file: File,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N of each kind.")] = None,
    plain: Annotated[bool, typer.Option("--show-values", help="Show texts as they are; they may be people's.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.commands import mapping_preview
    from isthmus.connections import mapping_file

    fields = mapping_file.read_mapping_file(file)
    with open_app(config) as app:
        require_connection(app, name)

        def tell(store: str, kind: str, n: int) -> None:
            typer.echo(f"{store}: {show.format_count(n, kind)} looked at", err=True)

        seen = mapping_preview.preview_mapping(app, name, fields, sample=sample, is_plain=plain, tell=tell)
    if json:
        show.print_json(seen)
    else:
        _print(seen)


def _print(seen: "MappingPreview") -> None:
    from isthmus.cli import show

    looked = ", ".join(show.format_count(n, kind) for kind, n in seen.n_looked_at.items()) or "no record"
    show.make_lines(f"{looked} looked at.")
    if not seen.n_sent:
        show.make_lines("Nothing would be sent: everything says what it says now.")
    else:
        sent = ", ".join(show.format_count(n, kind) for kind, n in seen.n_sent.items())
        show.make_lines(f"{sent} would be sent again, of {show.format_count(seen.n_people, 'person', 'people')}.")
        table = show.make_table("record", "property", "new", "gone", "other", right=("new", "gone", "other"))
        for one in seen.changes:
            show.add_row(table, (one.kind, one.name, f"{one.n_new:,}", f"{one.n_gone:,}", f"{one.n_other:,}"))
        show.make_lines(table)
        examples = show.make_table("for instance", "property", "before", "after")
        for example in seen.examples:
            for place, name in enumerate(example.after):
                before, after = (_text(side.get(name)) for side in (example.before, example.after))
                show.add_row(examples, (f"{example.kind}:{example.id}" if not place else "", name, before, after))
        show.make_lines(examples)
    if seen.n_cut:
        show.make_lines(f"{show.format_count(seen.n_cut, 'value')} would be cut: Ometria has no room for them.")
    for wrong in seen.mistyped:
        show.make_lines(
            f"{wrong.store}: {wrong.owner} {wrong.key} is {wrong.found} in {show.format_count(wrong.n, 'record')}, not"
            f" {wrong.expected}: nothing would be sent for it."
        )


def _text(value: object) -> str:
    return "–" if value is None else str(value)
