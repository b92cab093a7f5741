"""What a batch of events says, in canonical words: which records, which statements, which must be read first."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.model.consent import Claim
from isthmus.model.event import Event, EventOutcome, EventState
from isthmus.model.failure import RejectedError
from isthmus.model.order import Order
from isthmus.ometria import automation_hook
from isthmus.ometria.automation_hook import AutomationCall
from isthmus.records.sql.store import Canonical, Key, StoredRecord, decode_record, record_key
from isthmus.shopify import parse, topics
from isthmus.shopify.parse import checkout_checkbox, merge_webhook, topic_shape
from isthmus.shopify.topics import Action

OURS = ("poll/", "load/", "repair/", "revive/", "confirm/", "restore/", "delivery/")
"""Our own source: read this record."""

UNREADABLE = "storefront.unreadable_body"

REVIVE = "revive/"
"""News of a record known to be gone: read it. The news comes along, since the record may be out of sight."""

CONFIRM, RESTORE = "confirm/", "restore/"
"""What a person decided of a record out of sight: that it is gone, that it is there as the news has it."""

READABLE = ("order", "customer", "product", "return")
"""What can be read by its id. A return is read as the order it belongs to."""

REMAP = "isthmus/remap"
"""Map this record again from what we know, since a rule or a person changed."""


MISFIT = "storefront.body_of_another_topic"

REDACT = "customers/redact"
UNINSTALLED = "app/uninstalled"
"""The shop asks for a customer's erasure."""

DELIVERY = "delivery/order"
"""Read how the parcels of this order reach their buyer: an event hangs on it."""

PLATFORM_HOOK = "ometria/hook"
"""A call from an automation's webhook node; it arrives durable like everything else."""


class ParsedUpdate(Struct, frozen=True):
    """One event's word about one record. `record` is None where a reading says that it is absent (`is_absent`), for a
    remap, and for a claim, which changes a channel's consent and no body.
    """

    event: Event
    key: Key
    record: Canonical | None = None
    is_reading: bool = False
    is_absent: bool = False
    is_patch: bool = False
    is_remap: bool = False
    is_redaction: bool = False
    """The shop asks for this customer's erasure."""
    claim: Claim | None = None
    said_at: datetime | None = None
    """When the store said so: a webhook's trigger, or when a reading began. None where nobody knows."""
    deliveries: Mapping[int, str | None] | None = None
    """How parcels of an order reach their buyer, by their numbers, where the event is about that alone."""
    untold: tuple[str, ...] = ()
    """Lists of the record that the body leaves out."""
    version: datetime | None = None
    """Of what is absent, the version of the news that asked for the reading."""
    box: Claim | None = None
    """What was ticked at the checkout: evidence beside the body, which changes nothing."""


class FetchRequest(Struct, frozen=True):
    """An event that only a reading of this record can answer."""

    event: Event
    key: Key
    why: RejectedError | None = None
    """What was wrong with the event's own body, where that is why the record is read."""


class ParsedBatch(Struct):
    """A batch sorted out: words to absorb, records to read, events that wait, events that ended, and why."""

    told: list[ParsedUpdate]
    readings: list[FetchRequest]
    waiting: list[tuple[Event, timedelta]]
    outcomes: list[EventOutcome]
    failures: list[tuple[Event, Exception]]
    matters: list[Event]
    """Events that are a matter for a person (privacy, an uninstalled app)."""
    calls: list[tuple[Event, AutomationCall]]
    """What automations of Ometria say of consent."""
    merges: list[tuple[Event, merge_webhook.CustomerMerge]]
    """Merges of customers that the shop made, or tried to."""
    misfits: list[Event]
    """Matters whose body is that of another topic or of another shop."""
    deliveries: list[FetchRequest]
    """Orders of which only the delivery of their parcels is to be read."""
    uninstalls: list[Event]
    """Words that the app is gone from a store of ours, which a reading can confirm or refute."""
    details: dict[int, str]
    """What a reading showed of a matter, by event."""


def empty_batch() -> ParsedBatch:
    """A batch that said nothing yet."""
    return ParsedBatch([], [], [], [], [], [], [], [], [], [], [], {})


def parse_events(events: Iterable[Event], context: ConnectionContext) -> ParsedBatch:
    """Parse a batch. What cannot be read is a failure of that event alone."""
    heard = empty_batch()
    for event in events:
        try:
            _one(event, context, heard)
        except Exception as failure:  # a bug in a parser is that event's alone, too
            heard.failures.append((event, failure))
    return heard


def _one(event: Event, context: ConnectionContext, heard: ParsedBatch) -> None:
    if event.topic == PLATFORM_HOOK:
        heard.calls.append((event, automation_hook.parse_automation_call(event.body or b"", event.received_at)))
        return
    topic = topics.TOPICS.get(event.topic)
    if topic is not None and topic.action is Action.CASE:
        shop = context.shops.get(event.store)
        if topic_shape.is_of_another_topic(event.topic, event.body or b"") or (
            shop is not None and topic_shape.is_of_another_shop(event.topic, event.body or b"", shop.rules.domain)
        ):
            heard.outcomes.append(EventOutcome(event.id, EventState.PARKED, MISFIT))
            heard.misfits.append(event)
            return
        if event.topic == UNINSTALLED and shop is not None:
            heard.uninstalls.append(event)
            return
        heard.matters.append(event)  # also of a store that is no longer ours: privacy outlives the contract
        if event.topic == REDACT and shop is not None:
            heard.told += _redaction(event)
        return
    shop = context.shops.get(event.store)
    if shop is None:
        heard.outcomes.append(
            EventOutcome(event.id, EventState.PARKED, "the store is no longer part of the connection")
        )
        return
    if event.subject is not None and event.topic.startswith((*OURS, REMAP)):
        kind, _, name = event.subject.partition(":")
        if event.topic == REMAP:
            heard.told.append(ParsedUpdate(event, (kind, shop.name, name), is_remap=True))
        elif event.topic == DELIVERY:
            heard.deliveries.append(FetchRequest(event, (kind, shop.name, name)))
        elif event.topic.startswith(CONFIRM):
            said = ParsedUpdate(
                event, (kind, shop.name, name), is_reading=True, is_absent=True, said_at=event.received_at
            )
            heard.told.append(said)
        elif event.topic.startswith(REVIVE):
            heard.readings.append(FetchRequest(event, (kind, shop.name, name)))
        elif event.body is not None:
            # A listing that had to read the record anyway brings it along, in our own words.
            by_hand = event.received_at if event.topic.startswith(RESTORE) else None
            news = decode_record(kind, event.body)
            said = ParsedUpdate(event, (kind, shop.name, name), news, is_reading=by_hand is not None, said_at=by_hand)
            heard.told.append(said)
        else:
            heard.readings.append(FetchRequest(event, (kind, shop.name, name)))
        return
    if topic is None:
        heard.outcomes.append(EventOutcome(event.id, EventState.PARKED, "nobody has said what this topic means"))
        heard.failures.append((event, RejectedError("integration.unknown_topic", event.topic)))
        return
    match topic.action:
        case Action.IGNORE:
            heard.outcomes.append(EventOutcome(event.id, EventState.SKIPPED, topic.why))
        case Action.READ:
            if event.topic == "customers/merge" and (merge := _merge(event)) is not None:
                heard.merges.append((event, merge))
                if merge.is_failed:
                    heard.outcomes.append(EventOutcome(event.id, EventState.SKIPPED, "the shop could not merge them"))
                    return
            _hint(event, shop, heard)
        case Action.CLAIM | Action.APPLY | Action.PATCH:
            try:
                _body(event, topic, shop, heard)
            except RejectedError as failure:
                _refetch(event, shop, heard, failure)


def _body(event: Event, topic: topics.Topic, shop: ShopContext, heard: ParsedBatch) -> None:
    """What the body says of its record, or of a customer's consent."""
    body = event.body or b""
    if topic.action is Action.CLAIM:
        claim = parse.parse_claim(event.topic, body)
        if isinstance(claim, parse.NeedsFetch):
            heard.readings.append(FetchRequest(event, ("customer", shop.name, str(claim.id))))
        else:
            heard.told.append(ParsedUpdate(event, ("customer", shop.name, str(claim.customer_id)), claim=claim))
        return
    found = parse.parse_webhook(topic.kind.value, body)
    if isinstance(found, parse.NeedsFetch):
        heard.readings.append(FetchRequest(event, (topic.kind.value, shop.name, str(found.id))))
        return
    record, untold = (found.record, found.untold) if isinstance(found, parse.Partial) else (found, ())
    key, is_patch = record_key(shop.name, record), topic.action is Action.PATCH
    box = checkout_checkbox.parse_checkbox(event.topic, body)
    heard.told.append(
        ParsedUpdate(event, key, record, is_patch=is_patch, said_at=event.triggered_at, box=box, untold=untold)
    )


def _refetch(event: Event, shop: ShopContext, heard: ParsedBatch, failure: RejectedError) -> None:
    """A body that names its record and cannot be read otherwise asks for a reading; what names none is a failure."""
    named = record_named_by(event)
    if failure.code != UNREADABLE or named is None or named[0] not in READABLE:
        raise failure
    heard.readings.append(FetchRequest(event, (named[0], shop.name, named[1]), failure))


def record_named_by(event: Event) -> tuple[str, str] | None:
    """The record that a delivery's body names, however little else of it can be read."""
    try:
        return topics.record_of_body(event.topic, event.body or b"")
    except RejectedError:
        return None


def _merge(event: Event) -> merge_webhook.CustomerMerge | None:
    """What a merge's body says; None where nothing but its names can be read."""
    try:
        return merge_webhook.parse_merge(event.body or b"")
    except RejectedError:
        if record_named_by(event) is None:
            raise
        return None


def _redaction(event: Event) -> list[ParsedUpdate]:
    """The word that a customer is to be erased; nothing where the body names none."""
    named = record_named_by(event)
    return [] if named is None else [ParsedUpdate(event, ("customer", event.store, named[1]), is_redaction=True)]


def _hint(event: Event, shop: ShopContext, heard: ParsedBatch) -> None:
    named = topics.records_of_body(event.topic, event.body or b"")
    records = [(kind, shop.name, name) for kind, name in named if kind in READABLE]
    if not records:
        heard.outcomes.append(
            EventOutcome(event.id, EventState.SKIPPED, "it names no record; the poll finds what changed")
        )
    heard.readings.extend(FetchRequest(event, key) for key in records)


# Hints that the record's own body may have answered -------------------------------------------------------------------


def is_already_known(event: Event, kept: StoredRecord | None) -> bool:
    """Whether what we know of the order already holds what this hint is about, so that nothing need be read."""
    if kept is None or not isinstance(kept.record, Order) or event.body is None:
        return False  # nothing to compare with
    match event.topic:
        case "refunds/create":
            number = parse.own_id(event.body)
            return any(refund.id == number for refund in kept.record.refunds)
        case "fulfillments/create":
            number = parse.own_id(event.body)
            return any(fulfilment.id == number for fulfilment in kept.record.fulfilments)
        case _:
            return False


PATIENT = frozenset({"refunds/create", "fulfillments/create", "fulfillments/update", "orders/edited"})
"""Hints whose order's own body is on its way too, and tells all of it."""


def remaining_wait(event: Event, context: ConnectionContext) -> timedelta:
    """How much longer this hint may wait for the record's own body."""
    if event.topic not in PATIENT:
        return timedelta()
    return event.received_at + context.pace.hint_patience - context.clock.now()


def group_by_store(readings: Sequence[FetchRequest]) -> dict[tuple[str, str], list[int]]:
    """The records to read: (store, kind) to numbers, each once."""
    wanted: dict[tuple[str, str], dict[int, None]] = {}
    for reading in readings:
        kind, store, name = reading.key
        wanted.setdefault((store, kind), {})[int(name)] = None
    return {key: list(numbers) for key, numbers in wanted.items()}
