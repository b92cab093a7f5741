"""Ingest: deliveries that arrived together become durable together, each once."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.db.autocommit_connection import AutocommitConnection
from isthmus.inbox.sql.events import Flush
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery


async def ingest(
    line: AutocommitConnection, deliveries: Sequence[Delivery], now: datetime, packer: Packer
) -> list[bool]:
    """Keep a flush in one commit; for each delivery, whether it was new. When this returns, all of them are durable.

    Raises psycopg.OperationalError when the database stays away; then nothing is known, and all may be sent again.
    """
    flush = Flush(deliveries, now, packer)
    rows = await line.fetch_all(flush.query, flush.params)
    return flush.is_fresh(n for (n,) in rows)
