"""What the account holds of orders and revenue, and what it will hold once all that waits is sent: month by month."""

from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.takeover.id_mapping import WITHHELD
from isthmus.flows.takeover.inventory import ANYWHERE, KINDS, is_listed
from isthmus.flows.takeover.inventory import listing_mark as name_of_mark
from isthmus.identity.sql import foreign
from isthmus.identity.sql.foreign import MonthlyRevenue
from isthmus.mapping.order import BEFORE_US
from isthmus.runs.sql import watermarks as runs


class Forecast(Struct, frozen=True):
    """`months` per currency, oldest first; orders not sent by reason; how many records of others were listed."""

    months: tuple[MonthlyRevenue, ...]
    n_before_us: int
    n_withheld: int
    n_orders_there: int
    n_products_there: int
    is_listed: bool = True
    """Whether the account was listed to its end: without that nothing of this is known."""
    listed_at: datetime | None = None

    def totals(self) -> list[MonthlyRevenue]:
        """The sum of all months, by currency; its month is empty."""
        found: dict[str, MonthlyRevenue] = {}
        for one in self.months:
            so_far = found.get(one.currency)
            found[one.currency] = MonthlyRevenue(
                month="",
                currency=one.currency,
                **{
                    name: getattr(one, name) + (getattr(so_far, name) if so_far else 0)
                    for name in MonthlyRevenue.__struct_fields__
                    if name not in ("month", "currency")
                },
            )
        return list(found.values())


def forecast_going_live(db: Database, context: ConnectionContext) -> Forecast:
    """Work out what going live will do, from what was listed and what is desired; reads no external API."""
    connection = context.connection
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, connection)
        listed = [mark.done_at for kind in KINDS if (mark := marks.get((ANYWHERE, name_of_mark(kind)))) is not None]
        back = foreign.count_withheld(tx, connection, [BEFORE_US, WITHHELD])
        return Forecast(
            months=tuple(foreign.monthly_revenue(tx, connection)),
            n_before_us=back.get(BEFORE_US, 0),
            n_withheld=back.get(WITHHELD, 0),
            n_orders_there=foreign.count_foreign_records(tx, connection, "order"),
            n_products_there=foreign.count_foreign_records(tx, connection, "product"),
            is_listed=is_listed(tx, connection),
            listed_at=min((at for at in listed if at is not None), default=None),
        )
