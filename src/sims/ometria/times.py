"""The ways Ometria writes a time, and the one way it reads them.

Sources: https://docs.ometria.com/docs (ISO 8601 in; `+00:00` out on profiles and lists), and
https://support.ometria.com/hc/en-gb/articles/360011622878 (`2017-05-17 22:08:07+00` on unsubscribes).
"""

from __future__ import annotations

from datetime import UTC, datetime


def read(text: str) -> datetime:
    """Return a pushed or queried time as aware UTC; without an offset it is read as UTC (ASSUMED)."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def offset_text(at: datetime) -> str:
    """Return `2015-02-01T05:44:55+00:00`; fractions of a second are kept when there are any."""
    return at.astimezone(UTC).isoformat()


def postgres_text(at: datetime) -> str:
    """Return `2017-05-17 22:08:07+00`, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00")
