"""Notice merges that somebody else made in Ometria, and follow them.

A merge leaves two traces there: a profile answers to the ids or addresses of two people of ours, and the contacts of
one of them are gone (https://docs.ometria.com/docs/merge-profiles: the merged customers' listings are deleted). One
trace alone proves nothing: a profile may hold two people because it clusters by phone numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges.execute import move_links
from isthmus.flows.merges.merge_facts import load_merge_sides
from isthmus.flows.read_budget import acquire_read_slot
from isthmus.identity import merge_rules
from isthmus.identity.merge_rules import Side, There
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import merges
from isthmus.identity.sql.merges import MergeLogEntry
from isthmus.outbox.sql import contacts as words


def detect_external_merges(db: Database, context: ConnectionContext, page: Sequence[Mapping[str, Any]]) -> int:
    """Look at profiles as they were just read; how many merges were noticed."""
    several = [one for one in map(merge_rules.platform_side, page) if len(one.customer_ids) > 1 or len(one.emails) > 1]
    n = 0
    for seen in several:
        people = _people(db, context, seen)
        if len(people) < 2:
            continue
        survivor = next((one for one in people if seen.customer_id in one.ids), people[0])
        n += sum(_follow(db, context, seen, survivor, one) for one in people if one is not survivor)
    return n


def _people(db: Database, context: ConnectionContext, seen: There) -> list[Side]:
    """The people of ours behind one profile, the eldest first."""
    named = context.accounts(seen.customer_ids)
    with db.transaction() as tx:
        named |= {link.account for link in identity.links_of_emails(tx, context.connection, sorted(seen.emails))}
        found = load_merge_sides(tx, context, named)
    return sorted({one.contact: one for one in found.values()}.values(), key=lambda one: one.account[::-1])


def _follow(db: Database, context: ConnectionContext, seen: There, survivor: Side, loser: Side) -> bool:
    """Follow a merge, if the contacts of the one who was merged are really gone."""
    with db.transaction() as tx:
        told = words.contact_rows(tx, context.connection, loser.contacts)
    there = [name for name, row in sorted(told.items()) if row.state == "applied"]
    for contact in there:
        acquire_read_slot(db, context)
        if context.platform.contact(context.collection, contact) is not None:
            return False
    if not there:
        return False  # nothing of theirs was ever there, so nothing is missing
    now = context.clock.now()
    with db.transaction() as tx:
        move_links(tx, context, survivor, loser, now)
        allowed = merge_rules.stricter_consent(survivor.email, loser.email)
        entry = MergeLogEntry(
            survivor.contact, loser.contact, "noticed", "Ometria", f"profile {seen.id}; email {allowed}"
        )
        merges.append_log(tx, context.connection, [entry], now)
    return True
