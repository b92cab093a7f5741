"""Baskets in the database: the tokens that name each, the bodies that are one, and whether one became an order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.kit.compression import Packer
from isthmus.model.checkout import Checkout
from isthmus.records.sql.store import COLUMNS, StoredRecord, stored_record

AT_ONCE_WITHIN = timedelta(seconds=60)
"""A reading without a token and a webhook of the same customer this close are one checkout."""

Name = tuple[str, str]
"""(store, token)"""


def join_checkouts(
    tx: Tx, connection: str, checkouts: Sequence[tuple[str, Checkout]], now: datetime, hidden: str
) -> None:
    """Note which tokens name one basket, as (store, checkout); baskets that share a token become one.

    Records whose id begins with `hidden` have no token of their own: they belong to the checkout of the same customer
    that was begun in the same minute. Whoever calls holds the locks of the checkouts and their carts.
    """
    if not checkouts:
        return
    named = [([(store, name) for name in one.names], store, one) for store, one in checkouts]
    twins = _twins(tx, connection, checkouts, hidden)
    groups = [[*names, *twins.get((store, one.token), ())] for names, store, one in named]
    held = _baskets(tx, connection, {name for group in groups for name in group})
    stands_for: dict[Name, Name] = {}

    def first(of: Name) -> Name:
        while (next_ := stands_for.get(of, of)) != of:
            of = next_
        return of

    for group in groups:
        store = group[0][0]
        kept_as = first((store, held.get(group[0], group[0][1])))
        for name in group[1:]:
            other = first((store, held.get(name, name[1])))
            if other == kept_as:
                continue
            # A basket that is known already keeps its name.
            if name in held and group[0] not in held:
                kept_as, other = other, kept_as
            stands_for[other] = kept_as
        for name in group:
            held.setdefault(name, name[1])
    moved = {old for old in stands_for if old[1] != first(old)[1]}
    tx.execute_many(
        "UPDATE basket_name SET basket = %s WHERE connection = %s AND store = %s AND basket = %s",
        [(first(old)[1], connection, *old) for old in sorted(moved)],
    )
    tx.execute_many(
        """INSERT INTO basket_name (connection, store, name, basket, seen_at) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (connection, store, name) DO UPDATE SET basket = excluded.basket, seen_at = excluded.seen_at""",
        [
            (connection, *name, first((name[0], held[name]))[1], now)
            for name in sorted({name for group in groups for name in group})
        ],
    )


def newest_versions(tx: Tx, connection: str, store: str, names: Iterable[str]) -> dict[str, datetime]:
    """How new what we know is of the basket that each of these tokens names."""
    rows = tx.fetch_all(
        """SELECT w.name, max(r.updated_at) AS updated_at FROM unnest(%(names)s::text[]) AS w (name)
           LEFT JOIN basket_name n ON n.connection = %(connection)s AND n.store = %(store)s AND n.name = w.name
           LEFT JOIN basket_name m ON m.connection = n.connection AND m.store = n.store AND m.basket = n.basket
           JOIN record r ON r.connection = %(connection)s AND r.kind = 'checkout' AND r.store = %(store)s
                        AND r.id = coalesce(m.name, w.name)
           GROUP BY w.name""",
        {"connection": connection, "store": store, "names": sorted(names)},
    )
    return {row["name"]: row["updated_at"] for row in rows}


class Basket(Struct, frozen=True):
    """All bodies of one basket, the oldest change first, and all its names."""

    store: str
    name: str
    names: tuple[str, ...]
    bodies: tuple[StoredRecord, ...]

    @property
    def checkouts(self) -> list[Checkout]:
        return [one.record for one in self.bodies if isinstance(one.record, Checkout)]


class CheckoutCursor(Struct, frozen=True):
    """Where a page of checkouts ended."""

    updated_at: datetime
    id: str


def idle_checkouts(
    tx: Tx,
    connection: str,
    since: datetime,
    until: datetime,
    limit: int,
    packer: Packer,
    after: CheckoutCursor | None = None,
) -> tuple[list[Basket], CheckoutCursor | None]:
    """Baskets with a checkout last touched in this window whose event is not written yet, each with all its bodies;
    and where the page ended, None for the last."""
    rows = tx.fetch_all(
        """SELECT r.store, r.id, r.updated_at, coalesce(b.basket, r.id) AS basket FROM record r
           LEFT JOIN basket_name b ON b.connection = r.connection AND b.store = r.store AND b.name = r.id
           WHERE r.connection = %(connection)s AND r.kind = 'checkout' AND r.deleted_at IS NULL
             AND r.updated_at > %(since)s AND r.updated_at <= %(until)s
             AND (%(at)s::timestamptz IS NULL OR (r.updated_at, r.id) > (%(at)s, %(id)s))
             AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = r.connection AND o.store = r.store
                             AND o.kind = 'moment' AND o.subject = 'checkout:' || r.id)
             AND NOT EXISTS (SELECT FROM basket_name m
                             JOIN outbox o ON o.connection = m.connection AND o.store = m.store AND o.kind = 'moment'
                                          AND o.subject = 'checkout:' || m.name
                             WHERE m.connection = b.connection AND m.store = b.store AND m.basket = b.basket)
           ORDER BY r.updated_at, r.id LIMIT %(limit)s""",
        {
            "connection": connection,
            "since": since,
            "until": until,
            "limit": limit,
            "at": after.updated_at if after else None,
            "id": after.id if after else None,
        },
    )
    if not rows:
        return [], None
    end = CheckoutCursor(rows[-1]["updated_at"], rows[-1]["id"]) if len(rows) == limit else None
    return _whole(tx, connection, dict.fromkeys((row["store"], row["basket"]) for row in rows), packer), end


def has_ordered_since(tx: Tx, connection: str, baskets: Sequence[tuple[Basket, Sequence[str]]]) -> set[Name]:
    """Which of these baskets (with the addresses of their owners) became an order, by checkout or cart, or whose owner
    ordered anything since, by address or customer."""
    tokens = [(b.store, b.name, name) for b, _ in baskets for name in b.names]
    owners = [
        (b.store, b.name, email, customer, min(one.created_at for one in b.checkouts))
        for b, emails in baskets
        for email, customer in (
            *((email, None) for email in emails),
            *((None, one.customer_id) for one in b.checkouts if one.customer_id is not None),
        )
    ]
    rows = tx.fetch_all(
        """SELECT n.store, n.basket FROM unnest(%(t_stores)s::text[], %(t_baskets)s::text[], %(tokens)s::text[])
             AS n (store, basket, name)
           WHERE EXISTS (SELECT FROM record o WHERE o.connection = %(connection)s AND o.kind = 'order'
                           AND o.store = n.store AND o.token = n.name)
              OR EXISTS (SELECT FROM record o WHERE o.connection = %(connection)s AND o.kind = 'order'
                           AND o.store = n.store AND o.cart_token = n.name)
           UNION
           SELECT w.store, w.basket FROM unnest(%(o_stores)s::text[], %(o_baskets)s::text[], %(emails)s::text[],
                                                %(customers)s::bigint[], %(began)s::timestamptz[])
             AS w (store, basket, email, customer, began)
           WHERE EXISTS (SELECT FROM record o WHERE o.connection = %(connection)s AND o.kind = 'order'
                           AND o.email = w.email AND o.placed_at >= w.began)
              OR EXISTS (SELECT FROM record o WHERE o.connection = %(connection)s AND o.kind = 'order'
                           AND o.store = w.store AND o.customer_id = w.customer AND o.placed_at >= w.began)""",
        {
            "connection": connection,
            "t_stores": [t[0] for t in tokens],
            "t_baskets": [t[1] for t in tokens],
            "tokens": [t[2] for t in tokens],
            "o_stores": [o[0] for o in owners],
            "o_baskets": [o[1] for o in owners],
            "emails": [o[2] for o in owners],
            "customers": [o[3] for o in owners],
            "began": [o[4] for o in owners],
        },
    )
    return {(row["store"], row["basket"]) for row in rows}


def has_checkout_webhooks(tx: Tx, connection: str, store: str, since: datetime) -> bool:
    """Whether any webhook of a checkout came from this store since then."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM event WHERE connection = %s AND store = %s AND webhook_id IS NOT NULL
                              AND topic IN ('checkouts/create', 'checkouts/update') AND received_at > %s)""",
            (connection, store, since),
        )
    )


def prune_checkout_names(tx: Tx, before: datetime, limit: int) -> int:
    """Forget names that no body has used since then, of any connection."""
    return tx.execute(
        """DELETE FROM basket_name WHERE (connection, store, name) IN (
               SELECT connection, store, name FROM basket_name WHERE seen_at < %s LIMIT %s)""",
        (before, limit),
    )


# -- below: shared by the above ---------------------------------------------------------------------------------------


def _baskets(tx: Tx, connection: str, names: Iterable[Name]) -> dict[Name, str]:
    wanted = sorted(names)
    rows = tx.fetch_all(
        """SELECT b.store, b.name, b.basket FROM basket_name b
           JOIN unnest(%s::text[], %s::text[]) AS w (store, name) ON b.store = w.store AND b.name = w.name
           WHERE b.connection = %s""",
        ([name[0] for name in wanted], [name[1] for name in wanted], connection),
    )
    return {(row["store"], row["name"]): row["basket"] for row in rows}


def _twins(
    tx: Tx, connection: str, checkouts: Sequence[tuple[str, Checkout]], hidden: str
) -> Mapping[Name, Sequence[Name]]:
    """For each checkout the records of the same customer and minute, where either has no token of its own."""
    asked = [(store, one) for store, one in checkouts if one.customer_id is not None]
    if not asked:
        return {}
    rows = tx.fetch_all(
        """SELECT w.store, w.token, r.id FROM unnest(%(stores)s::text[], %(tokens)s::text[], %(customers)s::bigint[],
                                                     %(began)s::timestamptz[]) AS w (store, token, customer, began)
           JOIN record r ON r.connection = %(connection)s AND r.kind = 'checkout' AND r.store = w.store
                        AND r.customer_id = w.customer AND r.id <> w.token
                        AND r.placed_at BETWEEN w.began - %(within)s AND w.began + %(within)s
           WHERE starts_with(w.token, %(hidden)s) <> starts_with(r.id, %(hidden)s)""",
        {
            "connection": connection,
            "within": AT_ONCE_WITHIN,
            "hidden": hidden,
            "stores": [store for store, _ in asked],
            "tokens": [one.token for _, one in asked],
            "customers": [one.customer_id for _, one in asked],
            "began": [one.created_at for _, one in asked],
        },
    )
    found: dict[Name, list[Name]] = {}
    for row in rows:
        found.setdefault((row["store"], row["token"]), []).append((row["store"], row["id"]))
    return found


def _whole(tx: Tx, connection: str, wanted: Iterable[Name], packer: Packer) -> list[Basket]:
    asked = list(wanted)
    given = {"connection": connection, "stores": [one[0] for one in asked], "baskets": [one[1] for one in asked]}
    names: dict[Name, list[str]] = {one: [one[1]] for one in asked}
    for row in tx.fetch_all(
        """SELECT b.store, b.basket, b.name FROM basket_name b
           JOIN unnest(%(stores)s::text[], %(baskets)s::text[]) AS w (store, basket)
             ON b.store = w.store AND b.basket = w.basket
           WHERE b.connection = %(connection)s ORDER BY b.name""",
        given,
    ):
        if row["name"] not in names[row["store"], row["basket"]]:
            names[row["store"], row["basket"]].append(row["name"])
    of = {(store, name): (store, basket) for (store, basket), all_ in names.items() for name in all_}
    rows = tx.fetch_all(
        f"""SELECT {COLUMNS} FROM record r
            JOIN unnest(%(stores)s::text[], %(ids)s::text[]) AS w (store, id) ON r.store = w.store AND r.id = w.id
            WHERE r.connection = %(connection)s AND r.kind = 'checkout' AND r.deleted_at IS NULL
            ORDER BY r.updated_at, r.id""",  # noqa: S608 - a constant column list
        {"connection": connection, "stores": [one[0] for one in of], "ids": [one[1] for one in of]},
    )
    bodies: dict[Name, list[StoredRecord]] = {}
    for row in rows:
        bodies.setdefault(of[row["store"], row["id"]], []).append(stored_record(row, packer))
    return [Basket(store, name, tuple(names[store, name]), tuple(found)) for (store, name), found in bodies.items()]
