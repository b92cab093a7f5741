"""Customers as the Admin API shows them."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from sims.shopify.filters import ORDERS
from sims.shopify.pages import Page, whole
from sims.shopify.state import Customer as Record
from sims.shopify.state import Order as OrderRecord
from sims.shopify.state import SmsConsent
from sims.shopify.views import merge_jobs
from sims.shopify.views import orders as order_views
from sims.shopify.views.metafields import WithMetafields
from sims.shopify.views.plain import MailingAddress, dated, full_name, identified, maybe, money, numbered, own
from sims.shopify.views.sight import Sight

_NEVER = {"NOT_SUBSCRIBED": "NEVER_SUBSCRIBED"}


class EmailAddress:
    """A customer's email address and what its owner agreed to."""

    __slots__ = ("domain", "record")
    type_name: ClassVar[str] = "CustomerEmailAddress"
    source_location: ClassVar[None] = None
    open_tracking_level: ClassVar[str] = "UNKNOWN"

    def __init__(self, record: Record, domain: str) -> None:
        self.record, self.domain = record, domain

    email_address = own("email")
    valid_format = property(lambda self: "@" in (self.record.email or ""))
    marketing_state = own("email_consent.state")
    marketing_opt_in_level = own("email_consent.opt_in_level")
    marketing_updated_at = dated("email_consent.updated_at")

    @property
    def marketing_unsubscribe_url(self) -> str:
        token = hashlib.sha256(str(self.record.id).encode()).hexdigest()[:32]
        return f"https://{self.domain}/account/unsubscribe?token={token}"


class SmsMarketingConsent:
    """Text message consent in the words of 2026-10: who never said anything is NEVER_SUBSCRIBED."""

    __slots__ = ("record",)
    type_name: ClassVar[str] = "CustomerSmsMarketingConsent"
    source_location: ClassVar[None] = None

    def __init__(self, record: SmsConsent) -> None:
        self.record = record

    state = property(lambda self: _NEVER.get(self.record.state, self.record.state))
    opt_in_level = own("opt_in_level")
    updated_at = dated("updated_at")
    collected_from = property(lambda self: _collected_from(self.record))


class PhoneNumber:
    """A customer's phone number and what its owner agreed to."""

    __slots__ = ("record",)
    type_name: ClassVar[str] = "CustomerPhoneNumber"
    source_location: ClassVar[None] = None

    def __init__(self, record: Record) -> None:
        self.record = record

    phone_number = own("phone")
    sms_marketing_consent = property(lambda self: SmsMarketingConsent(self.record.sms_consent))
    marketing_state = own("sms_consent.state")
    marketing_opt_in_level = own("sms_consent.opt_in_level")
    marketing_updated_at = dated("sms_consent.updated_at")
    marketing_collected_from = property(lambda self: _collected_from(self.record.sms_consent))


class Customer(WithMetafields):
    """A living customer."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "Customer"
    owner_type: ClassVar[str] = "CUSTOMER"

    def __init__(self, sight: Sight, record: Record) -> None:
        self.sight, self.record = sight, record

    id = identified("Customer")
    legacy_resource_id = numbered()
    created_at = dated("created_at")
    updated_at = dated("updated_at")
    first_name = own("first_name")
    last_name = own("last_name")
    email = own("email")
    phone = own("phone")
    note = own("note")
    state = own("state")
    tags = own("tags")
    verified_email = own("verified_email")
    locale = own("locale")
    tax_exempt = own("tax_exempt")
    tax_exemptions = property(lambda _: [])
    data_sale_opt_out = property(lambda _: False)
    number_of_orders = property(lambda self: str(self.record.number_of_orders))

    @property
    def display_name(self) -> str:
        one = self.record
        return full_name(one.first_name, one.last_name) or one.email or one.phone or ""

    @property
    def can_delete(self) -> bool:
        return not any(True for _ in self.sight.store.orders_by(self.record.id))

    @property
    def amount_spent(self) -> dict[str, Any]:
        return money(self.record.amount_spent, self.sight.store.shop.currency)

    @property
    def last_order(self) -> order_views.Order | None:
        number = self.record.last_order_id
        order = self.sight.orders.get(number) if number is not None else None
        return None if order is None else order_views.Order(self.sight, order)

    def orders(self, query: str | None = None, sort_key: str = "ID", **asked: Any) -> Page:
        seen = self.sight.orders
        mine = {each.id: each for each in self.sight.store.orders_by(self.record.id) if each.id in seen}
        return self.sight.find("orders", mine, self._order, ORDERS, query, sort_key, is_whole=False, **asked)

    def _order(self, record: OrderRecord) -> order_views.Order:
        return order_views.Order(self.sight, record)

    @property
    def default_address(self) -> MailingAddress | None:
        address = self.record.default_address
        return None if address is None else MailingAddress(address, "CustomerAddress")

    def addresses_v2(self, **asked: Any) -> Page:
        return whole(self.record.addresses, lambda each: MailingAddress(each, "CustomerAddress"), **asked)

    @property
    def default_email_address(self) -> EmailAddress | None:
        return EmailAddress(self.record, self.sight.store.shop.domain) if self.record.email else None

    @property
    def default_phone_number(self) -> PhoneNumber | None:
        return PhoneNumber(self.record) if self.record.phone else None

    @property
    def mergeable(self) -> dict[str, Any]:
        return merge_jobs.mergeable(self.sight, self.record)

    @property
    def email_marketing_consent(self) -> dict[str, Any] | None:
        if not self.record.email:
            return None
        consent = self.record.email_consent
        return {
            "marketingState": consent.state,
            "marketingOptInLevel": consent.opt_in_level,
            "consentUpdatedAt": maybe(consent.updated_at),
            "sourceLocation": None,
        }

    @property
    def sms_marketing_consent(self) -> dict[str, Any] | None:
        if not self.record.phone:
            return None
        consent = self.record.sms_consent
        return {
            "marketingState": consent.state,
            "marketingOptInLevel": consent.opt_in_level,
            "consentUpdatedAt": maybe(consent.updated_at),
            "consentCollectedFrom": consent.collected_from,
            "sourceLocation": None,
        }


def _collected_from(consent: SmsConsent) -> str | None:
    # A captured customer who never spoke has no source here, though the older consent object says OTHER.
    return consent.collected_from if consent.updated_at is not None else None
