"""What is inferred or changed by rule stops before it reaches many records; what is stated passes."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.safety import decide
from isthmus.flows.safety.undo import undo_run
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Delivery, RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.reading import ABSENT
from isthmus.ops import status
from scenes import Loaded, Town
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
    return Loaded(database, sizes=Sizes(customers=140, orders=160, products=8), since=600)


def wave(town: Town, share: float = 0.1) -> WrongNulls:
    """A tenth of the people and orders of a store seem gone."""
    shop = town.context.shops["uk"]
    blind = WrongNulls(shop.reader)
    town.context.shops["uk"] = msgspec.structs.replace(shop, reader=blind)  # type: ignore[index, arg-type]
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
    for name, shop in list(town.context.shops.items()):
        rules = msgspec.structs.replace(shop.rules, **changed)
        town.context.shops[name] = msgspec.structs.replace(shop, rules=rules)  # type: ignore[index]


def confirm_all(town: Town) -> None:
    """A person lets every stopped plan go."""
    for plan in rows(town, "SELECT id FROM plan WHERE state = 'stopped'"):
        assert decide.confirm_plan(town.db, town.context, plan["id"], "ada").is_done


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
        hints = [RefetchRequest(f"{topic}/{kind}", f"{kind}:{number}", Lane.REALTIME, now) for number in numbers]
        inbox.enqueue_internal(tx, "acme", "uk", hints, now)


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


def plan_items(town: Town, state: str) -> set[str]:
    return {row["subject"] for row in rows(town, "SELECT subject FROM plan_item WHERE state = %s", state)}


def test_a_few_people_who_seem_gone_are_judged_together_and_no_opt_in_of_theirs_goes_out_meanwhile(town: Town) -> None:
    blind = wave(town)
    before = truth(town)
    opted_in = [
        number
        for number in sorted(blind.gone["customer"])
        if before["contacts"][f"uk:{number}"]["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    ][:2]
    assert len(opted_in) == 2
    hint(town, "customer", opted_in)
    town.work()
    assert plan_items(town, "held") == {f"customer:{number}" for number in opted_in}
    with town.db.transaction() as tx:  # something brings their opt-in on its way once more
        ids = [f"uk:{number}" for number in opted_in]
        tx.execute(
            """UPDATE outbox SET state = 'due', is_known = false, due_at = %s
               WHERE kind = 'contact' AND id = ANY(%s)""",
            (town.clock.now(), ids),
        )
    n = n_pushed(town)
    town.work()
    assert n_pushed(town) == n
    town.pass_time(town.context.pace.drift_grace.total_seconds())
    town.come_to_rest()
    assert plan_items(town, "held") == set()
    for number in opted_in:
        assert truth(town)["contacts"][f"uk:{number}"]["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert rows(town, "SELECT id FROM cases WHERE code = %s", CODE) == []  # within the limit: nobody is asked


def test_what_a_delete_delivery_states_passes_whatever_the_number(town: Town) -> None:
    blind = wave(town)
    gone = sorted(blind.gone["order"])
    assert len(gone) > 5
    with town.db.transaction() as tx:
        told = [
            Delivery(
                "acme", "uk", "orders/delete", Lane.REALTIME, f"gone-{number}", msgspec.json.encode({"id": number})
            )
            for number in gone
        ]
        inbox.insert_deliveries(tx, told, town.clock.now())
    town.come_to_rest()
    there = truth(town)["orders"]
    assert {there[f"uk:{number}"]["status"] for number in gone if f"uk:{number}" in there} == {"cancelled"}
    assert rows(town, "SELECT id FROM plan") == []


def test_records_of_a_stopped_plan_are_cases_until_it_is_decided(town: Town) -> None:
    blind = wave(town)
    town.reconcile()
    town.come_to_rest()
    held = len(plan_items(town, "held"))
    assert held == len(blind.gone["order"]) + len(blind.gone["customer"])
    (told,) = numbers_of_status(town)
    assert told["orders"].case + told["customers"].case >= held
    for classes in told.values():
        assert classes.known == classes.applied + classes.excluded + classes.waiting + classes.case
    (case,) = rows(town, "SELECT severity, detail FROM cases WHERE code = %s AND state = 'open'", CODE)
    assert case["severity"] == "urgent"
    assert "by absence" in case["detail"]
    assert "net" in case["detail"]
    assert "such as order:" in case["detail"]


def test_a_confirmed_plan_reads_again_and_spares_what_is_there(town: Town) -> None:
    blind = wave(town)
    before = truth(town)
    town.reconcile()
    town.come_to_rest()
    back = sorted(blind.gone["order"])[:4]
    blind.gone["order"] -= set(back)  # the shop answers rightly again
    confirm_all(town)
    town.come_to_rest()
    after = truth(town)
    assert all(after["orders"][f"uk:{number}"] == before["orders"][f"uk:{number}"] for number in back)
    assert n_unlike(before, after, "orders") == len(blind.gone["order"])
    assert rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE) == []
    assert rows(town, "SELECT id FROM record_change WHERE is_counted") == []  # a person has seen the count


def test_a_refused_plan_is_not_made_again_by_the_next_run(town: Town) -> None:
    wave(town)
    before = truth(town)
    town.reconcile()
    (plan,) = rows(town, "SELECT id FROM plan WHERE state = 'stopped'")
    assert decide.refuse_plan(town.db, plan["id"], town.clock.now(), "ada").is_done
    town.pass_time(600)
    again = town.reconcile()
    town.come_to_rest()
    assert again.plan is None
    assert again.n_findings > 5  # still found, and still cases
    assert truth(town) == before


def test_a_plan_expires_and_the_next_run_judges_its_records_again(town: Town) -> None:
    blind = wave(town)
    before = truth(town)
    first = town.reconcile()
    town.pass_time(25 * 3600)
    town.come_to_rest()
    (plan,) = rows(town, "SELECT id, state FROM plan WHERE run = %s", first.run)
    assert plan["state"] == "expired"
    assert not decide.confirm_plan(town.db, town.context, plan["id"], "ada").is_done
    assert truth(town) == before
    second = town.reconcile()
    assert second.is_stopped
    states = {row["run"]: row["state"] for row in rows(town, "SELECT run, state FROM plan")}
    assert states == {first.run: "superseded", second.run: "stopped"}
    assert len(rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE)) == 1
    blind.gone["order"].clear()
    blind.gone["customer"].clear()
    town.reconcile()
    assert rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE) == []


def test_a_stopped_wave_of_events_is_read_again_when_its_plan_expires(town: Town) -> None:
    blind = wave(town)
    hint(town, "order", sorted(blind.gone["order"]))
    town.work()
    held = plan_items(town, "held")
    assert held
    blind.gone["order"].clear()
    town.pass_time(25 * 3600)
    town.come_to_rest()
    assert plan_items(town, "held") == set()
    assert rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE) == []


def numbers_of_status(town: Town) -> list[dict[str, Any]]:
    return [one.accounting for one in status.read_status(town.db, town.clock.now()).connections]


def test_an_erasure_wave_opts_out_at_once_and_goes_no_further(town: Town) -> None:
    before = truth(town)
    people = [
        number for number in numbers_of(town, "customer")
        if before["contacts"].get(f"uk:{number}", {}).get("marketing_optin") == "EXPLICITLY_OPTEDIN"
    ][:12]  # fmt: skip
    assert len(people) > 5
    domain = town.context.shops["uk"].rules.domain
    with town.db.transaction() as tx:
        told = [
            Delivery(
                "acme", "uk", "customers/redact", Lane.REALTIME, f"redact-{number}",
                msgspec.json.encode({
                    "shop_id": 1, "shop_domain": domain, "orders_to_redact": [],
                    "customer": {"id": number, "email": before["contacts"][f"uk:{number}"]["email"], "phone": None},
                }),
            )
            for number in people
        ]  # fmt: skip
        inbox.insert_deliveries(tx, told, town.clock.now())
    town.come_to_rest()
    after = truth(town)
    said = [after["contacts"][f"uk:{number}"]["marketing_optin"] for number in people]
    assert "EXPLICITLY_OPTEDIN" not in said  # not specified where another customer has the address (SEMANTICS 5)
    assert said.count("EXPLICITLY_OPTEDOUT") > 5
    assert after["orders"] == before["orders"]
    assert after["products"] == before["products"]
    gone = rows(town, "SELECT id FROM record WHERE kind = 'customer' AND body IS NULL")
    assert gone == []  # erasing itself waits for its own journey
    assert len(rows(town, "SELECT id FROM cases WHERE code = 'privacy.redact_customer' AND state = 'open'")) == 12


def test_what_runs_let_go_and_nobody_has_worked_on_yet_counts_towards_the_limit(town: Town) -> None:
    shop = town.context.shops["uk"]
    blind = WrongNulls(shop.reader)
    town.context.shops["uk"] = msgspec.structs.replace(shop, reader=blind)  # type: ignore[index, arg-type]
    people = [
        number
        for number in numbers_of(town, "customer")
        if not rows(town, "SELECT FROM outbox WHERE subject = %s AND opts_in", f"customer:{number}")
    ]
    blind.gone["customer"] = set(people[:4])
    first = town.reconcile()
    assert not first.is_stopped
    # The workers have not begun. The same records found again are the same, others come on top.
    assert not town.reconcile().is_stopped
    blind.gone["customer"] = set(people[4:8])
    third = town.reconcile()
    assert third.is_stopped
    undo_run(town.db, town.context, third.run, "reconcile", "ada")  # nothing of it is left, and nothing to decide
    assert rows(town, "SELECT state FROM plan WHERE run = %s", third.run) == [{"state": "superseded"}]
    assert rows(town, "SELECT id FROM cases WHERE code = %s AND state = 'open'", CODE) == []
    blind.gone["customer"] = {*people[:4], *people[8:12]}
    hint(town, "customer", [*people[:4], *people[8:12]])
    town.come_to_rest()
    counted = rows(town, "SELECT subject FROM record_change WHERE cause = 'absence' AND is_counted")
    assert len(counted) == 5


def test_a_plan_that_has_grown_since_people_were_told_is_let_go_only_with_its_number(town: Town) -> None:
    blind = wave(town)
    before = truth(town)
    gone = sorted(blind.gone["order"])
    hint(town, "order", gone[:7])
    town.work()
    ((plan, told),) = ((row["id"], row["counts"][0]["n"]) for row in rows(town, "SELECT id, counts FROM plan"))
    more = [number for number in numbers_of(town, "order") if number not in gone][:5]
    blind.gone["order"] |= set(more)
    hint(town, "order", more)
    town.work()
    (case,) = rows(town, "SELECT detail FROM cases WHERE code = %s AND state = 'open'", CODE)
    assert case["detail"].endswith("more were found since")
    (n,) = (row["counts"][0]["n"] for row in rows(town, "SELECT counts FROM plan"))
    assert n > told
    for records in (None, told):
        refused = decide.confirm_plan(town.db, town.context, plan, "ada", records)
        assert (refused.is_done, refused.has_grown, refused.n) == (False, True, n)
    town.come_to_rest()
    unlike = n_unlike(before, truth(town), "orders")
    done = decide.confirm_plan(town.db, town.context, plan, "ada", n)
    assert (done.is_done, done.n) == (True, n)
    town.come_to_rest()
    assert n_unlike(before, truth(town), "orders") > unlike
