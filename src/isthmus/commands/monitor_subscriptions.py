"""Watch a stored connection, with settings resolved: where its webhooks should arrive, and who sees to it."""

from isthmus.app.context import App
from isthmus.app.expected_stores import expected_store
from isthmus.flows import subscription_monitor as watching
from isthmus.flows.subscription_monitor import MonitorResult


def monitor_subscriptions(app: App, name: str) -> MonitorResult:
    """Look at every store of a connection, and put right what may be. Without web.public_url no subscription is."""
    public = app.settings.web.public_url
    config = app.connected(name).config
    stores = {store.name: expected_store(config, store, public, app.clock.now()) for store in config.stores}
    return watching.monitor_subscriptions(app.db, app.context(name), stores)
