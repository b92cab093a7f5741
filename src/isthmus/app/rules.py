"""Turn what a connection's file says into the rules that the mapping of one store obeys."""

from collections.abc import Iterable
from datetime import UTC, datetime, time

from isthmus.connections.config import StoreSection
from isthmus.connections.custom import CustomField, field_key
from isthmus.connections.sql import StoredConnection
from isthmus.mapping.rules import MetafieldRule, Rules, WriteMode


def mapping_rules(connected: StoredConnection, store: StoreSection, hash_key: bytes) -> Rules:
    """The mapping rules of one store; `hash_key` is this installation's."""
    config = connected.config
    return Rules(
        store=store.name,
        namespace=store.namespace,
        domain=store.domain,
        currency=store.currency,
        currencies=frozenset(one.currency for one in config.stores),
        collection=config.ometria.collection,
        platform_store=store.platform_store,
        storefront_url=store.storefront_url,
        reporting_currency=config.ometria.reporting_currency,
        rates=config.ometria.rates,
        valid_when=config.orders.valid_when,
        refunds_style=config.refunds.style,
        count_retained_cancelled=config.orders.count_retained_cancelled,
        statuses=config.orders.statuses.model_dump(),
        discount_sign=1 if config.orders.discount_sign == "positive" else -1,
        order_properties=config.orders.properties,
        identity=config.identity.customer_id,
        phone_only=config.identity.phone_only,
        clear=config.ometria.clear,
        allowed_tags=config.contacts.tags,
        contact_properties=config.contacts.properties,
        hold_for=config.service_hold.hold_for,
        hold_property=config.service_hold.name,
        hold_until_property=config.service_hold.until_name,
        metafields=metafield_rules(config.mapping.metafields),
        force=config.consent.force,
        sms_double_optin=config.consent.sms_double_optin,
        event_names=config.custom_events.model_dump(),
        event_max_age=config.lanes.event_max_age,
        live_since=connected.live_since,
        # Midnight of UTC: what the other writer takes for a day is not documented, and a shop may move.
        start_at=None if (day := config.connection.start_at) is None else datetime.combine(day, time(), UTC),
        adopts=config.connection.takeover == "adopt_ids",
        tolerates=config.connection.takeover == "ignore",
        hash_key=hash_key,
    )


def metafield_rules(fields: Iterable[CustomField]) -> tuple[MetafieldRule, ...]:
    """The entries of a mapping file as the mapping obeys them."""
    return tuple(
        MetafieldRule(
            owner=one.owner,
            key=field_key(one),
            type=one.type,
            name=one.property,
            mode=WriteMode(one.mode),
            room=one.max_length,
            is_attribute=one.target == "attribute",
        )
        for one in fields
    )
