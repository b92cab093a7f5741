"""Notice baskets left behind: with an address and something in them, untouched for a while, and nothing ordered since.

One basket is told of by many bodies: webhooks of its checkouts, and readings that know the cart's token alone. It fires
once, for all of them together.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.identity.match import assign_survivors
from isthmus.identity.sql import links as identity
from isthmus.kit.email import normalise_email
from isthmus.mapping import custom_event
from isthmus.model.checkout import Checkout
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql import checkouts as baskets
from isthmus.records.sql.checkouts import Basket, CheckoutCursor

CHECKOUTS_AT_ONCE = 200

WEBHOOKS_SILENT_FOR = timedelta(hours=24)
"""A basket that only readings told of fires where webhooks of checkouts have been silent for this long: otherwise its
webhook was missed or names it otherwise, and it may have fired already."""


class _Left(Struct, frozen=True):
    """A basket as all its bodies together tell it."""

    basket: Basket
    checkout: Checkout
    email: str


def send_abandoned_checkouts(db: Database, context: ConnectionContext) -> int:
    """Write the event of every basket that has become quiet; how many were written."""
    now = context.clock.now()
    n, after = 0, None
    while True:
        with db.transaction() as tx:
            found, after = _page(tx, context, now, after)
            n += _write(tx, context, found, now)
        if after is None:
            return n


def _page(
    tx: Tx, context: ConnectionContext, now: datetime, after: CheckoutCursor | None
) -> tuple[list[_Left], CheckoutCursor | None]:
    quiet = now - context.pace.abandoned_after
    oldest = quiet - max((shop.rules.event_max_age for shop in context.shops.values()), default=timedelta())
    found, end = baskets.idle_checkouts(tx, context.connection, oldest, quiet, CHECKOUTS_AT_ONCE, context.packer, after)
    left = [one for basket in found if (one := _left(basket, quiet)) is not None and basket.store in context.shops]
    hears = {
        store: baskets.has_checkout_webhooks(tx, context.connection, store, now - WEBHOOKS_SILENT_FOR)
        for store in sorted({one.basket.store for one in left if one.checkout.is_listed})
    }
    return [one for one in left if not (one.checkout.is_listed and hears[one.basket.store])], end


def _left(basket: Basket, quiet: datetime) -> _Left | None:
    """The basket as one; None where it is not left: touched since, completed, empty, or nobody can be written to."""
    bodies = sorted(basket.checkouts, key=lambda one: (one.updated_at, not one.is_listed))
    last = bodies[-1]
    email = next((e for one in reversed(bodies) if (e := normalise_email(one.email))), None)
    lines = tuple(line for line in last.lines if line.quantity > 0)
    if email is None or not lines or last.updated_at > quiet or any(one.completed_at for one in bodies):
        return None
    whole = replace(
        last,
        token=basket.name,
        lines=lines,
        email=email,
        created_at=min(one.created_at for one in bodies),
        customer_id=next((one.customer_id for one in reversed(bodies) if one.customer_id is not None), None),
        is_listed=all(one.is_listed for one in bodies),
    )
    return _Left(basket, whole, email)


def _write(tx: Tx, context: ConnectionContext, left: Sequence[_Left], now: datetime) -> int:
    if not left:
        return 0
    emails = sorted({one.email for one in left})
    # An order of the same person takes the same lock, so it is either seen here or finds the event to call back.
    identity.lock_names(tx, context.connection, [f"email:{email}" for email in emails])
    bought = baskets.has_ordered_since(tx, context.connection, [(one.basket, [one.email]) for one in left])
    who = assign_survivors(
        identity.expand_to_persons(tx, context.connection, identity.links_of_emails(tx, context.connection, emails))
    )
    wanted = [
        DesiredWrite(
            one.basket.store,
            custom_event.event_of_checkout(
                one.checkout, who.by_email.get(one.email), context.shops[one.basket.store].rules, now
            ),
            now,
        )
        for one in left
        if (one.basket.store, one.basket.name) not in bought
    ]
    outbox.upsert_desired(
        tx,
        context.connection,
        wanted,
        now=now,
        coalesce=timedelta(),
        contact_head_start=timedelta(),
        packer=context.packer,
    )
    return len(wanted)
