"""Watch a stored connection, with settings resolved: where its webhooks should arrive, and who sees to it."""

from isthmus.flows import watch as watching
from isthmus.flows.watch import Watched
from isthmus.runtime.app import App
from isthmus.shopify.access import Expected
from isthmus.web.server import SHOPIFY_HOOK


def watch(app: App, name: str) -> Watched:
    """Look at every store of a connection, and put right what may be. Without web.public_url no subscription is."""
    public = app.settings.web.public_url
    expected = {
        store.name: Expected(
            domain=store.domain,
            currency=store.currency,
            uri=f"{public.rstrip('/')}{SHOPIFY_HOOK}" if public else None,
            is_subscribed_by_app=store.subscriptions == "app",
        )
        for store in app.connected(name).config.stores
    }
    return watching.watch(app.db, app.road(name), expected)
