"""What a connection may decide about meaning: pace, orders, people, consent, events. Everything has a default."""

from datetime import time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, model_validator

from isthmus.connections.custom import CustomField, find_conflicts
from isthmus.connections.fields import Duration, FileName, Section, Share, duration_at_least, string_matching
from isthmus.kit.config_errors import dotted_path
from isthmus.kit.duration import parse_duration

EVENT_NAME_CHARS = 32
"""Longer event types are cut by Ometria (https://support.ometria.com/hc/en-gb/articles/360011171077)."""


def _event_name(value: Any, info: ValidationInfo) -> Any:
    """A name, true for the name it has by default, false for off."""
    if value is True:
        return info.field_name
    if value is False or value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= EVENT_NAME_CHARS:
        raise ValueError(f"must be a name of 1 to {EVENT_NAME_CHARS} characters, or false to switch it off")
    return value.strip()


EventName = Annotated[str | None, BeforeValidator(_event_name)]
StatusName = Annotated[str, Field(min_length=1, max_length=64)]
StatusWord = Annotated[frozenset[str], PlainSerializer(sorted, when_used="json")]
Pause = Annotated[Duration, duration_at_least("1s")]


def _hold_for(value: Any) -> Any:
    """How long, or false for never."""
    if value is False or value is None:
        return None
    if value is True:
        raise ValueError('must be a duration such as "7d", or false to switch it off')
    return value


HoldDuration = Annotated[Annotated[Duration, duration_at_least("1m")] | None, BeforeValidator(_hold_for)]
PropertyName = Annotated[str, string_matching(r"[a-z][a-z0-9_]{0,39}", "up to 40 lower-case letters, digits and _")]


class Lanes(Section):
    """Priority and pace."""

    enrichment_every: Pause = Field(default=parse_duration("15m"), description="how often collected enrichment is sent")
    poll_every: Pause = Field(
        default=parse_duration("5m"), description="how often Shopify is asked for what no webhook reported"
    )
    watch_every: Annotated[Duration, duration_at_least("10s")] = Field(
        default=parse_duration("1m"),
        description="how often the webhook subscriptions and the shop's last change are looked at",
    )
    metafields_every: Annotated[Duration, duration_at_least("1m")] = Field(
        default=parse_duration("6h"),
        description="how often the custom fields of everybody and everything are looked at, since their change fires "
        "no webhook",
    )
    abandoned_after: Pause = Field(
        default=parse_duration("30m"), description="a checkout untouched for this long, without an order, is abandoned"
    )
    event_max_age: Pause = Field(
        default=parse_duration("24h"), description="older custom events are recorded and never sent"
    )
    sight_grace: Pause = Field(
        default=parse_duration("60s"),
        description="a record that Shopify answers as null within this time of a body of it is asked for again",
    )
    realtime_share: Share = Field(
        default=0.7, description="share of the push slots the realtime lane owns; idle ones are lent"
    )


class Reconcile(Section):
    """How often the store, isthmus and Ometria are held against each other."""

    incremental_every: Annotated[Duration, duration_at_least("1m")] = Field(
        default=parse_duration("1h"), description="how often what changed since the last time is compared"
    )
    full_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = Field(
        default="02:40", description="when everything is compared, every night (UTC)"
    )
    grace_period: Pause = Field(
        default=parse_duration("2m"),
        description="how old a difference must be before it is drift; what is younger is looked at again after it",
    )
    audit_every: Annotated[Duration, duration_at_least("1h")] = Field(
        default=parse_duration("30d"),
        description="how often the whole of `isthmus audit` is gone through, for the checklist",
    )

    @property
    def night(self) -> time:
        """The hour of the whole comparison."""
        return time.fromisoformat(self.full_at)


class Statuses(Section):
    """What each order status is called."""

    cancelled: StatusName = Field(default="cancelled", description="cancelled, voided, expired or deleted")
    refunded: StatusName = Field(default="refunded", description="nothing was kept of it")
    partial_refund: StatusName = Field(default="partial_refund", description="some money went back")
    pending: StatusName = Field(default="pending", description="not paid yet")
    processing: StatusName = Field(default="processing", description="paid, nothing sent")
    partially_shipped: StatusName = Field(default="partially_shipped", description="part of it sent")
    complete: StatusName = Field(default="complete", description="all of it sent")


class Orders(Section):
    """How orders are sent."""

    valid_when: Literal["placed", "paid"] = Field(default="placed", description="from when an order counts as revenue")
    horizon: Literal["all", "60d"] = Field(
        default="all",
        description="how far back orders are to be seen; all needs the scope read_all_orders, and going live without "
        "that scope needs 60d, by which orders older than 60 days stay as they were last known",
    )
    count_retained_cancelled: bool = Field(
        default=False, description="a cancelled order of which money was kept still counts as revenue"
    )
    discount_sign: Literal["positive", "negative"] = Field(
        default="positive", description="the sign of discounts; Ometria's documents do not say"
    )
    properties: StatusWord = Field(
        default=frozenset({"fulfilment_status", "financial_status", "cancel_reason", "discount_codes", "tags"}),
        description="custom properties that orders carry",
    )
    statuses: Statuses = Field(default=Statuses(), description="what each order status is called")


class Safety(Section):
    """How much may change without a person, because something was inferred or a rule changed."""

    max_share: Share = Field(
        default=0.005,
        description="share of the records of a kind sent for a store that may change within 24 hours and within 7 days"
        " because they seem gone or are mapped by other rules; at least 5 always may, more wait as a plan"
        " (`isthmus plans list`)",
    )


class Refunds(Section):
    """How refunds are sent."""

    style: Literal["lines", "net"] = Field(
        default="lines", description="lines: totals as sold, money returned named per line; net: totals already net"
    )


class Identity(Section):
    """Who is who."""

    customer_id: Literal["person", "store"] = Field(
        default="person", description="customer_id sent: the person's surviving id over all stores, or each store's own"
    )
    phone_only: bool = Field(default=True, description="send customers that have a phone number and no email")
    by_phone: bool = Field(
        default=False, description="the account takes phone numbers for identifiers, each of which one person can hold"
    )
    merge: Literal["never", "sure"] = Field(
        default="never",
        description="whether people who are one are merged in Ometria by rule, for good: never, or where sure",
    )


class Contacts(Section):
    """How people are sent."""

    tags: StatusWord | None = Field(default=None, description="customer tags that are sent; without it all of them")
    properties: StatusWord = Field(
        default=frozenset(
            {
                "n_orders",
                "net",
                "gross",
                "refunded",
                "average_order",
                "return_rate",
                "first_order_at",
                "last_order_at",
                "tags",
            }
        ),
        description="custom properties that contacts carry; sums of money are named per currency, as net_gbp",
    )


class ServiceHold(Section):
    """Whom campaigns leave alone for a time: people who have trouble with an order, each for so long at most."""

    refunds: HoldDuration = Field(default=parse_duration("7d"), description="from a refund on; false switches it off")
    returns: HoldDuration = Field(
        default=parse_duration("30d"),
        description="from the request for a return on, until it is closed or declined; false switches it off",
    )
    fulfilments: HoldDuration = Field(
        default=parse_duration("14d"),
        description="from a failed or late parcel on, until it, or one sent after it, arrives; false switches it off",
    )
    cancellations: HoldDuration = Field(
        default=parse_duration("7d"), description="from a cancellation on; false switches it off"
    )
    name: PropertyName = Field(
        default="service_hold",
        description="contact property that names the trouble (fulfilment, return, refund, cancelled), null without one",
    )
    until_name: PropertyName = Field(
        default="service_hold_until", description="contact property with the time at which the hold ends at the latest"
    )

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        if self.name == self.until_name:
            raise ValueError("until_name: is also name; give each its own")
        return self

    @property
    def hold_for(self) -> dict[str, timedelta]:
        """How long each trouble holds, by the name it is told under; without those that are switched off."""
        told = {
            "refund": self.refunds,
            "return": self.returns,
            "fulfilment": self.fulfilments,
            "cancelled": self.cancellations,
        }
        return {reason: wanted for reason, wanted in told.items() if wanted is not None}


class ConsentSection(Section):
    """Whose word on consent counts."""

    authority: Literal["newest", "store", "platform"] = Field(
        default="newest",
        description="whose later and proven opt-in may lift an opt-out: either side's, or only that of one",
    )
    force: Literal["never", "when_refused", "opt_out", "both"] = Field(
        default="when_refused", description="when a statement is forced past the account's other listings"
    )
    sms_double_optin: bool = Field(
        default=False,
        description="whether the account takes opt-ins by text message only from its double opt-in collections",
    )
    scope: Literal["connection", "store"] = Field(
        default="connection", description="whether an opt-out holds for all stores of the connection or for its own"
    )
    merge: Literal["strictest", "newest"] = Field(
        default="strictest",
        description="what is left when a shop makes two customers one: an opt-out of either, or what the survivor says",
    )
    unsubscribes_every: Annotated[Duration, duration_at_least("2s")] = Field(
        default=parse_duration("10s"), description="how often Ometria is asked who unsubscribed"
    )
    profiles_every: Annotated[Duration, duration_at_least("10s")] = Field(
        default=parse_duration("2m"),
        description="how often Ometria is asked whose profile changed: for what it lists nowhere else",
    )
    audit_every: Annotated[Duration, duration_at_least("1h")] = Field(
        default=parse_duration("7d"), description="how often everybody's consent is compared on both sides"
    )


class OwnRules(Section):
    """Rules of your own: which custom fields of the shop become which properties."""

    file: FileName | None = Field(
        default=None,
        description="mapping file, relative to this one; its content is kept with the connection by `isthmus connect`",
    )
    metafields: tuple[CustomField, ...] = Field(
        default=(), description="what a mapping file says, written here instead"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for place, told in find_conflicts(self.metafields)[:1]:
            raise ValueError(f"{dotted_path(('mapping', *place))}: {told}")
        return self


class CustomEventsSection(Section):
    """Custom events: each by the name it is sent under (at most 32 characters), or false to switch it off."""

    checkout_abandoned: EventName = Field(
        default="checkout_abandoned",
        description="a checkout with an email was left untouched for lanes.abandoned_after",
    )
    order_cancelled: EventName = Field(default="order_cancelled", description="an order was cancelled")
    order_refunded: EventName = Field(default="order_refunded", description="all money of an order went back")
    order_partially_refunded: EventName = Field(
        default="order_partially_refunded", description="some money of an order went back"
    )
    order_shipped: EventName = Field(default="order_shipped", description="all of an order is on its way")
    order_partially_shipped: EventName = Field(
        default="order_partially_shipped", description="part of an order is on its way"
    )
    order_delivered: EventName = Field(default="order_delivered", description="a parcel arrived")
    order_ready_for_pickup: EventName = Field(
        default=None, description="an order can be collected; off unless it is named here and Ometria knows it"
    )
    fulfilment_trouble: EventName = Field(
        default="fulfilment_trouble", description="a parcel failed, is late or is on hold"
    )
    return_requested: EventName = Field(default="return_requested", description="a return was asked for")
    return_approved: EventName = Field(default="return_approved", description="a return was approved")
    return_declined: EventName = Field(default="return_declined", description="a return was declined")
    return_closed: EventName = Field(default="return_closed", description="a return was closed")
