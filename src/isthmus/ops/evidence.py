"""One person's consent: every statement that was ever heard, and what the platform is to say of it now."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.consent import sql as claims
from isthmus.consent.decide import decide
from isthmus.consent.policy import Policy
from isthmus.db.pool import Database
from isthmus.kit.pack import Packer
from isthmus.model.consent import Channel
from isthmus.ops import sql


class Stated(Struct, frozen=True):
    """A statement as the ledger keeps it, and the rule that decided what it changed."""

    channel: str
    store: str
    customer_id: int | None
    state: str
    level: str | None
    claimed_at: datetime | None
    heard_at: datetime
    source: str
    collected_from: str | None
    rule: str


class Desired(Struct, frozen=True):
    """A contact of the person: what it is to say about email, and whether the platform says so."""

    contact: str
    stance: str
    state: str


class Stands(Struct, frozen=True):
    """Where the address stands by email in one store, and the rule that decided."""

    store: str
    stance: str
    rule: str


class Ledger(Struct, frozen=True):
    claims: tuple[Stated, ...]
    stands: tuple[Stands, ...]
    platform: tuple[Desired, ...]


def ledger(db: Database, connection: str, email: str, hash_key: bytes, policy: Policy, stores: Sequence[str]) -> Ledger:
    """Everything stated about a normalised address, oldest first, and the contacts that answer to it."""
    packer = Packer()
    with db.transaction() as tx:
        sql.hold_still(tx)
        named = claims.address(hash_key, Channel.EMAIL.value, email)
        told = tuple(Stated(**row) for row in claims.history(tx, connection, [named]))  # type: ignore[arg-type]
        said = claims.statements(tx, connection, [(Channel.EMAIL, named)]).get((Channel.EMAIL, named), [])
        where = [(store, decide(said, policy, store)) for store in stores]
        stands = tuple(Stands(store, one.stance.value, one.rule) for store, one in where)
        links = sql.known_as(tx, connection, [email], [])
        rows = sql.contacts(tx, connection, [link["contact"] for link in links])
        desired = tuple(
            Desired(row["id"], _stance(row["body"] and packer.unpack(row["body"])), row["state"]) for row in rows
        )
    return Ledger(told, stands, desired)


def _stance(body: bytes | None) -> str:
    said = msgspec.json.decode(body).get("marketing_optin") if body else None
    return str(said or "not sent").lower().replace("_", " ")
