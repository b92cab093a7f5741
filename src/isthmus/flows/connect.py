"""Check a connection against both neighbours: everything that would make its road do wrong, or nothing."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from isthmus.flows.road import Shop
from isthmus.flows.takeover import words
from isthmus.flows.takeover.sample import Account, Sampled, sample
from isthmus.flows.takeover.words import Standing
from isthmus.model.failure import Failure
from isthmus.ometria.client import Ometria
from isthmus.shopify import access
from isthmus.shopify.access import Access, Expected, Finding
from isthmus.shopify.client import Shopify

UNKEYED = b"sample"
"""Keys the hashes by which buyers are compared in memory; nothing of them is kept."""


class Checked(Struct, frozen=True):
    """What was found of each store and of the platform. `failures` are neighbours that could not be looked at;
    `sampled` is what the account holds of another writer's.
    """

    stores: Mapping[str, Access]
    findings: tuple[tuple[str, Finding], ...]
    failures: tuple[tuple[str, Failure], ...]
    sampled: Sampled | None = None
    notices: tuple[str, ...] = ()
    """What somebody should know before it is stored."""

    @property
    def is_good(self) -> bool:
        return not self.failures and not any(finding.is_blocking for _, finding in self.findings)


def check(stores: Mapping[str, tuple[Shopify, Expected]], platform: Ometria) -> Checked:
    """Look at every store and at the platform; changes nothing. The findings are named by store, or `ometria`."""
    found: dict[str, Access] = {}
    findings: list[tuple[str, Finding]] = []
    failures: list[tuple[str, Failure]] = []
    for name, (shop, expected) in stores.items():
        try:
            found[name] = access.look(shop, expected)
            findings += [(name, finding) for finding in found[name].findings]
        except Failure as failure:
            failures.append((name, failure))
    try:
        platform.errors()
    except Failure as failure:
        failures.append(("ometria", failure))
    return Checked(found, tuple(findings), tuple(failures))


def look_for_others(
    checked: Checked, shops: Sequence[Shop], account: Account, collection: str, at: Standing
) -> Checked:
    """Look whether somebody else writes to the account what we would write, and add what that means.

    Changes nothing. Where it cannot be looked at, only going live waits for it.
    """
    if checked.failures:
        return checked
    try:
        told = sample(shops, account, collection, UNKEYED)
    except Failure as failure:
        if at.is_live and not at.was_live:
            return msgspec.structs.replace(checked, failures=(("ometria", failure),))
        unseen = Finding(failure.code, f"could not look for another writer: {failure.detail}", is_blocking=False)
        return msgspec.structs.replace(checked, findings=(*checked.findings, ("ometria", unseen)))
    found = tuple(("ometria", finding) for finding in words.findings(told, at))
    return msgspec.structs.replace(checked, findings=(*checked.findings, *found), sampled=told)


def subscribe(stores: Mapping[str, tuple[Shopify, Expected]], checked: Checked) -> int:
    """Make the webhook subscriptions of the stores that leave them to us what they should be; how many changed."""
    n = 0
    for name, (shop, expected) in stores.items():
        todo = checked.stores[name].plan
        if todo is not None and expected.uri is not None:
            access.subscribe(shop, todo, expected.uri)
            n += len(todo.create) + len(todo.delete)
    return n
