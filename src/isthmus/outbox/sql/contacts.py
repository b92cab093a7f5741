"""What contacts are to say, what of theirs is under way, and those that somebody deleted over there."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.write import PERMITTING


class ContactRow(Struct, frozen=True):
    """A contact's row: its state, and the body it should say (packed), where it has one."""

    id: str
    state: str
    body: bytes | None
    subject: str | None = None
    was_sent: bool = False


def contact_rows(tx: Tx, connection: str, ids: Sequence[str]) -> dict[str, ContactRow]:
    """The rows of these contacts that there are."""
    found = tx.fetch_as(
        ContactRow,
        """SELECT id, state, body, subject, sent IS NOT NULL AS was_sent FROM outbox
           WHERE connection = %s AND kind = 'contact' AND id = ANY(%s)""",
        (connection, list(ids)),
    )
    return {row.id: row for row in found}


def count_unconfirmed_orders(tx: Tx, connection: str, accounts: Sequence[tuple[str, int]]) -> int:
    """How many orders of these accounts are still to be sent or settled."""
    value = tx.fetch_value(
        """SELECT count(*) FROM unnest(%s::text[], %s::bigint[]) AS a (store, id)
           JOIN record r ON r.connection = %s AND r.kind = 'order' AND r.store = a.store AND r.customer_id = a.id
           JOIN outbox o ON o.connection = r.connection AND o.store = r.store AND o.subject = 'order:' || r.id
                        AND o.kind = 'order'
           WHERE o.state IN ('due', 'leased', 'accepted')""",
        ([a[0] for a in accounts], [a[1] for a in accounts], connection),
    )
    return int(value or 0)


def requeue_deleted_on_platform(tx: Tx, connection: str, ids: Sequence[str], now: datetime) -> int:
    """Ometria has deleted these contacts: they are sent again, in the lane of what is urgent, for what they say
    of consent is gone with them.
    """
    return tx.execute(
        """UPDATE outbox SET state = CASE WHEN state = 'leased' THEN state ELSE 'due' END, lane = 0, due_at = %(now)s,
               since = CASE WHEN state IN ('due', 'leased') THEN since ELSE %(now)s END, is_known = false,
               settled = NULL
           WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %(connection)s AND kind = ANY(%(kinds)s) AND id = ANY(%(ids)s)
                 AND state IN ('applied', 'accepted', 'due', 'leased') AND body IS NOT NULL ORDER BY kind, id FOR UPDATE
           )""",
        {"connection": connection, "kinds": list(PERMITTING), "ids": list(ids), "now": now},
    )
