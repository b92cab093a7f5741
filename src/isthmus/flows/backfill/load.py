"""Load the history of stores: ask for it, wait for it, fetch it, take it in; resumable at any kill.

Products first, then customers, then orders, so that an order finds its person. Nothing on the backfill lane is ever a
moment or a welcome, and what a webhook brings meanwhile overtakes it: versions decide.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.backfill import bulk_operation, spool
from isthmus.flows.backfill.import_part import Taken, import_part
from isthmus.flows.backfill.progress import Progress, progress_of_loads
from isthmus.flows.backfill.spool import Part
from isthmus.flows.context import ConnectionContext
from isthmus.flows.poll import KINDS
from isthmus.kit.backoff import wait_after_attempt
from isthmus.model.failure import RejectedError, TransientError
from isthmus.runs.date_range import DateRange
from isthmus.runs.sql import bulk_loads as loads
from isthmus.runs.sql import watermarks as runs
from isthmus.runs.sql.bulk_loads import Load
from isthmus.shopify.bulk import AddressEndedError

FIRST_POLL_AFTER = 2.0
"""Seconds until an operation is looked at for the first time; then every half as long again."""

LONGEST_POLL_AFTER = 15.0

CHECK_FINISHED_EVERY = 2.0

GIVE_UP_AFTER = 20
"""Failures in a row, more than an hour apart in all, after which the command ends; it goes on where it was."""
"""Seconds between two looks into our own books, where the webhook of an operation that has ended is written down."""

ImportParts = Callable[[Load, Sequence[Part], Callable[[int], None]], Iterator[Taken]]
"""Takes parts in, here or in other processes; gives each as it is done, and tells of each step what `take` tells."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


class Patience(Struct):
    """When an operation is looked at next, and how long after that again."""

    due_at: datetime
    seconds: float = FIRST_POLL_AFTER


def backfill(
    db: Database,
    context: ConnectionContext,
    stores: Sequence[str],
    kinds: Sequence[str] = KINDS,
    *,
    folder: Path,
    since: datetime | None = None,
    again: bool = False,
    bring: ImportParts | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
    part: int = spool.PART,
) -> list[Progress]:
    """Load every record of these kinds of these stores, created at or after `since`; how it ended for each.

    `folder` is where results lie meanwhile, in parts of about so many bytes. With `again` what was loaded before is
    loaded again.
    """
    here = folder / context.connection
    with spool.lock_spool(here, context.connection):
        return _Loading(db, context, stores, kinds, here, bring, tell, part).run(since, again=again)


class _Loading:
    """One run of the command: what it watches, and what it knows by now."""

    def __init__(
        self,
        db: Database,
        context: ConnectionContext,
        stores: Sequence[str],
        kinds: Sequence[str],
        folder: Path,
        bring: ImportParts | None,
        tell: Callable[[Progress], None],
        part: int,
    ) -> None:
        self._db, self._road, self._folder, self._tell, self._part = db, context, folder, tell, part
        self._bring = bring or self._bring_here
        self._wanted = [(store, kind) for kind in sorted(kinds, key=_RANK.__getitem__) for store in stores]
        self._counts: dict[tuple[str, str], int] = {}
        self._patience: dict[tuple[int, str], Patience] = {}
        self._extra: dict[int, int] = {}
        """Records of the part that is being taken in, by load."""

    def run(self, since: datetime | None, *, again: bool) -> list[Progress]:
        self._ask(since, again=again)
        spool.remove_other_folders(self._folder, [self._place(one) for one in self._loads() if not one.is_over])
        n_failed = 0
        while any(not one.is_over for one in self._loads()):
            try:
                has_moved = self._operate() or self._take_next()
                n_failed = 0
            except TransientError as failure:
                n_failed += 1
                if n_failed >= GIVE_UP_AFTER:
                    raise
                self._road.clock.wait(wait_after_attempt(n_failed, failure.retry_after).total_seconds())
            else:
                if not has_moved:
                    self._road.clock.wait(CHECK_FINISHED_EVERY)
            self._say()
        spool.remove_other_folders(self._folder, [])
        return self._progress(self._loads())

    def _ask(self, since: datetime | None, *, again: bool) -> None:
        """Want what was not loaded yet. Whatever changes from here on is the poll's."""
        context, now = self._road, self._road.clock.now()
        stores = sorted({store for store, _ in self._wanted})
        kinds = sorted({kind for _, kind in self._wanted})
        with self._db.transaction() as tx:
            for store in stores:
                runs.create_watermarks(tx, context.connection, store, [f"poll:{kind}" for kind in kinds], now)
            if again:
                loads.delete_loads(tx, context.connection, stores, kinds)
            loads.retry_failed_loads(tx, context.connection, stores, kinds, now)
            there = loads.list_loads(tx, context.connection)
            for store, kind in self._wanted:
                span = _lacking([one.span for one in there if (one.store, one.kind) == (store, kind)], since)
                if span is not None:
                    loads.enqueue_loads(tx, context.connection, store, kind, [span], now)
        for store, kind in self._wanted:
            if since is None and any(
                (one.store, one.kind) == (store, kind) for one in self._loads() if not one.is_over
            ):
                self._counts[store, kind] = context.shops[store].reader.count(kind)
        self._say()

    # At Shopify ----------------------------------------------------------------------------------------------------

    def _operate(self) -> bool:
        """Begin what may begin and look at what is due; whether anything was begun or has ended."""
        now, has_moved = self._road.clock.now(), False
        full: set[str] = set()
        there = sorted(self._loads(), key=self._turn)
        for load in there:
            if load.state == "wanted" and load.store not in full:
                key = (load.id, "start")
                if _is_doubtful(load, there):
                    continue
                if not self._is_due(key, now):
                    full.add(load.store)
                elif bulk_operation.start_operation(self._db, self._road, load):
                    has_moved = True
                else:
                    self._later(key, now)
                    full.add(load.store)
            elif load.state == "running":
                key = (load.id, load.operation or "")
                if self._is_due(key, now) or load.is_rung:
                    bulk_operation.check_operation(self._db, self._road, load)
                    self._later(key, now)
        return has_moved

    def _is_due(self, key: tuple[int, str], now: datetime) -> bool:
        held = self._patience.setdefault(key, Patience(now))
        return now >= held.due_at

    def _later(self, key: tuple[int, str], now: datetime) -> None:
        held = self._patience[key]
        held.due_at, held.seconds = now + timedelta(seconds=held.seconds), min(held.seconds * 1.5, LONGEST_POLL_AFTER)

    # Here ----------------------------------------------------------------------------------------------------------

    def _take_next(self) -> bool:
        """Fetch and take in the next result whose turn it is; False where there is none."""
        open_loads = sorted((one for one in self._loads() if not one.is_over), key=self._turn)
        for load in open_loads:
            is_first = all(_RANK[other.kind] >= _RANK[load.kind] for other in open_loads if other.store == load.store)
            if load.state == "ready" and is_first:
                self._take(load)
                return True
        return False

    def _take(self, load: Load) -> None:
        n_parts = spool.count_parts(load.bytes or 0, self._part)
        place = self._place(load)
        if load.url is not None:
            if not place.is_dir() and not self._fetch(load, place, n_parts):
                return
            with self._db.transaction() as tx:
                done = loads.finished_parts(tx, self._road.connection, load.id)
            for taken in self._bring(load, spool.pending_parts(place, n_parts, done), lambda n: self._note(load, n)):
                spool.part_path(place, taken.part).unlink(missing_ok=True)
            self._extra.pop(load.id, None)
        bulk_operation.finish_load(self._db, self._road, load)
        spool.remove_other_folders(self._folder, [self._place(one) for one in self._loads() if not one.is_over])

    def _fetch(self, load: Load, place: Path, n_parts: int) -> bool:
        """Bring a result to the disk; False where it is to be asked for again."""
        assert load.url is not None  # noqa: S101 - the caller has looked
        try:
            n = spool.split_result(
                place, load.kind, bulk_operation.bulk_client(self._road, load).lines(load.url), n_parts
            )
        except AddressEndedError:
            bulk_operation.handle_failure(self._db, self._road, load, "address_ended")
            return False
        except RejectedError:
            n = -1  # what came was no result at all
        if n != load.n_objects:
            spool.remove_other_folders(self._folder, [])
            bulk_operation.handle_failure(self._db, self._road, load, "incomplete")
            return False
        return True

    def _bring_here(self, load: Load, parts: Sequence[Part], tell: Callable[[int], None]) -> Iterator[Taken]:
        for part in parts:
            yield import_part(self._db, self._road, load, part, tell)

    def _place(self, load: Load) -> Path:
        """Where a load's result lies: another operation's is another's."""
        return self._folder / f"{load.store}-{load.kind}-{load.id}-{(load.operation or '').rpartition('/')[2]}"

    # Telling -------------------------------------------------------------------------------------------------------

    def _note(self, load: Load, n: int) -> None:
        self._extra[load.id] = self._extra.get(load.id, 0) + n
        self._say(load)

    def _say(self, only: Load | None = None) -> None:
        for step in self._progress(self._loads()):
            if only is None or (step.store, step.kind) == (only.store, only.kind):
                self._tell(step)

    def _progress(self, there: Sequence[Load]) -> list[Progress]:
        found = []
        for key in self._wanted:
            mine = [one for one in there if (one.store, one.kind) == key]
            if mine:
                extra = sum(self._extra.get(one.id, 0) for one in mine)
                found.append(progress_of_loads(mine, self._counts.get(key), extra))
        return found

    def _loads(self) -> list[Load]:
        with self._db.transaction() as tx:
            found = loads.list_loads(tx, self._road.connection)
        return [one for one in found if (one.store, one.kind) in self._wanted]

    @staticmethod
    def _turn(load: Load) -> tuple[int, timedelta, int]:
        """Kinds in their order; of one kind the shortest first, so that what nothing helps is known soon."""
        return (_RANK[load.kind], load.span.length, load.id)


def _is_doubtful(load: Load, there: Sequence[Load]) -> bool:
    """Whether a half waits for another: as long as no half of a kind has gone well, nobody knows that any will."""
    same = [one for one in there if (one.store, one.kind) == (load.store, load.kind)]
    states = {one.state for one in same}
    return (
        "split" in states
        and not states & {"ready", "done"}
        and any(one.operation is not None and not one.is_over for one in same)
    )


def _lacking(there: Sequence[DateRange], since: datetime | None) -> DateRange | None:
    """The span that is still to be wanted, so that everything since then is; it ends where an earlier load began."""
    if not there:
        return DateRange(since)
    if any(span.since is None for span in there):
        return None
    earliest = min(span.since for span in there if span.since is not None)
    return DateRange(since, earliest) if since is None or since < earliest else None
