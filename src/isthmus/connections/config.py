"""A connection as its file describes it: one Ometria account and the Shopify stores that feed it."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from isthmus.connections.fields import (
    ApiVersion,
    Collection,
    Currency,
    Domain,
    Duration,
    Name,
    Namespace,
    PerSecond,
    Section,
    Share,
    Url,
    duration_at_least,
)
from isthmus.connections.meaning import (
    ConsentSection,
    Contacts,
    CustomEventsSection,
    Identity,
    Lanes,
    Orders,
    OwnRules,
    Reconcile,
    Refunds,
    Safety,
    ServiceHold,
)
from isthmus.connections.secrets import Reference
from isthmus.kit.duration import parse_duration

_START_AT = re.compile(r"start_at\s*=\s*(\d{4}-\d{2}-\d{2})")


def _takeover(value: Any) -> Any:
    """`{ start_at = 2026-12-01 }` and "start_at = 2026-12-01" are the same."""
    if isinstance(value, Mapping) and set(value) == {"start_at"}:
        value = f"start_at = {value['start_at']}"
    found = _START_AT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        date.fromisoformat(found[1])
        return f"start_at = {found[1]}"
    if value not in (None, "adopt_ids", "ignore"):
        raise ValueError('must be "adopt_ids", "ignore" or "start_at = 2026-12-01"')
    return value


Rate = Annotated[Decimal, Field(gt=0)]


class ConnectionSection(Section):
    """The connection itself."""

    name: Name = Field(description="how commands and pages call it")
    mode: Literal["shadow", "live"] = Field(
        default="shadow", description="shadow computes and compares everything and sends nothing; live sends"
    )
    takeover: Annotated[str | None, BeforeValidator(_takeover)] = Field(
        default=None,
        description='what to do about another writer of the same records, such as Ometria\'s own importer: "adopt_ids",'
        ' "ignore" or "start_at = 2026-12-01"; going live is refused without it where one is found',
    )

    @property
    def start_at(self) -> date | None:
        """The day before which records stay the other writer's."""
        found = _START_AT.fullmatch(self.takeover or "")
        return date.fromisoformat(found[1]) if found else None


class OmetriaSection(Section):
    """The account."""

    base_url: Url = Field(default="https://api.ometria.com/v2", description="the Data API")
    api_key: Reference = Field(description="the account's API key, as env:NAME or file:PATH")
    hook_secret: Reference | None = Field(
        default=None, description="shared secret of automations that call POST /hooks/ometria/{connection}"
    )
    push_per_second: PerSecond = Field(default=4, description="pushes per second the account allows")
    read_per_second: PerSecond = Field(default=4, description="readings per second the account allows")
    collection: Collection = Field(default="shopify", description="contact collection that is ours alone")
    reporting_currency: Currency | None = Field(
        default=None, description="the account's reporting currency; without it no base totals are sent"
    )
    rates: dict[Currency, Rate] = Field(
        default_factory=dict,
        description="what one unit of a shop's currency is worth in the reporting currency; no rate is ever assumed",
    )
    settle_after: Annotated[Duration, duration_at_least("1s")] = Field(
        default=parse_duration("30s"),
        description="how long the error feed must stay silent about a record before it counts as applied",
    )
    read_back: Share = Field(default=0.01, description="share of applied records that is read back to make sure")
    clear: Literal["null", "empty", "omit"] = Field(
        default="null", description="how a field that was ours and is gone is cleared"
    )


class StoreSection(Section):
    """One Shopify store. Repeat the section for each."""

    name: Name = Field(description="how commands and pages call it")
    domain: Domain = Field(description="the shop's permanent domain, as webhooks name it")
    admin_url: Url = Field(default="", description="where its Admin API is; by default https:// and the domain")
    api_version: ApiVersion = Field(default="2026-10", description="Admin API version that is asked for")
    client_id: str | None = Field(default=None, description="the app's client id; not a secret")
    client_secret: Reference = Field(description="the app's client secret; it signs the webhooks")
    previous_client_secret: Reference | None = Field(
        default=None, description="the one before, while it is being rotated"
    )
    access_token: Reference | None = Field(
        default=None, description="a fixed Admin API token; without it a token is granted for client id and secret"
    )
    subscriptions: Literal["app", "api"] = Field(
        default="app", description="who owns the webhook subscriptions: the app's own configuration, or isthmus"
    )
    namespace: Namespace = Field(default="", description="prefix of every id that is sent for this store")
    currency: Currency = Field(description="the shop's currency")
    platform_store: str | None = Field(default=None, description="the store's id in Ometria; by default the domain")
    storefront_url: Url | None = Field(default=None, description="where product pages live; by default the domain")

    @model_validator(mode="before")
    @classmethod
    def _with_admin_url(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("admin_url") and isinstance(data.get("domain"), str):
            return {**data, "admin_url": f"https://{data['domain'].strip().lower()}"}
        return data

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.client_id is None and self.access_token is None:
            raise ValueError("needs a client_id, the app's client id, or an access_token")
        return self


class ConnectionConfig(Section):
    """The whole file."""

    connection: ConnectionSection
    ometria: OmetriaSection
    stores: tuple[StoreSection, ...]
    lanes: Lanes = Lanes()
    orders: Orders = Orders()
    safety: Safety = Safety()
    refunds: Refunds = Refunds()
    contacts: Contacts = Contacts()
    service_hold: ServiceHold = ServiceHold()
    identity: Identity = Identity()
    consent: ConsentSection = ConsentSection()
    mapping: OwnRules = OwnRules()
    custom_events: CustomEventsSection = CustomEventsSection()
    reconcile: Reconcile = Reconcile()

    @model_validator(mode="after")
    def _stores_are_apart(self) -> Self:
        if not self.stores:
            raise ValueError("stores is empty; add a section [[stores]]")
        for key, what in (("name", "name"), ("domain", "shop"), ("namespace", "prefix")):
            seen: dict[str, int] = {}
            for n, store in enumerate(self.stores):
                value = getattr(store, key)
                if value in seen:
                    raise ValueError(
                        f"stores[{n}].{key}: is also that of stores[{seen[value]}]; give each its own {what}"
                    )
                seen[value] = n
        return self

    @model_validator(mode="after")
    def _properties_are_apart(self) -> Self:
        taken = {self.service_hold.name: "service_hold.name", self.service_hold.until_name: "service_hold.until_name"}
        for n, one in enumerate(self.mapping.metafields):
            if one.owner == "customer" and one.property in taken:
                raise ValueError(f"mapping.metafields[{n}].property: is also {taken[one.property]}; give each its own")
        return self

    @property
    def name(self) -> str:
        return self.connection.name

    @property
    def is_live(self) -> bool:
        return self.connection.mode == "live"

    def store(self, name: str) -> StoreSection:
        """The store of that name; KeyError when there is none."""
        return {store.name: store for store in self.stores}[name]

    def secrets(self) -> list[tuple[str, str]]:
        """Every reference to a secret, as (dotted key, reference)."""
        found = [("ometria.api_key", self.ometria.api_key), ("ometria.hook_secret", self.ometria.hook_secret)]
        for n, store in enumerate(self.stores):
            for key in ("client_secret", "previous_client_secret", "access_token"):
                found.append((f"stores[{n}].{key}", getattr(store, key)))
        return [(key, reference) for key, reference in found if reference is not None]
