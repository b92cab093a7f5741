"""A person says that something was done that no program can see."""

from datetime import datetime

from isthmus.config_changes import sql as governance
from isthmus.db.pool import Database


def sign_off_item(db: Database, connection: str, item: str, now: datetime, by: str, text: str = "") -> None:
    """Remember who did what is on the checklist, and when, instead of the last time."""
    with db.transaction() as tx:
        governance.save_snapshot(tx, connection, "", f"done:{item}", {"by": by, "text": text}, now)
