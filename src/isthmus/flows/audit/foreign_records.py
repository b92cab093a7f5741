"""Whether somebody else writes to the account what we would write, as an audit counts it."""

from collections.abc import Iterator, Mapping, Sequence

from isthmus.flows.audit.read_store import AuditedStore
from isthmus.flows.audit.samples import OrderNumbers
from isthmus.flows.context import ShopContext
from isthmus.flows.takeover.precheck import PlatformAccount, Sampled, sample_account
from isthmus.identity.foreign_match import ForeignVerdict
from isthmus.model.audit_rows import ForeignSample
from isthmus.shopify.client import Shopify
from isthmus.shopify.reads import Reads

UNKEYED = b"audit"
"""Stands for the installation's key in hashes that are compared and thrown away."""

_TWICE = (ForeignVerdict.MATCHED, ForeignVerdict.CONFLICTING)
_SORTS = (("order", "orders"), ("product", "products"))


class CountedStore(Reads):
    """A store whose orders were all counted just now."""

    def __init__(self, shop: Shopify, numbers: OrderNumbers) -> None:
        super().__init__(shop)
        self._numbers = numbers

    def named(self, names: Sequence[str]) -> list[int]:
        return self._numbers.find(names)


def sample_foreign_records(
    stores: Sequence[AuditedStore], numbers: Mapping[str, OrderNumbers], account: PlatformAccount, collection: str
) -> list[ForeignSample]:
    """What a sample shows of each kind, given every store's numbers. Raises what the clients raise."""
    shops = [ShopContext(store.name, store.rules, CountedStore(store.shop, numbers[store.name])) for store in stores]
    return list(count_samples(sample_account(shops, account, collection, UNKEYED)))


def count_samples(told: Sampled) -> Iterator[ForeignSample]:
    """Records that are ours under other ids, or seem to be, of those looked at."""
    looked_at = {"order": told.n_orders, "product": told.n_products}
    for kind, plural in _SORTS:
        groups = [
            one
            for one in told.groups
            if one.kind == kind and one.verdict in (ForeignVerdict.MATCHED, ForeignVerdict.CONFLICTING)
        ]
        ids = [id_ for group in groups for id_ in group.examples][:3]
        yield ForeignSample(
            plural, sum(group.n for group in groups), looked_at[kind], f"as {', '.join(ids)}" if ids else ""
        )
    for one in told.collections:
        says = f"in the collection {one.name}, customer_id {one.customer_ids}"
        yield ForeignSample("contacts", one.n_of_ours, one.n_looked_at, says)
