"""Which records go in the next push, and what Ometria's error feed lets us conclude.

Pure decisions; the flows deliver and settle carry them out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind

BATCH = 100
"""Records of one push at most (docs.ometria.com/docs/ometria-data-api-introduction)."""

REALTIME_QUOTA = 50
"""Realtime records that may ride in front in a push of the lanes behind it, so that what realtime's own slots left
over to others comes back to it: at 70 % of an account's records it could afford no push that is not full of them."""

MAX_WAIT_FOR_FULL_BATCH = timedelta(seconds=2)
"""How long a kind that cannot fill a push may be passed over by kinds that can. With the realtime promise at 5 s this
leaves room for the push itself; waiting is what lets small kinds travel together instead of spending a slot each."""

FEED_SIZE = 100
"""Entries `GET /push/_errors` returns at most; a shorter answer shows everything there is (…/docs/list-errors)."""

EPOCH = datetime.min.replace(tzinfo=UTC)

BISECT_SIZES = (25, 6, 1)
"""Batch sizes after a refused batch: the bad record of 100 stands alone after three more rounds."""


class Ready(Struct, frozen=True):
    """How much of one kind is due in one lane, counted up to a full push, and since when the longest has been."""

    kind: RecordKind
    lane: Lane
    n: int
    since: datetime


class FeedCoverage(Struct, frozen=True):
    """How well the error feed was watched: successive polls overlapped from `covered_since` until `polled_at`."""

    polled_at: datetime | None = None
    covered_since: datetime | None = None
    entries: frozenset[bytes] = frozenset()


def lane_priority_for_slot(n: int, realtime_share: float) -> tuple[Lane, ...]:
    """The lanes that the n-th slot belongs to, first first; every other lane fills what they leave free.

    Spread evenly: with a share of 0.7, seven of ten successive slots are realtime's, and the other three go round the
    lanes behind it, so that none starves. A slot whose lanes have nothing due is lent.
    """
    before, after = int(n * realtime_share), int((n + 1) * realtime_share)
    if after > before:
        return (Lane.REALTIME,)
    others = (Lane.ENRICHMENT, Lane.REPAIR, Lane.BACKFILL)
    turn = (n - before) % len(others)
    return others[turn:] + others[:turn]


def lane_order(lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """All lanes: the slot's own first, then the rest by urgency."""
    return (*lanes, *(lane for lane in Lane if lane not in lanes))


def choose_kind(ready: Sequence[Ready], own: Sequence[Lane], now: datetime) -> RecordKind | None:
    """The kind that a slot of these lanes is spent on; None when nothing is due.

    The first of them that has anything urgent decides: a kind that fills a push by itself or has waited beyond
    PATIENCE, the longest waiting first. A slot with nothing urgent is lent to a kind that fills a push from whatever
    lanes, best one of which its owner has some too. Only then goes what does not fill a push: without load nothing
    waits for company.
    """

    def waited(one: Ready) -> timedelta:
        return now - one.since

    for lane in own:
        urgent = [
            one for one in ready if one.lane is lane and (one.n >= BATCH or waited(one) >= MAX_WAIT_FOR_FULL_BATCH)
        ]
        if urgent:
            return max(urgent, key=waited).kind
    of_kind: dict[RecordKind, list[Ready]] = {}
    for one in ready:
        of_kind.setdefault(one.kind, []).append(one)
    full = {kind for kind, some in of_kind.items() if sum(one.n for one in some) >= BATCH}
    rank = {lane: place for place, lane in enumerate(lane_order(own))}
    lent = [one for one in ready if one.kind in full] or ready
    return min(lent, key=lambda one: (rank[one.lane], one.since)).kind if lent else None


def next_bisect_size(batch: int) -> int:
    """How many records the next push may hold after one of `batch` records was refused."""
    return next((size for size in BISECT_SIZES if size < batch), 1)


class SizedItem(Protocol):
    """Something with a body."""

    @property
    def body(self) -> bytes: ...


Row = TypeVar("Row", bound=SizedItem)


def fit_into_bytes(batch: Sequence[Row], most_bytes: int) -> tuple[list[Row], list[Row]]:
    """As many records from the front as fit into so many bytes, one at the least, and the rest."""
    size, n = 0, 0
    for row in batch:
        size += len(row.body) + 1
        if n and size > most_bytes:
            break
        n += 1
    return list(batch[:n]), list(batch[n:])


def update_feed_coverage(before: FeedCoverage, entries: Sequence[bytes], asked_at: datetime) -> FeedCoverage:
    """What is known of the feed after an answer with these entry fingerprints, in whatever order.

    An answer that is not full shows everything there is. Two full ones overlap when they share an entry: then nothing
    can have passed unseen between them. Otherwise there is a gap, and the watch begins again.
    """
    now = frozenset(entries)
    if len(entries) < FEED_SIZE:
        return FeedCoverage(asked_at, EPOCH, now)  # nothing has ever fallen out of it
    if before.covered_since is not None and not before.entries.isdisjoint(now):
        return FeedCoverage(asked_at, before.covered_since, now)
    return FeedCoverage(asked_at, asked_at, now)


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> str | None:
    """Where Ometria's record first says something else than the one we sent; None when it agrees.

    Only what we sent is compared, since Ometria adds fields of its own. Keys with @ are instructions, not fields;
    null and absent are the same; numbers compare as numbers and timestamps as instants, however they are written.
    """
    for key, value in ours.items():
        if key.startswith("@"):
            continue
        here = f"{path}.{key}" if path else key
        if (found := _difference(value, theirs.get(key), here)) is not None:
            return found
    return None


def _difference(ours: Any, theirs: Any, path: str) -> str | None:
    if isinstance(ours, Mapping):
        if not isinstance(theirs, Mapping):
            return path if any(value is not None for value in ours.values()) else None
        return first_difference(ours, theirs, path)
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return path if ours or theirs else None
        found = (_difference(a, b, f"{path}.{i}") for i, (a, b) in enumerate(zip(ours, theirs, strict=True)))
        return next((f for f in found if f is not None), None)
    return None if _same(ours, theirs) else path


def _same(ours: Any, theirs: Any) -> bool:
    if ours == theirs:
        return True
    if isinstance(ours, bool) or isinstance(theirs, bool) or ours is None or theirs is None:
        return False
    if isinstance(ours, (int, float)) or isinstance(theirs, (int, float)):
        try:
            return abs(float(ours) - float(theirs)) < 0.0005  # amounts have at most three decimals
        except (TypeError, ValueError):
            return False
    return _instant(ours) is not None and _instant(ours) == _instant(theirs)


def _instant(text: Any) -> datetime | None:
    """Ometria writes `2015-02-01T05:44:55+00:00` and, elsewhere, `2017-05-17 22:08:07+00`."""
    if not isinstance(text, str) or len(text) < 19 or text[4:5] != "-":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
