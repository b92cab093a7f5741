"""The account's readings: what a person waits for goes next, and what reads everything leaves room for it."""

from datetime import datetime, timedelta

from isthmus.cases import sql as cases
from isthmus.db.pool import Database, Tx
from isthmus.flows import trouble
from isthmus.flows.road import Road
from isthmus.kit.backoff import wait_for
from isthmus.model.failure import Failure, TransientError
from isthmus.outbox.pace import sql as pace
from isthmus.outbox.proof import sql as proof

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


def wait_for_the_next(db: Database, road: Road) -> None:
    """Take the next slot of the account's reading budget, and wait until it has come."""
    now = road.clock.now()
    with db.transaction() as tx:
        slot_at, _ = pace.reserve(tx, road.connection, "read", road.pace.read_per_second, now)
    road.clock.wait((slot_at - now).total_seconds())


def wait_for_a_share(db: Database, road: Road) -> None:
    """Take a slot for reading listings: of our share, and what nobody else wants unless somebody is opting out."""
    slot_at: datetime | None = None
    while slot_at is None:
        now = road.clock.now()
        with db.transaction() as tx:
            is_lending = not proof.is_opting_out(tx, road.connection)
            slot_at = pace.share(
                tx, road.connection, "read", road.pace.read_per_second, SHARE, now, is_lending=is_lending
            )
        wait = timedelta(seconds=1 / road.pace.read_per_second) if slot_at is None else slot_at - now
        road.clock.wait(max(0.0, wait.total_seconds()))


def failed(tx: Tx, road: Road, failure: Failure, path: str = "") -> None:
    """Nothing could be read: all readings wait a little, and people are told if waiting does not help.

    `path` says what was read, since another path that is answered says nothing about this one.
    """
    now = road.clock.now()
    of_path = f"{SUBJECT}:{path}" if path else SUBJECT
    if not isinstance(failure, TransientError):
        cases.touch(tx, road.connection, [trouble.sign(failure, of_path if failure.code in OF_PATH else "")], now)
        return
    wait = wait_for(1, failure.retry_after)
    if pace.slow_down(tx, road.connection, "read", now + min(wait, LONGEST_WAIT)) >= OUTAGE_AFTER:
        subject = of_path if failure.code in OF_PATH else SUBJECT
        cases.touch(tx, road.connection, [trouble.sign(failure, subject)], now)


def went_through(tx: Tx, road: Road, path: str = "") -> None:
    """A reading was answered: what was said of readings that are not is over."""
    if pace.all_well(tx, road.connection, "read"):
        cases.resolve(tx, road.connection, OUTAGES, road.clock.now(), by="readings", subjects=[SUBJECT])
    answered(tx, road, path)


def answered(tx: Tx, road: Road, path: str) -> None:
    """This path was answered: a case that says that it is refused or not there is over."""
    subjects = [f"{SUBJECT}:{path}" if path else SUBJECT]
    cases.resolve(tx, road.connection, OF_PATH, road.clock.now(), by="readings", subjects=subjects)
