"""Look at a few records of the account before anything is decided: does somebody else write what we would write?"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from msgspec import Struct

from isthmus.flows.context import ShopContext
from isthmus.flows.reconcile import order_totals
from isthmus.flows.takeover import inventory
from isthmus.flows.takeover.id_mapping import comparable_order
from isthmus.identity.foreign_match import (
    ForeignVerdict,
    Ours,
    Theirs,
    last_number_in,
    match_order,
    match_product,
    normalise_order_name,
)
from isthmus.kit.clock import Clock, SystemClock
from isthmus.kit.email import normalise_email
from isthmus.model.failure import RejectedError, TransientError
from isthmus.model.reading import found_record
from isthmus.ometria.client import PAGE, OmetriaClient
from isthmus.shopify.reads import NAMES

T = TypeVar("T")

READS_PER_SECOND = 4.0
"""By default, for every account (https://docs.ometria.com/docs/ometria-data-api-introduction)."""

TRIES = 5
"""Of one reading, before a sample is given up."""

PAGES = 5
"""Pages of orders that are read: the oldest, the newest, and three between."""

SOME = 50
"""Records of such a page. What 250 orders and 50 products cost to look up in a store, 630 points, is in the bucket of
any shop at once (https://shopify.dev/docs/api/usage/limits)."""

EXAMPLES = 5

OF_PLATFORM = frozenset({"preference_centre", "optin:sms", "double_optin:sms"})
"""Collections that are nobody's import; the first one's name is ASSUMED
(https://support.ometria.com/hc/en-gb/articles/20854035651101 tells of the others)."""


class PrecheckGroup(Struct, frozen=True, kw_only=True):
    """What was found of one kind and verdict: how many, the revenue of those that count by currency (decimal text),
    and the ids of some.
    """

    kind: str
    verdict: str
    n: int
    revenue: Mapping[str, str] = {}
    examples: tuple[str, ...] = ()


class Collection(Struct, frozen=True, kw_only=True):
    """A contact collection that is not ours: how many of the contacts looked at are people of our stores, and how its
    customer_id is made: as ours, plain (Shopify's number alone), other, or none.
    """

    name: str
    n_looked_at: int
    n_of_ours: int
    customer_ids: str


class Sampled(Struct, frozen=True, kw_only=True):
    """What a sample showed. `n_orders` and `n_products` were looked at, of about `n_orders_there` orders."""

    n_orders: int
    n_orders_there: int
    n_products: int
    groups: tuple[PrecheckGroup, ...]
    collections: tuple[Collection, ...]

    def n(self, kind: str, verdict: ForeignVerdict) -> int:
        return sum(group.n for group in self.groups if group.kind == kind and group.verdict == verdict)

    @property
    def is_foreign(self) -> bool:
        """Whether orders of ours are there under other ids, or seem to be."""
        return self.n("order", ForeignVerdict.MATCHED) + self.n("order", ForeignVerdict.CONFLICTING) > 0


class PlatformAccount:
    """Ometria's account, read no faster than it allows. Safe to share between threads."""

    def __init__(self, platform: OmetriaClient, per_second: float, clock: Clock) -> None:
        self._platform = platform
        self._gap = timedelta(seconds=1 / per_second)
        self._clock = clock
        self._next_at = clock.now()
        self._lock = threading.Lock()

    def ask(self, read: Callable[[OmetriaClient], list[T]]) -> list[T]:
        """One reading, when its time has come; tried again where the account was only busy."""
        for attempt in range(TRIES):
            with self._lock:
                now = self._clock.now()
                slot = max(now, self._next_at)
                self._next_at = slot + self._gap
            self._clock.wait((slot - now).total_seconds())
            try:
                return read(self._platform)
            except TransientError as failure:
                if attempt == TRIES - 1:
                    raise
                self._clock.wait((failure.retry_after or timedelta(seconds=2**attempt)).total_seconds())
        raise AssertionError("unreachable")


def sample_account(
    shops: Sequence[ShopContext], platform: OmetriaClient | PlatformAccount, collection: str, hash_key: bytes
) -> Sampled:
    """Read some pages of the account and look for what they hold in the stores. Changes nothing on any side.

    A platform alone is read at the pace that every account allows. Raises what the clients raise.
    """
    account = (
        platform
        if isinstance(platform, PlatformAccount)
        else PlatformAccount(platform, READS_PER_SECOND, SystemClock())
    )
    n_there = _reach(account)
    offsets = sorted({max(0, (n_there - SOME) * part // (PAGES - 1)) for part in range(PAGES)})
    pages = [account.ask(lambda it: it.orders(offset=offset, limit=SOME)) for offset in offsets]  # noqa: B023 - called at once
    items = {str(item["id"]): item for page in pages for item in page if item.get("id") is not None}
    orders = [inventory.parse_platform_record("order", item, hash_key) for item in items.values()]
    ours = list(_ours(shops, [str(item["web_id"]) for item in items.values() if item.get("web_id")], hash_key))
    goods = [item for item in account.ask(lambda it: it.products(limit=SOME)) if item.get("id") is not None]
    return Sampled(
        n_orders=len(orders),
        n_orders_there=n_there,
        n_products=len(goods),
        groups=(*_orders(orders, ours), *_goods(shops, goods)),
        collections=tuple(_collections(shops, account, collection)),
    )


def _reach(account: PlatformAccount) -> int:
    """About how many orders there are: no answer tells, so an empty page is looked for, then narrowed down on."""

    def is_there(offset: int) -> bool:
        return bool(account.ask(lambda it: it.orders(offset=offset, limit=1)))

    low, high = 0, PAGE
    while is_there(high):
        low, high = high, high * 4
    while high - low > PAGE:
        middle = (low + high) // 2
        low, high = (middle, high) if is_there(middle) else (low, middle)
    return low + len(account.ask(lambda it: it.orders(offset=low)))


def _ours(shops: Sequence[ShopContext], numbers: Sequence[str], hash_key: bytes) -> Iterator[Ours]:
    """The stores' own orders that carry these numbers; one that cannot be read is left out."""
    names = sorted({name for number in numbers if (name := normalise_order_name(number))})
    for shop in shops:
        for first in range(0, len(names), NAMES):
            found = shop.reader.named([f"#{name}" for name in names[first : first + NAMES]])
            for number in [found[n : n + NAMES] for n in range(0, len(found), NAMES)]:
                try:
                    read = shop.reader.orders(number)
                except RejectedError:
                    continue
                yield from (
                    comparable_order(shop, one, hash_key) for one in filter(None, map(found_record, read.values()))
                )


def _orders(theirs: Sequence[Theirs], ours: Sequence[Ours]) -> Iterator[PrecheckGroup]:
    """Each of theirs under the verdict of the order of ours that it is, or seems to be."""
    by_name: dict[str | None, list[Theirs]] = {}
    for one in theirs:
        by_name.setdefault(one.name, []).append(one)
    verdicts: dict[str, ForeignVerdict] = {}
    for order in ours:
        found = match_order(order, by_name.get(normalise_order_name(order.name), ()))
        verdicts |= dict.fromkeys(found.theirs, found.verdict)
    for verdict in ForeignVerdict:
        some = [one for one in theirs if verdicts.get(one.id, ForeignVerdict.UNKNOWN) is verdict]
        if some:
            yield PrecheckGroup(
                kind="order",
                verdict=verdict.value,
                n=len(some),
                revenue=_revenue(some),
                examples=tuple(_shown(one.id) for one in some[:EXAMPLES]),
            )


def _goods(shops: Sequence[ShopContext], items: Sequence[Mapping[str, Any]]) -> Iterator[PrecheckGroup]:
    """Products whose ids end with the number of a product of a store's, under an id that we would not give."""
    theirs = [inventory.parse_platform_record("product", item, b"") for item in items]
    numbers = sorted({one.number for one in theirs if one.number is not None and not one.is_variant})
    known: dict[int, str] = {}
    for shop in shops:
        for first in range(0, len(numbers), NAMES):
            try:
                read = shop.reader.products(numbers[first : first + NAMES])
            except RejectedError:
                continue
            for product in filter(None, map(found_record, read.values())):
                known |= dict.fromkeys((product.id, *(v.id for v in product.variants)), shop.rules.namespace)
    groups: dict[ForeignVerdict, list[Theirs]] = {}
    for one in theirs:
        if one.number is None or one.number not in known:
            verdict = ForeignVerdict.UNKNOWN
        elif one.id == f"{known[one.number]}{one.number}":
            verdict = ForeignVerdict.OURS
        else:
            sure = match_product(one.number, one.is_variant, theirs)
            verdict = ForeignVerdict.MATCHED if sure is not None else ForeignVerdict.CONFLICTING
        groups.setdefault(verdict, []).append(one)
    for verdict, some in sorted(groups.items()):
        yield PrecheckGroup(
            kind="product",
            verdict=verdict.value,
            n=len(some),
            examples=tuple(_shown(one.id) for one in some[:EXAMPLES]),
        )


def _collections(shops: Sequence[ShopContext], account: PlatformAccount, ours: str) -> Iterator[Collection]:
    """The other collections, by one page each; their people are looked for in the stores by Shopify's number."""
    others = [name for name in account.ask(lambda it: it.collections()) if name != ours and name not in OF_PLATFORM]
    for name in others:
        listed = account.ask(lambda it: it.contacts(name, limit=PAGE))  # noqa: B023 - called at once
        numbers = {
            number: one for one in listed if (number := last_number_in(_text(one, "customer_id") or _text(one, "id")))
        }
        styles: dict[str, int] = {}
        n = 0
        for shop in shops:
            wanted = sorted(numbers)
            for first in range(0, len(wanted), PAGE):
                for number, read in shop.reader.customers(wanted[first : first + PAGE]).items():
                    customer = found_record(read)
                    if customer is None or normalise_email(customer.email) != normalise_email(
                        _text(numbers[number], "email")
                    ):
                        continue
                    n += 1
                    style = _style(_text(numbers[number], "customer_id"), number, shop.rules.namespace)
                    styles[style] = styles.get(style, 0) + 1
        most = max(styles, key=lambda style: styles[style]) if styles else "none"
        yield Collection(name=name, n_looked_at=len(listed), n_of_ours=n, customer_ids=most)


def _style(customer_id: str | None, number: int, namespace: str) -> str:
    if customer_id is None:
        return "none"
    return "ours" if customer_id == f"{namespace}{number}" else "plain" if customer_id == str(number) else "other"


def _revenue(some: Sequence[Theirs]) -> dict[str, str]:
    sums: dict[str, int] = {}
    for one in some:
        if one.is_valid:
            sums[one.currency or "?"] = sums.get(one.currency or "?", 0) + one.net_mills
    return {currency: order_totals.mills_as_text(mills) for currency, mills in sorted(sums.items())}


def _shown(id_: str) -> str:
    """An id may be shown, since it names no person; a writer that used an address for one did not know that."""
    return "(an address)" if "@" in id_ else id_


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return str(value) if value is not None else None
