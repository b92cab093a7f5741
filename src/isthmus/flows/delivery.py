"""How parcels reach their buyers: read where an event hangs on it, and decided without where it cannot be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from isthmus.flows.road import Road
from isthmus.flows.told import Heard, Reading, Told, by_store
from isthmus.mapping.moment import UNREADABLE
from isthmus.model.failure import Failure
from isthmus.model.order import Order
from isthmus.model.reading import Found

PATIENCE = timedelta(seconds=60)
"""How long an event waits to know how its parcel is delivered."""

LOOK_AGAIN = timedelta(seconds=10)

AT_ONCE = 100


def look(road: Road, heard: Heard) -> None:
    """Read the deliveries that were asked for. What cannot be read is asked again for a minute, and then left open."""
    now = road.clock.now()
    for (store, _), numbers in by_store(heard.deliveries).items():
        mine = [one for one in heard.deliveries if one.key[1] == store]
        for first in range(0, len(numbers), AT_ONCE):
            told = _read(road, store, numbers[first : first + AT_ONCE])
            for one in mine:
                if int(one.key[2]) in numbers[first : first + AT_ONCE]:
                    _say(heard, one, told.get(int(one.key[2])), now)


def _read(road: Road, store: str, numbers: Sequence[int]) -> Mapping[int, Mapping[int, str | None]]:
    try:
        found = road.shops[store].reader.deliveries(numbers)
    except Failure:
        return {}
    return {number: result.record for number, result in found.items() if isinstance(result, Found)}


def _say(heard: Heard, one: Reading, methods: Mapping[int, str | None] | None, now: datetime) -> None:
    is_over = now - one.event.received_at >= PATIENCE
    if not is_over and (methods is None or None in methods.values()):
        heard.waiting.append((one.event, LOOK_AGAIN))
    else:
        heard.told.append(Told(one.event, one.key, deliveries=methods or {}))


def told(order: Order, methods: Mapping[int, str | None]) -> Order:
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
