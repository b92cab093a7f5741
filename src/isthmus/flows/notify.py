"""Tell whom it concerns, once per change of state: noted where nothing is lost, sent until it was taken."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.kit.backoff import wait_after_attempt
from isthmus.model.failure import Failure
from isthmus.notifications import message
from isthmus.notifications import sql as notices
from isthmus.notifications.message import Notice
from isthmus.notifications.transitions import AlertState, alert_changes

Channel = Callable[[dict[str, Any]], None]
"""Takes one message, or raises a Failure that says nothing secret."""

AT_ONCE = 500
GIVE_UP_AFTER = timedelta(days=7)
"""Older news than this is none; how things stand now is told anyway."""

TROUBLE_AFTER = 3
"""Attempts in vain until it is a case that nobody can be told."""

CODE = "integration.notify_failed"


class NotifyResult(Struct, frozen=True):
    """What came of one round: messages taken by everybody, and those that wait for another try."""

    n_told: int = 0
    n_waiting: int = 0


def record_alert_changes(db: Database, connection: str, standings: Sequence[AlertState], at: datetime) -> int:
    """Note what has changed since it was last told; how many changes. `at` is when the standings were looked at."""
    with db.transaction() as tx:
        notices.lock_connection(tx, connection, at)
        news = alert_changes(notices.last_notified(tx, connection), standings, at)
        notices.insert_notifications(tx, connection, news, at)
    return len(news)


def send_due(
    db: Database, connection: str, channels: Mapping[str, Channel], now: Callable[[], datetime]
) -> NotifyResult:
    """Send what is due to every address that does not have it yet.

    A process that is killed in between sends it again after a while, under the same id: told at least once, and once
    whenever nothing goes wrong.
    """
    with db.transaction() as tx:
        due = notices.claim_due(tx, connection, now(), AT_ONCE)
    if not due:
        return NotifyResult()
    took = {notice.id: set(notice.took) for notice in due}
    failures = [
        failure
        for name, channel in channels.items()
        if (failure := _tell(name, channel, [notice for notice in due if name not in notice.took], took)) is not None
    ]
    with db.transaction() as tx:
        at = now()
        done = [notice.id for notice in due if took[notice.id] >= set(channels) or at - notice.at > GIVE_UP_AFTER]
        notices.mark_delivered(tx, connection, done, at)
        for notice in due:
            if notice.id not in done:
                notices.defer_notification(
                    tx, connection, notice.id, sorted(took[notice.id]), at + wait_after_attempt(notice.attempts)
                )
        if not failures:
            cases.resolve_by_code(tx, connection, CODE, at, "tell")
        elif max(notice.attempts for notice in due) >= TROUBLE_AFTER:
            cases.open_or_count(tx, connection, [Touch(CODE, detail=failure.detail) for failure in failures], at)
    return NotifyResult(len(done), len(due) - len(done))


def record_test_message(db: Database, connections: Sequence[str], now: datetime) -> None:
    """Every address took a test message: whoever was to be told can be told."""
    with db.transaction() as tx:
        for connection in connections:
            cases.resolve_by_code(tx, connection, CODE, now, "check notify", note="a test message was taken")


def _tell(name: str, channel: Channel, due: Sequence[Notice], took: Mapping[int, set[str]]) -> Failure | None:
    """Send in order; what comes behind a message that was not taken waits with it."""
    batches = [list(due)] if len(due) > message.STORM else [[notice] for notice in due]
    for batch in batches:
        try:
            for one in message.build_messages(batch):
                channel(one)
        except Failure as failure:
            return failure
        for notice in batch:
            took[notice.id].add(name)
    return None
