"""One person's consent: every statement that was ever heard, and what the platform is to say of it now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.consent import sql as claims
from isthmus.consent.decide import decide
from isthmus.consent.policy import Policy
from isthmus.db.pool import Database, Row, Tx
from isthmus.kit.pack import Packer
from isthmus.model.consent import Channel
from isthmus.model.customer import Customer
from isthmus.ops import sql
from isthmus.records import sql as records


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
    """A contact of the person: what it is to say about email and text messages, and whether the platform says so."""

    contact: str
    stance: str
    state: str
    sms: str = "not sent"


class Stands(Struct, frozen=True):
    """Where an address of the person stands on one channel in one store, and the rule that decided."""

    store: str
    stance: str
    rule: str
    channel: str = Channel.EMAIL.value


class Ledger(Struct, frozen=True):
    claims: tuple[Stated, ...]
    stands: tuple[Stands, ...]
    platform: tuple[Desired, ...]


def ledger(db: Database, connection: str, email: str, hash_key: bytes, policy: Policy, stores: Sequence[str]) -> Ledger:
    """Everything stated about a normalised address and the numbers that its customers have or had, oldest first, where
    each stands, and the contacts that answer to the address."""
    packer = Packer()
    with db.transaction() as tx:
        sql.hold_still(tx)
        links = sql.known_as(tx, connection, [email], [])
        mail = (Channel.EMAIL, claims.address(hash_key, Channel.EMAIL, email))
        numbers = {claims.address(hash_key, Channel.SMS, one) for one in _phones(tx, connection, links)}
        # What was stated of a number stays evidence when the number or the customer is gone.
        people = {(link["store"], link["customer_id"]) for link in links}
        people |= claims.speakers(tx, connection, [mail]).get(mail, set())
        for store, customer_id in people:
            spoken = claims.addresses_of(tx, connection, store, customer_id)
            numbers |= {one for channel, one in spoken if channel is Channel.SMS}
        named = [mail, *((Channel.SMS, one) for one in sorted(numbers))]
        history = claims.history(tx, connection, [address for _, address in named])
        told = tuple(Stated(**row) for row in history)  # type: ignore[arg-type]
        said = claims.statements(tx, connection, named)
        where = [(key[0], store, decide(said.get(key, []), policy, store)) for key in named for store in stores]
        stands = tuple(
            Stands(store, one.stance.value, one.rule, channel.value)
            for channel, store, one in where
            if channel is Channel.EMAIL or one.by is not None
        )
        rows = sql.contacts(tx, connection, [link["contact"] for link in links])
        bodies = [(row, _body(row["body"] and packer.unpack(row["body"]))) for row in rows]
        desired = tuple(Desired(row["id"], _stance(body), row["state"], _sms(body)) for row, body in bodies)
    return Ledger(told, stands, desired)


def _phones(tx: Tx, connection: str, links: Sequence[Row]) -> list[str]:
    """The numbers of these customers."""
    keys = [("customer", link["store"], str(link["customer_id"])) for link in links]
    kept = records.load(tx, connection, keys, Packer()).values()
    return sorted({one.record.phone for one in kept if isinstance(one.record, Customer) and one.record.phone})


def _body(raw: bytes | None) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(raw) if raw else {}
    return body


def _stance(body: Mapping[str, Any]) -> str:
    return str(body.get("marketing_optin") or "not sent").lower().replace("_", " ")


def _sms(body: Mapping[str, Any]) -> str:
    sms = (body.get("channels") or {}).get("sms")
    return "not sent" if sms is None else "opted in" if sms.get("allow_marketing") else "opted out"
