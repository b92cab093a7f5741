"""A store's customer: one listing of a person, with what that person allowed us."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from isthmus.model.consent import IN
from isthmus.model.metafield import Metafield


class ChannelConsent(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the shop says now of one channel. `state` and `level` are Shopify's words, upper case."""

    state: str
    level: str | None = None
    updated_at: datetime | None = None
    collected_from: str | None = None


class Customer(Struct, frozen=True, gc=False, omit_defaults=True):
    """The body, and what only a reading can tell: None there means not read yet, never empty.

    Webhook bodies have carried neither tags, consent nor counts since API version 2025-01
    (https://shopify.dev/changelog/new-customer-s-webhook-and-changes-to-existing-customer-s-webhooks-payload).
    `postcode` and `house` (the number in the street) tell two households apart; of the street no more is kept.
    `address_phone` was given with the address: not the customer's own, since it need not be theirs alone.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    phone: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    state: str | None = None
    is_email_verified: bool = False
    country_code: str | None = None
    city: str | None = None
    postcode: str | None = None
    house: str | None = None
    address_phone: str | None = None
    locale: str | None = None
    tags: tuple[str, ...] | None = None
    email_consent: ChannelConsent | None = None
    sms_consent: ChannelConsent | None = None
    n_orders: int | None = None
    amount_spent: Decimal | None = None
    is_read: bool = False
    metafields: tuple[Metafield, ...] | None = None
    """The custom fields that were asked for; one that is not among them was never read."""
    redacted_at: datetime | None = None
    """When the shop asked for this person's erasure."""

    @property
    def is_redacted(self) -> bool:
        """Whether their erasure was asked for, and they have not subscribed again since."""
        if self.redacted_at is None:
            return False
        return not any(
            said is not None and said.state == IN and said.updated_at is not None and said.updated_at > self.redacted_at
            for said in (self.email_consent, self.sms_consent)
        )


class Here(Struct, frozen=True, gc=False):
    """One customer's addresses, and what the shop says now of writing to them."""

    id: int
    updated_at: datetime
    email: str | None
    phone: str | None
    email_consent: ChannelConsent | None
    sms_consent: ChannelConsent | None
