"""Why nobody should market to a person now."""

from datetime import datetime

from msgspec import Struct


class ServiceHoldState(Struct, frozen=True, gc=False):
    """`reason` is one of mapping/service_hold.py; the hold is over at `until` at the latest (UTC, whole seconds)."""

    reason: str
    until: datetime
