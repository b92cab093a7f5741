"""The identifiers that contacts were last to be sent with."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.flows.context import ConnectionContext
from isthmus.outbox.sql import contacts as words


class SentIdentifiers(Struct, frozen=True):
    """What a contact says of who it is."""

    customer_id: str | None
    email: str | None
    phone: str | None


class _Body(Struct):
    customer_id: str | None = None
    email: str | None = None
    phone_number: str | None = None


def sent_identifiers(tx: Tx, context: ConnectionContext, ids: Iterable[str]) -> dict[str, SentIdentifiers]:
    """Of these contacts, those that ever went out."""
    found = {}
    for own, row in words.contact_rows(tx, context.connection, sorted(ids)).items():
        if row.body is not None and row.was_sent:
            said = msgspec.json.decode(context.packer.unpack(row.body), type=_Body)
            found[own] = SentIdentifiers(said.customer_id, said.email or None, said.phone_number or None)
    return found
