"""How every connection stands: accounting, lanes, events, pushes, cases, all of one moment."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import CaseGroup
from isthmus.db.pool import Database, Row, Tx
from isthmus.model.basis import Basis, basis_document
from isthmus.model.event import EventState
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.ops import sql
from isthmus.ops.alerting_queries import compared

KINDS = {
    "orders": (RecordKind.ORDER,),
    "customers": (RecordKind.CONTACT, RecordKind.SMS),
    "products": (RecordKind.PRODUCT,),
    "custom_events": (RecordKind.MOMENT,),
}
"""What is accounted for, and the kinds of platform record it is."""

_LANES = tuple(Lane)


class Classes(Struct):
    """Each known record is in exactly one class."""

    known: int = 0
    applied: int = 0
    excluded: int = 0
    waiting: int = 0
    case: int = 0


class LaneNumbers(Struct):
    """What waits on a lane, how long the longest has, and how long what went through lately had."""

    depth: int = 0
    oldest_seconds: float = 0.0
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0


PUBLIC = {EventState.APPLIED: "processed", EventState.PARKED: "quarantined", EventState.BURIED: "failed"}
"""What the ends of events are called outside, where that is not the word of the database."""

_EVENTS = ("received", "duplicate", *EventState)


class Events(Struct):
    """`received` is the sum of all others."""

    received: int = 0
    duplicate: int = 0
    stale: int = 0
    processed: int = 0
    skipped: int = 0
    quarantined: int = 0
    failed: int = 0
    waiting: int = 0


class Pushes(Struct):
    """Requests, and what became of the records in them. A record may be pushed, and counted, more than once."""

    requests: int = 0
    records: int = 0
    accepted: int = 0
    applied: int = 0
    refused: int = 0


class CaseNumbers(Struct):
    open: int = 0
    by_cause: dict[str, int] = field(default_factory=dict)


class ExclusionCount(Struct, frozen=True):
    """Why so many records of a kind are on purpose not sent."""

    kind: str
    reason: str
    n: int


class Cut(Struct, frozen=True):
    """Of so many records of a kind so many values are left out, since Ometria has no room for them."""

    kind: str
    n: int
    n_values: int


class MetafieldScan(Struct, frozen=True):
    """One round through everybody's custom fields: since when, whether it is over, what it looked at and found."""

    store: str
    name: str
    began_at: datetime
    done_at: datetime | None
    n: int
    n_changed: int


class Background(Struct):
    """What the numbers must be read with: the switches, and what is behind excluded and case."""

    mode: str
    live_since: datetime | None
    blocked_code: str | None
    stores: list[str]
    pushed_at: datetime | None
    excluded: list[ExclusionCount]
    groups: list[CaseGroup]
    cut: list[Cut]
    rounds: list[MetafieldScan]
    basis: Basis


class ConnectionStatus(Struct):
    """One connection. Everything but `background` is the public form of `isthmus status --json`."""

    name: str
    paused: bool
    paused_lanes: list[str]
    """The lanes that are paused by themselves; `paused` is about the whole connection."""
    accounting: dict[str, Classes]
    lanes: dict[str, LaneNumbers]
    events: Events
    pushes: Pushes
    cases: CaseNumbers
    background: Background

    @property
    def basis(self) -> Basis:
        """What may be said of how both sides agree."""
        return self.background.basis

    @property
    def share_applied(self) -> float | None:
        """The share of what should be in Ometria that it is known to have taken; None when there is nothing.

        That is no comparison: what the shop has since changed and nobody heard of is not in it.
        """
        wanted = sum(c.known - c.excluded for c in self.accounting.values())
        return sum(c.applied for c in self.accounting.values()) / wanted if wanted else None

    @property
    def is_waiting(self) -> bool:
        """Whether anything is still on its way."""
        return self.events.waiting > 0 or any(c.waiting for c in self.accounting.values())


class StatusReport(Struct):
    """How all connections, or the one asked for, stood at one moment."""

    at: datetime
    connections: list[ConnectionStatus]

    @property
    def n_cases(self) -> int:
        return sum(c.cases.open for c in self.connections)


def read_status(db: Database, now: datetime, name: str | None = None) -> StatusReport:
    """How every connection stands, or the one of that name; none at all before the first migration."""
    with db.transaction() as tx:
        sql.begin_snapshot(tx)
        rows = sql.list_connections(tx) if sql.has_tables(tx) else []
        return StatusReport(now, [_connection(tx, row, now) for row in rows if name in (None, row["connection"])])


def status_as_json(told: StatusReport, *, is_long: bool = False) -> dict[str, Any]:
    """The public form: names and shapes that programs rely on. The long form says more beside them."""
    found: dict[str, Any] = msgspec.to_builtins(told)
    for connection, one in zip(found["connections"], told.connections, strict=True):
        background = connection.pop("background")
        background["basis"] = basis_document(one.background.basis)
        if is_long:
            connection |= background
    return {"connections": found["connections"]}


def _connection(tx: Tx, row: Row, now: datetime) -> ConnectionStatus:
    name = row["connection"]
    books = sql.read_counters(tx, name)
    by_cause = cases.count_by_cause(tx, name)
    return ConnectionStatus(
        name=name,
        paused=row["paused_at"] is not None,
        paused_lanes=list(row["paused_lanes"]),
        accounting=_accounting(sql.count_by_class(tx, name)),
        lanes=_lanes(sql.lane_depth(tx, name), sql.lane_latency(tx, name, now - sql.RECENT), now),
        events=Events(**{PUBLIC.get(part, part): books.get(f"event.{part}", 0) for part in _EVENTS}),
        pushes=Pushes(**{part: books.get(f"push.{part}", 0) for part in Pushes.__struct_fields__}),
        cases=CaseNumbers(sum(by_cause.values()), by_cause),
        background=Background(
            mode=row["mode"],
            live_since=row["live_since"],
            blocked_code=row["blocked_code"],
            stores=list(row["stores"]),
            pushed_at=sql.last_push_at(tx, name),
            excluded=[ExclusionCount(_plural(r["kind"]), r["reason"], r["n"]) for r in sql.count_exclusions(tx, name)],
            groups=cases.group_by_code(tx, name),
            cut=[Cut(_plural(r["kind"]), r["n"], r["n_values"]) for r in sql.count_truncated(tx, name)],
            rounds=[MetafieldScan(**r) for r in sql.metafield_scans(tx, name)],
            basis=compared.records_known_to_agree(tx, name, now),
        ),
    )


def _accounting(rows: list[Row]) -> dict[str, Classes]:
    told = {(row["kind"], row["class"]): row["n"] for row in rows}
    found = {}
    for plural, kinds in KINDS.items():
        parts = {
            part: sum(told.get((kind.value, part), 0) for kind in kinds)
            for part in ("applied", "excluded", "waiting", "case")
        }
        found[plural] = Classes(known=sum(parts.values()), **parts)
    return found


def _lanes(depths: list[Row], waited: list[Row], now: datetime) -> dict[str, LaneNumbers]:
    lanes = {lane.value: LaneNumbers() for lane in Lane}
    for row in depths:
        lane = lanes[_LANES[row["lane"]]]
        lane.depth = row["n"]
        lane.oldest_seconds = round(max(0.0, (now - row["oldest_at"]).total_seconds()), 3)
    for row in waited:
        lane = lanes[_LANES[row["lane"]]]
        lane.p50_seconds, lane.p99_seconds = round(row["p50"], 3), round(row["p99"], 3)
    return lanes


def _plural(kind: str) -> str:
    return next(plural for plural, kinds in KINDS.items() if kind in kinds)
