"""Notice whether the account's own importer writes consent beside us: then an opt-out is forced from the start.

Its writes are never forced and never override what is (https://support.ometria.com/hc/en-gb/articles/9881943263389).
"""

from datetime import timedelta

from isthmus.config_changes import sql as governance
from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.read_budget import acquire_read_slot
from isthmus.model.failure import Failure
from isthmus.outbox.sql.contact_consent import IMPORTER

EVERY = timedelta(hours=1)
RECENT = timedelta(days=2)
"""An importer that wrote nothing for so long is taken to be off."""

WHO = "importer"
"""Who wrote a contact, as Ometria says of its own importers' (ASSUMED; the field is in Fivetran's schema)."""


def check_native_importer(db: Database, context: ConnectionContext) -> bool | None:
    """Look at the newest contact of every collection that is not ours; None where it could not be looked."""
    now = context.clock.now()
    with db.transaction() as tx:
        known = governance.load_snapshots(tx, context.connection).get(("", IMPORTER))
    if known is not None and known.at + EVERY > now:
        return bool(known.body["is_live"])
    try:
        acquire_read_slot(db, context)
        others = [name for name in context.platform.collections() if name != context.collection]
        found = []
        for name in others:
            acquire_read_slot(db, context)
            if any(one.get("source") == WHO for one in context.platform.contacts(name, limit=10, since=now - RECENT)):
                found.append(name)
    except Failure:
        return None
    with db.transaction() as tx:
        governance.save_snapshot(
            tx, context.connection, "", IMPORTER, {"is_live": bool(found), "collections": found}, now
        )
    return bool(found)
