"""Ingest: a flush of verified deliveries becomes durable, each once."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.db.pool import Database
from isthmus.inbox import sql as inbox
from isthmus.kit.pack import Packer
from isthmus.model.event import Delivery


def ingest(db: Database, deliveries: Sequence[Delivery], now: datetime, packer: Packer | None = None) -> list[bool]:
    """Keep a flush in one commit; for each delivery, whether it was new. When this returns, all of them are durable."""
    with db.transaction() as tx:
        return inbox.keep(tx, deliveries, now, packer)
