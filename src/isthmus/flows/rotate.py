"""Write down that webhooks are still signed with an app's previous secret, so that nobody removes it too early."""

from collections.abc import Mapping
from datetime import datetime

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database

CODE = "integration.previous_secret_in_use"


def note_previous(db: Database, counts: Mapping[tuple[str, str], int], now: datetime) -> None:
    """One case per connection and store, with how many deliveries only the previous secret opened."""
    for (connection, store), n in sorted(counts.items()):
        with db.transaction() as tx:
            detail = f"{n} in the minute before {now:%Y-%m-%d %H:%M}"
            cases.touch(tx, connection, [Touch(CODE, "", store, detail, n=n)], now)
