"""Bodies about customers. Since 2025-01 they carry neither tags nor consent nor sums of orders
(https://shopify.dev/changelog/new-customer-s-webhook-and-changes-to-existing-customer-s-webhooks-payload)."""

from __future__ import annotations

from typing import Any

from sims.shopify.events import Event
from sims.shopify.rest import parts
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import Address, Customer, Store, gid


def customer(store: Store, one: Customer) -> dict[str, Any]:
    """Write a customer in full."""
    made = slim(store, one)
    made["addresses"] = [address(one, each, is_default=each is one.default_address) for each in one.addresses]
    return made


def slim(store: Store, one: Customer) -> dict[str, Any]:
    """Write a customer as orders and checkouts carry it: without the list of addresses."""
    zone = store.shop.iana_timezone
    made: dict[str, Any] = {
        "id": one.id,
        "created_at": parts.local(one.created_at, zone),
        "updated_at": parts.local(one.updated_at, zone),
        "first_name": one.first_name,
        "last_name": one.last_name,
        "state": one.state.lower(),
        "note": one.note,
        "verified_email": one.verified_email,
        "multipass_identifier": None,
        "tax_exempt": one.tax_exempt,
        "email": one.email,
        "phone": one.phone,
        "currency": store.shop.currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", one.id),
    }
    if one.default_address:
        made["default_address"] = address(one, one.default_address, is_default=True)
    return made


def address(one: Customer, where: Address, *, is_default: bool) -> dict[str, Any]:
    """Write a customer's address."""
    return {
        "id": where.id,
        "customer_id": one.id,
        "first_name": where.first_name,
        "last_name": where.last_name,
        "company": where.company,
        "address1": where.address1,
        "address2": where.address2,
        "city": where.city,
        "province": where.province,
        "country": where.country,
        "zip": where.zip,
        "phone": where.phone,
        "name": parts.full_name(where.first_name, where.last_name),
        "province_code": where.province_code,
        "country_code": where.country_code,
        "country_name": where.country,
        "default": is_default,
    }


def _whole(seen: Scene) -> dict[str, Any]:
    return customer(seen.store, _find(seen.store, seen.event.id))


def _deleted(seen: Scene) -> dict[str, Any]:
    return {"id": seen.event.id, "tax_exemptions": [], "admin_graphql_api_id": gid("Customer", seen.event.id)}


def _merged(seen: Scene) -> dict[str, Any]:
    job = seen.event.detail.get("job")
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", seen.event.id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", seen.event.detail["deleted"]),
        "admin_graphql_api_job_id": f"gid://shopify/Job/{job}" if job else None,
        "status": seen.event.detail.get("status", "completed"),
        "errors": seen.event.detail.get("errors", []),
    }


def _tagged(seen: Scene) -> dict[str, Any]:
    return {
        "customerId": gid("Customer", seen.event.id),
        "tags": list(seen.event.detail["tags"]),
        "occurredAt": parts.instant(seen.event.detail["occurred_at"]),
    }


def _summary(seen: Scene) -> dict[str, Any]:
    one = _find(seen.store, seen.event.id)
    return {
        "customerId": gid("Customer", one.id),
        "numberOfOrders": one.number_of_orders,
        "amountSpent": {"amount": parts.amount(one.amount_spent), "currencyCode": seen.store.shop.currency},
        "lastOrderId": gid("Order", one.last_order_id) if one.last_order_id else None,
        "occurredAt": parts.instant(seen.event.detail["occurred_at"]),
    }


def _email_consent(seen: Scene) -> dict[str, Any]:
    one = _find(seen.store, seen.event.id)
    consent = one.email_consent
    return {
        "customer_id": one.id,
        "email_address": one.email,
        "email_marketing_consent": {
            "state": consent.state.lower(),
            "opt_in_level": consent.opt_in_level.lower(),
            "consent_updated_at": parts.maybe(consent.updated_at, seen.store.shop.iana_timezone),
        },
    }


def _sms_consent(seen: Scene) -> dict[str, Any]:
    one = _find(seen.store, seen.event.id)
    consent = one.sms_consent
    return {
        "id": one.id,
        "phone": one.phone,
        "sms_marketing_consent": {
            "state": consent.state.lower(),
            "opt_in_level": consent.opt_in_level.lower(),
            "consent_updated_at": parts.maybe(consent.updated_at, seen.store.shop.iana_timezone),
            "consent_collected_from": consent.collected_from.lower(),
        },
    }


def _whats_app_consent(seen: Scene) -> dict[str, Any]:
    """Nobody in this world agreed to WhatsApp; the body exists so that the topic can be delivered."""
    one = _find(seen.store, seen.event.id)
    return {
        "customer_id": one.id,
        "phone_number": one.phone,
        "whats_app_marketing_consent": {
            "state": "never_subscribed",
            "opt_in_level": None,
            "updated_at": None,
            "collected_from": "other",
        },
    }


def _data_request(seen: Scene) -> dict[str, Any]:
    made = _person(seen.store, seen.event)
    made["orders_requested"] = list(seen.store.orders_of.get(seen.event.id, []))
    made["data_request"] = {"id": seen.event.detail.get("request_id", 9999)}
    return made


def _redact(seen: Scene) -> dict[str, Any]:
    made = _person(seen.store, seen.event)
    made["orders_to_redact"] = list(seen.store.orders_of.get(seen.event.id, []))
    return made


def _person(store: Store, event: Event) -> dict[str, Any]:
    one = _find(store, event.id)
    return {
        "shop_id": store.shop.id,
        "shop_domain": store.shop.domain,
        "customer": {"id": one.id, "email": one.email, "phone": one.phone},
    }


def _find(store: Store, number: int) -> Customer:
    """Find a customer, gone or not: a delivery may be rendered after a deletion in the same stroke."""
    return store.customers.get(number) or store.gone_customers[number]


RENDERERS: dict[str, Renderer] = {
    "customers/create": _whole,
    "customers/update": _whole,
    "customers/enable": _whole,
    "customers/disable": _whole,
    "customers/delete": _deleted,
    "customers/merge": _merged,
    "customer.tags_added": _tagged,
    "customer.tags_removed": _tagged,
    "customers/purchasing_summary": _summary,
    "customers_email_marketing_consent/update": _email_consent,
    "customers_marketing_consent/update": _sms_consent,
    "customers_whats_app_marketing_consent/update": _whats_app_consent,
    "customers/data_request": _data_request,
    "customers/redact": _redact,
}
