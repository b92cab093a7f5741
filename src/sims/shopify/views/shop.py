"""The shop, its plan, the app that asks, and the API versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sims.shopify import access, versions
from sims.shopify.state import Location as LocationRecord
from sims.shopify.state import gid
from sims.shopify.views.plain import always, dated, identified, numbered, own
from sims.shopify.views.sight import Sight

PLANS = {"Standard": "Basic"}
"""What a plan is called to the public; others bear their own name."""


class Shop:
    """The store's settings."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "Shop"

    def __init__(self, sight: Sight) -> None:
        self.sight, self.record = sight, sight.store.shop

    id = identified("Shop")
    name = own("title")
    myshopify_domain = own("domain")
    email = own("email")
    contact_email = own("email")
    currency_code = own("currency")
    iana_timezone = own("iana_timezone")
    taxes_included = own("taxes_included")
    tax_shipping = always(False)
    marketing_sms_consent_enabled_at_checkout = own("sms_consent_at_checkout")
    url = property(lambda self: f"https://{self.record.domain}")
    created_at = dated("created_at")
    updated_at = dated("updated_at")

    @property
    def enabled_presentment_currencies(self) -> list[str]:
        return sorted({self.record.currency, *self.record.presentment_currencies})

    @property
    def plan(self) -> dict[str, Any]:
        plan = self.record.plan
        return {
            "publicDisplayName": PLANS.get(plan, plan),
            "partnerDevelopment": False,
            "shopifyPlus": plan in ("Plus", "Enterprise"),
        }

    @property
    def customer_accounts_v2(self) -> dict[str, Any]:
        return {
            "customerAccountsVersion": self.record.customer_accounts,
            "loginLinksVisibleOnStorefrontAndCheckout": True,
            "loginRequiredAtCheckout": False,
        }

    @property
    def primary_domain(self) -> dict[str, Any]:
        return {
            "__typename": "Domain",
            "id": gid("Domain", self.record.id),
            "host": self.record.domain,
            "url": self.url,
            "sslEnabled": True,
        }

    @property
    def timezone_abbreviation(self) -> str:
        return self._local.tzname() or ""

    @property
    def timezone_offset(self) -> str:
        return f"{self._local:%z}"

    @property
    def timezone_offset_minutes(self) -> int:
        offset = self._local.utcoffset()
        return int(offset.total_seconds() // 60) if offset is not None else 0

    @property
    def _local(self) -> datetime:
        return self.sight.now.astimezone(ZoneInfo(self.record.iana_timezone))


class Location:
    """A place that keeps stock."""

    __slots__ = ("record",)
    type_name: ClassVar[str] = "Location"

    def __init__(self, record: LocationRecord) -> None:
        self.record = record

    id = identified("Location")
    legacy_resource_id = numbered()
    name = own("name")
    is_active = always(True)


def installation(sight: Sight) -> dict[str, Any]:
    """Write the app that asks, as it is installed in this shop."""
    shop = sight.store.shop
    return {
        "__typename": "AppInstallation",
        "id": gid("AppInstallation", shop.id),
        "accessScopes": [
            {"handle": handle, "description": handle.replace("_", " ").capitalize()}
            for handle in access.handles(sight.scopes)
        ],
        "app": {
            "__typename": "App",
            "id": gid("App", app_number(shop.client_id)),
            "title": "isthmus",
            "apiKey": shop.client_id,
            "handle": "isthmus",
            "webhookApiVersion": shop.webhook_version,
        },
    }


def app_number(client_id: str) -> int:
    """Return the number of the app that a client id belongs to (made up: stores share nothing that would tell)."""
    return int.from_bytes(client_id.encode()[:5], "big")


def public_versions() -> list[dict[str, Any]]:
    """Write the versions of the Admin API."""
    return [version(each.handle) for each in versions.PUBLIC]


def version(handle: str) -> dict[str, Any]:
    """Write one version."""
    each = versions.public(handle)
    return {"handle": each.handle, "displayName": each.display_name, "supported": each.supported}
