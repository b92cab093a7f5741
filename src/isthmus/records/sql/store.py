"""Canonical records in the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.db.pool import Row, Tx
from isthmus.kit.compression import Packer
from isthmus.kit.email import normalise_email
from isthmus.kit.ids import content_hash
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.records.versioning import StoredVersion

Canonical = Customer | Order | Product | Checkout
Key = tuple[str, str, str]
"""(kind, store, id)"""

_SHAPES: dict[str, type[Canonical]] = {
    "customer": Customer,
    "order": Order,
    "product": Product,
    "checkout": Checkout,
}
_decoders = {kind: msgspec.json.Decoder(shape) for kind, shape in _SHAPES.items()}
_encode = msgspec.json.Encoder().encode


class StoredRecord(Struct, frozen=True):
    """A record as we have it; `record` is None for a tombstone."""

    kind: str
    store: str
    id: str
    updated_at: datetime
    record: Canonical | None
    hash: bytes | None
    changed_at: datetime
    said_at: datetime | None = None
    """When the store said so; None where it did not tell."""
    is_erased: bool = False

    @property
    def known(self) -> StoredVersion:
        return StoredVersion(
            self.updated_at, self.hash, is_gone=self.record is None, is_erased=self.is_erased, said_at=self.said_at
        )


def record_key(store: str, record: Canonical) -> Key:
    if isinstance(record, Checkout):
        return ("checkout", store, record.token)
    return (type(record).__name__.lower(), store, str(record.id))


def encode_record(record: Canonical) -> tuple[bytes, bytes]:
    """The record as JSON, and its content hash."""
    body = _encode(record)
    return body, content_hash(body)


def decode_record(kind: str, body: bytes) -> Canonical:
    """The record that `encode` made."""
    return _decoders[kind].decode(body)


def load_records(tx: Tx, connection: str, keys: Iterable[Key], packer: Packer) -> dict[Key, StoredRecord]:
    wanted = list(keys)
    if not wanted:
        return {}
    rows = tx.fetch_all(
        f"""SELECT {COLUMNS} FROM record r
            JOIN unnest(%(kinds)s::text[], %(stores)s::text[], %(ids)s::text[]) AS w (kind, store, id)
              ON r.kind = w.kind AND r.store = w.store AND r.id = w.id
            WHERE r.connection = %(connection)s""",  # noqa: S608 - a constant column list
        {
            "connection": connection,
            "kinds": [k[0] for k in wanted],
            "stores": [k[1] for k in wanted],
            "ids": [k[2] for k in wanted],
        },
    )
    return {(row["kind"], row["store"], row["id"]): stored_record(row, packer) for row in rows}


def records_of_people(
    tx: Tx, connection: str, emails: Sequence[str], customers: Sequence[tuple[str, int]], packer: Packer
) -> list[StoredRecord]:
    """Every living customer and order that answers to one of these addresses or belongs to one of these customers."""
    rows = tx.fetch_all(
        f"""SELECT {COLUMNS} FROM record r WHERE r.connection = %(connection)s AND r.kind IN ('customer', 'order')
              AND r.email = ANY(%(emails)s) AND r.body IS NOT NULL
            UNION
            SELECT {COLUMNS} FROM record r
            JOIN unnest(%(stores)s::text[], %(ids)s::bigint[]) AS c (store, id)
              ON r.store = c.store AND r.customer_id = c.id
            WHERE r.connection = %(connection)s AND r.kind IN ('customer', 'order') AND r.body IS NOT NULL""",  # noqa: S608
        {
            "connection": connection,
            "emails": list(emails),
            "stores": [c[0] for c in customers],
            "ids": [c[1] for c in customers],
        },
    )
    return [stored_record(row, packer) for row in rows]


class RecordVersion(Struct, frozen=True):
    """How new our knowledge of a record is: the record's own version, and when the store said so, if it told."""

    updated_at: datetime
    said_at: datetime | None


class RecordUpsert(Struct, frozen=True):
    """A record to be kept, when the store said so, and what `encode` made of it where that is known already."""

    store: str
    record: Canonical
    said_at: datetime | None
    encoded: tuple[bytes, bytes] | None = None


def save_records(tx: Tx, connection: str, records: Sequence[RecordUpsert], now: datetime, packer: Packer) -> None:
    """Keep these as the latest; whoever calls has weighed them under the records' locks."""
    if not records:
        return
    rows = [(*_row(one, packer), one.said_at) for one in records]
    columns = list(zip(*rows, strict=True))
    tx.execute(
        """INSERT INTO record (connection, kind, store, id, updated_at, body, hash, email, customer_id, token,
                               cart_token, placed_at, name, said_at, changed_at)
           SELECT %(connection)s, kind, store, id, updated_at, body, hash, email, customer_id, token, cart_token,
                  placed_at, name, said_at, %(now)s
           FROM unnest(%(kind)s::text[], %(store)s::text[], %(id)s::text[], %(updated_at)s::timestamptz[],
                       %(body)s::bytea[], %(hash)s::bytea[], %(email)s::text[], %(customer_id)s::bigint[],
                       %(token)s::text[], %(cart_token)s::text[], %(placed_at)s::timestamptz[],
                       %(name)s::text[],
                       %(said_at)s::timestamptz[])
             AS r (kind, store, id, updated_at, body, hash, email, customer_id, token, cart_token, placed_at, name,
                   said_at)
           ON CONFLICT (connection, kind, store, id) DO UPDATE SET
               updated_at = excluded.updated_at, body = excluded.body, hash = excluded.hash, email = excluded.email,
               customer_id = excluded.customer_id, token = excluded.token, cart_token = excluded.cart_token,
               placed_at = excluded.placed_at, name = excluded.name,
               said_at = excluded.said_at, changed_at = excluded.changed_at,
               deleted_at = NULL
           WHERE record.erased_at IS NULL""",
        {
            "connection": connection,
            "now": now,
            **{
                name: list(column)
                for name, column in zip(
                    _SAVED,
                    columns,
                    strict=True,
                )
            },
        },
    )


class Gone(Struct, frozen=True):
    """A record that a reading found absent: the newest version heard of it, None where none was, and when the reading
    began."""

    key: Key
    updated_at: datetime | None
    said_at: datetime | None
    is_erased: bool = False


def tombstone(tx: Tx, connection: str, gone: Sequence[Gone], now: datetime) -> None:
    """Tombstones, and what was heard of them since. One of an erasure stays one."""
    tx.execute_many(
        """INSERT INTO record (connection, kind, store, id, updated_at, changed_at, deleted_at, said_at, erased_at)
           VALUES (%(connection)s, %(kind)s, %(store)s, %(id)s, coalesce(%(updated_at)s::timestamptz, 'epoch'),
                   %(now)s, %(now)s, %(said_at)s, %(erased_at)s)
           ON CONFLICT (connection, kind, store, id) DO UPDATE SET body = NULL, hash = NULL, email = NULL,
               customer_id = NULL, token = NULL, cart_token = NULL,
               changed_at = CASE WHEN record.deleted_at IS NULL THEN excluded.changed_at ELSE record.changed_at END,
               deleted_at = coalesce(record.deleted_at, excluded.deleted_at),
               updated_at = greatest(record.updated_at, excluded.updated_at),
               said_at = greatest(record.said_at, excluded.said_at),
               erased_at = coalesce(record.erased_at, excluded.erased_at)""",
        [
            {
                "connection": connection,
                "kind": one.key[0],
                "store": one.key[1],
                "id": one.key[2],
                "now": now,
                "updated_at": one.updated_at,
                "said_at": one.said_at,
                "erased_at": now if one.is_erased else None,
            }
            for one in gone
        ],
    )


def confirm_unchanged(tx: Tx, connection: str, told: Sequence[tuple[Key, datetime]]) -> None:
    """The store said (then) that these records are still as we have them."""
    tx.execute_many(
        """UPDATE record SET said_at = greatest(said_at, %s)
           WHERE connection = %s AND kind = %s AND store = %s AND id = %s""",
        [(said_at, connection, *key) for key, said_at in told],
    )


def orders_of(tx: Tx, connection: str, customers: Sequence[tuple[str, int]]) -> list[Key]:
    """The orders that, as far as we know, belong to these customers."""
    rows = tx.fetch_all(
        """SELECT r.kind, r.store, r.id FROM record r
           JOIN unnest(%s::text[], %s::bigint[]) AS c (store, id) ON r.store = c.store AND r.customer_id = c.id
           WHERE r.connection = %s AND r.kind = 'order' AND r.body IS NOT NULL""",
        ([c[0] for c in customers], [c[1] for c in customers], connection),
    )
    return [(row["kind"], row["store"], row["id"]) for row in rows]


def record_versions(tx: Tx, connection: str, kind: str, store: str, ids: Sequence[str]) -> dict[str, RecordVersion]:
    """The versions we have of these records, tombstones included."""
    rows = tx.fetch_all(
        """SELECT id, updated_at, said_at FROM record
           WHERE connection = %s AND kind = %s AND store = %s AND id = ANY(%s)""",
        (connection, kind, store, list(ids)),
    )
    return {row["id"]: RecordVersion(row["updated_at"], row["said_at"]) for row in rows}


def record_keys(tx: Tx, connection: str, kinds: Sequence[str]) -> list[Key]:
    """Every living record of these kinds."""
    rows = tx.fetch_all(
        """SELECT kind, store, id FROM record WHERE connection = %s AND kind = ANY(%s) AND body IS NOT NULL
           ORDER BY kind, store, id""",
        (connection, list(kinds)),
    )
    return [(row["kind"], row["store"], row["id"]) for row in rows]


def orders_by_name(tx: Tx, connection: str, name: str, packer: Packer) -> list[tuple[str, int]]:
    """The orders that their shops call so (#1009, with or without the sign), as (store, id).

    Records kept before names had a column of their own are read one by one.
    """
    wanted = name.strip().lstrip("#").casefold()
    rows = tx.fetch_all(
        """SELECT store, id FROM record WHERE connection = %s AND kind = 'order' AND body IS NOT NULL
             AND lower(ltrim(name, '#')) = %s ORDER BY store, id""",
        (connection, wanted),
    )
    found = [(row["store"], int(row["id"])) for row in rows]
    old = tx.fetch_all(
        """SELECT store, id, body FROM record
           WHERE connection = %s AND kind = 'order' AND body IS NOT NULL AND name IS NULL ORDER BY store, id""",
        (connection,),
    )
    for row in old:
        order = decode_record("order", packer.unpack(row["body"]))
        if isinstance(order, Order) and order.name.lstrip("#").casefold() == wanted:
            found.append((row["store"], int(row["id"])))
    return found


def is_number_known(tx: Tx, connection: str, kind: str, number: int) -> bool:
    """Whether a record of this number was ever told of, deleted ones included."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM record WHERE connection = %(connection)s AND kind = %(kind)s
                                AND id = %(id)s)
                 OR EXISTS (SELECT FROM event WHERE connection = %(connection)s AND subject = %(subject)s)
                 OR EXISTS (SELECT FROM outbox WHERE connection = %(connection)s AND subject = %(subject)s)
                 OR EXISTS (SELECT FROM cases WHERE connection = %(connection)s AND subject = %(subject)s)""",
            {"connection": connection, "kind": kind, "id": str(number), "subject": f"{kind}:{number}"},
        )
    )


def emails_of(tx: Tx, connection: str, customer: int) -> list[str]:
    """The addresses under which a customer of this number is known, over all stores."""
    rows = tx.fetch_all(
        """SELECT DISTINCT email FROM record
           WHERE connection = %s AND kind = 'customer' AND id = %s AND email IS NOT NULL ORDER BY email""",
        (connection, str(customer)),
    )
    return [row["email"] for row in rows]


def record_ids(
    tx: Tx, connection: str, kind: str, store: str, after: str, limit: int, since: datetime | None = None
) -> list[str]:
    """The ids of living records of a kind, in the order of their text; those behind `after`, learned since then."""
    rows = tx.fetch_all(
        """SELECT id FROM record WHERE connection = %s AND kind = %s AND store = %s AND id > %s AND body IS NOT NULL
             AND (%s::timestamptz IS NULL OR changed_at >= %s::timestamptz)
           ORDER BY id LIMIT %s""",
        (connection, kind, store, after, since, since, limit),
    )
    return [row["id"] for row in rows]


def has_records(tx: Tx, connection: str, store: str) -> bool:
    """Whether anything of this store is known."""
    return bool(
        tx.fetch_value("SELECT EXISTS (SELECT FROM record WHERE connection = %s AND store = %s)", (connection, store))
    )


def stores_with_records(tx: Tx, connection: str, kind: str, stores: Sequence[str]) -> list[tuple[str, int]]:
    """The stores that are none of these, with how many living records of a kind we have of each."""
    rows = tx.fetch_all(
        """SELECT store, count(*) AS n FROM record
           WHERE connection = %s AND kind = %s AND body IS NOT NULL AND NOT store = ANY(%s)
           GROUP BY store ORDER BY store""",
        (connection, kind, list(stores)),
    )
    return [(row["store"], int(row["n"])) for row in rows]


# -- below: shared by the above ---------------------------------------------------------------------------------------

COLUMNS = (
    "r.kind, r.store, r.id, r.updated_at, r.body, r.hash, r.changed_at, r.said_at, r.erased_at IS NOT NULL AS erased"
)
_SAVED = (
    "kind",
    "store",
    "id",
    "updated_at",
    "body",
    "hash",
    "email",
    "customer_id",
    "token",
    "cart_token",
    "placed_at",
    "name",
    "said_at",
)


def stored_record(row: Row, packer: Packer) -> StoredRecord:
    """A row of `COLUMNS` as what it holds."""
    body, kind = row["body"], str(row["kind"])
    record = None if body is None else _decoders[kind].decode(packer.unpack(body))
    return StoredRecord(
        kind,
        row["store"],
        row["id"],
        row["updated_at"],
        record,
        row["hash"],
        row["changed_at"],
        row["said_at"],
        row["erased"],
    )


def _row(keep: RecordUpsert, packer: Packer) -> tuple[object, ...]:
    record, store = keep.record, keep.store
    kind, _, name = record_key(store, record)
    body, digest = keep.encoded or encode_record(record)
    email = None if isinstance(record, Product) else normalise_email(record.email)
    token = cart_token = placed_at = called = None
    customer_id = None
    if isinstance(record, Order):
        token, cart_token, customer_id = record.checkout_token, record.cart_token, record.customer_id
        placed_at, called = record.processed_at, record.name
    elif isinstance(record, Checkout):
        token, cart_token, customer_id = record.token, record.cart_token, record.customer_id
        placed_at = record.created_at
    elif isinstance(record, Customer):
        customer_id = record.id
    packed = packer.pack(body)
    return (
        kind,
        store,
        name,
        record.updated_at,
        packed,
        digest,
        email,
        customer_id,
        token,
        cart_token,
        placed_at,
        called,
    )
