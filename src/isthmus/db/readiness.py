"""Prove that a write succeeds now, and that the schema is one this program works with: what /ready stands for."""

from collections.abc import Sequence
from datetime import datetime

import psycopg

from isthmus.db.autocommit_connection import AutocommitConnection
from isthmus.db.migrate import Schema, SchemaTooNew, SchemaTooOld

# One small row, updated in place, in one round trip with what must be known of the schema. Since that alone may need no
# room on the disk, which a delivery does, something is written to a temporary file, too (migration 0023).
_PROVE = """
WITH wrote AS (
    INSERT INTO readiness AS r (role, proved_at) VALUES (%(role)s, %(at)s)
    ON CONFLICT (role) DO UPDATE SET proved_at = excluded.proved_at
    RETURNING role
)
SELECT max(version), max(coalesce(compatible_from, version)), NOT EXISTS (
    SELECT FROM unnest(%(engine)s::text[]) AS n WHERE n NOT IN (SELECT name FROM engine_migration)
)
FROM schema_version
WHERE EXISTS (SELECT FROM wrote) AND (SELECT room()) > 0
"""


async def prove(line: AutocommitConnection, role: str, at: datetime, known: int, engine: Sequence[str]) -> str | None:
    """Write through the session that deliveries take. None if it is durable and the schema fits; else why not.

    `known` is the schema that this program knows, `engine` the migrations of the job engine that it needs.
    """
    params = {"role": role, "at": at, "engine": list(engine)}
    try:
        [(version, compatible_from, has_engine)] = await line.fetch_all(_PROVE, params)
        Schema(version or 0, compatible_from or 0).check(known)
    except psycopg.Error as error:
        return f"the database does not take a write: {type(error).__name__}"
    except (SchemaTooNew, SchemaTooOld) as error:
        return str(error)
    return None if has_engine else "the job engine lacks its tables; run `isthmus migrate`"
