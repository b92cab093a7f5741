"""How commands print: one JSON document, or tables for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table


def print_json(told: Any) -> None:
    """Print one JSON document, the only thing that goes to standard output."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def make_console() -> "Console":
    """Where people read. Through a pipe the text is as wide as it needs to be and has no colours."""
    from rich.console import Console

    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=160)


def make_table(*columns: str, title: str | None = None, right: Iterable[str] = ()) -> "Table":
    """An empty table; the columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        is_number = column in right
        made.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    return made


def make_lines(*told: "RenderableType") -> None:
    out = make_console()
    for one in told:
        out.print(one)


def format_seconds(value: float) -> str:
    """A span as people say it."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.0f} h" if value < 172_800 else f"{value / 86_400:.0f} d"


def format_time(time: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def format_count(n: int, one: str, many: str | None = None) -> str:
    """`1 case`, `2 cases`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def add_row(target: "Table", values: Sequence[object], style: str | None = None) -> None:
    from rich.text import Text

    target.add_row(*(Text(str(value)) for value in values), style=style)
