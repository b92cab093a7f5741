"""Parts that several webhook bodies share: money in two currencies, addresses, tags."""

from msgspec import Struct

from isthmus.model.order import NOTHING, Address, Amount
from isthmus.shopify.parse.money import Scale


class RestMoney(Struct, gc=False):
    amount: str


class RestMoneyBag(Struct, gc=False):
    """`*_set`: the same sum in the shop's and in the customer's currency."""

    shop_money: RestMoney
    presentment_money: RestMoney


class RestAddress(Struct, gc=False):
    """An address; without approval for personal data its keys are absent."""

    first_name: str | None = None
    last_name: str | None = None
    address1: str | None = None
    city: str | None = None
    province: str | None = None
    zip: str | None = None
    country_code: str | None = None
    phone: str | None = None


def rest_amount(bag: RestMoneyBag | None, scale: Scale) -> Amount:
    """The sum of a bag; nothing where Shopify sent none."""
    if bag is None:
        return NOTHING
    shop, presentment = bag.shop_money.amount, bag.presentment_money.amount
    # Looked up here and not in `scale`, since this is done some twenty times for every order.
    return (scale.seen.get(shop) if shop == presentment else None) or scale.amount(shop, presentment)


def rest_total(bags: list[RestMoneyBag], scale: Scale) -> Amount:
    """The sum of several bags."""
    if not bags:
        return NOTHING
    if len(bags) == 1:
        return rest_amount(bags[0], scale)
    return scale.total([(bag.shop_money.amount, bag.presentment_money.amount) for bag in bags])


def rest_address(place: RestAddress | None) -> Address | None:
    """Where it is; None where nothing of it is told, as in `{}` or an object of nulls."""
    if place is None or not (place.city or place.province or place.zip or place.country_code):
        return None
    return Address(place.city or None, place.province or None, place.zip or None, place.country_code or None)


def rest_tags(tags: str | None) -> tuple[str, ...]:
    """`"b, a, a"` is the set a, b: sorted, without repeats or blanks."""
    if not tags:
        return ()
    tags_found = set(map(str.strip, tags.split(",")))
    tags_found.discard("")
    return tuple(sorted(tags_found))
