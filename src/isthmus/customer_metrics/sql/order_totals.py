"""What each order is worth in the database, and what that makes of the people who placed them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from isthmus.customer_metrics.properties import counts_towards_metrics
from isthmus.db.pool import Row, Tx
from isthmus.kit.money import quantize
from isthmus.model.customer_metrics import CustomerMetrics, RevenueByCurrency
from isthmus.model.order_totals import OrderTotalsRow

ABANDONED_AFTER = timedelta(hours=1)
"""A load that goes on moves oftener: a part takes seconds, and Shopify counts while it gathers."""


class OrderTotalsUpdate(Struct, frozen=True):
    """What an order is worth now; `sale` is None when it is not sent. `is_history`: learned by loading, not live."""

    store: str
    id: int
    sale: OrderTotalsRow | None
    is_history: bool


class OrderOwner(Struct, frozen=True):
    """Whose an order is: a store's customer, else a guest by address (normalised), else nobody."""

    store: str
    customer_id: int | None
    email: str | None


class Buyer(Struct, frozen=True):
    """A person: all their store customers, and the address that their orders as a guest carry."""

    customers: Collection[tuple[str, int]]
    email: str | None


def save_order_totals(tx: Tx, connection: str, told: Sequence[OrderTotalsUpdate]) -> list[OrderOwner]:
    """Keep what these orders are worth; whose worth this changed, before and after, unless history changed it.

    What history changes is only marked, and comes back from `untold` when the load is over.
    """
    unsent = [one for one in told if one.sale is None]
    owners: list[OrderOwner] = []
    if unsent:
        owners += _owners(
            tx.fetch_all(_FORGET, ([one.store for one in unsent], [one.id for one in unsent], connection))
        )
    kept = [(one, one.sale) for one in told if one.sale is not None]
    if kept:
        sales = [sale for _, sale in kept]
        rows = tx.fetch_all(
            _KEEP,
            {
                "connection": connection,
                "store": [one.store for one, _ in kept],
                "id": [sale.id for sale in sales],
                "name": [sale.name for sale in sales],
                "placed_at": [sale.placed_at for sale in sales],
                "currency": [sale.currency for sale in sales],
                "status": [sale.status for sale in sales],
                "is_valid": [sale.is_valid for sale in sales],
                "gross": [_mills(sale.gross) for sale in sales],
                "refunded": [_mills(sale.refunded) for sale in sales],
                "net": [_mills(sale.net) for sale in sales],
                "n_units": [sale.n_units for sale in sales],
                "n_returned": [sale.n_returned for sale in sales],
                "customer_id": [sale.customer_id for sale in sales],
                "email": [sale.email for sale in sales],
                "is_counted": [counts_towards_metrics(sale) for sale in sales],
                "is_history": [one.is_history for one, _ in kept],
            },
        )
        owners += _owners(rows)
    return owners


# Not every change of an order changes what its owner is worth: only these, of an order that counts or counted.
_WORTH = ", ".join(
    f"{{0}}.{column}"
    for column in (
        "customer_id",
        "guest",
        "is_counted",
        "placed_at",
        "currency",
        "gross_mills",
        "refunded_mills",
        "net_mills",
        "n_units",
        "n_returned",
    )
)
_KEEP = f"""
WITH told AS MATERIALIZED (
    SELECT *, CASE WHEN customer_id IS NULL THEN email END AS guest FROM unnest(
        %(store)s::text[], %(id)s::bigint[], %(name)s::text[], %(placed_at)s::timestamptz[], %(currency)s::text[],
        %(status)s::text[], %(is_valid)s::boolean[], %(gross)s::bigint[], %(refunded)s::bigint[], %(net)s::bigint[],
        %(n_units)s::int[], %(n_returned)s::int[], %(customer_id)s::bigint[], %(email)s::text[],
        %(is_counted)s::boolean[], %(is_history)s::boolean[])
    AS t (store, id, name, placed_at, currency, status, is_valid, gross_mills, refunded_mills, net_mills, n_units,
          n_returned, customer_id, email, is_counted, is_history)
), weighed AS MATERIALIZED (
    -- Correlated and limited, so that each is one look into the index, whatever the planner takes the table for.
    SELECT told.*, was.customer_id AS was_customer_id, was.guest AS was_guest, was.is_counted AS was_counted,
           (told.is_counted OR coalesce(was.is_counted, false))
           AND ({_WORTH.format("told")}) IS DISTINCT FROM ({_WORTH.format("was")}) AS is_moved
    FROM told LEFT JOIN LATERAL (
        SELECT *, CASE WHEN customer_id IS NULL THEN email END AS guest FROM sale
        WHERE connection = %(connection)s AND store = told.store AND id = told.id LIMIT 1) AS was ON true
), kept AS (
    INSERT INTO sale AS s (connection, store, id, name, placed_at, currency, status, is_valid, gross_mills,
                           refunded_mills, net_mills, n_units, n_returned, customer_id, email, is_counted, is_untold)
    SELECT %(connection)s, store, id, name, placed_at, currency, status, is_valid, gross_mills, refunded_mills,
           net_mills, n_units, n_returned, customer_id, email, is_counted, is_history AND is_moved
    FROM weighed ORDER BY store, id
    ON CONFLICT (connection, store, id) DO UPDATE SET
        name = excluded.name, placed_at = excluded.placed_at, currency = excluded.currency, status = excluded.status,
        is_valid = excluded.is_valid, gross_mills = excluded.gross_mills, refunded_mills = excluded.refunded_mills,
        net_mills = excluded.net_mills, n_units = excluded.n_units, n_returned = excluded.n_returned,
        customer_id = excluded.customer_id, email = excluded.email, is_counted = excluded.is_counted,
        is_untold = s.is_untold OR excluded.is_untold
    WHERE (s.name, s.placed_at, s.currency, s.status, s.is_valid, s.gross_mills, s.refunded_mills, s.net_mills,
           s.n_units, s.n_returned, s.customer_id, s.email, s.is_counted)
      IS DISTINCT FROM
          (excluded.name, excluded.placed_at, excluded.currency, excluded.status, excluded.is_valid,
           excluded.gross_mills, excluded.refunded_mills, excluded.net_mills, excluded.n_units, excluded.n_returned,
           excluded.customer_id, excluded.email, excluded.is_counted)
)
SELECT DISTINCT owner.* FROM weighed, LATERAL (
    VALUES (store, customer_id, guest, is_counted), (store, was_customer_id, was_guest, was_counted)
) AS owner (store, customer_id, email, has_worth)
WHERE is_moved AND NOT is_history AND has_worth
"""  # noqa: S608 - a constant column list
_FORGET = """
WITH gone AS (
    DELETE FROM sale USING unnest(%s::text[], %s::bigint[]) AS t (store, id)
    WHERE sale.connection = %s AND sale.store = t.store AND sale.id = t.id RETURNING sale.*
)
SELECT DISTINCT store, customer_id, CASE WHEN customer_id IS NULL THEN email END AS email FROM gone WHERE is_counted
"""


def owner_params(connection: str, buyers: Sequence[Buyer]) -> dict[str, object]:
    """By what the orders of these people are found, as parameters: (n, store, customer) and, for guests, (nth, email).

    n and nth say whose of `buyers` each is.
    """
    customers = [(n, store, id_) for n, buyer in enumerate(buyers) for store, id_ in buyer.customers]
    guests = [(n, buyer.email) for n, buyer in enumerate(buyers) if buyer.email is not None]
    return {
        "connection": connection,
        "n": [n for n, _, _ in customers],
        "store": [store for _, store, _ in customers],
        "customer": [id_ for _, _, id_ in customers],
        "nth": [n for n, _ in guests],
        "email": [email for _, email in guests],
    }


def metrics_of_people(tx: Tx, connection: str, buyers: Sequence[Buyer]) -> list[CustomerMetrics]:
    """What each of these people is worth, in their order."""
    if not buyers:
        return []
    rows = tx.fetch_all(
        """SELECT n, currency, count(*) AS n_orders, sum(gross_mills)::bigint AS gross,
                  sum(refunded_mills)::bigint AS refunded, sum(net_mills)::bigint AS net,
                  sum(n_units)::bigint AS n_units, sum(n_returned)::bigint AS n_returned,
                  min(placed_at) AS first_at, max(placed_at) AS last_at
           FROM (
               SELECT c.n, s.* FROM unnest(%(n)s::int[], %(store)s::text[], %(customer)s::bigint[]) AS c (n, store, id),
                 LATERAL (SELECT * FROM sale WHERE connection = %(connection)s AND store = c.store
                            AND customer_id = c.id AND is_counted) AS s
               UNION ALL
               SELECT g.n, s.* FROM unnest(%(nth)s::int[], %(email)s::text[]) AS g (n, email),
                 LATERAL (SELECT * FROM sale WHERE connection = %(connection)s AND customer_id IS NULL
                            AND email = g.email AND is_counted) AS s
           ) AS orders
           GROUP BY n, currency ORDER BY n, currency""",
        owner_params(connection, buyers),
    )
    of: list[list[Row]] = [[] for _ in buyers]
    for row in rows:
        of[row["n"]].append(row)
    return [_worth(some) for some in of]


def is_remap_due(tx: Tx, connection: str, now: datetime) -> bool:
    """Whether `untold` has anybody, and no load is under way that would give more of the same people.

    One that has not moved for `ABANDONED_AFTER` was killed and never taken up again, and holds nobody back.
    """
    return bool(
        tx.fetch_value(
            # In the order of the index, so that even stale statistics make nobody read the whole table.
            """SELECT true FROM sale WHERE connection = %(connection)s AND is_untold AND NOT EXISTS (
                   SELECT FROM load l WHERE connection = %(connection)s AND state IN ('wanted', 'running', 'ready')
                     AND (moved_at > %(since)s
                          OR EXISTS (SELECT FROM load_part WHERE connection = l.connection AND load = l.id
                                     AND done_at > %(since)s)))
               ORDER BY connection, store, customer_id, email LIMIT 1""",
            {"connection": connection, "since": now - ABANDONED_AFTER},
        )
    )


def have_unsent_changes(tx: Tx, connection: str, buyers: Sequence[Buyer]) -> list[bool]:
    """For each of these people whether history has changed an order of theirs and `untold` has not had it yet."""
    rows = tx.fetch_all(
        """SELECT DISTINCT n FROM (
               SELECT c.n FROM unnest(%(n)s::int[], %(store)s::text[], %(customer)s::bigint[]) AS c (n, store, id)
               WHERE EXISTS (SELECT FROM sale WHERE connection = %(connection)s AND store = c.store
                             AND customer_id = c.id AND is_untold)
               UNION ALL
               SELECT g.n FROM unnest(%(nth)s::int[], %(email)s::text[]) AS g (n, email)
               WHERE EXISTS (SELECT FROM sale WHERE connection = %(connection)s AND customer_id IS NULL
                             AND email = g.email AND is_untold)) AS found""",
        owner_params(connection, buyers),
    )
    found = {row["n"] for row in rows}
    return [n in found for n in range(len(buyers))]


def take_changed_owners(tx: Tx, connection: str, limit: int) -> list[OrderOwner]:
    """The owners of orders that history has changed, those of `limit` orders at once; they are told with this."""
    return _owners(tx.fetch_all(_UNTOLD, {"connection": connection, "limit": limit}))


# All marked orders of an owner at once: a customer's, a guest's, nobody's. Each by equalities, which an index answers;
# IS NOT DISTINCT FROM would make every owner look at every marked order. Rows that somebody is changing at this moment
# are left for the next time.
_UNTOLD = """
WITH owner AS MATERIALIZED (
    SELECT DISTINCT store, customer_id, CASE WHEN customer_id IS NULL THEN email END AS email
    FROM (SELECT store, customer_id, email FROM sale WHERE connection = %(connection)s AND is_untold
          ORDER BY connection, store, customer_id, email LIMIT %(limit)s) AS first
), taken AS MATERIALIZED (
    SELECT s.id, s.store FROM owner, LATERAL (
        SELECT id, store FROM sale WHERE connection = %(connection)s AND store = owner.store AND is_untold
          AND customer_id = owner.customer_id FOR UPDATE SKIP LOCKED) AS s
    UNION ALL
    SELECT s.id, s.store FROM owner, LATERAL (
        SELECT id, store FROM sale WHERE connection = %(connection)s AND store = owner.store AND is_untold
          AND customer_id IS NULL AND email = owner.email FOR UPDATE SKIP LOCKED) AS s
    UNION ALL
    SELECT s.id, s.store FROM owner, LATERAL (
        SELECT id, store FROM sale WHERE connection = %(connection)s AND store = owner.store AND is_untold
          AND customer_id IS NULL AND email IS NULL FOR UPDATE SKIP LOCKED) AS s
    WHERE owner.customer_id IS NULL AND owner.email IS NULL
), told AS (
    UPDATE sale SET is_untold = false FROM taken
    WHERE sale.connection = %(connection)s AND sale.store = taken.store AND sale.id = taken.id
    RETURNING sale.store, sale.customer_id, CASE WHEN sale.customer_id IS NULL THEN sale.email END AS email
)
SELECT DISTINCT store, customer_id, email FROM told
"""


def _owners(rows: Sequence[Row]) -> list[OrderOwner]:
    return [OrderOwner(row["store"], row["customer_id"], row["email"]) for row in rows]


def _worth(rows: Sequence[Row]) -> CustomerMetrics:
    return CustomerMetrics(
        takings=tuple(
            RevenueByCurrency(
                currency=row["currency"],
                n_orders=row["n_orders"],
                gross=_money(row["gross"], row["currency"]),
                refunded=_money(row["refunded"], row["currency"]),
                net=_money(row["net"], row["currency"]),
            )
            for row in rows
        ),
        n_units=sum(row["n_units"] for row in rows),
        n_returned=sum(row["n_returned"] for row in rows),
        first_order_at=min((row["first_at"] for row in rows), default=None),
        last_order_at=max((row["last_at"] for row in rows), default=None),
    )


def _mills(amount: Decimal) -> int:
    return int(amount.scaleb(3))


def _money(mills: int, currency: str) -> Decimal:
    return quantize(Decimal(mills).scaleb(-3), currency)
