"""Rehearse a replay: what would be sent, and what that would set off."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases.triage import decide_retry
from isthmus.db.pool import Database
from isthmus.flows import out_of_sight, parse_events, process, store_records
from isthmus.flows.context import ConnectionContext
from isthmus.flows.replay import Selection, permitted_resends, requeue_doubted, select_work
from isthmus.mapping import sms_contact
from isthmus.model.event import Event, RefetchRequest
from isthmus.model.write import RecordKind
from isthmus.outbox.sql import inspect as versions
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.inspect import DesiredVersion


class Planned(Struct, frozen=True):
    """What would become of one platform record. `fields` are where it would say something else than is desired now."""

    kind: str
    id: str
    subject: str | None
    before: str | None
    after: str
    fields: tuple[str, ...]
    why: str | None = None
    """Why it would not be sent, or which case it would be."""
    is_lacking: bool = False
    """Whether a comparison found that Ometria does not have it as it was sent, so that it goes again unchanged."""

    @property
    def is_sent(self) -> bool:
        return self.after == "due"


class Trigger(Struct, frozen=True):
    """Something in Ometria that a push could set off: a custom event, or a welcome by a fresh opt-in."""

    name: str
    kind: str
    id: str


class ReplayPlan(Struct, frozen=True):
    """A replay that was rehearsed and undone. `ends` counts what would become of the events, by state and reason."""

    n_events: int
    n_lost: int
    ends: Mapping[str, int]
    writes: tuple[Planned, ...]
    triggers: tuple[Trigger, ...]
    is_live: bool


def dry_run_replay(db: Database, context: ConnectionContext, chosen: Selection) -> ReplayPlan:
    """What a replay would do, found by doing it and rolling it back. Records are really read, nothing is kept or sent.

    Raises the failure where a store cannot be read at all.
    """
    with db.transaction() as tx:
        work = select_work(tx, context, chosen)
    doubted = permitted_resends(context, work.doubted)
    heard = parse_events.parse_events(
        [msgspec.structs.replace(event, lane=chosen.lane) for event in work.events], context
    )
    again = [_event(n, store, hint, context) for n, (store, hint) in enumerate(work.hints, start=1)]
    asked = parse_events.parse_events(again, context)
    readings = [*heard.readings, *asked.readings]
    found, failed = process.fetch_records(context, readings)
    failures = [*heard.failures, *asked.failures, *failed]
    failing = {event.id for event, _ in failures}
    words = [word for word in (*heard.told, *asked.told) if word.event.id not in failing]
    seen = out_of_sight.judge_unseen_records(db, context, readings, found, context.clock.now(), heard.told)
    words += [word for word in seen.told if word.event.id not in failing]

    ends: Counter[str] = Counter(
        f"would fail again: {decide_retry(failure, event.attempts).code}" for event, failure in failures
    )
    ends.update(f"would wait for a person: {event.topic}" for event in heard.matters)
    ends.update("would be asked again: null so soon after a body" for _ in seen.again)
    with db.rehearsal() as tx:
        now = context.clock.now()
        outcomes = [*store_records.store_records(tx, context, words, now), *heard.outcomes, *seen.outcomes]
        for store, subject in work.writes:
            outbox.retry_dead_letters(tx, context.connection, [subject], now, store=store)
        requeue_doubted(tx, context.connection, doubted, now)
        after = versions.changed_in_this_transaction(tx, context.connection)
    ours = {event.id for event in again}
    last = {o.id: o for o in outcomes if o.id not in ours}
    ends.update(f"{o.state.value}: {o.reason}" if o.reason else o.state.value for o in last.values())
    with db.transaction() as tx:
        before = versions.outbox_versions(tx, context.connection, [(v.kind, v.id) for v in after])
    writes, triggers = [], []
    lacking = {(one.kind, one.id) for one in doubted}
    for version in after:
        planned, fired = _compared(context, before.get((version.kind, version.id)), version)
        writes.append(msgspec.structs.replace(planned, is_lacking=(version.kind, version.id) in lacking))
        triggers += fired
    return ReplayPlan(len(work.events), work.n_lost, dict(ends), tuple(writes), tuple(triggers), context.is_live)


def _event(n: int, store: str, hint: RefetchRequest, context: ConnectionContext) -> Event:
    """A hint as the event that it would become, with a number that no event has."""
    return Event(
        -n,
        store,
        hint.topic,
        hint.lane,
        hint.subject,
        None,
        context.clock.now(),
        None,
        attempts=1,
        webhook_id=None,
        action_id=None,
    )


def _compared(
    context: ConnectionContext, before: DesiredVersion | None, after: DesiredVersion
) -> tuple[Planned, list[Trigger]]:
    was = _said(context, before.body) if before is not None and before.body is not None else {}
    says = _said(context, after.body) if after.body is not None else {}
    fields = sorted(key for key in was.keys() | says.keys() if was.get(key) != says.get(key) and key[:1] != "@")
    planned = Planned(
        after.kind,
        after.id,
        after.subject,
        before.state if before else None,
        after.state,
        tuple(fields),
        after.excluded or after.case_code,
    )
    fired = []
    if planned.is_sent and after.kind == RecordKind.MOMENT:
        fired.append(Trigger(str(says.get("event_type", "moment")), "moment", after.id))
    if planned.is_sent and after.kind == RecordKind.CONTACT and "timestamp_subscribed" in fields and _opts_in(says):
        fired.append(Trigger("welcome", "contact", after.id))
    if (
        planned.is_sent
        and after.kind == RecordKind.SMS
        and "channels" in fields
        and says["@collection"] == sms_contact.ASKED
    ):
        fired.append(Trigger("confirmation text", "contact", after.id))
    return planned, fired


def _opts_in(says: Mapping[str, Any]) -> bool:
    """The time of an opt-in can start a welcome (https://support.ometria.com/hc/en-gb/articles/9881990633117)."""
    return says.get("timestamp_subscribed") is not None


def _said(context: ConnectionContext, body: bytes) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.json.decode(context.packer.unpack(body))
    return said
