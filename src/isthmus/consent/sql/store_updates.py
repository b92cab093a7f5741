"""What shops should say of their customers' consent, where they say something else: wished, claimed, written, kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.consent import Channel

LEASE = timedelta(seconds=30)
"""How long a claimed write is its holder's: a request may wait for points before it is sent."""


class RequestedUpdate(Struct, frozen=True):
    """What a shop should say of one channel of a customer. `address` is the ledger's name, `at` the statement's time,
    `above` the time of what the shop says instead.
    """

    store: str
    customer_id: int
    channel: Channel
    address: bytes
    state: str
    level: str
    at: datetime
    above: datetime | None


class ClaimedStoreUpdate(RequestedUpdate, frozen=True):
    """A write that is ours for a while; `attempts` counts the ones before."""

    attempts: int
    since: datetime


Key = tuple[str, int, Channel]
"""(store, customer, channel)"""


def request_updates(tx: Tx, connection: str, wished: Sequence[RequestedUpdate], now: datetime) -> None:
    """Want these; one that is wanted already keeps its place, and one that is being written follows after it."""
    if not wished:
        return
    tx.execute(
        """INSERT INTO consent_write AS w
               (connection, store, customer_id, channel, address, state, level, at, above, since, due_at)
           SELECT %(connection)s, store, customer_id, channel, address, state, level, at, above, %(now)s, %(now)s
           FROM unnest(%(stores)s::text[], %(customers)s::bigint[], %(channels)s::text[], %(addresses)s::bytea[],
                       %(states)s::text[], %(levels)s::text[], %(ats)s::timestamptz[], %(aboves)s::timestamptz[])
             AS n (store, customer_id, channel, address, state, level, at, above)
           ORDER BY store, customer_id, channel
           ON CONFLICT (connection, store, customer_id, channel) DO UPDATE SET
               address = excluded.address, state = excluded.state, level = excluded.level, at = excluded.at,
               above = excluded.above, since = excluded.since, status = 'due', attempts = 0, claim = NULL,
               leased_until = NULL, written_at = NULL,
               due_at = greatest(excluded.due_at, CASE WHEN w.status = 'leased' THEN w.leased_until END)
           WHERE (w.address, w.state, w.at, w.above)
                 IS DISTINCT FROM (excluded.address, excluded.state, excluded.at, excluded.above)""",
        {
            "connection": connection,
            "now": now,
            "stores": [w.store for w in wished],
            "customers": [w.customer_id for w in wished],
            "channels": [w.channel.value for w in wished],
            "addresses": [w.address for w in wished],
            "states": [w.state for w in wished],
            "levels": [w.level for w in wished],
            "ats": [w.at for w in wished],
            "aboves": [w.above for w in wished],
        },
    )


def withdraw_updates(tx: Tx, connection: str, keys: Sequence[Key]) -> list[tuple[str, int]]:
    """Nothing more is wanted of these; (store, customer) of those that had been refused.

    What is being written, or was and has not been looked at, stays: only a look tells that it is there to stay.
    """
    if not keys:
        return []
    rows = tx.fetch_all(
        """DELETE FROM consent_write w
           USING unnest(%s::text[], %s::bigint[], %s::text[]) AS k (store, customer_id, channel)
           WHERE w.connection = %s AND w.store = k.store AND w.customer_id = k.customer_id AND w.channel = k.channel
             AND w.status IN ('due', 'refused')
           RETURNING w.store, w.customer_id, w.status""",
        ([k[0] for k in keys], [k[1] for k in keys], [k[2].value for k in keys], connection),
    )
    return [(row["store"], row["customer_id"]) for row in rows if row["status"] == "refused"]


def is_update_due(tx: Tx, connection: str, now: datetime) -> bool:
    """Whether anything is to be written, or looked at after it was."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM consent_write WHERE connection = %s AND due_at <= %s
                              AND (leased_until IS NULL OR leased_until <= %s))""",
            (connection, now, now),
        )
    )


def has_open_updates(tx: Tx, connection: str) -> bool:
    """Whether anything is still to be written or looked at; what was refused is a case and waits for nobody."""
    return bool(
        tx.fetch_value(
            "SELECT EXISTS (SELECT FROM consent_write WHERE connection = %s AND status <> 'refused')", (connection,)
        )
    )


def make_due_now(tx: Tx, connection: str, store: str, customer: int, now: datetime) -> int:
    """What is to be written about a customer is due now, also where the shop refused it; how much that is."""
    return tx.execute(
        """UPDATE consent_write SET due_at = %s, status = CASE WHEN status = 'refused' THEN 'due' ELSE status END
           WHERE connection = %s AND store = %s AND customer_id = %s AND status IN ('due', 'refused', 'written')""",
        (now, connection, store, customer),
    )


def updates_in_progress(
    tx: Tx, connection: str, store: str, customers: Sequence[int]
) -> dict[tuple[int, Channel], datetime]:
    """Of these customers, by channel, since when something is being written, or was and is looked at next."""
    rows = tx.fetch_all(
        """SELECT customer_id, channel, since FROM consent_write
           WHERE connection = %s AND store = %s AND customer_id = ANY(%s) AND status <> 'refused'""",
        (connection, store, list(customers)),
    )
    return {(row["customer_id"], Channel(row["channel"])): row["since"] for row in rows}


def claim_updates(
    tx: Tx, connection: str, status: str, now: datetime, claim: UUID, limit: int
) -> list[ClaimedStoreUpdate]:
    """Lease what is due: to be written ("due", with what a dead holder left and what was refused long ago) or to be
    looked at ("written"); opt-outs first."""
    rows = tx.fetch_all(
        """WITH picked AS (
               SELECT store, customer_id, channel FROM consent_write
               WHERE connection = %(connection)s AND due_at <= %(now)s
                 AND (leased_until IS NULL OR leased_until <= %(now)s)
                 AND (status = %(status)s OR (%(status)s = 'due' AND status IN ('leased', 'refused')))
               ORDER BY state DESC, due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
           UPDATE consent_write w SET claim = %(claim)s, leased_until = %(until)s,
               status = CASE WHEN %(status)s = 'due' THEN 'leased' ELSE w.status END
           FROM picked p
           WHERE w.connection = %(connection)s AND w.store = p.store AND w.customer_id = p.customer_id
             AND w.channel = p.channel
           RETURNING w.store, w.customer_id, w.channel, w.address, w.state, w.level, w.at, w.above, w.attempts,
                     w.since""",
        {
            "connection": connection,
            "status": status,
            "now": now,
            "claim": claim,
            "until": now + LEASE,
            "limit": limit,
        },
    )
    found = [
        ClaimedStoreUpdate(
            row["store"],
            row["customer_id"],
            Channel(row["channel"]),
            bytes(row["address"]),
            row["state"],
            row["level"],
            row["at"],
            row["above"],
            row["attempts"],
            row["since"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: (row.store, row.customer_id, row.channel))


def settle_updates(
    tx: Tx,
    connection: str,
    rows: Sequence[ClaimedStoreUpdate],
    claim: UUID,
    status: str,
    *,
    now: datetime,
    due_at: datetime,
    is_attempt: bool = True,
) -> int:
    """Write down how claimed writes stand; those that were wished again meanwhile stay as they are."""
    return tx.execute(
        """UPDATE consent_write w SET status = %(status)s, due_at = %(due_at)s, claim = NULL, leased_until = NULL,
               attempts = least(w.attempts + %(more)s, 30000),
               written_at = CASE WHEN %(status)s = 'written' AND w.status = 'leased' THEN %(now)s ELSE w.written_at END
           FROM unnest(%(stores)s::text[], %(customers)s::bigint[], %(channels)s::text[])
             AS k (store, customer_id, channel)
           WHERE w.connection = %(connection)s AND w.store = k.store AND w.customer_id = k.customer_id
             AND w.channel = k.channel AND w.claim = %(claim)s""",
        {**_keys(connection, rows, claim), "status": status, "due_at": due_at, "now": now, "more": int(is_attempt)},
    )


def delete_claimed(tx: Tx, connection: str, rows: Sequence[ClaimedStoreUpdate], claim: UUID) -> int:
    """Claimed writes that are done, or have nobody left to be about."""
    return tx.execute(
        """DELETE FROM consent_write w
           USING unnest(%(stores)s::text[], %(customers)s::bigint[], %(channels)s::text[])
             AS k (store, customer_id, channel)
           WHERE w.connection = %(connection)s AND w.store = k.store AND w.customer_id = k.customer_id
             AND w.channel = k.channel AND w.claim = %(claim)s""",
        _keys(connection, rows, claim),
    )


def log_written_updates(tx: Tx, connection: str, rows: Sequence[ClaimedStoreUpdate], now: datetime) -> None:
    """Write into the ledger that the shop took these from us: evidence, and no statement of anybody's."""
    tx.execute(
        """INSERT INTO consent_claim (connection, channel, address, store, customer_id, state, level, claimed_at,
                                      heard_at, source, rule, is_word)
           SELECT %(connection)s, channel, address, store, customer_id, 'WROTE_' || state, level, at, %(now)s,
                  'isthmus.written', 'written', false
           FROM unnest(%(stores)s::text[], %(customers)s::bigint[], %(channels)s::text[], %(addresses)s::bytea[],
                       %(states)s::text[], %(levels)s::text[], %(ats)s::timestamptz[])
             AS n (store, customer_id, channel, address, state, level, at)
           ON CONFLICT DO NOTHING""",
        {
            **_keys(connection, rows, None),
            "addresses": [row.address for row in rows],
            "states": [row.state for row in rows],
            "levels": [row.level for row in rows],
            "ats": [row.at for row in rows],
            "now": now,
        },
    )


def _keys(connection: str, rows: Sequence[ClaimedStoreUpdate], claim: UUID | None) -> dict[str, object]:
    return {
        "connection": connection,
        "stores": [row.store for row in rows],
        "customers": [row.customer_id for row in rows],
        "channels": [row.channel.value for row in rows],
        "claim": claim,
    }
