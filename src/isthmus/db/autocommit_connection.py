"""One connection that an event loop drives: the webhook endpoint writes through it, each statement its own commit.

Everything else uses the pool; docs/decisions/0005 has the measurements that made the webhook endpoint the exception.
"""

import asyncio
import time
from typing import Any, Self

import psycopg
from psycopg.abc import QueryNoTemplate
from psycopg.rows import TupleRow

from isthmus.db import session
from isthmus.db.pool import Params

# A killed embedded server is back well within this; pauses between attempts grow from a thirtieth of a second.
PATIENCE = 1.5
_PAUSES = (0.03, 0.06, 0.12, 0.25)


class AutocommitConnection:
    """Opened when first needed and again after it broke. One statement at a time; a second caller waits."""

    def __init__(self, dsn: str, *, application_name: str = "isthmus", statement_timeout: float = 5.0) -> None:
        """`statement_timeout` in seconds."""
        self._dsn = session.connection_string(dsn)
        self._turn = asyncio.Lock()
        self._kwargs: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": 0,
            "application_name": application_name,
            "options": f"-c TimeZone=UTC -c synchronous_commit=on -c statement_timeout={int(statement_timeout * 1000)}",
        }
        self._connection: psycopg.AsyncConnection[TupleRow] | None = None

    async def fetch_all(self, query: QueryNoTemplate, params: Params) -> list[TupleRow]:
        """Run a statement that may be run twice: one whose outcome the loss of the connection hides is sent again.

        When this returns the statement is durable. Raises psycopg.Error when the database stays away, or
        read-only, or refuses the statement.
        """
        async with self._turn:
            return await self._fetch_all(query, params)

    async def _fetch_all(self, query: QueryNoTemplate, params: Params) -> list[TupleRow]:
        until = time.monotonic() + PATIENCE
        for attempt in range(1000):
            try:
                if self._connection is None:
                    self._connection = await psycopg.AsyncConnection.connect(self._dsn, **self._kwargs)
                cursor = await self._connection.execute(query, params)
                return await cursor.fetchall()
            except psycopg.Error as error:
                is_spoilt = session.breaks_session(error)
                if is_spoilt:
                    await self.close()
                if not is_spoilt or time.monotonic() > until:
                    raise
                await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            except asyncio.CancelledError:
                await self.close()
                raise
        raise AssertionError("patience ends before a thousand attempts do")

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
