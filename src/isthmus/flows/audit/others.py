"""Whether somebody else writes to the account what we would write, as an audit counts it."""

from collections.abc import Iterator, Mapping, Sequence

from isthmus.flows.audit.sampling import Numbers
from isthmus.flows.audit.shops import Store
from isthmus.flows.road import Shop
from isthmus.flows.takeover.sample import Account, Sampled, sample
from isthmus.identity.foreign.match import Verdict
from isthmus.model.census import Foreign
from isthmus.shopify.client import Shopify
from isthmus.shopify.reads import Reads

UNKEYED = b"audit"
"""Stands for the installation's key in hashes that are compared and thrown away."""

_TWICE = (Verdict.MATCHED, Verdict.CONFLICTING)
_SORTS = (("order", "orders"), ("product", "products"))


class Counted(Reads):
    """A store whose orders were all counted just now."""

    def __init__(self, shop: Shopify, numbers: Numbers) -> None:
        super().__init__(shop)
        self._numbers = numbers

    def named(self, names: Sequence[str]) -> list[int]:
        return self._numbers.find(names)


def others(stores: Sequence[Store], numbers: Mapping[str, Numbers], account: Account, collection: str) -> list[Foreign]:
    """What a sample shows of each kind, given every store's numbers. Raises what the clients raise."""
    shops = [Shop(store.name, store.rules, Counted(store.shop, numbers[store.name])) for store in stores]
    return list(counted(sample(shops, account, collection, UNKEYED)))


def counted(told: Sampled) -> Iterator[Foreign]:
    """Records that are ours under other ids, or seem to be, of those looked at."""
    looked_at = {"order": told.n_orders, "product": told.n_products}
    for kind, plural in _SORTS:
        groups = [
            one for one in told.groups if one.kind == kind and one.verdict in (Verdict.MATCHED, Verdict.CONFLICTING)
        ]
        ids = [id_ for group in groups for id_ in group.examples][:3]
        yield Foreign(plural, sum(group.n for group in groups), looked_at[kind], f"as {', '.join(ids)}" if ids else "")
    for one in told.collections:
        says = f"in the collection {one.name}, customer_id {one.customer_ids}"
        yield Foreign("contacts", one.n_of_ours, one.n_looked_at, says)
