"""isthmus mapping: check a mapping file, and see beforehand what it would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened

if TYPE_CHECKING:
    from isthmus.flows.preview import Preview

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


PREVIEW = """Map recorded customers and products by another mapping file, and show what would be sent. Changes nothing.

Custom fields that were not read yet are read from the shop. Texts are shown by their shape unless --plain is given.

\b
isthmus mapping preview acme acme.mapping.toml
isthmus mapping preview acme acme.mapping.toml --sample 500 --plain
"""


def preview(
    name: Name,
    file: File,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N of each kind.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Show texts as they are; they may be people's.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.connections import mapping_file
    from isthmus.runtime import previewing

    fields = mapping_file.read(file)
    with opened(config) as app:
        must_be_known(app, name)

        def tell(store: str, kind: str, n: int) -> None:
            typer.echo(f"{store}: {show.count(n, kind)} looked at", err=True)

        seen = previewing.preview(app, name, fields, sample=sample, is_plain=plain, tell=tell)
    if json:
        show.document(seen)
    else:
        _print(seen)


def _print(seen: "Preview") -> None:
    from isthmus.cli import show

    looked = ", ".join(show.count(n, kind) for kind, n in seen.n_looked_at.items()) or "no record"
    show.lines(f"{looked} looked at.")
    if not seen.n_sent:
        show.lines("Nothing would be sent: everything says what it says now.")
    else:
        sent = ", ".join(show.count(n, kind) for kind, n in seen.n_sent.items())
        show.lines(f"{sent} would be sent again, of {show.count(seen.n_people, 'person', 'people')}.")
        table = show.table("record", "property", "new", "gone", "other", right=("new", "gone", "other"))
        for one in seen.changes:
            show.row(table, (one.kind, one.name, f"{one.n_new:,}", f"{one.n_gone:,}", f"{one.n_other:,}"))
        show.lines(table)
        examples = show.table("for instance", "property", "before", "after")
        for example in seen.examples:
            for place, name in enumerate(example.after):
                before, after = (_text(side.get(name)) for side in (example.before, example.after))
                show.row(examples, (f"{example.kind}:{example.id}" if not place else "", name, before, after))
        show.lines(examples)
    if seen.n_cut:
        show.lines(f"{show.count(seen.n_cut, 'value')} would be cut: the platform has no room for them.")
    for wrong in seen.mistyped:
        show.lines(
            f"{wrong.store}: {wrong.owner} {wrong.key} is {wrong.found} in {show.count(wrong.n, 'record')}, not"
            f" {wrong.expected}: nothing would be sent for it."
        )


def _text(value: object) -> str:
    return "–" if value is None else str(value)
