"""What processes say: lines for people on a terminal, JSON for machines, and nobody's personal data in either."""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from datetime import date, timedelta
from enum import Enum
from types import TracebackType
from typing import Any, Literal, TextIO, TypeAlias
from uuid import UUID

import structlog

Format = Literal["auto", "console", "json"]
Event = MutableMapping[str, Any]
ExcInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

PRIVATE = frozenset(
    {
        "email",
        "phone",
        "name",
        "firstname",
        "lastname",
        "identifier",
        "body",
        "payload",
        "record",
        "address",
        "billing_address",
        "shipping_address",
        "note",
        "params",
        "headers",
        "secret",
        "client_secret",
        "token",
        "access_token",
        "password",
        "api_key",
    }
)
"""Keys whose value is never written. Not even hashed: whoever has a list of addresses could look a hash up in it."""

_PLAIN = (str, int, float, bool, type(None), date, timedelta, UUID, Enum)


def configure_logging(level: str = "info", format: Format = "auto") -> None:  # noqa: A002 - the setting's name
    """Send our own lines and those of libraries to standard error, in one form."""
    is_console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_console else "iso", utc=not is_console),
        structlog.stdlib.ExtraAdder(),
        redact,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=_write_trace)
        if is_console
        else structlog.processors.JSONRenderer()
    )
    tracing: list[structlog.typing.Processor] = []
    if not is_console:
        tracing.append(structlog.processors.ExceptionRenderer(lambda info: format_traceback(info[1])))
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tracing, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(level.upper())
    for noisy in ("httpx2", "httpcore2", "uvicorn.access", "procrastinate"):  # a line per request, and per bell
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # What nobody caught ends on standard error too, which is the log of a service. Others' hooks stay.
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = lambda _, error, __: sys.stderr.write(format_traceback(error) + "\n")
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda args: sys.stderr.write(format_traceback(args.exc_value) + "\n")


def format_traceback(error: BaseException | None) -> str:
    """Where an error came up, and through what, in the form of a traceback.

    Only errors of our own say what they say. The words of any other may quote a value, which may be a person's:
    PostgreSQL's do ("invalid input syntax ..., Key (address)=(...) already exists"); of those the SQLSTATE is told.
    """
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{_named(error)}")
        is_context = error.__cause__ is None and not error.__suppress_context__
        error = error.__context__ if is_context else error.__cause__
    return "\n\nwhich came after:\n\n".join(parts)


def _named(error: BaseException) -> str:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] == "isthmus":
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    state = getattr(error, "sqlstate", None)
    return f"{name}: SQLSTATE {state}" if isinstance(state, str) else name


def _write_trace(out: TextIO, info: ExcInfo) -> None:
    out.write("\n" + format_traceback(info[1]))


def redact(_: Any, __: str, event: Event) -> Event:
    """Take out whatever tells who somebody is, and every value whose kind we do not know: it may hold anything."""
    for key, value in list(event.items()):
        if key.lower() in PRIVATE:
            event[key] = "…"
        elif key != "exc_info" and not key.startswith("_"):
            event[key] = _plain(value)
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if isinstance(value, MutableMapping):
        return redact(None, "", {str(key): one for key, one in value.items()})
    return f"<{type(value).__name__}>"
