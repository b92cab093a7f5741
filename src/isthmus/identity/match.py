"""Which of a person's ids speaks for all of them.

A person is everyone who answers to one address, over all stores of the connection. Shopify's ids come from one
ascending sequence, so the smallest is the oldest; choosing by id and not by arrival makes the answer the same whichever
way and in whatever order the records came (docs/decisions/0006).
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Link(Struct, frozen=True):
    """One store customer, the id the platform knows them by, and the address they answer to (normalised)."""

    store: str
    customer_id: int
    contact: str
    email: str | None


class People(Struct, frozen=True):
    """The surviving id of each store customer and of each address."""

    by_customer: Mapping[tuple[str, int], str]
    by_email: Mapping[str, str]

    def whole(self) -> dict[tuple[str, int], frozenset[tuple[str, int]]]:
        """Each store customer with all store customers of their person."""
        of: dict[str, list[tuple[str, int]]] = {}
        for customer, person in self.by_customer.items():
            of.setdefault(person, []).append(customer)
        wholes = [frozenset(customers) for customers in of.values()]
        return {customer: whole for whole in wholes for customer in whole}


def people(links: Iterable[Link]) -> People:
    """Every customer and address of these links with the person's surviving id; links must be whole by address."""
    oldest: dict[str, Link] = {}
    ordered = sorted(links, key=lambda link: (link.customer_id, link.store))
    for link in ordered:
        if link.email is not None:
            oldest.setdefault(link.email, link)
    return People(
        {(k.store, k.customer_id): (oldest[k.email].contact if k.email is not None else k.contact) for k in ordered},
        {email: link.contact for email, link in oldest.items()},
    )
