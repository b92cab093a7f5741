"""Map the records that are most likely not to fit, as the pipeline would, and see what becomes of them."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from isthmus.flows.context import Reader
from isthmus.identity.foreign_match import normalise_order_name
from isthmus.kit.money import ZERO
from isthmus.mapping.contact import map_contact
from isthmus.mapping.order import map_order
from isthmus.mapping.product import map_product
from isthmus.mapping.rules import Rules
from isthmus.model.audit_rows import CustomerRow, Mapped, OrderRow, ProductRow
from isthmus.model.customer import Customer
from isthmus.model.customer_metrics import CustomerMetrics, RevenueByCurrency
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.reading import found_record
from isthmus.model.write import Write

HEAVIEST = 20
"""Records of each kind and store: few enough to read whole, and those that everything else is lighter than."""


class Heaviest:
    """The numbers of the records that weigh most."""

    def __init__(self, keep: int = HEAVIEST) -> None:
        self._keep = keep
        self._heap: list[tuple[int, int]] = []

    def weigh(self, weight: int, number: str) -> None:
        if len(self._heap) < self._keep:
            heapq.heappush(self._heap, (weight, int(number)))
        elif weight > self._heap[0][0]:
            heapq.heapreplace(self._heap, (weight, int(number)))

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in sorted(self._heap, reverse=True)]


class OrderNumbers:
    """Which order carries which number, learnt from every order that goes by: a search for a thousand takes minutes."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}

    def sale(self, row: OrderRow) -> None:
        self._ids[hash(normalise_order_name(row.name))] = int(row.id)

    def find(self, names: Sequence[str]) -> list[int]:
        found = (self._ids.get(hash(normalise_order_name(name))) for name in names)
        return [number for number in found if number is not None]


class Sample:
    """The heaviest of one store, by the characters of their tags and the number of their variants. `numbers` has all
    orders.
    """

    def __init__(self) -> None:
        self._customers, self._orders, self._products = Heaviest(), Heaviest(), Heaviest()
        self.numbers = OrderNumbers()

    def person(self, row: CustomerRow) -> None:
        self._customers.weigh(sum(map(len, row.tags)), row.who.id)

    def sale(self, row: OrderRow) -> None:
        self._orders.weigh(row.n_tag_chars, row.id)
        self.numbers.sale(row)

    def thing(self, row: ProductRow) -> None:
        self._products.weigh(sum(map(len, row.tags)) + 40 * len(row.skus), row.id)

    def mapped(self, reader: Reader, rules: Rules) -> Iterator[Mapped]:
        """Each as it would be sent. Raises what the reader raises."""
        for customer in filter(None, map(found_record, reader.customers(self._customers.numbers).values())):
            yield _one("customers", rules, customer.id, partial(_contact, customer, rules))
        for sold in filter(None, map(found_record, reader.orders(self._orders.numbers).values())):
            yield _one("orders", rules, sold.id, partial(_order, sold, rules))
        for thing in filter(None, map(found_record, reader.products(self._products.numbers).values())):
            yield _one("products", rules, thing.id, partial(map_product, thing, rules, Lane.BACKFILL))


def _contact(one: Customer, rules: Rules) -> list[Write]:
    spent = one.amount_spent or ZERO
    worth = CustomerMetrics(
        (RevenueByCurrency(rules.currency, one.n_orders or 0, spent, ZERO, spent),)
    )  # the shop's own count will do
    return [
        map_contact(
            one,
            f"{rules.namespace}{one.id}",
            rules,
            Lane.BACKFILL,
            worth=worth,
            hold=None,
            email_consent=one.email_consent,
            sms_consent=one.sms_consent,
            was_opted_in=False,
        )
    ]


def _order(one: Order, rules: Rules) -> list[Write]:
    person = None if one.customer_id is None else f"{rules.namespace}{one.customer_id}"
    return [map_order(one, person, rules, Lane.BACKFILL)]


def _one(kind: str, rules: Rules, number: int, map_it: Callable[[], Iterable[Write]]) -> Mapped:
    try:
        writes = list(map_it())
    except RejectedError as failure:
        return Mapped(kind, rules.store, str(number), 0, rejected=failure.code)
    n_bytes = max((len(write.body) for write in writes if write.body is not None), default=0)
    rejected = next((write.rejected for write in writes if write.rejected is not None), None)
    return Mapped(kind, rules.store, str(number), n_bytes, sum(write.n_cut for write in writes), rejected)
