"""How many orders belong to whom, and walking over everybody."""

from collections.abc import Iterator, Sequence

from isthmus.db.pool import Tx
from isthmus.kit.compression import Packer
from isthmus.model.customer import Customer
from isthmus.records.sql.store import decode_record

PAGE = 2_000


def count_orders(tx: Tx, connection: str, accounts: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The orders of each of these accounts that we know."""
    rows = tx.fetch_all(
        """SELECT a.store, a.id, count(*) AS n FROM unnest(%s::text[], %s::bigint[]) AS a (store, id)
           JOIN record r ON r.connection = %s AND r.kind = 'order' AND r.store = a.store AND r.customer_id = a.id
           WHERE r.body IS NOT NULL GROUP BY a.store, a.id""",
        ([a[0] for a in accounts], [a[1] for a in accounts], connection),
    )
    return {(row["store"], row["id"]): row["n"] for row in rows}


def guest_orders(tx: Tx, connection: str, emails: Sequence[str]) -> dict[str, int]:
    """The orders without a customer that name one of these addresses."""
    rows = tx.fetch_all(
        """SELECT email, count(*) AS n FROM record
           WHERE connection = %s AND kind = 'order' AND email = ANY(%s) AND customer_id IS NULL AND body IS NOT NULL
           GROUP BY email""",
        (connection, list(emails)),
    )
    return {row["email"]: row["n"] for row in rows}


def list_customers(tx: Tx, connection: str, packer: Packer) -> Iterator[tuple[str, Customer]]:
    """Every living customer with their store, a page at a time."""
    store, after = "", ""
    while True:
        rows = tx.fetch_all(
            """SELECT store, id, body FROM record WHERE connection = %s AND kind = 'customer' AND (store, id) > (%s, %s)
                 AND body IS NOT NULL ORDER BY store, id LIMIT %s""",
            (connection, store, after, PAGE),
        )
        for row in rows:
            told = decode_record("customer", packer.unpack(row["body"]))
            assert isinstance(told, Customer)  # noqa: S101 - the kind was asked for
            yield row["store"], told
        if len(rows) < PAGE:
            return
        store, after = rows[-1]["store"], rows[-1]["id"]
