"""Command lines that documents and remedies name, held against the program itself: command, options, their values."""

import functools
import re
import shlex
from typing import Any

import typer

from isthmus.cli import app

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINE = re.compile(r"(?<![\w./-])isthmus ((?:[^\n`|&;#>]|#(?=\w))+)")
SIMS = ("--shopify-port", "--ometria-port", "--seed", "--customers", "--orders", "--products")


@functools.cache
def program() -> Any:
    return typer.main.get_command(app())


def named(text: str) -> list[str]:
    """The command lines in the code spans and blocks of a text, without what a shell would do with them."""
    # PostgreSQL's own commands name a user and a database that are called isthmus.
    blocks = [re.sub(r"^create(?:user|db) .*$", "", body, flags=re.MULTILINE) for _, body in FENCE.findall(text)]
    spans = [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]
    code = [*blocks, *spans]
    return [line.strip() for body in code for line in LINE.findall(body)]


def wrong(line: str) -> str | None:
    """What the program would say against a command line; None where it takes it. Names in capitals stand for values."""
    try:
        words = shlex.split(line.replace("[", "").replace("]", ""))
    except ValueError:
        words = line.split()
    command, path = program(), "isthmus"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            is_word = re.fullmatch(r"[a-z][a-z-]*", words[0])
            return f"{path} {words[0]}: there is no such command" if is_word else None
        command, path = command.commands[words[0]], f"{path} {words.pop(0)}"
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
    values = []
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            values.append(word)
            continue
        name, has_value, _ = word.partition("=")
        if name in ("--help", "-h") or (path == "isthmus sims" and name in SIMS):
            continue
        one = options.get(name)
        if one is None or one.param_type_name != "option":
            return f"{path} {name}: there is no such option"
        if not (one.is_flag or one.count) and not has_value:
            if not words or words[0].startswith("-"):
                return f"{path} {name}: needs a value"
            words.pop(0)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    most = None if any(one.nargs < 0 for one in arguments) else sum(one.nargs for one in arguments)
    if most is not None and len(values) > most and not hasattr(command, "commands") and path != "isthmus sims":
        return f"{path}: takes {most} values, not {' '.join(values)}"
    return None


def wrongs(text: str) -> list[str]:
    return [told for line in named(text) if (told := wrong(line)) is not None]
