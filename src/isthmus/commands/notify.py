"""Tell about a connection: look how it stands, note what changed, send what is due."""

from collections.abc import Mapping
from typing import Any

from isthmus.app import notification_channels, notification_targets
from isthmus.app.context import App
from isthmus.cases.catalogue import Severity
from isthmus.connections.meaning import Lanes
from isthmus.flows import notify as telling
from isthmus.flows.notify import Channel, NotifyResult
from isthmus.kit.config_errors import ConfigError
from isthmus.kit.ids import claim_id
from isthmus.model.failure import Failure, TransientError
from isthmus.notifications.message import wire_time
from isthmus.ops.notify import Watch, current_alerts


def is_notification_configured(app: App) -> bool:
    """Whether anybody is to be told at all."""
    return app.settings.notify.url is not None


def notify_connection(app: App, name: str) -> NotifyResult:
    """Note what has changed of a connection since it was last told, and send what is due."""
    now = app.clock.now()
    found = current_alerts(app.db, name, now, _watch(app, name))
    telling.record_alert_changes(app.db, name, found, now)
    return telling.send_due(app.db, name, open_channels(app), app.clock.now)


def open_channels(app: App) -> Mapping[str, Channel]:
    """Where messages go, by a name that gives no address away; an address that cannot be had takes none."""
    try:
        return {
            address.name: notification_channels.open_channel(address)
            for address in notification_targets.parse_targets(app.settings.notify.url)
        }
    except (Failure, ValueError) as error:
        why = error.detail if isinstance(error, Failure) else "notify.url: what the reference leads to is no address"
        return {"notify.url": _refusing(why)}


def _refusing(why: str) -> Channel:
    def refuse(_: dict[str, Any]) -> None:
        raise TransientError("integration.notify_failed", why)

    return refuse


def send_test_messages(app: App) -> dict[str, str]:
    """Send a message to every address; what became of it: "" where it was taken, else why not.

    Raises ConfigError, or BlockedError for a reference that leads nowhere, where there is no address to send to.
    """
    try:
        found = notification_targets.parse_targets(app.settings.notify.url)
    except ValueError as error:
        raise ConfigError(f"notify.url: {error}") from None
    message = {
        "id": f"test-{claim_id()}",
        "at": wire_time(app.clock.now()),
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
            notification_channels.open_channel(address)(message)
            took[address.name] = ""
        except Failure as failure:
            took[address.name] = failure.detail
    if took and not any(took.values()):
        telling.record_test_message(app.db, app.names(), app.clock.now())
    return took


def retry_notification(app: App) -> None:
    """Try whether messages arrive now. Raises the failure, or ConfigError, where they do not."""
    if why := next((why for why in send_test_messages(app).values() if why), ""):
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
