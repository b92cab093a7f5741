"""Put back what a run changed: our records, and what Ometria is to say of them.

Consent is never put back as it was said: what a contact allows comes from the ledger as it stands now. What the shop
stated since is left as it is. A record that was put back is not changed again by any run, until its shop states
something new of it or a person asks for it (docs/decisions/0016).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.customer_metrics.sql.order_totals import OrderOwner
from isthmus.db.pool import Database, Tx
from isthmus.flows import refresh_metrics, store_records
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP, ParsedUpdate
from isthmus.flows.safety import judge
from isthmus.identity.sql import links as identity
from isthmus.kit.ids import content_hash
from isthmus.model.event import Event
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.ometria.responses import decode_json
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Key, RecordUpsert, StoredRecord
from isthmus.safety.earlier import encode
from isthmus.safety.final import FINAL
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.changes import Before, ChangedWrite, PutBack, RecordChange
from isthmus.safety.sql.plans import Record

AT_ONCE = 50
"""Records put back in one transaction."""

PERMISSION = ("marketing_optin", "timestamp_subscribed", "timestamp_unsubscribed", "@force_optin", "channels")
"""Fields of a contact that say what somebody allowed: they follow the ledger, never a journal."""

OPTED_IN, OPTED_OUT = "EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT"


class Undone(Struct, frozen=True, kw_only=True):
    """How far an undo went, or would go: records put back, withdrawn since there was nothing before, and left."""

    connection: str
    run: int
    what: str
    n_changed: int = 0
    n_put_back: int = 0
    n_withdrawn: int = 0
    """Records that were not there before: Ometria deletes nothing, so they are sent as cancelled, inactive, gone."""
    n_changed_since: int = 0
    """Records of which the shop, or a later change, has said something else since: left as they are."""
    n_dropped: int = 0
    """Records that the run was still going to change, and now is not."""
    final: dict[str, int] = {}
    left: tuple[str, ...] = ()
    """Some of those that were left."""
    is_dry_run: bool = False


def find_runs(db: Database, run: int) -> list[dict[str, Any]]:
    """The runs of this number."""
    with db.transaction() as tx:
        return changes.find_runs(tx, run)


def undo_run(
    db: Database, context: ConnectionContext, run: int, what: str, by: str, *, is_dry_run: bool = False
) -> Undone:
    """Put back what a run changed, page by page; interrupted, the same call goes on where it was."""
    done = Undone(connection=context.connection, run=run, what=what, is_dry_run=is_dry_run)
    with db.transaction() as tx:
        n_dropped = _stop(tx, context, run, by, is_dry_run=is_dry_run)
    done = msgspec.structs.replace(done, n_dropped=n_dropped)
    after: Record = ("", "")
    while True:
        with db.transaction() as tx:
            page = changes.changes_of_run(tx, context.connection, run, after, AT_ONCE)
            if not page:
                return done
            done = _page(tx, context, page, done, by)
            after = (page[-1].store, page[-1].subject)


def _stop(tx: Tx, context: ConnectionContext, run: int, by: str, *, is_dry_run: bool) -> int:
    """Nothing more of the run's plan is carried out; of how many records."""
    plan = plans.plan_of_run(tx, context.connection, run)
    if plan is None:
        return 0
    n, after = 0, ("", "")
    while items := plans.list_items(tx, context.connection, plan.id, ["planned", "held", "released"], after):
        named = [(one.store, one.subject) for one in items]
        if not is_dry_run:
            plans.pin_records(tx, context.connection, named, "undone", by, context.clock.now())
        n, after = n + len(items), named[-1]
    if not is_dry_run:
        plans.move_items(tx, context.connection, plan.id, ["planned", "held", "released"], "dropped")
        if plan.state in plans.OPEN:
            judge.close_empty_plans(tx, context, [plan.id], context.clock.now(), by)
    return n


class _Restored(Struct):
    """One record of a run: its first and its last change, and what it is now."""

    key: Key
    first: RecordChange
    last: RecordChange
    numbers: list[int]
    kept: StoredRecord | None

    @property
    def record(self) -> Record:
        return self.key[1], f"{self.key[0]}:{self.key[2]}"

    @property
    def is_as_left(self) -> bool:
        """Whether it still is what the run made of it."""
        return (self.kept.hash if self.kept else None) == self.last.after_hash

    @property
    def is_new(self) -> bool:
        """Whether there was no such record before."""
        return self.first.hash is None and not self.first.was_gone


def _page(tx: Tx, context: ConnectionContext, page: Sequence[RecordChange], done: Undone, by: str) -> Undone:
    now = context.clock.now()
    identity.lock_names(
        tx, context.connection, sorted({f"{c.kind}:{c.store}:{c.subject.partition(':')[2]}" for c in page})
    )
    known = records.load_records(tx, context.connection, {_key(c) for c in page}, context.packer)
    found = [_restored(list(some), known) for _, some in groupby(page, key=lambda c: (c.store, c.subject))]
    final = {name: n for name in FINAL if (n := sum(one.first.cause == name for one in found))}
    told = changes.writes_of_changes(tx, context.connection, [number for one in found for number in one.numbers])
    now_said = {
        (w.kind, w.id): w for w in changes.outbox_rows_of(tx, context.connection, [one.record for one in found])
    }
    mine = [one for one in found if one.first.cause not in FINAL and one.key[1] in context.shops]
    ours = [one for one in mine if one.is_as_left and _is_said(one, told, now_said)]
    left = [one for one in found if one not in ours and one.first.cause not in FINAL]
    if not done.is_dry_run:
        _put_back(tx, context, ours, told, now_said, now)
        plans.pin_records(tx, context.connection, [one.record for one in ours], "undone", by, now)
        changes.mark_undone(tx, context.connection, [number for one in ours for number in one.numbers], now)
    n_new = sum(one.is_new for one in ours)
    return msgspec.structs.replace(
        done,
        n_changed=done.n_changed + len(found),
        n_put_back=done.n_put_back + len(ours) - n_new,
        n_withdrawn=done.n_withdrawn + n_new,
        n_changed_since=done.n_changed_since + len(left),
        final={name: done.final.get(name, 0) + final.get(name, 0) for name in {*done.final, *final}},
        left=(*done.left, *(one.record[1] for one in left))[:10],
    )


def _restored(some: Sequence[RecordChange], known: Mapping[Key, StoredRecord]) -> _Restored:
    key = _key(some[0])
    return _Restored(key, some[0], some[-1], [one.id for one in some], known.get(key))


def _key(change: RecordChange) -> Key:
    return change.kind, change.store, change.subject.partition(":")[2]


def _is_said(one: _Restored, told: Sequence[ChangedWrite], now_said: Mapping[tuple[str, str], Before]) -> bool:
    """Whether Ometria is still to say what the run made of the record."""
    last = {(w.kind, w.id): w for w in told if w.change in one.numbers}
    return all(key not in now_said or now_said[key].desired == write.after for key, write in last.items())


# Put back -------------------------------------------------------------------------------------------------------------


def _put_back(
    tx: Tx,
    context: ConnectionContext,
    ours: Sequence[_Restored],
    told: Sequence[ChangedWrite],
    was_said: Mapping[tuple[str, str], Before],
    now: datetime,
) -> None:
    """Our records first, then everything that follows from them, then what Ometria was to say before."""
    if not ours:
        return
    older = [
        RecordUpsert(one.key[1], records.decode_record(one.key[0], context.packer.unpack(one.first.body)), now)
        for one in ours
        if one.first.body is not None and not _is_tombstone(one)
    ]
    records.save_records(tx, context.connection, older, now, context.packer)
    words = [_word(context, one, number, now) for number, one in enumerate(ours, start=1)]
    store_records.store_records(tx, context, words, now, is_guarded=False)
    first: dict[tuple[str, str], ChangedWrite] = {}
    for write in sorted(told, key=lambda w: w.change, reverse=True):
        if any(write.change in one.numbers for one in ours if not one.is_new):
            first[write.kind, write.id] = write
    said = {(w.kind, w.id): w for w in changes.outbox_rows_of(tx, context.connection, [one.record for one in ours])}
    back = [_as_before(context, write, said.get(key)) for key, write in sorted(first.items()) if not write.is_new]
    new = {one.record for one in ours if one.is_new}
    back += [
        _packed(context, present, silenced)
        for key, present in sorted(said.items())
        if (present.store, present.subject) in new and (silenced := _silenced(context, was_said.get(key), present))
    ]
    changes.restore_desired(tx, context.connection, back, now)
    sold = [one for one in ours if one.key[0] == "order" and one.first.sale is not None]
    changes.restore_order_totals(tx, context.connection, [one.first.sale for one in sold if one.first.sale is not None])
    refresh_metrics.request_remap_of_owners(tx, context, [_owner(one, context) for one in sold], Lane.ENRICHMENT, now)


def _is_tombstone(one: _Restored) -> bool:
    """Whether it is gone because of the run: then it comes back as by a reading."""
    return one.kept is not None and one.kept.known.is_gone


def _word(context: ConnectionContext, one: _Restored, number: int, now: datetime) -> ParsedUpdate:
    event = Event(
        -number,
        one.key[1],
        REMAP,
        Lane.REPAIR,
        one.record[1],
        None,
        now,
        None,
        attempts=1,
        webhook_id=None,
        action_id=None,
    )
    if one.first.body is None:
        return ParsedUpdate(event, one.key, is_reading=True, is_absent=True, said_at=now)
    if _is_tombstone(one):
        record = records.decode_record(one.key[0], context.packer.unpack(one.first.body))
        return ParsedUpdate(event, one.key, record, is_reading=True, said_at=now)
    return ParsedUpdate(event, one.key, is_remap=True)


def _as_before(context: ConnectionContext, write: ChangedWrite, said: Before | None) -> PutBack:
    """A platform record as it was desired before; of a contact with what is allowed now.

    One that was excluded before and went out since is withdrawn there: Ometria deletes nothing.
    """
    if write.body is None and said is not None and said.body is not None and said.is_out:
        return _packed(context, write, _withdrawn(write.kind, decode_json(context.packer.unpack(said.body))))
    if write.body is None:
        return PutBack(write.kind, write.id, None, None, write.excluded)
    if write.kind not in ("contact", "sms") or said is None or said.body is None:
        return PutBack(write.kind, write.id, write.body, write.desired, None)
    before: dict[str, Any] = decode_json(context.packer.unpack(write.body))
    present: dict[str, Any] = decode_json(context.packer.unpack(said.body))
    if all(before.get(name) == present.get(name) for name in PERMISSION):
        return PutBack(write.kind, write.id, write.body, write.desired, None)
    body = {name: value for name, value in before.items() if name not in PERMISSION}
    body |= {name: present[name] for name in PERMISSION if name in present}
    return _packed(context, write, body)


def _silenced(context: ConnectionContext, before: Before | None, present: Before) -> dict[str, Any] | None:
    """What a contact says that the run created, where taking its customer for gone opts out somebody whom it said to be
    in: nothing about permission. The person is still in the shop, and an undo states no opt-out; None for all others.
    """
    if before is None or before.body is None or present.body is None or present.kind not in ("contact", "sms"):
        return None
    was: dict[str, Any] = decode_json(context.packer.unpack(before.body))
    body: dict[str, Any] = decode_json(context.packer.unpack(present.body))
    silent = dict(body)
    if was.get("marketing_optin") == OPTED_IN and body.get("marketing_optin") == OPTED_OUT:
        silent = {name: value for name, value in silent.items() if name not in PERMISSION or name == "channels"}
        silent["marketing_optin"] = "NOT_SPECIFIED"
    if _texts(was) is True and _texts(body) is False:
        del silent["channels"]
    return silent if silent != body else None


def _texts(body: Mapping[str, Any]) -> bool | None:
    """What a contact says of text messages; None where it says nothing."""
    says: bool | None = ((body.get("channels") or {}).get("sms") or {}).get("allow_marketing")
    return says


def _withdrawn(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """A record as it is said of one that is gone: cancelled, inactive, and of a contact nothing about permission."""
    match kind:
        case "order":
            return body | {"status": "cancelled", "is_valid": False}
        case "product":
            return body | {"is_active": False}
    silent = {name: value for name, value in body.items() if name not in PERMISSION}
    return silent | {"marketing_optin": "NOT_SPECIFIED"} if kind == "contact" else silent


def _packed(context: ConnectionContext, write: ChangedWrite | Before, body: Mapping[str, Any]) -> PutBack:
    encoded = encode(body)
    return PutBack(write.kind, write.id, context.packer.pack(encoded), content_hash(encoded), None)


def _owner(one: _Restored, context: ConnectionContext) -> OrderOwner:
    assert one.first.body is not None  # noqa: S101 - it had a sale, so it was known
    record = records.decode_record("order", context.packer.unpack(one.first.body))
    assert isinstance(record, Order)  # noqa: S101 - by its kind
    return OrderOwner(one.key[1], record.customer_id, None if record.customer_id is not None else record.email)
