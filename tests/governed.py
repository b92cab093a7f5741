"""A play whose connection is looked at every day."""

from collections.abc import Mapping
from datetime import timedelta

from isthmus.config_changes.result import CheckResult
from isthmus.config_changes.rules import SecretAge
from isthmus.db.pool import Database
from isthmus.flows.config_changes import WatchedStore, check_config_changes
from isthmus.model.reading import first_visible_date
from isthmus.shopify.access import Expected
from isthmus.shopify.client import Credentials, Shopify
from plays import Play

URI = "https://isthmus.example/hooks/shopify"


class Governed(Play):
    """A play whose connection is looked at every day."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.secrets = [SecretAge("ometria.api_key", print="1")]
        self.pinned = "2026-10"
        self.is_horizon_accepted = False

    def watched(self) -> Mapping[str, WatchedStore]:
        found = {}
        for at in self.sims.stores():
            shop = Shopify(
                f"https://shopify.example/{at['domain']}", self.pinned,
                Credentials(at["client_id"], at["client_secret"]), self.clock, transport=self.transport,
            )  # fmt: skip
            expected = Expected(
                at["domain"], at["currency"], URI, is_horizon_accepted=self.is_horizon_accepted,
                first_visible=first_visible_date(self.now).date(),
            )  # fmt: skip
            found[at["name"]] = WatchedStore(shop, expected)
        return found

    def look(self) -> list[CheckResult]:
        self.pass_time(timedelta(days=1).total_seconds())
        return check_config_changes(self.db, "acme", self.now, self.watched(), self.secrets, 4)

    def open_codes(self) -> list[tuple[str, str, str]]:
        rows = self.rows("SELECT code, store, subject FROM cases WHERE state = 'open' ORDER BY code, store, subject")
        return [(row["code"], row["store"], row["subject"]) for row in rows]
