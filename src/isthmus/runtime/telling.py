"""Tell about a connection: look how it stands, note what changed, send what is due."""

from collections.abc import Mapping
from typing import Any

from isthmus.cases.catalogue import Severity
from isthmus.connections.meaning import Lanes
from isthmus.flows import tell as telling
from isthmus.flows.tell import Channel, Sent
from isthmus.kit.explain import ConfigError
from isthmus.kit.ids import claim_id
from isthmus.model.failure import Failure, TransientError
from isthmus.notices.message import written
from isthmus.ops.notify import Watch, standings
from isthmus.runtime import addresses, messenger
from isthmus.runtime.app import App


def is_wanted(app: App) -> bool:
    """Whether anybody is to be told at all."""
    return app.settings.notify.url is not None


def tell(app: App, name: str) -> Sent:
    """Note what has changed of a connection since it was last told, and send what is due."""
    now = app.clock.now()
    found = standings(app.db, name, now, _watch(app, name))
    telling.note(app.db, name, found, now)
    return telling.send(app.db, name, channels(app), app.clock.now)


def channels(app: App) -> Mapping[str, Channel]:
    """Where messages go, by a name that gives no address away; an address that cannot be had takes none."""
    try:
        return {address.name: messenger.channel(address) for address in addresses.addresses(app.settings.notify.url)}
    except (Failure, ValueError) as error:
        why = error.detail if isinstance(error, Failure) else "notify.url: what the reference leads to is no address"
        return {"notify.url": _refusing(why)}


def _refusing(why: str) -> Channel:
    def refuse(_: dict[str, Any]) -> None:
        raise TransientError("integration.notify_failed", why)

    return refuse


def try_out(app: App) -> dict[str, str]:
    """Send a message to every address; what became of it: "" where it was taken, else why not.

    Raises ConfigError, or BlockedError for a reference that leads nowhere, where there is no address to send to.
    """
    try:
        found = addresses.addresses(app.settings.notify.url)
    except ValueError as error:
        raise ConfigError(f"notify.url: {error}") from None
    message = {
        "id": f"test-{claim_id()}",
        "at": written(app.clock.now()),
        "connection": "",
        "key": "test",
        "state": "test",
        "what": "test",
        "title": "isthmus can reach you here",
        "text": "isthmus can reach you here. Nothing has happened; somebody tries whether messages arrive.",
    }
    took = {}
    for address in found:
        try:
            messenger.channel(address)(message)
            took[address.name] = ""
        except Failure as failure:
            took[address.name] = failure.detail
    if took and not any(took.values()):
        telling.tested(app.db, app.names(), app.clock.now())
    return took


def tell_again(app: App) -> None:
    """Try whether messages arrive now. Raises the failure, or ConfigError, where they do not."""
    if why := next((why for why in try_out(app).values() if why), ""):
        raise TransientError(telling.CODE, why)


def _watch(app: App, name: str) -> Watch:
    settings = app.settings
    return Watch(
        enrichment_every=(Lanes() if app.unusable(name) else app.connected(name).config.lanes).enrichment_every,
        least=Severity(settings.notify.least),
        digest_at=settings.notify.digest_at,
        url=settings.web.public_url,
        trouble=app.trouble(name),
    )
