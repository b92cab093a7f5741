"""Write down that webhooks are still signed with an app's previous secret, so that nobody removes it too early."""

from collections.abc import Mapping
from datetime import datetime

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database

CODE = "integration.previous_secret_in_use"


def report_previous_secret(db: Database, counts: Mapping[tuple[str, str], int], now: datetime) -> None:
    """One case per connection and store, with how many deliveries only the previous secret opened."""
    for (connection, store), n in sorted(counts.items()):
        with db.transaction() as tx:
            detail = f"{n} in the minute before {now:%Y-%m-%d %H:%M}"
            cases.open_or_count(tx, connection, [Touch(CODE, "", store, detail, n=n)], now)
