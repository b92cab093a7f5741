"""What everybody's custom fields cost on a standard plan: `bench enrichment` with 100,000 people, small."""

from enriched import Enriched, entry
from isthmus.db.pool import Database
from isthmus.flows import enrich
from sims.neighbourhood import Sizes

TYPES = ("single_line_text_field", "number_integer", "boolean", "list.single_line_text_field")
FIELDS = tuple(entry(f"field_{n:02}", TYPES[(n - 1) % 4]) for n in range(1, 11))
A_DAY = 24 * 60 * 60 * 100
"""Points that a standard plan restores in a day."""


def spent(town: Enriched) -> dict[str, int]:
    points = town.sims.report()["points"].values()
    return {key: sum(shop.get(key, 0) for shop in points) for key in ("calls", "throttled", "points")}


def test_everybody_is_enriched_within_the_points_of_a_standard_plan(database: Database) -> None:
    town = Enriched(database, sizes=Sizes(customers=700, orders=0, products=2, metafields=10))
    town.sims.faults.set({"shopify.plan": "Standard"})
    town.map(*FIELDS)
    before, began = spent(town), town.now
    n = sum(len(store.customers) for store in town.sims.world.stores.values())
    assert town.go_round() == n
    looked = {key: value - before[key] for key, value in spent(town).items()}
    # Two stores of 420 and 280: two calls each, eight points for 250 people with ten fields.
    assert (looked["calls"], looked["throttled"]) == (4, 0)
    assert looked["points"] <= 4 * 8
    town.come_to_rest()
    whole = {key: value - before[key] for key, value in spent(town).items()}
    assert whole["throttled"] == 0
    assert whole["calls"] - looked["calls"] <= 8, "they are read 200 at a time, with tags, consent and counts"
    assert whole["points"] / n < 0.2, "points for each person, their reading included"
    assert (town.now - began).total_seconds() * 100 * 2 > whole["points"]
    assert 100_000 * whole["points"] / n < A_DAY / 4, "a round of 100,000 people four times a day"
    for store in town.sims.world.stores.values():
        for one in list(store.customers.values())[:20]:
            told = town.context.platform.contact("shopify", f"{store.shop.namespace}{one.id}")
            if told is not None:
                assert told["properties"]["field_01"] == one.metafields[-10].value
    assert town.cases("storefront.metafield_type") == []


def test_a_round_that_was_stopped_goes_on_where_it_was(database: Database) -> None:
    town = Enriched(database, sizes=Sizes(customers=700, orders=0, products=2, metafields=1))
    town.map(entry("field_01"))
    assert enrich.scan_next_page(database, town.context) == 250
    (row,) = town.rows("SELECT store, n, cursor <> '' AS has_cursor FROM round WHERE n > 0")
    assert (row["n"], row["has_cursor"]) == (250, True)
    # Another process, which knows nothing of the first; and one that is killed holds its page no longer than its lease.
    town.rows("UPDATE round SET leased_until = %s RETURNING 1", town.now)
    left = town.go_round()
    assert 250 + left == sum(len(store.customers) for store in town.sims.world.stores.values())


def test_one_that_cannot_be_read_holds_up_nobody_else(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    ada, ben = town.person(), town.person("ben@example.com")
    town.come_to_rest()
    town.set(ada, "skin", {"no": "text"})  # type: ignore[arg-type]
    town.set(ben, "skin", "dry")
    assert town.go_round() == 2
    town.come_to_rest()
    assert town.properties(ben)["skin"] == "dry"
    assert [case["subject"] for case in town.cases("storefront.unreadable_record")] == [f"customer:{ada.id}"]


def test_a_shop_that_cannot_be_read_is_left_alone_for_a_while(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    town.person()
    town.come_to_rest()
    town.sims.faults.set({"shopify.error": 1.0})
    assert town.go_round() == 0
    assert [case["subject"] for case in town.cases("storefront.unavailable")] != []
    town.sims.faults.set({"shopify.error": 0.0})
    assert town.go_round() == 0, "not at once"
    town.pass_time(enrich.AGAIN_AFTER.total_seconds())
    assert town.go_round() == 1
