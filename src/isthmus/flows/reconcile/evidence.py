"""Put together what the three sides said of single records, and look again where a listing is not proof enough."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.drift.attribute import DriftFacts, Record, SideView
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.observations import KINDS, Observation, OutboxRow
from isthmus.flows import out_of_sight, process
from isthmus.flows.context import ShopContext
from isthmus.flows.parse_events import FetchRequest
from isthmus.flows.reconcile import scan_platform
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.flows.reconcile.scan_store import CONSENT
from isthmus.model.customer import Customer
from isthmus.model.event import Event
from isthmus.model.failure import Failure, RejectedError
from isthmus.model.lane import Lane
from isthmus.model.reading import Absent, Blindness, CannotSee, Found, ReadResult
from isthmus.ometria.responses import decode_json
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, StoredRecord

Key = tuple[str, str]
"""(kind, id) in Ometria's words."""

OF_STORE = {kind: theirs for theirs, kind in KINDS.items()}

UNUSABLE = ("storefront.unreadable_record", "storefront.unreadable_body", "storefront.consent_unknown_state")
"""Cases that say why a store's record cannot become ours."""


class ReconcileEvidence(Struct, kw_only=True):
    """One record with everything that the run and the house know of it."""

    key: Key
    facts: DriftFacts
    store: str = ""
    number: int | None = None
    standing: OutboxRow | None = None
    kept: StoredRecord | None = None
    listed: Observation | None = None
    mapped: Observation | None = None
    there: Observation | None = None
    cases: tuple[str, ...] = ()
    is_out_of_sight: bool = False
    """A reading of its own answered null, and the app may be unable to see it."""
    told_at: datetime | None = None
    """Since when the oldest event about it waits."""

    @property
    def subject(self) -> str:
        """As the store names it; as Ometria does where no store is known."""
        return f"{OF_STORE[self.key[0]]}:{self.number}" if self.number is not None else f"{self.key[0]}:{self.key[1]}"

    @property
    def is_variant(self) -> bool:
        """A variant's row stands in the outbox under its product's subject."""
        return self.key[0] == "product" and self.number is not None and not self.key[1].endswith(str(self.number))


def gather_evidence(tx: Tx, held: RunContext, keys: Sequence[Key]) -> list[ReconcileEvidence]:
    """What is known of these records, in their order."""
    connection, run = held.context.connection, held.id
    named = drift.outbox_rows(tx, connection, keys)
    mapped = drift.read_observations(tx, connection, run, "ours", keys)
    seen_there = drift.read_observations(tx, connection, run, "platform", keys)
    places = {key: _place(held, key, named.get(key), mapped.get(key)) for key in keys}
    wanted = {key: (OF_STORE[key[0]], store, str(number)) for key, (store, number) in places.items() if number}
    subjects = {key: (store, f"{kind}:{name}") for key, (kind, store, name) in wanted.items()}
    # Whatever ends its wait after this has changed what is read from here on.
    told = drift.pending_subjects(tx, connection, sorted(set(subjects.values())))
    standings = drift.outbox_rows(tx, connection, keys)
    own = {key: (key[0], f"{_space(held, store)}{number}") for key, (store, number) in places.items() if number}
    listed = drift.read_observations(tx, connection, run, "store", sorted(set(own.values())))
    kept = records.load_records(tx, connection, set(wanted.values()), held.context.packer)
    names = {f"{kind}:{own_id}" for kind, own_id in keys} | {subject for _, subject in subjects.values()}
    cases = drift.open_case_codes(tx, connection, sorted(names))
    unknown = [own_id for kind, own_id in keys if kind == "order" and (kind, own_id) not in standings]
    twins = drift.orders_with_same_number(tx, connection, run, unknown)
    found = []
    for key in keys:
        store, number = places[key]
        known = ReconcileEvidence(
            key=key,
            facts=DriftFacts(kind=key[0], id=key[1]),
            store=store,
            number=number,
            standing=standings.get(key),
            kept=kept.get(wanted[key]) if key in wanted else None,
            listed=listed.get(own[key]) if key in own else None,
            mapped=mapped.get(key),
            there=seen_there.get(key),
            cases=tuple(cases.get(subjects.get(key, ("", "")), ())) + tuple(cases.get(("", f"{key[0]}:{key[1]}"), ())),
        )
        known.told_at = told.get(subjects.get(key, ("", "")))
        known.facts = _facts(held, known, is_told=known.told_at is not None, twin=twins.get(key[1]))
        found.append(known)
    return found


def reread_platform(held: RunContext, known: ReconcileEvidence) -> None:
    """Read the one record in Ometria, and take that for what it says."""
    kind, own = known.key
    at = held.now()
    item: dict[str, Any] | None = None
    if not held.is_unanswered:
        try:
            item = scan_platform.read_record(held, kind, own)
        except Failure:
            held.is_unanswered = True
    if held.is_unanswered:
        known.facts = msgspec.structs.replace(known.facts, platform_look=SideView.UNSEEN, platform_path=None)
        return
    body = _body(held, known.standing)
    if item is None:
        known.there = None
        known.facts = msgspec.structs.replace(
            known.facts,
            platform_look=SideView.ABSENT,
            platform_path=None,
            would_opt_in=kind == "contact" and body is not None and scan_platform.is_opting_in(body, None),
        )
        return
    known.there = scan_platform.observe_record(held, known.key, item, known.standing, at)
    known.facts = msgspec.structs.replace(known.facts, **_platform(held, known))


def reread_stores(held: RunContext, known: Sequence[ReconcileEvidence]) -> None:
    """Read these records in their stores, many at a time; what is unreadable is the storefront's fault."""
    now = held.now()
    readings, about = [], {}
    for n, one in enumerate(known, start=1):
        if one.number is None or one.store not in held.context.shops:
            continue
        kind = OF_STORE[one.key[0]]
        subject = f"{kind}:{one.number}"
        event = Event(
            -n,
            one.store,
            f"repair/{kind}",
            Lane.REPAIR,
            subject,
            None,
            now,
            None,
            attempts=1,
            webhook_id=None,
            action_id=None,
        )
        readings.append(FetchRequest(event, (kind, one.store, str(one.number))))
        about[event.id] = one
    found, failed = process.fetch_records(held.context, readings)
    why = {event.id: failure for event, failure in failed}
    for reading in readings:
        one = about[reading.event.id]
        if reading.key in found:
            result = _dated(one, found[reading.key], held.context.pace.sight_grace, now)
            one.is_out_of_sight = isinstance(result, CannotSee) and result.reason is Blindness.HORIZON
            one.facts = msgspec.structs.replace(one.facts, **_as_read(one, result))
            if isinstance(result, Found) and _is_new(held, one, result.record):
                one.facts = msgspec.structs.replace(one.facts, is_young=True)
        elif isinstance(failure := why.get(reading.event.id), RejectedError):
            one.facts = msgspec.structs.replace(one.facts, blamed=failure.code)
        else:
            one.facts = msgspec.structs.replace(one.facts, store_look=SideView.UNSEEN, store_path=None)


def _dated(
    known: ReconcileEvidence, result: ReadResult[Canonical], grace: timedelta, now: datetime
) -> ReadResult[Canonical]:
    """What a reading says in the light of what we have of the record."""
    result = out_of_sight.with_known_dates(result, known.kept.record if known.kept else None, now)
    is_early = isinstance(result, Absent) and out_of_sight.is_null_too_early(known.kept, grace, now)
    return CannotSee(Blindness.CHANGED) if is_early else result


def _as_read(known: ReconcileEvidence, result: ReadResult[Canonical]) -> dict[str, Any]:
    """What a reading of its own says of a record, beside what we have of it."""
    if isinstance(result, Absent):
        return {"store_look": SideView.UNSEEN if known.is_variant else SideView.ABSENT, "store_path": None}
    if isinstance(result, CannotSee):
        return {"store_look": SideView.UNSEEN, "store_path": None}
    record = result.record
    kept = known.kept
    if known.is_variant and (kept is None or record.updated_at > kept.updated_at):
        return {"store_look": SideView.UNSEEN, "store_path": None}  # its product is what changed
    if kept is None or kept.record is None:
        return {"store_look": SideView.THERE, "store_path": ""}
    if record.updated_at == kept.updated_at:
        return {"store_look": SideView.THERE, "store_path": known.facts.store_path}
    path = "updated_at" if record.updated_at > kept.updated_at else None
    return {"store_look": SideView.THERE, "store_path": path}


def _is_new(held: RunContext, known: ReconcileEvidence, record: Canonical) -> bool:
    """Whether what a reading of its own shows may still be on its way to us: at the pace of the kind of change."""
    pace, kept = held.context.pace, known.kept
    if kept is not None and record.updated_at <= kept.updated_at:
        return False
    ours = kept.record if kept is not None else None
    is_hurried = known.key[0] == "order"
    if isinstance(record, Customer) and isinstance(ours, Customer):
        is_hurried |= (record.email_consent, record.sms_consent) != (ours.email_consent, ours.sms_consent)
    grace = pace.drift_grace if is_hurried else pace.drift_grace + pace.enrichment_every
    return record.updated_at > held.now() - grace


# -- below: one record's facts -----------------------------------------------------------------------------------------


def _place(
    held: RunContext, key: Key, standing: OutboxRow | None, mapped: Observation | None
) -> tuple[str, int | None]:
    """The store and Shopify's number behind a platform record; of what only Ometria knows, by its id's look."""
    if standing is not None:
        number = (standing.subject or "").partition(":")[2]
        return standing.store, int(number) if number.isdecimal() else None
    if mapped is not None and mapped.store is not None:
        return mapped.store, mapped.number
    named = dict(held.context.accounts([key[1]]))
    return next(((name, named[name]) for name in held.context.shops if name in named), ("", None))


def _facts(held: RunContext, known: ReconcileEvidence, *, is_told: bool, twin: str | None) -> DriftFacts:
    kind, own = known.key
    shop, standing = held.context.shops.get(known.store), known.standing
    blamed = next((code for code in known.cases if code in UNUSABLE), None)
    body = _body(held, standing)
    facts = DriftFacts(
        kind=kind,
        id=own,
        record=Record.NONE if known.kept is None else Record.KNOWN if known.kept.record is not None else Record.GONE,
        mapped_path=_still_unlike(known),
        state=standing.state if standing else None,
        case_code=standing.case_code if standing else None,
        is_ours=standing is None or _is_ours(shop, standing),
        twin=twin,
        blamed=blamed,
        is_told=is_told,
        is_overruled=kind == "contact" and own in held.overruled,
        would_opt_in=kind == "contact" and body is not None and scan_platform.is_opting_in(body, None),
    )
    facts = msgspec.structs.replace(facts, **_store(held, known))
    facts = msgspec.structs.replace(facts, **_platform(held, known))
    return msgspec.structs.replace(facts, is_young=_is_young(held, known, facts))


def _store(held: RunContext, known: ReconcileEvidence) -> dict[str, Any]:
    """What the store's listing says; a variant only follows its product."""
    kind, store = OF_STORE[known.key[0]], known.store
    if known.listed is None:
        is_sure = held.asked.is_full and store in held.stores and not held.is_blind("store", kind, store)
        # What we learned after the listing began may well stand on a page that was read before.
        is_sure = is_sure and (known.kept is None or known.kept.changed_at < held.run.started_at)
        return {
            "store_look": SideView.UNLISTED if is_sure and not known.is_variant else SideView.UNSEEN,
            "store_path": None,
        }
    path, kept = known.listed.path, known.kept
    if (
        path is not None
        and kept is not None
        and kept.changed_at >= known.listed.at
        and known.listed.version is not None
    ):
        # The pipeline has heard of it since.
        path = None if kept.record is None or kept.updated_at >= known.listed.version else path
    if known.is_variant and path is not None:
        return {"store_look": SideView.UNSEEN, "store_path": None}
    return {"store_look": SideView.THERE, "store_path": path}


def _platform(held: RunContext, known: ReconcileEvidence) -> dict[str, Any]:
    """What Ometria's listing says of the write as it is desired now."""
    row, standing = known.there, known.standing
    if row is None:
        kind = OF_STORE[known.key[0]]
        is_sure = kind in held.asked.kinds and not held.is_blind("platform", kind)
        if not held.asked.is_full:
            is_sure = is_sure and standing is not None and _since(held, standing)
        return {"platform_look": SideView.ABSENT if is_sure else SideView.UNSEEN, "platform_path": None}
    is_old = standing is not None and (
        standing.desired != row.against or (standing.settled_at is not None and standing.settled_at > row.at)
    )
    if is_old and standing is not None and standing.state != "excluded":
        return {"platform_look": SideView.UNSEEN, "platform_path": None}
    settled_at = standing.settled_at if standing else None
    return {
        "platform_look": SideView.THERE,
        "platform_path": row.path,
        "is_written_later": (row.version is not None and settled_at is not None and row.version > settled_at)
        or row.writer not in (None, "api"),
        "would_opt_in": row.would_opt_in,
    }


def _is_young(held: RunContext, known: ReconcileEvidence, facts: DriftFacts) -> bool:
    """Whether what differs is younger than the grace period, on the side where it does.

    A store's word on people and products travels at the pace of enrichment, and a delivery that waits for its hour
    names no record yet: what is younger than that pace may be on its way. Consent never waits for it.
    """
    pace, now = held.context.pace, held.now()
    grace, times = pace.drift_grace, list[datetime | None]()
    if facts.store_path is not None and known.listed is not None and (at := known.listed.version) is not None:
        is_hurried = known.key[0] == "order" or facts.store_path == CONSENT
        times.append(at if is_hurried else at + pace.enrichment_every)
    if facts.platform_look is SideView.ABSENT or facts.platform_path is not None or facts.state is None:
        times += [known.standing.settled_at if known.standing else None, known.there.version if known.there else None]
    return any(at is not None and at > now - grace for at in times)


def _still_unlike(known: ReconcileEvidence) -> str | None:
    """Where a fresh mapping says something else; None once anything was desired again since it was tried."""
    if known.mapped is None:
        return None
    is_newer = known.kept is not None and known.kept.changed_at > known.mapped.at
    return None if is_newer else known.mapped.path


def _since(held: RunContext, standing: OutboxRow) -> bool:
    since = held.asked.since
    return since is not None and standing.settled_at is not None and standing.settled_at >= since


def _is_ours(shop: ShopContext | None, standing: OutboxRow) -> bool:
    return standing.is_adopted or (shop is not None and standing.id.startswith(shop.rules.namespace))


def _space(held: RunContext, store: str) -> str:
    shop = held.context.shops.get(store)
    return shop.rules.namespace if shop else ""


def _body(held: RunContext, standing: OutboxRow | None) -> dict[str, Any] | None:
    if standing is None or standing.body is None:
        return None
    body: dict[str, Any] = decode_json(held.context.packer.unpack(standing.body))
    return body
