"""Parts that several GraphQL nodes share: global ids, money in two currencies, addresses, pages."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from isthmus.kit import ids
from isthmus.model.failure import RejectedError
from isthmus.model.order import NOTHING, Address, Amount
from isthmus.shopify.parse.json import UNREADABLE
from isthmus.shopify.parse.money import Scale

T = TypeVar("T")


class GraphqlMoney(Struct, gc=False):
    amount: str


class GraphqlMoneyBag(Struct, gc=False, rename="camel"):
    """MoneyBag: the same sum in the shop's and in the customer's currency."""

    shop_money: GraphqlMoney
    presentment_money: GraphqlMoney


class Ref(Struct, gc=False):
    """Another record, by its global id."""

    id: str


class GraphqlAddress(Struct, gc=False, rename="camel"):
    first_name: str | None = None
    last_name: str | None = None
    city: str | None = None
    province: str | None = None
    zip: str | None = None
    country_code_v2: str | None = None


class Image(Struct, gc=False):
    url: str


class GraphqlPreview(Struct, gc=False):
    image: Image | None = None


class GraphqlImage(Struct, gc=False):
    preview: GraphqlPreview | None = None


class Nodes(Struct, Generic[T], gc=False):
    """A connection whose pages were already put together."""

    nodes: list[T]


def number_of_gid(gid: str) -> int:
    """The number of a global id; RejectedError where there is none."""
    try:
        return ids.numeric_id(gid)
    except ValueError:
        raise RejectedError(UNREADABLE, "a global id without a number") from None


def number_or_none(ref: Ref | None) -> int | None:
    return None if ref is None else number_of_gid(ref.id)


def graphql_amount(bag: GraphqlMoneyBag | None, scale: Scale) -> Amount:
    """The sum of a bag; nothing where Shopify sent none."""
    return NOTHING if bag is None else scale.amount(bag.shop_money.amount, bag.presentment_money.amount)


def graphql_total(bags: Sequence[GraphqlMoneyBag], scale: Scale) -> Amount:
    """The sum of several bags."""
    if not bags:
        return NOTHING
    return scale.total([(bag.shop_money.amount, bag.presentment_money.amount) for bag in bags])


def graphql_address(place: GraphqlAddress | None) -> Address | None:
    """Where it is; None where nothing of it is told."""
    if place is None or not (place.city or place.province or place.zip or place.country_code_v2):
        return None
    return Address(place.city or None, place.province or None, place.zip or None, place.country_code_v2 or None)


def graphql_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Sorted, without repeats or blanks, like the webhook's."""
    return tuple(sorted({tag.strip() for tag in tags if tag.strip()}))


def image_url(media: GraphqlImage | None) -> str | None:
    """The address of a picture, None while it is still being made."""
    if media is None or media.preview is None or media.preview.image is None:
        return None
    return media.preview.image.url
