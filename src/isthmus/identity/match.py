"""Which of a person's ids speaks for all of them.

A person is everyone who answers to one address, over all stores of the connection, and everyone who was merged with one
of them. Shopify's ids come from one ascending sequence, so the smallest is the oldest; choosing by id and not by
arrival makes the answer the same whichever way and in whatever order the records came (docs/decisions/0006).
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

Account = tuple[str, int]
"""A store and the number of a customer there."""


class Link(Struct, frozen=True):
    """One store customer, the id Ometria knows them by, and the address they answer to (normalised).

    `joined` is the account that this one turned out to belong to. One that is gone from its shop speaks for nobody.
    """

    store: str
    customer_id: int
    contact: str
    email: str | None
    joined: Account | None = None
    is_gone: bool = False

    @property
    def account(self) -> Account:
        return self.store, self.customer_id


class People(Struct, frozen=True):
    """The surviving id of each store customer and of each address."""

    by_customer: Mapping[Account, str]
    by_email: Mapping[str, str]

    def whole(self) -> dict[Account, frozenset[Account]]:
        """Each store customer with all store customers of their person."""
        of: dict[str, list[Account]] = {}
        for customer, person in self.by_customer.items():
            of.setdefault(person, []).append(customer)
        wholes = [frozenset(customers) for customers in of.values()]
        return {customer: whole for whole in wholes for customer in whole}


def assign_survivors(links: Iterable[Link]) -> People:
    """Every customer and address of these links with the person's surviving id; links must be whole by person."""
    oldest: dict[str, Link] = {}
    ordered = sorted(links, key=lambda link: (link.customer_id, link.store))
    for link in ordered:
        if link.email is not None:
            oldest.setdefault(link.email, link)
    by_address = People(
        {link.account: (oldest[link.email].contact if link.email is not None else link.contact) for link in ordered},
        {email: link.contact for email, link in oldest.items()},
    )
    if all(link.joined is None for link in ordered):
        return by_address
    return _joined(ordered, by_address)


def _joined(ordered: Iterable[Link], by_address: People) -> People:
    """Everybody who was merged with somebody speaks by the oldest living account of all of them."""
    head: dict[Account | str, Account | str] = {}

    def top(node: Account | str) -> Account | str:
        while (above := head.get(node, node)) != node:
            head[node] = node = head.get(above, above)
        return node

    links = list(ordered)
    for link in links:
        for other in (link.email, link.joined):
            if other is not None:
                head[top(other)] = top(link.account)
    speaks: dict[Account | str, str] = {}
    for link in links:
        if not link.is_gone:
            speaks.setdefault(top(link.account), link.contact)
    return People(
        {account: speaks.get(top(account), person) for account, person in by_address.by_customer.items()},
        {email: speaks.get(top(email), person) for email, person in by_address.by_email.items()},
    )
