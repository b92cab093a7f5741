"""SQL that several places share: durable counters, and which runs looked at everything.

Counters are counted in the transaction of what they count, so that they can never disagree with it.
"""

from collections.abc import Mapping

from isthmus.db.pool import Tx

OF_EVERY_KIND = "(coalesce(jsonb_array_length(asked->'stores'), 0) = 0 AND jsonb_array_length(asked->'kinds') = 3)"
"""Of a row of the table run: it looked at every kind of record of every store, perhaps over a window alone."""

OF_EVERYTHING = f"(asked->>'since' IS NULL AND {OF_EVERY_KIND})"
"""The same without a window."""

# Two transactions that count the same name meet only if their backends share one of 32 shards; the order is fixed, so
# that two that do meet take their rows one after the other.
_ADD = """
INSERT INTO tally AS t (connection, name, shard, n)
SELECT connection, name, mod(pg_backend_pid(), 32), n FROM {numbers} ORDER BY connection, name
ON CONFLICT (connection, name, shard) DO UPDATE SET n = t.n + excluded.n
"""
_COUNT = _ADD.replace(
    "{numbers}",
    "(SELECT %(connection)s, * FROM unnest(%(names)s::text[], %(ns)s::bigint[])) AS told (connection, name, n)",
)


def increment_sql(numbers: str) -> str:
    """The statement that counts what the relation `numbers` (connection, name, n) says, for use inside another one."""
    return _ADD.replace("{numbers}", numbers)


def increment(tx: Tx, connection: str, numbers: Mapping[str, int]) -> None:
    """Add to the counters of a connection; a number may be negative. Best the last statement of a transaction."""
    told = {name: n for name, n in numbers.items() if n}
    if told:
        tx.execute(_COUNT, {"connection": connection, "names": list(told), "ns": list(told.values())})


def read_counters(tx: Tx, connection: str) -> dict[str, int]:
    """Every counter of a connection that was ever counted."""
    rows = tx.fetch_all(
        "SELECT name, sum(n)::bigint AS n FROM tally WHERE connection = %s GROUP BY name ORDER BY name", (connection,)
    )
    return {row["name"]: row["n"] for row in rows}
