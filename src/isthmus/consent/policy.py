"""Whose word counts for what: the settings of a connection, and what each way of saying something is worth."""

from typing import Literal

from msgspec import Struct

LEFT = "LEFT"
"""No state of Shopify's: the customer no longer speaks for the address."""

MOVED = "shopify.moved"
"""The source of a statement that came to an address with its customer: it was never said about this address."""

PLATFORM = "ometria."
"""How sources on Ometria's side begin; every other is the store's."""


class Policy(Struct, frozen=True):
    """`authority`: whose opt-in may lift an opt-out, where it is proven and later: newest: either side's; store or
    platform: only that side's. No setting lets anything but a later, proven opt-in lift one.

    `scope`: whether statements made in one store count in the connection's other stores. `merge`: what is left of two
    customers' consents when the shop makes them one: strictest: an opt-out of either; newest: what the survivor says.
    """

    authority: Literal["newest", "store", "platform"] = "newest"
    scope: Literal["connection", "store"] = "connection"
    merge: Literal["strictest", "newest"] = "strictest"

    def lets_lift(self, side: str) -> bool:
        """Whether an opt-in of that side ("store", "platform") may lift an opt-out."""
        return self.authority in ("newest", side)
