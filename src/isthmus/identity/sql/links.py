"""Links between store customers and addresses."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from isthmus.db.pool import Row, Tx
from isthmus.identity.match import Account, Link
from isthmus.kit.ids import lock_key


def lock_names(tx: Tx, connection: str, names: Sequence[str]) -> None:
    """Take everything a unit of work is about for itself until it commits, always in the same order.

    Names are records (order:uk:1) and addresses (email:a@b.c). Whoever maps a record has locked the addresses its
    person depends on, so that no change of that person can slip between.
    """
    keys = sorted({lock_key(connection, name) for name in names})
    tx.execute("SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) AS l (k)", (keys,))


def links_of_customers(tx: Tx, connection: str, customers: Sequence[Account]) -> list[Link]:
    """The links of these store customers that we have; of those that are gone, only who was merged with somebody."""
    # Correlated and limited, so that each is one look into the index, whatever the planner takes the table for.
    rows = tx.fetch_all(
        f"""SELECT l.* FROM unnest(%s::text[], %s::bigint[]) AS c (store, id), LATERAL (
               SELECT {_LINK} FROM link
               WHERE connection = %s AND store = c.store AND customer_id = c.id
                 AND (gone_at IS NULL OR joined_id IS NOT NULL) LIMIT 1) AS l""",  # noqa: S608 - constant columns
        ([c[0] for c in customers], [c[1] for c in customers], connection),
    )
    return [_link(row) for row in rows]


def links_of_emails(tx: Tx, connection: str, emails: Sequence[str]) -> list[Link]:
    """Every living link that answers to one of these addresses."""
    rows = tx.fetch_all(
        f"SELECT {_LINK} FROM link WHERE connection = %s AND email = ANY(%s) AND gone_at IS NULL",  # noqa: S608
        (connection, list(emails)),
    )
    return [_link(row) for row in rows]


def expand_to_persons(tx: Tx, connection: str, links: Iterable[Link]) -> list[Link]:
    """These links, which are whole by address, with everybody who was merged with one of them."""
    known = {link.account: link for link in links}
    fresh = list(known.values())
    while fresh:
        targets = {link.joined for link in fresh if link.joined is not None} - known.keys()
        found = _joiners(tx, connection, [link.account for link in fresh])
        if targets:
            found += links_of_customers(tx, connection, sorted(targets))
            # What nobody has a living account of may still be what several were merged into.
            found += _joiners(tx, connection, sorted(targets))
        fresh = [link for link in {link.account: link for link in found}.values() if link.account not in known]
        emails = {link.email for link in fresh if link.email is not None}
        if emails:
            mates = links_of_emails(tx, connection, sorted(emails))
            fresh += [link for link in mates if link.account not in known and link not in fresh]
        known |= {link.account: link for link in fresh}
    return list(known.values())


def merge_accounts(tx: Tx, connection: str, pairs: Sequence[tuple[Link, Account]], now: datetime) -> None:
    """Note that accounts belong to the person of another; one that we never knew is noted as gone."""
    tx.execute_many(
        """INSERT INTO link AS l (connection, store, customer_id, contact, email, gone_at, joined_store, joined_id)
           VALUES (%(connection)s, %(store)s, %(id)s, %(contact)s, NULL, %(now)s, %(to_store)s, %(to_id)s)
           ON CONFLICT (connection, store, customer_id) DO UPDATE
           SET joined_store = excluded.joined_store, joined_id = excluded.joined_id""",
        [
            {
                "connection": connection,
                "store": link.store,
                "id": link.customer_id,
                "contact": link.contact,
                "now": now,
                "to_store": to[0],
                "to_id": to[1],
            }
            for link, to in pairs
        ],
    )


def all_links(tx: Tx, connection: str) -> list[Link]:
    """Every living link, and the gone ones that join others."""
    rows = tx.fetch_all(
        f"SELECT {_LINK} FROM link WHERE connection = %s AND (gone_at IS NULL OR joined_id IS NOT NULL)",  # noqa: S608
        (connection,),
    )
    return [_link(row) for row in rows]


def merged_accounts(tx: Tx, connection: str) -> dict[Account, Account]:
    """Every account that was merged into another's person."""
    rows = tx.fetch_all(
        "SELECT store, customer_id, joined_store, joined_id FROM link WHERE connection = %s AND joined_id IS NOT NULL",
        (connection,),
    )
    return {(row["store"], row["customer_id"]): (row["joined_store"], row["joined_id"]) for row in rows}


def save_links(tx: Tx, connection: str, links: Sequence[Link]) -> None:
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


def mark_removed(tx: Tx, connection: str, customers: Sequence[tuple[str, int]], now: datetime) -> None:
    """These customers are gone from their shop; they speak for nobody any more."""
    tx.execute(
        """UPDATE link SET gone_at = %s FROM unnest(%s::text[], %s::bigint[]) AS c (store, id)
           WHERE link.connection = %s AND link.store = c.store AND link.customer_id = c.id""",
        (now, [c[0] for c in customers], [c[1] for c in customers], connection),
    )


# -- below: shared by the above ---------------------------------------------------------------------------------------

_LINK = """store, customer_id, contact, CASE WHEN gone_at IS NULL THEN email END AS email, joined_store, joined_id,
           gone_at IS NOT NULL AS is_gone"""


def _link(row: Row) -> Link:
    joined = None if row["joined_id"] is None else (row["joined_store"], row["joined_id"])
    return Link(row["store"], row["customer_id"], row["contact"], row["email"], joined, row["is_gone"])


def _joiners(tx: Tx, connection: str, accounts: Sequence[Account]) -> list[Link]:
    """Who was merged into one of these: nobody, nearly always."""
    # Limited for the same reason as above: a table that was never analysed must not be read through for it.
    rows = tx.fetch_all(
        f"""SELECT l.* FROM unnest(%s::text[], %s::bigint[]) AS a (to_store, to_id), LATERAL (
               SELECT {_LINK} FROM link
               WHERE connection = %s AND joined_store = a.to_store AND joined_id = a.to_id LIMIT 1000) AS l""",  # noqa: S608
        ([a[0] for a in accounts], [a[1] for a in accounts], connection),
    )
    return [_link(row) for row in rows]
