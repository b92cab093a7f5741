"""Check a connection against Shopify and Ometria: everything that would make it do wrong, or nothing."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from isthmus.flows.context import ShopContext
from isthmus.flows.takeover import messages
from isthmus.flows.takeover.messages import TakeoverState
from isthmus.flows.takeover.precheck import PlatformAccount, Sampled, sample_account
from isthmus.model.failure import Failure
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify import access
from isthmus.shopify.access import Access, AccessFinding, Expected
from isthmus.shopify.client import Shopify

UNKEYED = b"sample"
"""Keys the hashes by which buyers are compared in memory; nothing of them is kept."""


class ConnectionCheck(Struct, frozen=True):
    """What was found of each store and of Ometria. `failures` are external APIs that could not be looked at;
    `sampled` is what the account holds of another writer's.
    """

    stores: Mapping[str, Access]
    findings: tuple[tuple[str, AccessFinding], ...]
    failures: tuple[tuple[str, Failure], ...]
    sampled: Sampled | None = None
    notices: tuple[str, ...] = ()
    """What somebody should know before it is stored."""

    @property
    def is_good(self) -> bool:
        return not self.failures and not any(finding.is_blocking for _, finding in self.findings)


def check_connection(stores: Mapping[str, tuple[Shopify, Expected]], platform: OmetriaClient) -> ConnectionCheck:
    """Look at every store and at Ometria; changes nothing. The findings are named by store, or `ometria`."""
    found: dict[str, Access] = {}
    findings: list[tuple[str, AccessFinding]] = []
    failures: list[tuple[str, Failure]] = []
    for name, (shop, expected) in stores.items():
        try:
            found[name] = access.inspect_access(shop, expected)
            findings += [(name, finding) for finding in found[name].findings]
        except Failure as failure:
            failures.append((name, failure))
    try:
        platform.errors()
    except Failure as failure:
        failures.append(("ometria", failure))
    return ConnectionCheck(found, tuple(findings), tuple(failures))


def check_for_other_writers(
    checked: ConnectionCheck, shops: Sequence[ShopContext], account: PlatformAccount, collection: str, at: TakeoverState
) -> ConnectionCheck:
    """Look whether somebody else writes to the account what we would write, and add what that means.

    Changes nothing. Where it cannot be looked at, only going live waits for it.
    """
    if checked.failures:
        return checked
    try:
        told = sample_account(shops, account, collection, UNKEYED)
    except Failure as failure:
        if at.is_live and not at.was_live:
            return msgspec.structs.replace(checked, failures=(("ometria", failure),))
        unseen = AccessFinding(failure.code, f"could not look for another writer: {failure.detail}", is_blocking=False)
        return msgspec.structs.replace(checked, findings=(*checked.findings, ("ometria", unseen)))
    found = tuple(("ometria", finding) for finding in messages.takeover_findings(told, at))
    return msgspec.structs.replace(checked, findings=(*checked.findings, *found), sampled=told)


def repair_subscriptions(stores: Mapping[str, tuple[Shopify, Expected]], checked: ConnectionCheck) -> int:
    """Make the webhook subscriptions of the stores that leave them to us what they should be; how many changed."""
    n = 0
    for name, (shop, expected) in stores.items():
        todo = checked.stores[name].plan
        if todo is not None and expected.uri is not None:
            access.apply_subscription_plan(shop, todo, expected.uri)
            n += len(todo.create) + len(todo.delete)
    return n
