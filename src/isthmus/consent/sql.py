"""The evidence ledger: append-only, and never an address in the clear."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.kit.ids import keyed_hash
from isthmus.model.consent import Claim


class Heard(Struct, frozen=True):
    """A claim, the store and event it came by, and the rule that decided what it changed."""

    store: str
    claim: Claim
    rule: str
    event_id: int | None = None


def append(tx: Tx, connection: str, heard: Sequence[Heard], hash_key: bytes, now: datetime) -> None:
    """Write statements down; the same statement by the same way is written once."""
    if not heard:
        return
    tx.execute(
        """INSERT INTO consent_claim (connection, channel, address, store, customer_id, state, level, claimed_at,
               heard_at, source, collected_from, event_id, rule)
           SELECT %(connection)s, channel, address, store, customer_id, state, level, claimed_at, %(now)s, source,
                  collected_from, event_id, rule
           FROM unnest(%(channel)s::text[], %(address)s::bytea[], %(store)s::text[], %(customer_id)s::bigint[],
                       %(state)s::text[], %(level)s::text[], %(claimed_at)s::timestamptz[], %(source)s::text[],
                       %(collected_from)s::text[], %(event_id)s::bigint[], %(rule)s::text[])
             AS c (channel, address, store, customer_id, state, level, claimed_at, source, collected_from, event_id,
                   rule)
           ON CONFLICT DO NOTHING""",
        {
            "connection": connection,
            "now": now,
            "channel": [h.claim.channel.value for h in heard],
            "address": [address(hash_key, h.claim.channel.value, h.claim.address) for h in heard],
            "store": [h.store for h in heard],
            "customer_id": [h.claim.customer_id for h in heard],
            "state": [h.claim.state for h in heard],
            "level": [h.claim.level for h in heard],
            "claimed_at": [h.claim.at for h in heard],
            "source": [h.claim.source for h in heard],
            "collected_from": [h.claim.collected_from for h in heard],
            "event_id": [h.event_id for h in heard],
            "rule": [h.rule for h in heard],
        },
    )


def history(tx: Tx, connection: str, addresses: Sequence[bytes]) -> list[dict[str, object]]:
    """Everything ever stated about these addresses, oldest first."""
    return tx.fetch_all(
        """SELECT channel, store, customer_id, state, level, claimed_at, heard_at, source, collected_from, rule
           FROM consent_claim WHERE connection = %s AND address = ANY(%s) ORDER BY heard_at, id""",
        (connection, list(addresses)),
    )


def address(hash_key: bytes, channel: str, plain: str) -> bytes:
    """The ledger's name for an address."""
    return keyed_hash(hash_key, "consent", channel, plain.strip().lower())
