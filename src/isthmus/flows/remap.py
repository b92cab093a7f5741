"""Map again what is known of a store, since the rules that map it were changed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from isthmus.db.pool import Database, Tx
from isthmus.flows import enrich
from isthmus.flows.poll import KINDS
from isthmus.flows.road import Road
from isthmus.flows.told import REMAP
from isthmus.inbox import sql as inbox
from isthmus.mapping.rules import Rules
from isthmus.model.event import Hint
from isthmus.model.lane import Lane
from isthmus.records import sql as records
from isthmus.runs import sql as runs
from isthmus.runs.rounds import sql as rounds
from isthmus.runs.sql import Mark

AT_ONCE = 1_000
"""Records of one page."""

FELT_AFTER = timedelta(seconds=10)
"""By then every process maps by the new rules, so that nothing new is mapped by the old ones behind our back."""


def differs(before: Rules, after: Rules) -> bool:
    """Whether any record would be mapped otherwise. What only moments obey changes none that happened already."""
    return [getattr(before, name) for name in _OF_RECORDS] != [getattr(after, name) for name in _OF_RECORDS]


_OF_RECORDS = [
    name
    for name in Rules.__struct_fields__
    if name
    not in (
        "event_names",
        "moment_max_age",
        "live_since",
        "tolerates",
        "hash_key",
    )
]


def ask(tx: Tx, connection: str, store: str, now: datetime) -> None:
    """Note that everything of this store must be mapped again, from the first record on."""
    names = [f"remap:{kind}" for kind in KINDS]
    runs.start_over(tx, connection, store, names)
    runs.begin(tx, connection, store, names, now)
    # A custom field that is mapped anew was never read of anybody.
    rounds.start_over(tx, connection, store, enrich.names())
    rounds.start_over(tx, connection, "", enrich.names())


def is_asked(marks: Mapping[tuple[str, str], Mark], now: datetime) -> bool:
    """Whether there is a page to do."""
    return _next(marks, now) is not None


def is_asked_of(marks: Mapping[tuple[str, str], Mark], store: str, kind: str) -> bool:
    """Whether records of this kind of a store may still be desired by the rules before."""
    mark = marks.get((store, f"remap:{kind}"))
    return mark is not None and mark.done_at is None


def remap(db: Database, road: Road) -> int:
    """Put one page on the backfill lane, where nothing is a moment or a welcome; how many pages were done.

    What a record would be sent as is compared as always: where the new rules say the same, nothing is sent.
    """
    now = road.clock.now()
    with db.transaction() as tx:
        mark = _next(runs.marks(tx, road.connection), now)
        if mark is None:
            return 0
        kind = mark.name.removeprefix("remap:")
        page = records.names(tx, road.connection, kind, mark.store, mark.cursor or "", AT_ONCE)
        hints = [Hint(REMAP, f"{kind}:{name}", Lane.BACKFILL, now) for name in page]
        inbox.tell(tx, road.connection, mark.store, hints, now)
        cursor = page[-1] if len(page) == AT_ONCE else None
        runs.turn_page(tx, road.connection, mark.store, mark.name, cursor, len(page), now)
    return 1


def _next(marks: Mapping[tuple[str, str], Mark], now: datetime) -> Mark | None:
    return next(
        (
            mark
            for _, mark in sorted(marks.items())
            if mark.name.startswith("remap:")
            and mark.done_at is None
            and mark.at is not None
            and mark.at + FELT_AFTER <= now
        ),
        None,
    )
