"""What a connection file says of a store, for whatever looks at the shop."""

from datetime import datetime

from isthmus.connections.config import ConnectionConfig, StoreSection
from isthmus.model.reading import first_visible_date
from isthmus.shopify.access import Expected
from isthmus.web.server import SHOPIFY_HOOK


def expected_store(config: ConnectionConfig, store: StoreSection, public_url: str | None, now: datetime) -> Expected:
    """The shop as its connection means it to be."""
    return Expected(
        domain=store.domain,
        currency=store.currency,
        uri=f"{public_url.rstrip('/')}{SHOPIFY_HOOK}" if public_url else None,
        is_subscribed_by_app=store.subscriptions == "app",
        is_horizon_accepted=config.orders.horizon != "all",
        first_visible=first_visible_date(now).date(),
    )
