"""Connections in the database: what was connected, what is shut, and which shop knocks at whose door."""

from datetime import datetime

from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.connections import stored
from isthmus.connections.config import ConnectionConfig
from isthmus.db.pool import Row, Tx
from isthmus.model.failure import BlockedError
from isthmus.model.lane import Lane


class StoredConnection(Struct, frozen=True):
    """A stored connection. Blocked means shut by failure, paused shut by a person; either stops work, never intake."""

    config: ConnectionConfig
    connected_at: datetime
    live_since: datetime | None
    blocked_code: str | None
    blocked_at: datetime | None
    paused_at: datetime | None
    paused_lanes: frozenset[Lane]

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def is_shut(self) -> bool:
        return self.blocked_code is not None or self.paused_at is not None

    def open_lanes(self) -> tuple[Lane, ...]:
        """The lanes that may move, first in line first."""
        return () if self.is_shut else tuple(lane for lane in Lane if lane not in self.paused_lanes)


class Unusable(Struct, frozen=True):
    """A connection that another version stored and this one cannot use. Its webhooks are taken; the rest waits."""

    name: str
    failure: BlockedError
    is_live: bool
    takeover: str | None
    stores: frozenset[str]


class StoreSecretRefs(Struct, frozen=True):
    """One store of one connection that webhooks of a domain are for, with references of the secrets that sign them."""

    connection: str
    store: str
    domain: str
    client_secret: str
    previous_client_secret: str | None


def save_connection(tx: Tx, config: ConnectionConfig, now: datetime) -> bool:
    """Store a connection, new or changed; True when it is new. The first time it is live becomes `live_since`."""
    row = tx.fetch_one(
        """INSERT INTO connection AS c (connection, config, mode, connected_at, live_since)
           VALUES (%(name)s, %(config)s, %(mode)s, %(now)s, CASE WHEN %(mode)s = 'live' THEN %(now)s END)
           ON CONFLICT (connection) DO UPDATE SET config = excluded.config, mode = excluded.mode,
               live_since = coalesce(c.live_since, excluded.live_since)
           RETURNING c.xmax = 0 AS is_new""",
        {
            "name": config.name,
            "config": Jsonb(config.model_dump(mode="json")),
            "mode": config.connection.mode,
            "now": now,
        },
    )
    names = [store.name for store in config.stores]
    tx.execute("DELETE FROM store WHERE connection = %s AND NOT store = ANY(%s)", (config.name, names))
    tx.execute_many(
        """INSERT INTO store (connection, store, domain) VALUES (%s, %s, %s)
           ON CONFLICT (connection, store) DO UPDATE SET domain = excluded.domain""",
        [(config.name, store.name, store.domain) for store in config.stores],
    )
    tx.execute_many(
        "INSERT INTO app_secret (connection, reference) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [
            (config.name, reference)
            for store in config.stores
            for reference in (store.client_secret, store.previous_client_secret)
            if reference is not None
        ],
    )
    return row is not None and row["is_new"]


_SELECT = """
SELECT c.connection, c.config, c.mode, c.connected_at, c.live_since, c.blocked_code, c.blocked_at, c.paused_at,
       array(SELECT p.lane FROM lane_pause p WHERE p.connection = c.connection) AS lanes
FROM connection c
"""


def load_connection(tx: Tx, connection: str) -> StoredConnection | None:
    """One connection by name. Raises BlockedError for one that this version cannot use."""
    found = load_connection_or_error(tx, connection)
    if isinstance(found, Unusable):
        raise found.failure
    return found


def load_connection_or_error(tx: Tx, connection: str) -> StoredConnection | Unusable | None:
    """One connection by name, or why it cannot be used."""
    row = tx.fetch_one(f"{_SELECT} WHERE c.connection = %s", (connection,))
    return None if row is None else _connected(row)


def load_connections(tx: Tx) -> list[StoredConnection | Unusable]:
    """Every connection, by name. One that cannot be used keeps no other from being read."""
    return [_connected(row) for row in tx.fetch_all(f"{_SELECT} ORDER BY c.connection")]


def connection_names(tx: Tx) -> list[str]:
    """The names of all connections."""
    return [row["connection"] for row in tx.fetch_all("SELECT connection FROM connection ORDER BY connection")]


def _connected(row: Row) -> StoredConnection | Unusable:
    name = row["connection"]
    try:
        config = stored.read_stored_connection(name, row["config"])
    except BlockedError as failure:
        stores = frozenset(store for store, *_ in stored.stored_stores(row["config"]))
        return Unusable(name, failure, row["mode"] == "live", stored.stored_takeover(row["config"]), stores)
    return StoredConnection(
        config=config,
        connected_at=row["connected_at"],
        live_since=row["live_since"],
        blocked_code=row["blocked_code"],
        blocked_at=row["blocked_at"],
        paused_at=row["paused_at"],
        paused_lanes=frozenset(Lane(lane) for lane in row["lanes"]),
    )


def pause_connection(tx: Tx, connection: str, now: datetime, lane: Lane | None = None) -> bool:
    """A person stops a connection, or one lane of it; False when there is no such connection. Twice is once."""
    if lane is None:
        return bool(
            tx.execute(
                "UPDATE connection SET paused_at = coalesce(paused_at, %s) WHERE connection = %s", (now, connection)
            )
        )
    tx.execute(
        """INSERT INTO lane_pause (connection, lane, paused_at)
           SELECT connection, %s, %s FROM connection WHERE connection = %s ON CONFLICT DO NOTHING""",
        (lane.value, now, connection),
    )
    return _is_there(tx, connection)


def resume_connection(tx: Tx, connection: str, lane: Lane | None = None) -> bool:
    """A person lets a connection, or one lane of it, go on; False when there is no such connection.

    Resuming a whole connection also lifts a block: whoever resumes says that the cause is fixed, and a cause that is
    not shuts it again at the next attempt. Paused lanes stay paused.
    """
    if lane is None:
        return bool(
            tx.execute(
                """UPDATE connection SET paused_at = NULL, blocked_code = NULL, blocked_at = NULL
                   WHERE connection = %s""",
                (connection,),
            )
        )
    tx.execute("DELETE FROM lane_pause WHERE connection = %s AND lane = %s", (connection, lane.value))
    return _is_there(tx, connection)


def block_connection(tx: Tx, connection: str, code: str, now: datetime) -> bool:
    """A failure shuts a connection; True when it was not shut by one before. The first code stays."""
    return bool(
        tx.execute(
            """UPDATE connection SET blocked_code = %s, blocked_at = %s
               WHERE connection = %s AND blocked_code IS NULL""",
            (code, now, connection),
        )
    )


def unblock_connection(tx: Tx, connection: str, code: str | None = None) -> bool:
    """The cause of a block was found fixed; True when something (that code, where one is given) had shut it."""
    return bool(
        tx.execute(
            """UPDATE connection SET blocked_code = NULL, blocked_at = NULL
               WHERE connection = %(connection)s AND blocked_code IS NOT NULL
                 AND (%(code)s::text IS NULL OR blocked_code = %(code)s::text)""",
            {"connection": connection, "code": code},
        )
    )


def store_secret_refs(tx: Tx) -> list[StoreSecretRefs]:
    """Every store of every connection, by domain: one shop may feed several connections."""
    found = [
        StoreSecretRefs(row["connection"], *entry)
        for row in tx.fetch_all("SELECT connection, config FROM connection")
        for entry in stored.stored_stores(row["config"])
    ]
    return sorted(found, key=lambda door: (door.domain, door.connection, door.store))


def automation_secret_refs(tx: Tx) -> list[tuple[str, str]]:
    """(connection, reference) of every secret that calls of Ometria's automations carry."""
    rows = tx.fetch_all("SELECT connection, config FROM connection ORDER BY connection")
    found = [(row["connection"], stored.stored_hook_secret(row["config"])) for row in rows]
    return [(name, reference) for name, reference in found if reference is not None]


def app_secret_refs(tx: Tx) -> list[tuple[str, str]]:
    """(connection, reference) of every app secret ever named: a privacy webhook may be signed with an old one."""
    rows = tx.fetch_all("SELECT connection, reference FROM app_secret ORDER BY connection, reference")
    return [(row["connection"], row["reference"]) for row in rows]


def load_hash_key(tx: Tx) -> bytes:
    """The key of the hashes that name people, made with this database."""
    return bytes(tx.fetch_value("SELECT hash_key FROM installation"))


def _is_there(tx: Tx, connection: str) -> bool:
    return tx.fetch_one("SELECT FROM connection WHERE connection = %s", (connection,)) is not None
