"""Which second contacts a run has to look for, in the database."""

from collections.abc import Sequence

from isthmus.db.pool import Tx


def has_sms_contacts(tx: Tx, connection: str) -> bool:
    """Whether there is a second contact that should be there, as far as we know."""
    return bool(
        tx.fetch_value(
            "SELECT EXISTS (SELECT FROM outbox WHERE connection = %s AND kind = 'sms' AND state = 'applied')",
            (connection,),
        )
    )


def unjudged_sms_contacts(tx: Tx, connection: str, run: int, stores: Sequence[str], limit: int) -> list[str]:
    """Second contacts that should be there and that a run has come to nothing about."""
    rows = tx.fetch_all(
        """SELECT o.id FROM outbox o
           WHERE o.connection = %s AND o.kind = 'sms' AND o.state = 'applied' AND o.store = ANY(%s)
             AND NOT EXISTS (SELECT FROM suspect s WHERE s.connection = o.connection AND s.run = %s AND s.kind = 'sms'
                             AND s.id = o.id)
           ORDER BY o.id LIMIT %s""",
        (connection, list(stores), run, limit),
    )
    return [row["id"] for row in rows]
