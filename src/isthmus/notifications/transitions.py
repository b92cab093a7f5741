"""What is news: how things stand now, held against what was last told."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct


class AlertChange(StrEnum):
    """What a message says has happened."""

    OPENED = "opened"
    CLOSED = "closed"
    LATE = "late"
    RECOVERED = "recovered"
    BLOCKED = "blocked"
    PAUSED = "paused"
    RESUMED = "resumed"
    FINISHED = "finished"
    FAILED = "failed"
    DIGEST = "digest"


OVER = {
    AlertChange.OPENED: AlertChange.CLOSED,
    AlertChange.LATE: AlertChange.RECOVERED,
    AlertChange.BLOCKED: AlertChange.RESUMED,
    AlertChange.PAUSED: AlertChange.RESUMED,
}
"""What is said when a thing no longer stands as it was told. What is not here happens once and is never over."""

CALM = timedelta(minutes=5)
"""How old an alarm must be before its end is told: what comes and goes all the time is two messages in this long."""


class AlertState(Struct, frozen=True):
    """How one thing stands that somebody may want to hear of; without a state nobody can say just now.

    `key` names the thing for ever: case:platform.refused:uk, lane:realtime, run:12, digest:2026-11-23.
    """

    key: str
    state: AlertChange | None
    body: dict[str, Any] = {}


class LastNotified(Struct, frozen=True):
    """What was last told of a thing, and when."""

    key: str
    state: AlertChange
    at: datetime
    body: dict[str, Any]


def alert_changes(told: Mapping[str, LastNotified], standings: Iterable[AlertState], at: datetime) -> list[AlertState]:
    """What to tell, given everything that stands out at a time: a thing that is no longer named is over."""
    news, named = [], set()
    for one in standings:
        named.add(one.key)
        last = told.get(one.key)
        if one.state is None or (last is not None and (last.state is one.state or last.at > at)):
            continue
        if last is not None and last.state not in OVER and last.state not in OVER.values():
            continue  # happened once, and was told
        news.append(one)
    for key, last in told.items():
        if key not in named and last.state in OVER and at - last.at >= CALM:
            news.append(AlertState(key, OVER[last.state], last.body))
    return news
