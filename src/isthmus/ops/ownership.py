"""Whose an order or an account is by what is known now, and the rule that says so (identity/resolve.py)."""

from collections.abc import Iterable, Mapping

from isthmus.db.pool import Tx
from isthmus.identity import resolve
from isthmus.identity.duplicates.features import PersonFeatures, person_features
from isthmus.identity.duplicates.rules import is_shared_address
from isthmus.identity.match import Account, Link, assign_survivors
from isthmus.identity.resolve import Resolved
from isthmus.identity.sql import links as identity
from isthmus.kit.compression import Packer
from isthmus.kit.email import normalise_email
from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Key


def owners_of_records(tx: Tx, connection: str, keys: Iterable[Key]) -> dict[Key, Resolved]:
    """The owner of each of these records that is an order or a customer."""
    kept = records.load_records(tx, connection, keys, Packer())
    found = {key: one.record for key, one in kept.items() if isinstance(one.record, (Customer, Order))}
    named = {(key[1], one.id if isinstance(one, Customer) else one.customer_id) for key, one in found.items()}
    own = identity.links_of_customers(
        tx, connection, sorted((at, number) for at, number in named if number is not None)
    )
    emails = {link.email for link in own if link.email} | {
        e for one in found.values() if (e := normalise_email(one.email))
    }
    mates = identity.links_of_emails(tx, connection, sorted(emails))
    all_ = identity.expand_to_persons(tx, connection, {link.account: link for link in (*mates, *own)}.values())
    links = {link.account: link for link in all_}
    who = assign_survivors(all_)
    merged = {account for link in all_ if link.joined for account in (link.account, link.joined)}
    accounts = {
        (key[1], one.id): person_features(key[1], "", one) for key, one in found.items() if isinstance(one, Customer)
    }
    told = {}
    for key, one in found.items():
        namespace = _namespace(links, key[1])
        if isinstance(one, Order):
            told[key] = resolve.order_owner(
                key[1], namespace, one.customer_id, normalise_email(one.email), one.phone, who
            )
        else:
            account = (key[1], one.id)
            told[key] = resolve.customer_account(
                account,
                f"{namespace}{one.id}",
                normalise_email(one.email),
                one.phone,
                who,
                merged,
                is_shared=_is_shared(accounts, account),
            )
    return told


def _namespace(links: Mapping[Account, Link], store: str) -> str:
    """What stands before the ids of a store, from any of its links."""
    return next((k.contact.removesuffix(str(k.customer_id)) for k in links.values() if k.store == store), "")


def _is_shared(accounts: Mapping[Account, PersonFeatures], account: Account) -> bool:
    mine = accounts[account]
    return mine.email is not None and any(
        other.email == mine.email and is_shared_address(mine, other) for at, other in accounts.items() if at != account
    )
