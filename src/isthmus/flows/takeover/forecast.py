"""What the account holds of orders and revenue, and what it will hold once all that waits is sent: month by month."""

from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.road import Road
from isthmus.flows.takeover.adopt import WITHHELD
from isthmus.flows.takeover.listing import ANYWHERE, KINDS, is_listed
from isthmus.flows.takeover.listing import mark as name_of_mark
from isthmus.identity.foreign import sql as foreign
from isthmus.identity.foreign.sql import Sum
from isthmus.mapping.order import BEFORE_US
from isthmus.runs import sql as runs


class Forecast(Struct, frozen=True):
    """`months` per currency, oldest first; orders not sent by reason; how many records of others were listed."""

    months: tuple[Sum, ...]
    n_before_us: int
    n_withheld: int
    n_orders_there: int
    n_products_there: int
    is_listed: bool = True
    """Whether the account was listed to its end: without that nothing of this is known."""
    listed_at: datetime | None = None

    def totals(self) -> list[Sum]:
        """The sum of all months, by currency; its month is empty."""
        found: dict[str, Sum] = {}
        for one in self.months:
            so_far = found.get(one.currency)
            found[one.currency] = Sum(
                month="",
                currency=one.currency,
                **{
                    name: getattr(one, name) + (getattr(so_far, name) if so_far else 0)
                    for name in Sum.__struct_fields__
                    if name not in ("month", "currency")
                },
            )
        return list(found.values())


def forecast(db: Database, road: Road) -> Forecast:
    """Work out what going live will do, from what was listed and what is desired; reads no neighbour."""
    connection = road.connection
    with db.transaction() as tx:
        marks = runs.marks(tx, connection)
        listed = [mark.done_at for kind in KINDS if (mark := marks.get((ANYWHERE, name_of_mark(kind)))) is not None]
        back = foreign.held_back(tx, connection, [BEFORE_US, WITHHELD])
        return Forecast(
            months=tuple(foreign.forecast(tx, connection)),
            n_before_us=back.get(BEFORE_US, 0),
            n_withheld=back.get(WITHHELD, 0),
            n_orders_there=foreign.n_strangers(tx, connection, "order"),
            n_products_there=foreign.n_strangers(tx, connection, "product"),
            is_listed=is_listed(tx, connection),
            listed_at=min((at for at in listed if at is not None), default=None),
        )
