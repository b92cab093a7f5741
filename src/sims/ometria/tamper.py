"""Records that somebody else alters or deletes in Ometria: an agency's script, a person in the back office.

ASSUMED as a whole: the documents do not say who may delete, nor what a deletion leaves behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sims.ometria import apply
from sims.ometria.account import Account
from sims.ometria.shelf import Shelf, Stored
from sims.ometria.validate import rules_for

KINDS = ("contact", "order", "product", "custom_event")
SOURCE = "tamper"


def change(
    account: Account,
    kind: str,
    key: str,
    values: Mapping[str, Any],
    now: datetime,
    *,
    collection: str = "",
    is_dated: bool = True,
    source: str = SOURCE,
) -> None:
    """Set fields of a record, `null` takes one away; a record that is not there is made.

    Goes the way of any write, so that people, consent and revenue follow, but starts no automation. Without `is_dated`
    only the fields of a record that is there change: the change is found in no listing by time. Raises `ValueError` for
    what no record may say.
    """
    shelf = _shelf(account, kind, collection)
    row = shelf.get(key)
    held = dict(row.record) if row is not None else {}
    said = {name: value for name, value in {**held, **values}.items() if value is not None}
    if not is_dated:
        if row is None:
            raise ValueError(f"no {kind} {key}")
        row.record = said
        return
    said |= {"@type": kind, "id": key, **({"@collection": collection} if kind == "contact" else {})}
    if row is not None and row.consent is not None and row.consent.is_forced and "marketing_optin" in values:
        said["@force_optin"] = True  # else Ometria would not heed it
    n_automations = len(account.automations)
    wrong = apply.one(account, said, rules_for(account.switches), now, source)
    del account.automations[n_automations:]
    if wrong is not None:
        raise ValueError(f"{wrong.message}: {wrong.path}")


def delete(account: Account, kind: str, key: str, *, collection: str = "") -> None:
    """Take a record away; raises `ValueError` when it is not there."""
    shelf = _shelf(account, kind, collection)
    row = shelf.get(key)
    if row is None:
        raise ValueError(f"no {kind} {key}")
    shelf.drop(key)
    person = account.people.get(row.profile_id)
    if person is None:
        return
    holder = ("contact", collection, key) if kind == "contact" else (kind, key)
    account.people.leave(person, holder)
    if kind == "contact":
        person.listings.pop((collection, key), None)
    else:
        (person.orders if kind == "order" else person.events).pop(key, None)
    account.people.drop_if_empty(person)


def _shelf(account: Account, kind: str, collection: str) -> Shelf[Stored]:
    match kind:
        case "contact":
            return account.collection(collection)
        case "order":
            return account.orders
        case "product":
            return account.products
        case "custom_event":
            return account.events
    raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
