"""What every step of a reconciliation works with: the run it is part of, and how it notes that it moved."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from isthmus.db.pool import Database, Tx
from isthmus.drift.sql.observations import KINDS
from isthmus.flows.context import ConnectionContext
from isthmus.flows.out_of_sight import OutOfSight
from isthmus.model.failure import Failure, TransientError
from isthmus.model.reading import SURE_WITHIN
from isthmus.runs.sql import run_journal as journal
from isthmus.runs.sql.run_journal import Run

T = TypeVar("T")

COUNTED = ("n_reads", "n_looks", "n_refuted", "n_closed")
"""Counts of a run that go on after a stop."""

WAITS = tuple(timedelta(seconds=s) for s in (1, 3, 10, 30))
"""An external API that does not answer is asked again after these; then its side is left out, and said to be."""

UNLOADED = "its history is not loaded yet"
"""Why a store is not looked at before its backfill."""


class ReconcileRequest(Struct, frozen=True, kw_only=True):
    """What a reconciliation looks at: records changed since then on any side, or everything; whether it repairs."""

    since: datetime | None = None
    kinds: tuple[str, ...] = tuple(KINDS)
    stores: tuple[str, ...] = ()
    repair: bool = True

    @property
    def is_full(self) -> bool:
        return self.since is None


class Blind(Struct, frozen=True):
    """A side that could not be looked at: nothing is concluded of what it would have said."""

    side: str
    store: str
    kind: str
    why: str


class RunProgress(Struct, frozen=True):
    """How far a run is: the name of its step, its rows so far and in all, as far as that is known."""

    name: str
    n: int
    total: int | None
    is_done: bool = False


class LostError(RuntimeError):
    """The run went to another process, since this one gave no sign of life."""


class RestError(Exception):
    """The run has nothing to do until a time: whoever comes after that goes on."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class RunContext(Struct):
    """A run in our hands. `goes_on` is asked between pages: a worker that must end stops there."""

    db: Database
    context: ConnectionContext
    run: Run
    claim: UUID
    asked: ReconcileRequest
    tell: Callable[[RunProgress], None]
    goes_on: Callable[[], bool]
    blind: list[Blind] = msgspec.field(default_factory=list)
    out_of_sight: dict[str, OutOfSight] = msgspec.field(default_factory=dict)
    """By store, where the app sees only the orders of the last 60 days."""
    before_history: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """By store and kind, how many records are from before the history that was loaded, by choice."""
    n_read: dict[str, int] = msgspec.field(default_factory=dict)
    n_reads: int = 0
    n_looks: int = 0
    n_refuted: int = 0
    n_closed: int = 0
    read_at: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """From when to when each side was read, by its name."""
    overruled: list[str] = msgspec.field(default_factory=list)
    """Contacts of people of whom Ometria does not say what the shop does, though the records agree."""
    is_patient: bool = True
    """Whether this call waits for the grace period of what is in flight; else the run rests until then."""
    plan: int | None = None
    """The plan of this run's repairs, once it was judged."""
    is_stopped: bool = False
    """Whether that plan waits for a person."""
    is_unanswered: bool = False
    """Ometria did not answer for one record, however patiently asked: it is not asked for more in this call."""

    @property
    def id(self) -> int:
        return self.run.id

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that are looked at; all of the connection where none was named."""
        return tuple(name for name in sorted(self.context.shops) if not self.asked.stores or name in self.asked.stores)

    def now(self) -> datetime:
        return self.context.clock.now()

    def is_blind(self, side: str, kind: str, store: str = "") -> bool:
        """Whether a side could not be looked at for this kind (of a store)."""
        return any(b.side == side and b.kind == kind and b.store in ("", store) for b in self.blind)

    def note_before_history(self, store: str, kind: str, n: int) -> None:
        """Note so many more records that a store lists and that were left out of the load by choice."""
        if n:
            mine = self.before_history.setdefault(store, {})
            mine[kind] = mine.get(kind, 0) + n

    def note_read(self, side: str, at: datetime) -> None:
        """Note that a side was read at this time, from now back to when it was first."""
        first, _ = self.read_at.get(side, (at.isoformat(), ""))
        self.read_at[side] = [min(first, at.isoformat()), self.now().isoformat()]

    def move(self, tx: Tx, step: str, cursor: str | None, n: int, total: int | None = None) -> None:
        """Note how far the run is, within the transaction that got it there."""
        result = {
            "blind": msgspec.to_builtins(self.blind),
            "out_of_sight": msgspec.to_builtins(self.out_of_sight),
            "before_history": self.before_history,
            "read": self.n_read,
            "read_at": self.read_at,
            "overruled": self.overruled,
        } | {name: getattr(self, name) for name in COUNTED}
        is_ours = journal.heartbeat(
            tx,
            self.context.connection,
            self.id,
            self.claim,
            self.now(),
            step=step,
            cursor=cursor,
            n=n,
            total=total,
            result=result,
        )
        if not is_ours:
            raise LostError

    def tell_step(self, name: str, n: int, total: int | None, *, is_done: bool) -> None:
        """Let whoever watches know."""
        self.n_read[name] = n
        self.tell(RunProgress(name, n, total, is_done))

    def patiently(self, ask: Callable[[], T]) -> T:
        """What an external API answers, asked again for a while when it cannot answer; else its failure."""
        for wait in WAITS:
            try:
                return ask()
            except TransientError as failure:
                self.context.clock.wait(max(wait, failure.retry_after or wait).total_seconds())
        return ask()


def blind_spot(failure: Failure, side: str, kind: str, store: str = "") -> Blind:
    """What is left out because of a failure."""
    return Blind(side, store, kind, f"{failure.code}: {failure.detail}" if failure.detail else failure.code)


def known_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Kinds in the order that runs go through them: catalogue, people, orders."""
    return tuple(kind for kind in ("product", "customer", "order") if kind in kinds)


def sure_since(held: RunContext) -> datetime:
    """Since when an app without the scope for all orders saw every order during this run."""
    return held.run.started_at - SURE_WITHIN
