"""Which stretch of time a poll asks for."""

from datetime import datetime, timedelta

from msgspec import Struct

OVERLAP = timedelta(minutes=2)
"""Search lags behind the shop by seconds (a record just created is not found yet), so each window reaches back."""


class Window(Struct, frozen=True):
    """Changed at or after `since`. `seen_until` is the watermark once the window has been read."""

    since: datetime
    seen_until: datetime


def window_after(watermark: datetime, now: datetime) -> Window:
    """The window that follows a watermark; no upper bound, since a record that changes again moves out of any."""
    return Window(watermark - OVERLAP, now)


def is_window_due(watermark: datetime | None, now: datetime, every: timedelta) -> bool:
    return watermark is None or now - watermark >= every
