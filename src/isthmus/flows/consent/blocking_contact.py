"""Name the contact that keeps a person opted out, although a later opt-in was proven.

One opted-out contact silences its whole person, and one that was forced wins over every other
(https://support.ometria.com/hc/en-gb/articles/9881943263389). Ometria tells of no profile which contacts it is
made of, so we look where they are likely to be: under the ids by which other writers name the same person.
"""

from collections.abc import Sequence
from typing import Any

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.read_budget import acquire_read_slot
from isthmus.model.failure import Failure

OPTED_OUT = ("EXPLICITLY_OPTEDOUT", False)

UNKNOWN = "by a contact that could not be found; look at the person's contacts in Ometria"

READS_AT_MOST = 24
"""Readings that one person is worth."""


def find_blocking_contact(db: Database, context: ConnectionContext, profile: str, contacts: Sequence[str]) -> str:
    """The collection and id of the contact that says no, in words for a case, without an id that may be an address."""
    try:
        acquire_read_slot(db, context)
        names = context.platform.collections()
        for collection, own in _places(context, names, profile, contacts)[:READS_AT_MOST]:
            acquire_read_slot(db, context)
            found = context.platform.contact(collection, own)
            if found is not None and found.get("marketing_optin") in OPTED_OUT:
                return _words(collection, own, found)
    except Failure:
        return UNKNOWN
    return UNKNOWN


def _places(
    context: ConnectionContext, collections: Sequence[str], profile: str, contacts: Sequence[str]
) -> list[tuple[str, str]]:
    """Where the person's other contacts may be: the profile's own id first, then ours and Shopify's."""
    numbers = []
    for shop in context.shops.values():
        space = shop.rules.namespace
        numbers += [own.removeprefix(space) for own in contacts if own.startswith(space)]
    ids = list(dict.fromkeys([profile, *contacts, *numbers]))
    others = [name for name in collections if name != context.collection]
    return [(context.collection, own) for own in contacts] + [(name, own) for own in ids for name in others]


def _words(collection: str, own: str, found: dict[str, Any]) -> str:
    is_forced = found.get("@force_optin") is True
    at = str(found.get("timestamp_unsubscribed") or "")[:10]
    named = f"{collection}/{own}" if "@" not in own else collection
    return f"by the contact {named}" + (f", since {at}" if at else "") + (", forced" if is_forced else "")
