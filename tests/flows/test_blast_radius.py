"""What is inferred or changed by rule stops before it reaches many records; what is stated passes."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.safety import decide
from isthmus.inbox import sql as inbox
from isthmus.model.event import Hint
from isthmus.model.lane import Lane
from isthmus.model.reading import ABSENT
from scenes import Town
from sims.neighbourhood import Sizes

CODE = "integration.plan_stopped"


class WrongNulls:
    """A store that answers null for some records that are there, and leaves them out of its listings."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.gone: dict[str, set[int]] = {"order": set(), "customer": set(), "product": set()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def orders(self, ids: Sequence[int]) -> Mapping[int, Any]:
        return self._without("order", self._reader.orders(ids))

    def customers(self, ids: Sequence[int]) -> Mapping[int, Any]:
        return self._without("customer", self._reader.customers(ids))

    def products(self, ids: Sequence[int]) -> Mapping[int, Any]:
        return self._without("product", self._reader.products(ids))

    def tallies(self, kind: str, *args: Any, **more: Any) -> Any:
        page = self._reader.tallies(kind, *args, **more)
        return msgspec.structs.replace(page, listed=tuple(one for one in page.listed if one.id not in self.gone[kind]))

    def _without(self, kind: str, found: Mapping[int, Any]) -> Mapping[int, Any]:
        return {number: ABSENT if number in self.gone[kind] else one for number, one in found.items()}


def rows(town: Town, query: str, *params: object) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query, params)


def numbers_of(town: Town, kind: str, store: str = "uk") -> list[int]:
    found = rows(
        town,
        """SELECT id FROM record WHERE kind = %s AND store = %s AND body IS NOT NULL ORDER BY id::bigint""",
        kind, store,
    )  # fmt: skip
    return [int(row["id"]) for row in found]


@pytest.fixture
def town(database: Database) -> Town:
    """A shop with some history, on both sides and older than every grace."""
    town = Town(database, sizes=Sizes(customers=140, orders=160, products=8))
    town.load()
    town.come_to_rest()
    town.pass_time(600)
    return town


def wave(town: Town, share: float = 0.1) -> WrongNulls:
    """A tenth of the people and orders of a store seem gone."""
    shop = town.road.shops["uk"]
    blind = WrongNulls(shop.reader)
    town.road.shops["uk"] = msgspec.structs.replace(shop, reader=blind)  # type: ignore[index, arg-type]
    for kind in ("customer", "order"):
        every = numbers_of(town, kind)
        assert int(len(every) * share) > 5
        blind.gone[kind] = set(every[:: int(1 / share)])
    return blind


def truth(town: Town) -> dict[str, Any]:
    account = town.sims.ometria.account
    return deepcopy(
        {
            "orders": {row.id: row.record for row in account.orders},
            "contacts": {row.id: row.record for row in account.contacts()},
            "products": {row.id: row.record for row in account.products},
        }
    )


def obey(town: Town, **changed: Any) -> None:
    """Change the rules of every store."""
    for name, shop in list(town.road.shops.items()):
        rules = msgspec.structs.replace(shop.rules, **changed)
        town.road.shops[name] = msgspec.structs.replace(shop, rules=rules)  # type: ignore[index]


def confirm_all(town: Town) -> None:
    """A person lets every stopped plan go."""
    for plan in rows(town, "SELECT id FROM plan WHERE state = 'stopped'"):
        assert decide.confirm(town.db, town.road, plan["id"], "ada").is_done


def n_pushed(town: Town) -> int:
    return sum(
        len(entry["body"])
        for entry in town.sims.tape.read(limit=100_000)
        if entry["path"].endswith("/push") and entry["method"] == "POST"
    )


def test_a_wave_of_wrong_nulls_makes_a_run_push_nothing(town: Town) -> None:
    wave(town)
    before, n = truth(town), n_pushed(town)
    done = town.reconcile()
    town.come_to_rest()
    assert done.is_stopped
    assert n_pushed(town) == n
    assert truth(town) == before
    assert len(rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE)) == 1


# Event by event -------------------------------------------------------------------------------------------------------


def hint(town: Town, kind: str, numbers: Sequence[int], topic: str = "poll") -> None:
    """A poll names these records; each is read."""
    with town.db.transaction() as tx:
        now = town.clock.now()
        hints = [Hint(f"{topic}/{kind}", f"{kind}:{number}", Lane.REALTIME, now) for number in numbers]
        inbox.tell(tx, "acme", "uk", hints, now)


def n_unlike(before: dict[str, Any], after: dict[str, Any], kind: str) -> int:
    return sum(before[kind][own] != after[kind][own] for own in before[kind])


def test_event_by_event_a_wave_stops_at_the_limit_and_infers_no_opt_out(town: Town) -> None:
    blind = wave(town)
    before = truth(town)
    for kind in ("customer", "order"):
        for number in sorted(blind.gone[kind]):  # one by one
            hint(town, kind, [number])
            town.work()
    town.come_to_rest()
    after = truth(town)
    assert 0 < n_unlike(before, after, "orders") <= 5
    opted_in = {own for own, one in before["contacts"].items() if one["marketing_optin"] == "EXPLICITLY_OPTEDIN"}
    assert opted_in
    assert [own for own in opted_in if after["contacts"][own]["marketing_optin"] != "EXPLICITLY_OPTEDIN"] == []
    assert n_unlike(before, after, "contacts") <= 5
    stopped = rows(town, "SELECT counts FROM plan WHERE state = 'stopped'")
    assert {one["kind"] for row in stopped for one in row["counts"]} == {"order", "customer"}
