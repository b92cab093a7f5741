"""How the rows of the outbox stand, for whoever compares."""

from collections.abc import Sequence

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.write import RecordKind


class DesiredVersion(Struct, frozen=True):
    """What one platform record should say, as the row stands."""

    kind: str
    id: str
    subject: str | None
    state: str
    excluded: str | None
    case_code: str | None
    body: bytes | None
    n_cut: int = 0


def changed_in_this_transaction(tx: Tx, connection: str) -> list[DesiredVersion]:
    """The rows that this very transaction has written so far, for a rehearsal that is then rolled back."""
    return tx.fetch_as(
        DesiredVersion,
        """SELECT kind, id, subject, state, excluded, case_code, body, n_cut FROM outbox
           WHERE connection = %s AND xmin = pg_current_xact_id()::xid ORDER BY kind, id""",
        (connection,),
    )


def outbox_versions(
    tx: Tx, connection: str, records: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], DesiredVersion]:
    """These rows (kind, id), as far as there are such."""
    rows = tx.fetch_as(
        DesiredVersion,
        """SELECT o.kind, o.id, o.subject, o.state, o.excluded, o.case_code, o.body, o.n_cut FROM outbox o
           JOIN unnest(%s::text[], %s::text[]) AS r (kind, id) ON o.kind = r.kind AND o.id = r.id
           WHERE o.connection = %s""",
        ([kind for kind, _ in records], [own for _, own in records], connection),
    )
    return {(row.kind, row.id): row for row in rows}


class OutboxStatus(Struct, frozen=True):
    """Where a record stands, in short."""

    state: str
    excluded: str | None


def outbox_statuses(tx: Tx, connection: str) -> dict[tuple[RecordKind, str], OutboxStatus]:
    """Where every record of a connection stands."""
    rows = tx.fetch_all("SELECT kind, id, state, excluded FROM outbox WHERE connection = %s", (connection,))
    return {(RecordKind(row["kind"]), row["id"]): OutboxStatus(row["state"], row["excluded"]) for row in rows}
