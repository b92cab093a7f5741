"""Watch a stored connection, with settings resolved: where its webhooks should arrive, and who sees to it."""

from isthmus.flows import watch as watching
from isthmus.flows.watch import Watched
from isthmus.runtime.app import App
from isthmus.runtime.expected import expected


def watch(app: App, name: str) -> Watched:
    """Look at every store of a connection, and put right what may be. Without web.public_url no subscription is."""
    public = app.settings.web.public_url
    config = app.connected(name).config
    stores = {store.name: expected(config, store, public, app.clock.now()) for store in config.stores}
    return watching.watch(app.db, app.road(name), stores)
