"""Write the reference of settings and cases, from the descriptions that stand in the code.

`python -m isthmus.runtime.reference` writes isthmus.default.toml and the pages below docs/reference.
"""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from isthmus.app.settings import Settings, variable_name
from isthmus.cases.catalogue import CATALOGUE, Cause
from isthmus.connections.config import ConnectionConfig
from isthmus.kit.duration import format_duration

_WIDTH = 116


def generated_pages() -> Mapping[str, str]:
    """Every generated page by its path below the root of the project."""
    return {
        "isthmus.default.toml": default_toml(),
        "docs/reference/settings.md": settings_page(),
        "docs/reference/connection.md": connection_page(),
        "docs/reference/cases.md": cases_page(),
    }


def default_toml() -> str:
    """A settings file with every key, its default, and what it means."""
    lines = [
        "# Every setting of isthmus with its default. Copy what you change to isthmus.toml and leave out the rest.",
        "# ISTHMUS_<SECTION>_<KEY> in the environment overrides a key: ISTHMUS_WEB_PORT=9090.",
    ]
    for name, section in _sections(Settings):
        lines += ["", f"# {_sentence(section)}", f"[{name}]"]
        for key, field in section.model_fields.items():
            lines += textwrap.wrap(_meaning(field), _WIDTH, initial_indent="# ", subsequent_indent="# ")
            value = _toml(field.get_default(call_default_factory=True))
            lines.append(f"# {key} =" if value is None else f"{key} = {value}")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The settings of a process, as a page."""
    lines = [
        "# Settings",
        "",
        "What a process reads from `isthmus.toml` (or `--config FILE`). Every key has a default, and every key can be",
        "overridden by the environment variable beside it. An unknown key is an error. A secret is written as",
        "`env:NAME` or `file:PATH`. Durations are written `2s`, `5m`, `1h`, `7d`.",
    ]
    for name, section in _sections(Settings):
        lines += ["", f"## [{name}]", "", _sentence(section), "", "| key | default | variable | meaning |"]
        lines.append("|---|---|---|---|")
        for key, field in section.model_fields.items():
            lines.append(f"| `{key}` | {_default(field)} | `{variable_name(name, key)}` | {_meaning(field)} |")
    return "\n".join(lines) + "\n"


def connection_page() -> str:
    """The file of a connection, as a page."""
    lines = [
        "# The connection file",
        "",
        "One Ometria account and the Shopify stores that feed it, for `isthmus connect FILE`. An unknown key is an",
        "error. A secret is written as `env:NAME` or `file:PATH`, never in the clear. Durations are written `2s`,",
        "`5m`, `1h`, `7d`.",
    ]
    for title, section in _tables(ConnectionConfig):
        lines += ["", f"## {title}", "", _sentence(section), "", "| key | default | meaning |", "|---|---|---|"]
        for key, field in section.model_fields.items():
            if _model(field.annotation) is None:
                lines.append(f"| `{key}` | {_default(field)} | {_meaning(field)} |")
    return "\n".join(lines) + "\n"


def cases_page() -> str:
    """Every kind of case, by the layer at fault, as a page."""
    lines = [
        "# Cases",
        "",
        "Everything that can go wrong, by the layer at fault. Each code leads to its runbook. Urgent wakes somebody,",
        "high is today's work, normal this week's, low is good to know.",
    ]
    for cause in Cause:
        lines += [
            "",
            f"## {cause.capitalize()}",
            "",
            "| code | what | owner | severity | remedy |",
            "|---|---|---|---|---|",
        ]
        for row in CATALOGUE.values():
            if row.cause is cause:
                link = f"[{row.code}](../runbooks/{row.code}.md)"
                lines.append(f"| {link} | {row.title} | {row.owner} | {row.severity} | {row.remedy} |")
    return "\n".join(lines) + "\n"


def write_pages(root: Path) -> list[Path]:
    """Write every generated page below `root`; their paths."""
    written = []
    for name, text in generated_pages().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = _model(field.annotation)
        if section is not None:
            yield name, section


def _tables(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of a file by its heading, inner ones behind the one they belong to."""
    for name, section in _sections(model):
        is_list = not isinstance(model.model_fields[name].annotation, type)
        yield f"[[{prefix}{name}]]" if is_list else f"[{prefix}{name}]", section
        yield from _tables(section, f"{prefix}{name}.")


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model(arg))), None)


def _sentence(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").strip()


def _meaning(field: FieldInfo) -> str:
    """What a key is for, with the words it may hold where they are few."""
    words = [arg for arg in get_args(field.annotation) if isinstance(arg, str)]
    choice = f" ({' or '.join(words)})" if words else ""
    return f"{field.description}{choice}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    written = _toml(value)
    return "none" if written is None or value == "" or value == {} else f"`{written}`"


def _toml(value: Any) -> str | None:
    """A value as TOML writes it, None where it has no way to say nothing."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case timedelta():
            return f'"{format_duration(value)}"'
        case time():
            return f"{value:%H:%M:%S}"
        case int() | float():
            return str(value)
        case str() | Path():
            return f'"{value}"'
        case set() | frozenset():
            return "[" + ", ".join(f'"{one}"' for one in sorted(value)) + "]"
        case dict():
            return "{}"
    raise TypeError(f"no TOML for {type(value).__name__}")


if __name__ == "__main__":
    for page in write_pages(Path.cwd()):
        print(page)
