"""One person's consent: every statement that was ever heard, and what Ometria is to say of it now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.consent.decide import decide_consent
from isthmus.consent.policy import Policy
from isthmus.consent.sql import ledger as claims
from isthmus.db.pool import Database, Row, Tx
from isthmus.kit.compression import Packer
from isthmus.model.consent import Channel
from isthmus.model.customer import Customer
from isthmus.ops import sql
from isthmus.records.sql import store as records


class StatedConsent(Struct, frozen=True):
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
    """A contact of the person: what it is to say about email and text messages, and whether Ometria says so."""

    contact: str
    stance: str
    state: str
    sms: str = "not sent"


class AddressStatus(Struct, frozen=True):
    """Where an address of the person stands on one channel in one store, and the rule that decided."""

    store: str
    stance: str
    rule: str
    channel: str = Channel.EMAIL.value


class Ledger(Struct, frozen=True):
    claims: tuple[StatedConsent, ...]
    stands: tuple[AddressStatus, ...]
    platform: tuple[Desired, ...]


def consent_ledger(
    db: Database, connection: str, email: str, hash_key: bytes, policy: Policy, stores: Sequence[str]
) -> Ledger:
    """Everything stated about a normalised address and the numbers that its customers have or had, oldest first, where
    each stands, and the contacts that answer to the address."""
    packer = Packer()
    with db.transaction() as tx:
        sql.begin_snapshot(tx)
        links = sql.links_of(tx, connection, [email], [])
        mail = (Channel.EMAIL, claims.hash_address(hash_key, Channel.EMAIL, email))
        numbers = {claims.hash_address(hash_key, Channel.SMS, one) for one in _phones(tx, connection, links)}
        # What was stated of a number stays evidence when the number or the customer is gone.
        people = {(link["store"], link["customer_id"]) for link in links}
        people |= claims.customers_by_address(tx, connection, [mail]).get(mail, set())
        for store, customer_id in people:
            spoken = claims.addresses_of(tx, connection, store, customer_id)
            numbers |= {one for channel, one in spoken if channel is Channel.SMS}
        named = [mail, *((Channel.SMS, one) for one in sorted(numbers))]
        history = claims.statement_history(tx, connection, [address for _, address in named])
        told = tuple(StatedConsent(**row) for row in history)  # type: ignore[arg-type]
        said = claims.statements_of(tx, connection, named)
        where = [(key[0], store, decide_consent(said.get(key, []), policy, store)) for key in named for store in stores]
        stands = tuple(
            AddressStatus(store, one.stance.value, one.rule, channel.value)
            for channel, store, one in where
            if channel is Channel.EMAIL or one.by is not None
        )
        rows = sql.contacts_by_id(tx, connection, [link["contact"] for link in links])
        bodies = [(row, _body(row["body"] and packer.unpack(row["body"]))) for row in rows]
        desired = tuple(Desired(row["id"], _stance(body), row["state"], _sms(body)) for row, body in bodies)
    return Ledger(told, stands, desired)


def _phones(tx: Tx, connection: str, links: Sequence[Row]) -> list[str]:
    """The numbers of these customers."""
    keys = [("customer", link["store"], str(link["customer_id"])) for link in links]
    kept = records.load_records(tx, connection, keys, Packer()).values()
    return sorted({one.record.phone for one in kept if isinstance(one.record, Customer) and one.record.phone})


def _body(raw: bytes | None) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(raw) if raw else {}
    return body


def _stance(body: Mapping[str, Any]) -> str:
    return str(body.get("marketing_optin") or "not sent").lower().replace("_", " ")


def _sms(body: Mapping[str, Any]) -> str:
    sms = (body.get("channels") or {}).get("sms")
    return "not sent" if sms is None else "opted in" if sms.get("allow_marketing") else "opted out"
