"""The evidence ledger: append-only, and never an address in the clear."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.consent.decide import Statement
from isthmus.db.pool import Tx
from isthmus.kit.ids import keyed_hash
from isthmus.model.consent import Channel, Claim

Address = tuple[Channel, bytes]
"""A channel and the ledger's name for an address."""


class RecordedClaim(Struct, frozen=True):
    """A claim, the store and event it came by, whether it became its speaker's word, and the rule that decided."""

    store: str
    claim: Claim
    is_word: bool
    event_id: int | None = None
    rule: str = ""


def append_statements(tx: Tx, connection: str, heard: Sequence[RecordedClaim], hash_key: bytes, now: datetime) -> None:
    """Write statements down; one that came too late is written once, however often it comes."""
    if not heard:
        return
    tx.execute(
        """INSERT INTO consent_claim (connection, channel, address, store, customer_id, state, level, claimed_at,
               heard_at, source, collected_from, event_id, rule, is_word)
           SELECT %(connection)s, channel, address, store, customer_id, state, level, claimed_at, %(now)s, source,
                  collected_from, event_id, rule, is_word
           FROM unnest(%(channel)s::text[], %(address)s::bytea[], %(store)s::text[], %(customer_id)s::bigint[],
                       %(state)s::text[], %(level)s::text[], %(claimed_at)s::timestamptz[], %(source)s::text[],
                       %(collected_from)s::text[], %(event_id)s::bigint[], %(rule)s::text[], %(is_word)s::boolean[])
             WITH ORDINALITY
             AS c (channel, address, store, customer_id, state, level, claimed_at, source, collected_from, event_id,
                   rule, is_word, n)
           ORDER BY n
           ON CONFLICT DO NOTHING""",
        {
            "connection": connection,
            "now": now,
            "channel": [h.claim.channel.value for h in heard],
            "address": [hash_address(hash_key, h.claim.channel, h.claim.address) for h in heard],
            "store": [h.store for h in heard],
            "customer_id": [h.claim.customer_id for h in heard],
            "state": [h.claim.state for h in heard],
            "level": [h.claim.level for h in heard],
            "claimed_at": [h.claim.at for h in heard],
            "source": [h.claim.source for h in heard],
            "collected_from": [h.claim.collected_from for h in heard],
            "event_id": [h.event_id for h in heard],
            "rule": [h.rule for h in heard],
            "is_word": [h.is_word for h in heard],
        },
    )


def statements_of(tx: Tx, connection: str, addresses: Sequence[Address]) -> dict[Address, list[Statement]]:
    """Everything ever stated about these addresses, in the order it was written down."""
    found: dict[Address, list[Statement]] = {}
    if not addresses:
        return found
    rows = tx.fetch_all(
        """SELECT c.channel, c.address, c.state, c.source, c.heard_at, c.claimed_at, c.store, c.customer_id, c.level,
                  c.is_word
           FROM unnest(%(channels)s::text[], %(addresses)s::bytea[]) AS a (channel, address)
           JOIN consent_claim c ON c.connection = %(connection)s AND c.channel = a.channel AND c.address = a.address
           ORDER BY c.id""",
        {
            "connection": connection,
            "channels": [channel.value for channel, _ in addresses],
            "addresses": [named for _, named in addresses],
        },
    )
    for row in rows:
        found.setdefault((Channel(row["channel"]), bytes(row["address"])), []).append(
            Statement(
                row["state"],
                row["source"],
                row["heard_at"],
                row["claimed_at"],
                row["store"],
                row["customer_id"],
                row["level"],
                row["is_word"],
            )
        )
    return found


def customers_by_address(tx: Tx, connection: str, addresses: Sequence[Address]) -> dict[Address, set[tuple[str, int]]]:
    """By address, the stores' customers who ever spoke for it."""
    rows = tx.fetch_all(
        """SELECT DISTINCT c.channel, c.address, c.store, c.customer_id
           FROM unnest(%(channels)s::text[], %(addresses)s::bytea[]) AS a (channel, address)
           JOIN consent_claim c ON c.connection = %(connection)s AND c.channel = a.channel AND c.address = a.address
           WHERE c.customer_id IS NOT NULL""",
        {
            "connection": connection,
            "channels": [channel.value for channel, _ in addresses],
            "addresses": [named for _, named in addresses],
        },
    )
    found: dict[Address, set[tuple[str, int]]] = {}
    for row in rows:
        address = (Channel(row["channel"]), bytes(row["address"]))
        found.setdefault(address, set()).add((row["store"], row["customer_id"]))
    return found


def customers_sharing_addresses(tx: Tx, connection: str, stores: Sequence[str]) -> set[tuple[str, int]]:
    """The customers of other stores who ever spoke for an address that a customer of these stores spoke for."""
    rows = tx.fetch_all(
        """SELECT DISTINCT o.store, o.customer_id
           FROM consent_claim c
           JOIN consent_claim o ON o.connection = c.connection AND o.channel = c.channel AND o.address = c.address
           WHERE c.connection = %(connection)s AND c.store = ANY(%(stores)s) AND c.customer_id IS NOT NULL
             AND o.customer_id IS NOT NULL AND NOT o.store = ANY(%(stores)s)""",
        {"connection": connection, "stores": list(stores)},
    )
    return {(row["store"], row["customer_id"]) for row in rows}


def addresses_of(tx: Tx, connection: str, store: str, customer_id: int) -> list[Address]:
    """The addresses that one customer ever spoke for, also where the customer is gone."""
    rows = tx.fetch_all(
        """SELECT DISTINCT channel, address FROM consent_claim
           WHERE connection = %s AND store = %s AND customer_id = %s ORDER BY channel, address""",
        (connection, store, customer_id),
    )
    return [(Channel(row["channel"]), bytes(row["address"])) for row in rows]


def statement_history(tx: Tx, connection: str, addresses: Sequence[bytes]) -> list[dict[str, object]]:
    """Everything ever stated about these addresses, oldest first."""
    return tx.fetch_all(
        """SELECT channel, store, customer_id, state, level, claimed_at, heard_at, source, collected_from, rule
           FROM consent_claim WHERE connection = %s AND address = ANY(%s) ORDER BY heard_at, id""",
        (connection, list(addresses)),
    )


def hash_address(hash_key: bytes, channel: Channel | str, plain: str) -> bytes:
    """The ledger's name for an address."""
    return keyed_hash(hash_key, "consent", str(channel), plain.strip().lower())
