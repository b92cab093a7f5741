"""The account's readings: what a person waits for goes next, and what reads everything leaves room for it."""

from datetime import datetime, timedelta

from isthmus.cases.sql import cases
from isthmus.db.pool import Database, Tx
from isthmus.flows import case_reporting
from isthmus.flows.context import ConnectionContext
from isthmus.kit.backoff import wait_after_attempt
from isthmus.model.failure import Failure, TransientError
from isthmus.outbox.sql import rate_limit as pace
from isthmus.outbox.sql import readback as proof

PAGE = 250
OVERLAP = 5
"""Rows of a page that the next one reads again: what is deleted meanwhile moves the rest up under an offset."""

SHARE = 0.5
"""Of the account's readings, for everything together that reads its whole listings."""

OUTAGE_AFTER = 3
"""Readings that must fail in a row before people are told."""

OUTAGES = ("platform.unavailable", "platform.rate_limited")
"""What a reading that goes through proves to be over."""

OF_PATH = ("platform.refused_read", "platform.read_path_unknown")
"""About one path of the readings alone."""

SUBJECT = "readings"
"""What such a case is about: what is sent may fare otherwise."""

LONGEST_WAIT = timedelta(seconds=3)
"""Whoever waits for a slot can neither be stopped nor do anything else."""


def acquire_read_slot(db: Database, context: ConnectionContext) -> None:
    """Take the next slot of the account's reading budget, and wait until it has come."""
    now = context.clock.now()
    with db.transaction() as tx:
        slot_at, _ = pace.reserve_slot(tx, context.connection, "read", context.pace.read_per_second, now)
    context.clock.wait((slot_at - now).total_seconds())


def acquire_shared_read_slot(db: Database, context: ConnectionContext) -> None:
    """Take a slot for reading listings: of our share, and what nobody else wants unless somebody is opting out."""
    slot_at: datetime | None = None
    while slot_at is None:
        now = context.clock.now()
        with db.transaction() as tx:
            is_lending = not proof.has_pending_opt_outs(tx, context.connection)
            slot_at = pace.reserve_shared_slot(
                tx, context.connection, "read", context.pace.read_per_second, SHARE, now, is_lending=is_lending
            )
        wait = timedelta(seconds=1 / context.pace.read_per_second) if slot_at is None else slot_at - now
        context.clock.wait(max(0.0, wait.total_seconds()))


def record_failure(tx: Tx, context: ConnectionContext, failure: Failure, path: str = "") -> None:
    """Nothing could be read: all readings wait a little, and people are told if waiting does not help.

    `path` says what was read, since another path that is answered says nothing about this one.
    """
    now = context.clock.now()
    of_path = f"{SUBJECT}:{path}" if path else SUBJECT
    if not isinstance(failure, TransientError):
        cases.open_or_count(
            tx, context.connection, [case_reporting.case_for(failure, of_path if failure.code in OF_PATH else "")], now
        )
        return
    wait = wait_after_attempt(1, failure.retry_after)
    if pace.back_off(tx, context.connection, "read", now + min(wait, LONGEST_WAIT)) >= OUTAGE_AFTER:
        subject = of_path if failure.code in OF_PATH else SUBJECT
        cases.open_or_count(tx, context.connection, [case_reporting.case_for(failure, subject)], now)


def record_success(tx: Tx, context: ConnectionContext, path: str = "") -> None:
    """A reading was answered: what was said of readings that are not is over."""
    if pace.record_success(tx, context.connection, "read"):
        cases.resolve_by_code(tx, context.connection, OUTAGES, context.clock.now(), by="readings", subjects=[SUBJECT])
    close_path_cases(tx, context, path)


def close_path_cases(tx: Tx, context: ConnectionContext, path: str) -> None:
    """This path was answered: a case that says that it is refused or not there is over."""
    subjects = [f"{SUBJECT}:{path}" if path else SUBJECT]
    cases.resolve_by_code(tx, context.connection, OF_PATH, context.clock.now(), by="readings", subjects=subjects)
