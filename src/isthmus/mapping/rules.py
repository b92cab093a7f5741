"""What may differ between one store of one connection and the next, in one value that every mapping is given."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field

STATUSES = ("cancelled", "refunded", "partial_refund", "pending", "processing", "partially_shipped", "complete")
"""The rows of the status table; a store may give each another name."""

CUSTOM_EVENTS = (
    "checkout_abandoned",
    "order_cancelled",
    "order_refunded",
    "order_partially_refunded",
    "order_shipped",
    "order_partially_shipped",
    "order_delivered",
    "order_ready_for_pickup",
    "fulfilment_trouble",
    "return_requested",
    "return_approved",
    "return_declined",
    "return_closed",
)
"""Every moment there is, each sent under its own name unless a store says otherwise."""

OFF = frozenset({"order_ready_for_pickup"})
"""Moments that are sent only where a store names them: Ometria must be told of each first."""


METRICS = frozenset(
    {"n_orders", "net", "gross", "refunded", "average_order", "return_rate", "first_order_at", "last_order_at"}
)
"""Custom properties of a contact that come from all orders of the person; money is named per currency (`net_gbp`)."""


DEFAULT_HOLD = {
    "fulfilment": timedelta(days=14),
    "return": timedelta(days=30),
    "refund": timedelta(days=7),
    "cancelled": timedelta(days=7),
}
"""How long each trouble with an order holds campaigns back at most, unless a store says otherwise."""


class WriteMode(StrEnum):
    """When a custom field is written over what Ometria holds."""

    OVERWRITE = "overwrite"
    IF_NEW = "if_new"
    IF_EMPTY = "if_empty"
    APPEND = "append"


class MetafieldRule(Struct, frozen=True):
    """One row of a mapping file: whose custom field (`customer`, `product`, `variant`) becomes which property.

    `key` is namespace and key with a dot between, `type` the shop's name for what it must hold, `room` the most
    characters of it that are sent. An attribute of a product is seen by segments and recommendations.
    """

    owner: str
    key: str
    type: str
    name: str
    mode: WriteMode = WriteMode.OVERWRITE
    room: int | None = None
    is_attribute: bool = False


class Rules(Struct, frozen=True, kw_only=True):
    """The settings of the mapping for one store.

    `namespace` begins every id. `domain` is the shop's permanent domain, `platform_store` the store's id in Ometria
    (the domain when None), `storefront_url` where product pages live (the domain when None). `currency` is the shop's,
    `currencies` those of all stores of the connection; `rates` gives, per shop currency, what one unit is worth in
    `reporting_currency`. `allowed_tags` None lets every tag through; `contact_properties` and `order_properties` name
    the custom properties that are sent. `hold_for` says for which troubles with an order, and how long at most, its
    owner is held, which `hold_property` and `hold_until_property` tell; empty, no hold is ever told. An `event_names`
    entry of None switches that moment off. `live_since` None
    means not live yet: nobody is welcomed, no moment fires. Orders placed before `start_at` stay another writer's.
    Where it `adopts`, records go on under the ids another writer gave them; `names` holds those that matter now, by
    kind and the id that we would give. Where it `tolerates` another writer, records of one are
    nothing to tell of. `metafields` says what becomes of custom fields. `sms_double_optin` says that the account takes
    opt-ins by text message only as mapping/sms_contact.py says them.
    """

    store: str
    namespace: str
    domain: str
    currency: str
    currencies: frozenset[str] = frozenset()
    collection: str = "shopify"
    platform_store: str | None = None
    storefront_url: str | None = None
    reporting_currency: str | None = None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    valid_when: Literal["placed", "paid"] = "placed"
    refunds_style: Literal["lines", "net"] = "lines"
    count_retained_cancelled: bool = False
    statuses: Mapping[str, str] = field(default_factory=lambda: dict(zip(STATUSES, STATUSES, strict=True)))
    discount_sign: Literal[1, -1] = 1
    order_properties: frozenset[str] = frozenset(
        {"fulfilment_status", "financial_status", "cancel_reason", "discount_codes", "tags"}
    )
    identity: Literal["person", "store"] = "person"
    phone_only: bool = True
    clear: Literal["null", "empty", "omit"] = "null"
    allowed_tags: frozenset[str] | None = None
    contact_properties: frozenset[str] = METRICS | {"tags"}
    hold_for: Mapping[str, timedelta] = field(default_factory=lambda: dict(DEFAULT_HOLD))
    hold_property: str = "service_hold"
    hold_until_property: str = "service_hold_until"
    metafields: tuple[MetafieldRule, ...] = ()
    force: Literal["never", "when_refused", "opt_out", "both"] = "when_refused"
    sms_double_optin: bool = False
    event_names: Mapping[str, str | None] = field(
        default_factory=lambda: {name: name if name not in OFF else None for name in CUSTOM_EVENTS}
    )
    event_max_age: timedelta = timedelta(hours=24)
    live_since: datetime | None = None
    start_at: datetime | None = None
    adopts: bool = False
    tolerates: bool = False
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    hash_key: bytes = b""

    @property
    def store_id(self) -> str:
        """The store as Ometria knows it (https://support.ometria.com/hc/en-gb/articles/360012260198: the domain)."""
        return self.platform_store or self.domain

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The custom fields that are to be read, by the kind of record that has them."""
        owners = dict.fromkeys(entry.owner for entry in self.metafields)
        return {owner: tuple(one.key for one in self.metafields if one.owner == owner) for owner in owners}

    def shared(self, *owners: str) -> dict[str, WriteMode]:
        """The properties of these owners' records that others may write too: what is sent depends on what is there."""
        return {
            one.name: one.mode for one in self.metafields if one.mode is not WriteMode.OVERWRITE and one.owner in owners
        }

    def id_of(self, kind: str, number: int | str) -> str:
        """The id of a record (order, product) in Ometria."""
        own = f"{self.namespace}{number}"
        return self.names.get((kind, own), own) if self.names else own

    def customer_id(self, person: str | None, shopify_id: int | None) -> str | None:
        """The key that joins a person's contacts, orders and moments; None for a guest."""
        if self.identity == "store":
            return None if shopify_id is None else f"{self.namespace}{shopify_id}"
        return person
