"""Notice baskets left behind: checkouts with an address, untouched for a while, whose owner ordered nothing since."""

from datetime import timedelta

from isthmus.db.pool import Database
from isthmus.flows.road import Road
from isthmus.identity import sql as identity
from isthmus.identity.match import people
from isthmus.kit.email import normalise
from isthmus.mapping import moment
from isthmus.model.checkout import Checkout
from isthmus.outbox import sql as outbox
from isthmus.outbox.sql import Wanted
from isthmus.records import sql as records

AT_ONCE = 200


def abandon(db: Database, road: Road) -> int:
    """Write the moment of every checkout that has become quiet; how many were looked at."""
    now = road.clock.now()
    quiet = now - road.pace.checkout_quiet
    oldest = quiet - max((shop.rules.moment_max_age for shop in road.shops.values()), default=timedelta())
    with db.transaction() as tx:
        found = records.quiet_checkouts(tx, road.connection, oldest, quiet, AT_ONCE, road.packer)
        open_ = [
            kept
            for kept in found
            if kept.store in road.shops and isinstance(kept.record, Checkout) and kept.record.completed_at is None
        ]
        emails = sorted(
            {e for kept in open_ if isinstance(kept.record, Checkout) and (e := normalise(kept.record.email))}
        )
        # An order of the same person takes the same lock, so it is either seen here or finds the moment to call back.
        identity.lock(tx, road.connection, [f"email:{email}" for email in emails])
        bought = records.bought(tx, road.connection, open_)
        who = people(identity.whole(tx, road.connection, identity.of_emails(tx, road.connection, emails)))
        wanted = []
        for kept in open_:
            assert isinstance(kept.record, Checkout)  # noqa: S101 - only checkouts were asked for
            if kept.id in bought or not (email := normalise(kept.record.email)):
                continue
            rules = road.shops[kept.store].rules
            wanted.append(Wanted(kept.store, moment.of_checkout(kept.record, who.by_email.get(email), rules, now), now))
        outbox.desire(
            tx, road.connection, wanted, now=now, coalesce=timedelta(), contact_head_start=timedelta(),
            packer=road.packer,
        )  # fmt: skip
    return len(wanted)
