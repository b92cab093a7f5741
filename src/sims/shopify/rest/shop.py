"""Bodies about the shop and the app: settings, scopes, markets, locales, bulk operations, erasure."""

from __future__ import annotations

from typing import Any

from sims.shopify.rest import parts
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import gid

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def _shop(seen: Scene) -> dict[str, Any]:
    one = seen.store.shop
    form = f"{SYMBOLS[one.currency]}{{{{amount}}}}"
    return {
        "id": one.id,
        "name": one.title,
        "email": one.email,
        "domain": one.domain,
        "province": None,
        "country": one.country_code,
        "address1": "1 High Street",
        "zip": "N1 7AA",
        "city": "London" if one.country_code == "GB" else "Berlin",
        "source": None,
        "phone": "",
        "latitude": None,
        "longitude": None,
        "primary_locale": one.locales[0],
        "address2": None,
        "created_at": parts.local(one.created_at, one.iana_timezone),
        "updated_at": parts.local(one.updated_at, one.iana_timezone),
        "country_code": one.country_code,
        "country_name": one.country,
        "currency": one.currency,
        "customer_email": one.email,
        "timezone": f"(GMT) {one.iana_timezone}",
        "iana_timezone": one.iana_timezone,
        "shop_owner": "Ada Acme",
        "money_format": form,
        "money_with_currency_format": f"{form} {one.currency}",
        "weight_unit": "kg",
        "province_code": None,
        "taxes_included": True,
        "auto_configure_tax_inclusivity": None,
        "tax_shipping": None,
        "county_taxes": True,
        "plan_display_name": one.plan,
        "plan_name": one.plan.lower(),
        "has_discounts": True,
        "has_gift_cards": True,
        "myshopify_domain": one.domain,
        "google_apps_domain": None,
        "google_apps_login_enabled": None,
        "money_in_emails_format": form,
        "money_with_currency_in_emails_format": f"{form} {one.currency}",
        "eligible_for_payments": True,
        "requires_extra_payments_agreement": False,
        "password_enabled": False,
        "has_storefront": True,
        "finances": True,
        "primary_location_id": seen.store.locations[0].id,
        "checkout_api_supported": True,
        "multi_location_enabled": len(seen.store.locations) > 1,
        "setup_required": False,
        "pre_launch_enabled": False,
        "enabled_presentment_currencies": list(one.presentment_currencies),
        "marketing_sms_consent_enabled_at_checkout": False,
        "transactional_sms_disabled": False,
    }


def _scopes(seen: Scene) -> dict[str, Any]:
    return {
        "id": seen.event.id,
        "shop_id": gid("Shop", seen.store.shop.id),
        "previous": list(seen.event.detail["previous"]),
        "current": list(seen.event.detail["current"]),
        "updated_at": parts.instant(seen.world.now()),
    }


def _redact(seen: Scene) -> dict[str, Any]:
    return {"shop_id": seen.store.shop.id, "shop_domain": seen.store.shop.domain}


def _bulk(seen: Scene) -> dict[str, Any]:
    zone = seen.store.shop.iana_timezone
    return {
        "admin_graphql_api_id": gid("BulkOperation", seen.event.id),
        "completed_at": parts.maybe(seen.event.detail.get("completed_at"), zone),
        "created_at": parts.local(seen.event.detail["created_at"], zone),
        "error_code": seen.event.detail.get("error_code"),
        "status": seen.event.detail.get("status", "completed"),
        "type": "query",
    }


def _locale(seen: Scene) -> dict[str, Any]:
    return {"locale": seen.event.detail["locale"], "published": seen.event.detail.get("published", True)}


def _market(seen: Scene) -> dict[str, Any]:
    return {
        "id": seen.event.id,
        "name": seen.event.detail.get("name", seen.store.shop.country),
        "type": "region",
        "status": seen.event.detail.get("status", "active"),
    }


def _number(seen: Scene) -> dict[str, Any]:
    return {"id": seen.event.id}


RENDERERS: dict[str, Renderer] = {
    "shop/update": _shop,
    "shop/redact": _redact,
    "app/uninstalled": _shop,
    "app/scopes_update": _scopes,
    "bulk_operations/finish": _bulk,
    "locales/create": _locale,
    "locales/update": _locale,
    "locales/destroy": _locale,
    "markets/create": _market,
    "markets/update": _market,
    "markets/delete": _number,
}
