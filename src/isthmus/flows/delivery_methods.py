"""How parcels reach their buyers: read where an event hangs on it, and decided without where it cannot be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import FetchRequest, ParsedBatch, ParsedUpdate, group_by_store
from isthmus.mapping.custom_event import UNREADABLE
from isthmus.model.failure import Failure
from isthmus.model.order import Order
from isthmus.model.reading import Found

PATIENCE = timedelta(seconds=60)
"""How long an event waits to know how its parcel is delivered."""

RETRY_AFTER = timedelta(seconds=10)

AT_ONCE = 100


def read_delivery_methods(context: ConnectionContext, heard: ParsedBatch) -> None:
    """Read the deliveries that were asked for. What cannot be read is asked again for a minute, and then left open."""
    now = context.clock.now()
    for (store, _), numbers in group_by_store(heard.deliveries).items():
        mine = [one for one in heard.deliveries if one.key[1] == store]
        for first in range(0, len(numbers), AT_ONCE):
            told = _read(context, store, numbers[first : first + AT_ONCE])
            for one in mine:
                if int(one.key[2]) in numbers[first : first + AT_ONCE]:
                    _say(heard, one, told.get(int(one.key[2])), now)


def _read(context: ConnectionContext, store: str, numbers: Sequence[int]) -> Mapping[int, Mapping[int, str | None]]:
    try:
        found = context.shops[store].reader.deliveries(numbers)
    except Failure:
        return {}
    return {number: result.record for number, result in found.items() if isinstance(result, Found)}


def _say(heard: ParsedBatch, one: FetchRequest, methods: Mapping[int, str | None] | None, now: datetime) -> None:
    is_over = now - one.event.received_at >= PATIENCE
    if not is_over and (methods is None or None in methods.values()):
        heard.waiting.append((one.event, RETRY_AFTER))
    else:
        heard.told.append(ParsedUpdate(one.event, one.key, deliveries=methods or {}))


def with_delivery_methods(order: Order, methods: Mapping[int, str | None]) -> Order:
    """The order with what was read of its parcels, and nothing left to be decided."""
    return replace(
        order,
        fulfilments=tuple(
            [
                replace(one, delivery=methods.get(one.id) or UNREADABLE, pending=())
                if one.pending or methods.get(one.id)
                else one
                for one in order.fulfilments
            ]
        ),
    )
