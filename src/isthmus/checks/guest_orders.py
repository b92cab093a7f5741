"""Orders that belong to no customer and still name an address: guests."""

from isthmus.checks.check import KEEP, OfSales
from isthmus.checks.toll import Toll
from isthmus.model.census import Sale, Source
from isthmus.model.finding import Found, Level, Owner


class GuestOrders(OfSales):
    code = "guest_orders"
    title = "Orders of guests"
    needs = frozenset({Source.ORDERS, Source.OWNERS})

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._seen = 0

    def sale(self, row: Sale) -> None:
        self._seen += 1
        if row.customer is None and (_said(row.email) or _said(row.phone)):
            self._toll.sale(row)

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.NOTE,
            what="They belong to no customer of the shop. They are sent with their address: Ometria counts them "
            "for whoever has it, and for everybody else makes a person that never said anything about marketing.",
            remedy="Nothing, unless you expected them to have accounts; let the checkout make customers if so.",
            owner=Owner.STORE,
            unit="orders",
            of=self._seen,
        )


def _said(text: str | None) -> bool:
    return bool(text and text.strip())
