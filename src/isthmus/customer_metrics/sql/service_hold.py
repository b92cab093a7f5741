"""Orders that somebody has trouble with now, in the database, and the people whom that holds: table hold."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.customer_metrics.sql.order_totals import Buyer, OrderOwner, owner_params
from isthmus.db.pool import Row, Tx
from isthmus.model.service_hold import ServiceHoldState


class HoldInput(Struct, frozen=True):
    """What an order asks for now; `hold` is None when nothing is wrong. `email` is normalised."""

    store: str
    id: int
    hold: ServiceHoldState | None
    customer_id: int | None
    email: str | None


def save_holds(tx: Tx, connection: str, told: Sequence[HoldInput]) -> list[OrderOwner]:
    """Keep what these orders ask for; whose hold that may have begun, moved or ended, before and after."""
    if not told:
        return []
    latest = {(one.store, one.id): one for one in told}
    ordered = [latest[key] for key in sorted(latest)]
    calm = [one for one in ordered if one.hold is None]
    owners: list[OrderOwner] = []
    if calm:
        owners += _owners(tx.fetch_all(_END, ([one.store for one in calm], [one.id for one in calm], connection)))
    if asking := [(one, one.hold) for one in ordered if one.hold is not None]:
        rows = tx.fetch_all(
            _KEEP,
            {
                "connection": connection,
                "store": [one.store for one, _ in asking],
                "id": [one.id for one, _ in asking],
                "reason": [hold.reason for _, hold in asking],
                "until": [hold.until for _, hold in asking],
                "customer_id": [one.customer_id for one, _ in asking],
                "email": [one.email for one, _ in asking],
            },
        )
        owners += _owners(rows)
    return owners


# Most orders ask for nothing and never did: for those it is one look into the index.
_END = """
WITH over AS (
    DELETE FROM hold USING unnest(%s::text[], %s::bigint[]) AS t (store, id)
    WHERE hold.connection = %s AND hold.store = t.store AND hold.id = t.id RETURNING hold.*
)
SELECT DISTINCT store, customer_id, CASE WHEN customer_id IS NULL THEN email END AS email FROM over
"""
_KEEP = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(%(store)s::text[], %(id)s::bigint[], %(reason)s::text[], %(until)s::timestamptz[],
                         %(customer_id)s::bigint[], %(email)s::text[]) AS t (store, id, reason, until,
                                                                                         customer_id, email)
), moved AS MATERIALIZED (
    SELECT told.*, was.reason AS was_reason, was.customer_id AS was_customer_id, was.email AS was_email
    FROM told LEFT JOIN LATERAL (
        SELECT * FROM hold
        WHERE connection = %(connection)s AND store = told.store AND id = told.id LIMIT 1) AS was ON true
    WHERE (told.reason, told.until, told.customer_id, told.email)
          IS DISTINCT FROM (was.reason, was.until, was.customer_id, was.email)
), kept AS (
    INSERT INTO hold (connection, store, id, reason, until, customer_id, email)
    SELECT %(connection)s, store, id, reason, until, customer_id, email FROM moved
    ORDER BY store, id
    ON CONFLICT (connection, store, id) DO UPDATE SET
        reason = excluded.reason, until = excluded.until, customer_id = excluded.customer_id, email = excluded.email
)
SELECT DISTINCT store, owner.customer_id, CASE WHEN owner.customer_id IS NULL THEN owner.email END AS email
FROM moved, LATERAL (
    VALUES (reason, customer_id, email), (was_reason, was_customer_id, was_email)
) AS owner (reason, customer_id, email)
WHERE owner.reason IS NOT NULL
"""


def holds_of_people(tx: Tx, connection: str, buyers: Sequence[Buyer]) -> list[list[ServiceHoldState]]:
    """For each of these people the holds that their orders ask for."""
    holds: list[list[ServiceHoldState]] = [[] for _ in buyers]
    if not buyers:
        return holds
    rows = tx.fetch_all(
        """SELECT c.n, h.reason, h.until
           FROM unnest(%(n)s::int[], %(store)s::text[], %(customer)s::bigint[]) AS c (n, store, id),
             LATERAL (SELECT * FROM hold WHERE connection = %(connection)s AND store = c.store
                        AND customer_id = c.id) AS h
           UNION ALL
           SELECT g.n, h.reason, h.until FROM unnest(%(nth)s::int[], %(email)s::text[]) AS g (n, email),
             LATERAL (SELECT * FROM hold WHERE connection = %(connection)s AND customer_id IS NULL
                        AND email = g.email) AS h""",
        owner_params(connection, buyers),
    )
    for row in rows:
        holds[row["n"]].append(ServiceHoldState(row["reason"], row["until"]))
    return holds


def has_expired_holds(tx: Tx, connection: str, now: datetime) -> bool:
    """Whether the time of any order is up."""
    return bool(
        tx.fetch_value("SELECT EXISTS (SELECT FROM hold WHERE connection = %s AND until <= %s)", (connection, now))
    )


def delete_expired_holds(tx: Tx, connection: str, now: datetime, limit: int) -> list[OrderOwner]:
    """Take out orders whose time is up, those longest over first; whose they are. What is being changed is left."""
    rows = tx.fetch_all(
        """WITH over AS (
               SELECT store, id FROM hold WHERE connection = %(connection)s AND until <= %(now)s
               ORDER BY until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
           ), gone AS (
               DELETE FROM hold USING over
               WHERE hold.connection = %(connection)s AND hold.store = over.store AND hold.id = over.id
               RETURNING hold.*
           )
           SELECT DISTINCT store, customer_id, CASE WHEN customer_id IS NULL THEN email END AS email FROM gone""",
        {"connection": connection, "now": now, "limit": limit},
    )
    return _owners(rows)


def _owners(rows: Sequence[Row]) -> list[OrderOwner]:
    return [OrderOwner(row["store"], row["customer_id"], row["email"]) for row in rows]
