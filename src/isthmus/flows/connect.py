"""Check a connection against both neighbours: everything that would make its road do wrong, or nothing."""

from collections.abc import Mapping

from msgspec import Struct

from isthmus.model.failure import Failure
from isthmus.ometria.client import Ometria
from isthmus.shopify import access
from isthmus.shopify.access import Access, Expected, Finding
from isthmus.shopify.client import Shopify


class Checked(Struct, frozen=True):
    """What was found of each store and of the platform. `failures` are neighbours that could not be looked at."""

    stores: Mapping[str, Access]
    findings: tuple[tuple[str, Finding], ...]
    failures: tuple[tuple[str, Failure], ...]

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


def subscribe(stores: Mapping[str, tuple[Shopify, Expected]], checked: Checked) -> int:
    """Make the webhook subscriptions of the stores that leave them to us what they should be; how many changed."""
    n = 0
    for name, (shop, expected) in stores.items():
        todo = checked.stores[name].plan
        if todo is not None and expected.uri is not None:
            access.subscribe(shop, todo, expected.uri)
            n += len(todo.create) + len(todo.delete)
    return n
