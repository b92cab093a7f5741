"""A town whose stores map custom fields, and what Ometria holds of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from isthmus.db.pool import Database
from isthmus.flows import enrich
from isthmus.mapping.rules import MetafieldRule, WriteMode
from isthmus.model.write import RecordKind
from isthmus.shopify.reads import Reads
from plays import Play
from sims.neighbourhood import Sizes
from sims.shopify.state import Customer

TEXT, LIST = "single_line_text_field", "list.single_line_text_field"


def entry(
    key: str, type_: str = TEXT, owner: str = "customer", mode: WriteMode = WriteMode.OVERWRITE, **more: Any
) -> MetafieldRule:
    """An entry of a mapping file; the property is called as the key."""
    return MetafieldRule(owner, f"custom.{key}", type_, more.pop("name", key), mode, **more)


class Enriched(Play):
    """A play whose stores map these custom fields."""

    def __init__(self, db: Database, *entries: MetafieldRule, sizes: Sizes | None = None) -> None:
        self.entries = entries
        super().__init__(db, sizes=sizes)

    def load(self) -> None:
        self.map(*self.entries)
        super().load()

    def map(self, *entries: MetafieldRule) -> None:
        """Obey these entries from now on."""
        for name, shop in list(self.context.shops.items()):
            rules = msgspec.structs.replace(shop.rules, metafields=entries)
            assert shop.client is not None
            reader = Reads(shop.client, rules.keys)
            self.context.shops[name] = msgspec.structs.replace(shop, rules=rules, reader=reader)  # type: ignore[index]

    def set(self, who: int | Customer, key: str, value: str | None, type_: str = TEXT, owner: str = "customer") -> None:
        """A custom field of the shop's changes, or is taken away; nobody is told."""
        number = who if isinstance(who, int) else who.id
        self.sims.change_fields("uk", owner, number, "custom", key, type_, value)

    def go_round(self) -> int:
        """All of a round, once it is due; how many records it looked at."""
        n = 0
        while done := enrich.scan_next_page(self.db, self.context):
            n += done
        return n

    def next_round(self) -> int:
        self.pass_time(self.context.pace.metafields_every.total_seconds())
        n = self.go_round()
        self.come_to_rest()
        return n

    def properties(self, who: Customer) -> Mapping[str, Any]:
        """What Ometria holds of somebody."""
        found: dict[str, Any] = {k: v for k, v in self.contact(who)["properties"].items() if v is not None}
        return found

    def there(self, kind: RecordKind, number: int) -> Mapping[str, Any]:
        found = self.lookup(kind, f"uk:{number}")
        assert found is not None
        return found

    def overwrite_there(self, who: Customer, **properties: Any) -> None:
        """Somebody else writes properties of our contact, in Ometria."""
        self.sims.tamper("ometria", "contact", f"uk:{who.id}", collection="shopify",
                         set={"properties": {**self.properties(who), **properties}})  # fmt: skip
        self.pass_time(1)
