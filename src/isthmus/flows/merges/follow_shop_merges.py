"""Merges that the shop made: the lost account belongs to the person of the kept one from now on."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.flows.context import ConnectionContext
from isthmus.identity.match import Account, Link
from isthmus.identity.sql import merges
from isthmus.identity.sql.merges import MergeLogEntry
from isthmus.model.event import Event
from isthmus.shopify.parse.merge_webhook import CustomerMerge

FAILED = "storefront.merge_failed"


def follow_shop_merges(
    tx: Tx, context: ConnectionContext, told: Sequence[tuple[Event, CustomerMerge]], now: datetime
) -> list[tuple[Link, Account]]:
    """Write down what the shop says of merges; the accounts that belong to somebody else's person now.

    A merge that failed changes nothing: both customers are there as before, and a case says so.
    """
    joined = []
    for event, merge in told:
        subjects = [f"customer:{number}" for number in (merge.kept, merge.lost) if number is not None]
        if merge.is_failed:
            detail = f"Shopify stumbled over {merge.why}" if merge.why else "Shopify does not say why"
            if subjects:
                cases.open_or_count(tx, context.connection, [Touch(FAILED, subjects[0], event.store, detail)], now)
        elif merge.is_done and merge.kept is not None and merge.lost is not None:
            names = context.shops[event.store].rules.namespace
            lost = Link(event.store, merge.lost, f"{names}{merge.lost}", None)
            joined.append((lost, (event.store, merge.kept)))
            entry = MergeLogEntry(f"{names}{merge.kept}", lost.contact, "told", "the shop")
            merges.append_log(tx, context.connection, [entry], now)
            cases.resolve_by_code(
                tx, context.connection, FAILED, now, by="a later merge", subjects=subjects, store=event.store
            )
    return joined
