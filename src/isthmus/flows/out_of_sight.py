"""What the answers of readings come to: records that are there, records that are absent, and nothing at all."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REVIVE, FetchRequest, ParsedUpdate
from isthmus.model import reading
from isthmus.model.customer import Customer
from isthmus.model.event import Event, EventOutcome, EventState
from isthmus.model.order import Order
from isthmus.model.reading import Absent, Blindness, CannotSee, Found, ReadResult
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, Key, StoredRecord, decode_record
from isthmus.shopify.topics import HISTORY_SCOPE

SCOPE_MISSING = "storefront.scope_missing"
UNCONFIRMED_DELETION = "storefront.deletion_unconfirmed"
UNCONFIRMED_RETURN = "storefront.revival_unconfirmed"

DELETING = frozenset({"orders/delete", "customers/delete", "products/delete", "customers/merge", "customers/redact"})
"""Deliveries that say themselves that a record is going: a null that they cause is believed at once."""

ASK_AGAIN_AFTER = timedelta(seconds=2)
"""The first wait before a null is asked again; each is as long again as all that went before."""

GIVE_UP_AFTER = timedelta(minutes=10)
"""How long a shop may answer both that a record is there and that it is not."""

LATER_BY = timedelta(minutes=5)
"""News this much later than the reading that found nothing are of a record that came back, seen or not."""

WHY = {
    Blindness.HORIZON: "out of sight: the app sees orders of the last 60 days only",
    Blindness.CHANGED: "not seen: the shop answered both that it is there and that it is not",
    Blindness.ERROR: "not seen: the shop answered with an error",
}


class OutOfSight(Struct, frozen=True):
    """Orders of a store that we know and the app cannot see. `is_accepted` where `orders.horizon` says so."""

    store: str
    n: int
    visible_since: datetime
    is_accepted: bool


class SightResult(Struct):
    """What the readings of a batch told, how the events ended whose record could not be seen, which are to be asked
    again and when, and what a person must look at.
    """

    told: list[ParsedUpdate]
    outcomes: list[EventOutcome]
    again: list[tuple[Event, timedelta]]
    touches: list[Touch]


NOTHING = SightResult([], [], [], [])


def judge_unseen_records(
    db: Database,
    context: ConnectionContext,
    readings: Sequence[FetchRequest],
    results: Mapping[Key, ReadResult[Canonical]],
    asked_at: datetime,
    told: Iterable[ParsedUpdate] = (),
) -> SightResult:
    """Judge the answers. A record that cannot be seen changes nothing: its event ends, and says why.

    `told` is what other events of the batch say: a body among them is as fresh as one that we have.
    """
    known: dict[Key, StoredRecord] = {}
    doubtful = {key for key, result in results.items() if not isinstance(result, Found)}
    bodies: dict[Key, datetime] = {}
    if doubtful:
        with db.transaction() as tx:
            known = records.load_records(tx, context.connection, doubtful, context.packer)
        for word in told:
            if word.key in doubtful and word.record is not None:
                bodies[word.key] = max(word.event.received_at, bodies.get(word.key, word.event.received_at))
    seen = SightResult([], [], [], [])
    for one in readings:
        if one.key in results:
            _one(context, seen, one, results[one.key], known.get(one.key), bodies.get(one.key), asked_at)
    waiting = {event.id for event, _ in seen.again}
    seen.told = [word for word in seen.told if word.event.id not in waiting]
    return seen


def with_known_dates(result: ReadResult[Canonical], known: Canonical | None, now: datetime) -> ReadResult[Canonical]:
    """The answer in the light of what we know of the record."""
    if not isinstance(known, Order):
        return result
    return reading.judge_by_dates(result, known.created_at, known.processed_at, now)


def is_null_too_early(kept: StoredRecord | None, grace: timedelta, now: datetime) -> bool:
    """Whether a null comes so soon after a body of the record that it proves nothing yet."""
    return kept is not None and kept.record is not None and now - kept.changed_at < grace


def report_out_of_sight(tx: Tx, context: ConnectionContext, store: str, n: int, now: datetime) -> OutOfSight:
    """Note how many orders of a store the app cannot see; a case where nobody has accepted that."""
    is_accepted = context.orders_horizon != "all"
    since = reading.first_visible_date(now)
    if not is_accepted:
        detail = f"{HISTORY_SCOPE}: the app sees orders from {since:%Y-%m-%d} on; {n:,} known orders are out of sight"
        cases.open_or_count(tx, context.connection, [Touch(SCOPE_MISSING, "", store, detail)], now)
    return OutOfSight(store, n, since, is_accepted)


# -- below: one answer -------------------------------------------------------------------------------------------------


def _one(
    context: ConnectionContext,
    seen: SightResult,
    one: FetchRequest,
    result: ReadResult[Canonical],
    kept: StoredRecord | None,
    body_at: datetime | None,
    now: datetime,
) -> None:
    event, news = one.event, _news(one.event)
    result = with_known_dates(result, kept.record if kept and kept.record else news, now)
    match result:
        case Found():
            seen.told.append(ParsedUpdate(event, one.key, result.record, is_reading=True, said_at=now))
        case Absent():
            wait = None if event.topic in DELETING else _grace(context, event, kept, body_at, now)
            if wait is not None:
                seen.again.append((event, wait))
                return
            version = news.updated_at if news is not None else None
            seen.told.append(
                ParsedUpdate(event, one.key, is_reading=True, is_absent=True, said_at=now, version=version)
            )
        case CannotSee(reason=Blindness.CHANGED) if now - event.received_at < GIVE_UP_AFTER:
            seen.again.append((event, max(ASK_AGAIN_AFTER, now - event.received_at)))
        case CannotSee():
            _unseen(seen, one, result, kept, news, now)


def _unseen(
    seen: SightResult,
    one: FetchRequest,
    result: CannotSee,
    kept: StoredRecord | None,
    news: Canonical | None,
    now: datetime,
) -> None:
    """Nothing is known of the record: nothing changes, but where a delivery said something that a person can judge."""
    event, subject = one.event, f"{one.key[0]}:{one.key[2]}"
    if event.topic in DELETING and kept is not None and kept.record is not None:
        seen.outcomes.append(EventOutcome(event.id, EventState.PARKED, UNCONFIRMED_DELETION, subject))
        seen.touches.append(Touch(UNCONFIRMED_DELETION, subject, event.store, WHY[result.reason]))
    elif news is not None and kept is not None and kept.record is None:
        if kept.said_at is not None and news.updated_at >= kept.said_at + LATER_BY:
            seen.told.append(ParsedUpdate(event, one.key, news, is_reading=True, said_at=now))
            return
        detail = f"it changed {news.updated_at:%Y-%m-%d %H:%M:%S}, about when a reading found it gone"
        seen.outcomes.append(EventOutcome(event.id, EventState.PARKED, UNCONFIRMED_RETURN, subject))
        seen.touches.append(Touch(UNCONFIRMED_RETURN, subject, event.store, detail))
    else:
        seen.outcomes.append(EventOutcome(event.id, EventState.SKIPPED, WHY[result.reason], subject))


def _news(event: Event) -> Canonical | None:
    """The body that asks whether a record known to be gone is back."""
    if event.body is None or not event.topic.startswith(REVIVE):
        return None
    return decode_record(event.topic.removeprefix(REVIVE), event.body)


def _grace(
    context: ConnectionContext, event: Event, kept: StoredRecord | None, body_at: datetime | None, now: datetime
) -> timedelta | None:
    """How long to wait before a null is asked again; None where it is late enough to be believed.

    The store shows a new record to some of its readers a moment later than to others.
    """
    times = [body_at] if body_at is not None else []
    if kept is None:
        times.append(event.received_at)
    elif isinstance(kept.record, Customer) and kept.record.is_redacted:
        return None
    elif kept.record is not None:
        times.append(kept.changed_at)
    if not times:
        return None
    left = max(times) + context.pace.sight_grace - now
    if left <= timedelta():
        return None
    return min(left, max(ASK_AGAIN_AFTER, now - event.received_at))
