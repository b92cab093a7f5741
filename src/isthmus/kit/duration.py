"""Durations as people write them in a settings file: 2s, 5m, 1h, 7d."""

import re
from datetime import timedelta

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SHAPE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhd])")


def parse_duration(text: str) -> timedelta:
    """The duration that `text` writes; ValueError says what a duration looks like."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise ValueError('must be a duration such as "2s", "5m", "1h" or "7d"')
    try:
        return float(found[1]) * _UNITS[found[2]]
    except OverflowError:
        raise ValueError("must be shorter: there is no such duration") from None


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse` reads as `duration`, to the millisecond."""
    for unit in ("d", "h", "m"):
        if duration and duration % _UNITS[unit] == timedelta():
            return f"{duration // _UNITS[unit]}{unit}"
    return f"{round(duration.total_seconds(), 3):.15g}s"
