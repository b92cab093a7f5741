"""Webhooks write "15.00" and GraphQL "15.0"; here both become one Decimal, at its currency's scale."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from isthmus.kit.money import ZERO, quantize, smallest_unit
from isthmus.model.failure import RejectedError
from isthmus.model.order import NOTHING, Amount
from isthmus.shopify.parse.json import UNREADABLE

_CENT = Decimal("0.01")
_LARGEST = 15
_NO_NUMBER = "an amount that is no number"


class Scale:
    """The currencies of one record: the shop's, and the one the customer saw. Made for one record and left with it."""

    __slots__ = ("_has_cents", "presentment", "seen", "shop")

    def __init__(self, shop: str, presentment: str) -> None:
        self.shop = shop
        self.presentment = presentment
        self._has_cents = smallest_unit(shop) == _CENT == smallest_unit(presentment)
        # Most amounts of an order come twice or more: as it was and as it is now. By a text that is alike in both.
        self.seen = {"0.00": NOTHING}

    def amount(self, shop: str, presentment: str) -> Amount:
        """One sum given in both currencies; NOTHING itself for zero, so that zero always encodes alike."""
        if shop == presentment and self._has_cents:
            seen = self.seen.get(shop)
            if seen is None:
                seen = self.seen[shop] = self._both(shop)
            return seen
        first, second = parse_amount(shop, self.shop), parse_amount(presentment, self.presentment)
        return Amount(first, second) if first or second else NOTHING

    def in_shop(self, text: str) -> Decimal:
        """A sum that is given in the shop's currency alone."""
        value = self.amount(text, text).shop if self._has_cents else parse_amount(text, self.shop)
        return value or ZERO

    def _both(self, text: str) -> Amount:
        value = _finite(text) if text[-3:-2] == "." else parse_amount(text, self.shop)
        return Amount(value, value) if value else NOTHING

    def total(self, parts: Sequence[tuple[str, str]]) -> Amount:
        """The sum of (shop, presentment) texts."""
        if len(parts) == 1:
            return self.amount(*parts[0])
        amounts = [self.amount(*part) for part in parts]
        first = sum([one.shop for one in amounts], ZERO)
        second = sum([one.presentment for one in amounts], ZERO)
        return Amount(first, second) if first or second else NOTHING


def parse_plain_amount(text: str) -> Decimal:
    """A price without a currency beside it: two places, or as many as its value needs."""
    value = _finite(text)
    cents = value.quantize(_CENT)
    return cents if cents == value else value.normalize()


def parse_amount(text: str, currency: str) -> Decimal:
    """A decimal text at its currency's scale, rounded half up; RejectedError for anything that is no number."""
    value = quantize(_finite(text), currency)
    return value or abs(value)  # never a negative zero


def _finite(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise RejectedError(UNREADABLE, _NO_NUMBER) from None
    # Nothing that is sold costs 10^15; such a number cannot be rounded to its currency either.
    if not value.is_finite() or value.adjusted() >= _LARGEST:
        raise RejectedError(UNREADABLE, _NO_NUMBER)
    return value
