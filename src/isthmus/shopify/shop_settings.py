"""What may change in a shop without a webhook: settings, the app's webhook version, whether addresses are given."""

from typing import Any

from msgspec import Struct

from isthmus.shopify import documents
from isthmus.shopify.client import Shopify


class ShopSettings(Struct, frozen=True):
    """A shop as it stands. `settings` are those that change what its data mean, by Shopify's names."""

    settings: dict[str, Any]
    webhook_version: str
    supported_versions: tuple[str, ...]


def read_shop_settings(shop: Shopify) -> ShopSettings:
    """Read it; changes nothing. Raises what the client raises.

    https://shopify.dev/docs/api/admin-graphql/latest/objects/Shop
    """
    data = shop.graphql(documents.GOVERNANCE, {})
    found = dict(data["shop"])
    accounts, plan, domain = (found.pop(name) for name in ("customerAccountsV2", "plan", "primaryDomain"))
    return ShopSettings(
        settings={
            **found,
            "enabledPresentmentCurrencies": sorted(found["enabledPresentmentCurrencies"]),
            "customerAccountsVersion": accounts["customerAccountsVersion"],
            "loginRequiredAtCheckout": accounts["loginRequiredAtCheckout"],
            "plan": plan["publicDisplayName"],
            "primaryDomain": domain["host"],
        },
        webhook_version=data["currentAppInstallation"]["app"]["webhookApiVersion"],
        supported_versions=tuple(sorted(one["handle"] for one in data["publicApiVersions"] if one["supported"])),
    )


def count_newest_addresses(shop: Shopify) -> tuple[int, int]:
    """How many of the newest customers were given to us, and how many of them with an email address.

    Without approval for protected customer data the field is refused, or null for everybody; then this raises
    BlockedError `storefront.protected_data_missing`, or counts none
    (https://shopify.dev/docs/apps/launch/protected-customer-data).
    """
    nodes = shop.graphql(documents.NEWEST_ADDRESSES, {})["customers"]["nodes"]
    with_email = sum(bool((node["defaultEmailAddress"] or {}).get("emailAddress")) for node in nodes)
    return len(nodes), with_email
