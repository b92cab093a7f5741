"""What contacts say about consent, were sent to say, and must say by force."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx


class Contact(Struct, frozen=True):
    """One contact: what is desired of its consent now, how far it is, and when it was last sent either way."""

    id: str
    store: str
    state: str
    lane: int
    opts_in: bool
    opts_out: bool
    was_forced: bool
    must_force: bool
    settled_at: datetime | None
    opted_in_at: datetime | None
    opted_out_at: datetime | None

    @property
    def is_moving(self) -> bool:
        return self.state in ("due", "leased", "accepted")


def contacts(tx: Tx, connection: str, ids: Sequence[str]) -> dict[str, Contact]:
    """These contacts, as far as there are rows of them that are sent."""
    rows = tx.fetch_as(
        Contact,
        """SELECT id, store, state, lane, opts_in, opts_out, was_forced, must_force, settled_at, opted_in_at,
                  opted_out_at
           FROM outbox WHERE connection = %s AND kind = 'contact' AND id = ANY(%s) AND state <> 'excluded'""",
        (connection, list(ids)),
    )
    return {row.id: row for row in rows}


def force(tx: Tx, connection: str, ids: Sequence[str]) -> int:
    """The opt-outs of these contacts have no effect unforced; how many that is news of."""
    return tx.execute(
        """UPDATE outbox SET must_force = true WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %s AND kind = 'contact' AND id = ANY(%s) AND opts_out AND NOT must_force
               ORDER BY id FOR UPDATE)""",
        (connection, list(ids)),
    )


def note_forced(tx: Tx, connection: str, ids: Sequence[str], now: datetime) -> None:
    """Write into the ledger that these contacts were sent forced: evidence, and no statement of anybody's."""
    tx.execute(
        """INSERT INTO consent_claim (connection, channel, address, store, customer_id, state, heard_at, claimed_at,
                                      source, rule, is_word)
           SELECT connection, 'email', address, store, split_part(subject, ':', 2)::bigint,
                  CASE WHEN opts_in THEN 'FORCED_IN' ELSE 'FORCED_OUT' END, %(now)s, %(now)s, 'isthmus.forced',
                  'forced', false
           FROM outbox WHERE connection = %(connection)s AND kind = 'contact' AND id = ANY(%(ids)s) AND forces
             AND address IS NOT NULL
           ORDER BY id
           ON CONFLICT DO NOTHING""",
        {"connection": connection, "ids": list(ids), "now": now},
    )
