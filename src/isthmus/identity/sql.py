"""Links between store customers and addresses."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.db.pool import Tx
from isthmus.identity.match import Link
from isthmus.kit.ids import lock_key


def lock(tx: Tx, connection: str, names: Sequence[str]) -> None:
    """Take everything a unit of work is about for itself until it commits, always in the same order.

    Names are records (order:uk:1) and addresses (email:a@b.c). Whoever maps a record has locked the addresses its
    person depends on, so that no change of that person can slip between.
    """
    keys = sorted({lock_key(connection, name) for name in names})
    tx.execute("SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) AS l (k)", (keys,))


def of_customers(tx: Tx, connection: str, customers: Sequence[tuple[str, int]]) -> list[Link]:
    """The links of these store customers that we have."""
    # Correlated and limited, so that each is one look into the index, whatever the planner takes the table for.
    rows = tx.fetch_all(
        """SELECT l.* FROM unnest(%s::text[], %s::bigint[]) AS c (store, id), LATERAL (
               SELECT store, customer_id, contact, email FROM link
               WHERE connection = %s AND store = c.store AND customer_id = c.id AND gone_at IS NULL LIMIT 1) AS l""",
        ([c[0] for c in customers], [c[1] for c in customers], connection),
    )
    return [Link(**row) for row in rows]


def of_emails(tx: Tx, connection: str, emails: Sequence[str]) -> list[Link]:
    """Every living link that answers to one of these addresses."""
    rows = tx.fetch_all(
        """SELECT store, customer_id, contact, email FROM link
           WHERE connection = %s AND email = ANY(%s) AND gone_at IS NULL""",
        (connection, list(emails)),
    )
    return [Link(**row) for row in rows]


def save(tx: Tx, connection: str, links: Sequence[Link]) -> None:
    tx.execute(
        """INSERT INTO link (connection, store, customer_id, contact, email)
           SELECT %(connection)s, store, customer_id, contact, email
           FROM unnest(%(stores)s::text[], %(customers)s::bigint[], %(contacts)s::text[], %(emails)s::text[])
             AS l (store, customer_id, contact, email) ORDER BY store, customer_id
           ON CONFLICT (connection, store, customer_id) DO UPDATE
           SET contact = excluded.contact, email = excluded.email, gone_at = NULL
           WHERE (link.contact, link.email, link.gone_at) IS DISTINCT FROM (excluded.contact, excluded.email, NULL)""",
        {
            "connection": connection,
            "stores": [k.store for k in links],
            "customers": [k.customer_id for k in links],
            "contacts": [k.contact for k in links],
            "emails": [k.email for k in links],
        },
    )


def part(tx: Tx, connection: str, customers: Sequence[tuple[str, int]], now: datetime) -> None:
    """These customers are gone from their shop; they speak for nobody any more."""
    tx.execute(
        """UPDATE link SET gone_at = %s FROM unnest(%s::text[], %s::bigint[]) AS c (store, id)
           WHERE link.connection = %s AND link.store = c.store AND link.customer_id = c.id""",
        (now, [c[0] for c in customers], [c[1] for c in customers], connection),
    )
