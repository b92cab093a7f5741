"""What a flow needs of one connection: the runtime puts it together, so that settings stop there."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from isthmus.consent.policy import Policy
from isthmus.kit.clock import Clock
from isthmus.kit.compression import Packer
from isthmus.mapping.rules import Rules
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.model.metafield import Metafield
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.reading import ReadResult
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.client import Shopify
from isthmus.shopify.consent import Consents
from isthmus.shopify.reads import Listed, Page, Tallies

_MOST_DIGITS = 18
"""Of a number that fits 64 bits whatever its digits are."""


class Reader(Protocol):
    """A store as it is now. A reading by id answers that the record is there, is absent, or cannot be seen."""

    def orders(self, ids: Sequence[int]) -> Mapping[int, ReadResult[Order]]: ...

    def customers(self, ids: Sequence[int]) -> Mapping[int, ReadResult[Customer]]: ...

    def products(self, ids: Sequence[int]) -> Mapping[int, ReadResult[Product]]: ...

    def metafields(self, owner: str, numbers: Sequence[int]) -> Mapping[int, ReadResult[tuple[Metafield, ...]]]: ...

    def orders_of_returns(self, ids: Sequence[int]) -> Mapping[int, ReadResult[int]]: ...

    def sees_all_orders(self) -> bool: ...

    def deliveries(self, ids: Sequence[int]) -> Mapping[int, ReadResult[dict[int, str | None]]]: ...

    def changed(self, kind: str, since: datetime, until: datetime | None = None) -> Iterable[Listed]: ...

    def newest(self) -> Mapping[str, Listed]: ...

    def all_ids(self, kind: str, cursor: str | None = None, since: datetime | None = None) -> Page: ...

    def named(self, names: Sequence[str]) -> Sequence[int]: ...

    def tallies(self, kind: str, cursor: str | None = None, since: datetime | None = None) -> Tallies: ...

    def count(self, kind: str) -> int: ...

    def checkouts(self, since: datetime) -> Iterable[Checkout]: ...


class ShopContext(Struct, frozen=True):
    """One store of the connection."""

    name: str
    rules: Rules
    reader: Reader
    bulk: Bulk | None = None
    """Its bulk operations, where it is read by more than a test's own words."""
    client: Shopify | None = None
    """For what is no reading: the webhook subscriptions."""
    consents: Consents | None = None
    """Writing consent back, where it is more than a test's own words."""


class Timings(Struct, frozen=True):
    """How fast, how long, how much: each with its default from the connection file."""

    push_per_second: float = 4.0
    read_per_second: float = 4.0
    realtime_share: float = 0.7
    settle_after: timedelta = timedelta(seconds=30)
    read_back: float = 0.01
    enrichment_every: timedelta = timedelta(minutes=15)
    poll_every: timedelta = timedelta(minutes=5)
    watch_every: timedelta = timedelta(minutes=1)
    unsubscribes_every: timedelta = timedelta(seconds=10)
    profiles_every: timedelta = timedelta(minutes=2)
    consent_audit_every: timedelta = timedelta(days=7)
    metafields_every: timedelta = timedelta(hours=6)
    abandoned_after: timedelta = timedelta(minutes=30)
    coalesce: timedelta = timedelta(seconds=1)
    """Changes of one record within this long become one push."""
    hint_patience: timedelta = timedelta(seconds=10)
    """How long a hint waits for the record's own body before the record is read."""
    contact_head_start: timedelta = timedelta(seconds=3)
    sight_grace: timedelta = timedelta(minutes=1)
    """A null this soon after a body of the same record is asked again."""
    drift_grace: timedelta = timedelta(minutes=2)
    """How old a difference must be before it is drift."""


class ConnectionContext(Struct, frozen=True):
    """One connection, ready to work on."""

    connection: str
    shops: Mapping[str, ShopContext]
    platform: OmetriaClient
    collection: str
    clock: Clock
    hash_key: bytes
    packer: Packer
    is_live: bool = False
    merges_by_rule: bool = False
    """Whether people of whom it is sure that they are one are merged without being asked about."""
    phones_identify: bool = False
    """Whether the account takes a phone number for an identifier, which one person alone can hold."""
    orders_horizon: str = "all"
    """Whether the connection is meant to see `all` orders, or those of the last `60d` only."""
    max_share: float = 0.005
    """Share of the records of a kind that inferred and rule changes may touch without a person (SEMANTICS 1)."""
    pace: Timings = Timings()
    policy: Policy = Policy()

    def accounts(self, ids: Iterable[str]) -> set[tuple[str, int]]:
        """Store and number of the records that Ometria's ids name, as far as they can be of ours."""
        named = set()
        for one in ids:
            for store, shop in self.shops.items():
                number = one.removeprefix(shop.rules.namespace)
                if one.startswith(shop.rules.namespace) and number.isdecimal() and len(number) <= _MOST_DIGITS:
                    named.add((store, int(number)))
        return named

    def tick(self, lane: Lane) -> datetime:
        """Until when work of this lane is due: the enrichment lane collects and moves on at its interval."""
        now = self.clock.now()
        every = self.pace.enrichment_every.total_seconds()
        if lane is not Lane.ENRICHMENT or every <= 0:
            return now
        return datetime.fromtimestamp(now.timestamp() // every * every, now.tzinfo)
