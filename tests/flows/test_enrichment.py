"""Custom fields in the pipeline: read with everything else, found by the scan when nothing is told, cleared, shared."""

import msgspec
import pytest

from enriched import LIST, TEXT, Enriched, entry
from isthmus.db.pool import Database
from isthmus.flows.preview import preview_mapping
from isthmus.flows.remap import FELT_AFTER, is_remap_requested, remap_page, request_remap
from isthmus.mapping.rules import WriteMode
from isthmus.model.write import RecordKind
from isthmus.ops import status
from isthmus.runs.sql import watermarks as runs
from sims.neighbourhood import Sizes
from sims.shopify.deeds import catalogue, people


def test_fields_come_with_the_reading_that_a_change_asks_for(database: Database) -> None:
    town = Enriched(database, entry("skin"), entry("points", "number_integer"))
    who = town.person()
    town.set(who, "skin", "dry")
    town.set(who, "points", "12", "number_integer")
    town.come_to_rest()
    assert town.properties(who)["skin"] == "dry"
    assert town.properties(who)["points"] == 12
    assert town.compare().differences == ()


def test_history_brings_fields_in_the_same_operation(database: Database) -> None:
    fields = ("field_01", TEXT), ("field_02", "number_integer")
    town = Enriched(
        database,
        *(entry(key, type_) for key, type_ in fields),
        entry("field_01", TEXT, "product"),
        entry("field_03", "boolean", "variant"),
        sizes=Sizes(customers=12, orders=4, products=4, metafields=3),
    )
    for store in town.sims.world.stores.values():
        for one in store.customers.values():
            (record,) = town.rows("SELECT body FROM record WHERE kind = 'customer' AND id = %s", str(one.id))
            told = {f"{f.namespace}.{f.key}": f.value for f in one.metafields}
            body = town.context.packer.unpack(record["body"])
            assert f'"values":["{told["custom.field_01"]}"]'.encode() in body
    page = next(iter(town.uk.products.values()))
    assert town.there(RecordKind.PRODUCT, page.id)["properties"]["field_01"] == page.metafields[0].value
    variant = page.variants[0]
    told = variant.metafields[2].value == "true"
    assert town.there(RecordKind.PRODUCT, variant.id)["properties"]["field_03"] is told
    assert town.compare().differences == ()
    # The round finds nothing that the operation did not tell.
    before = town.rows("SELECT count(*) AS n FROM event")[0]["n"]
    assert town.go_round() > 0
    assert town.rows("SELECT count(*) AS n FROM event")[0]["n"] == before


def test_f80_a_change_that_fires_nothing_is_found_within_the_interval(database: Database) -> None:
    """Nothing is told, updated_at stays, and Ometria says it one interval later at the latest."""
    town = Enriched(database, entry("skin"))
    who = town.person()
    town.come_to_rest()
    town.go_round()
    town.set(who, "skin", "dry")
    town.poll()
    town.come_to_rest()
    assert "skin" not in town.properties(who), "neither a webhook nor the poll of updated_at tells of it"
    town.pass_time(town.context.pace.metafields_every.total_seconds() - 120)
    assert town.go_round() == 0, "the round is not due yet"
    town.pass_time(120)
    assert town.go_round() == 1
    town.come_to_rest()
    assert town.properties(who)["skin"] == "dry"
    assert town.compare().differences == ()


def test_f81_a_field_that_is_taken_away_clears_its_property(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    who = town.person()
    town.set(who, "skin", "dry")
    town.come_to_rest()
    town.set(who, "skin", None)
    town.next_round()
    assert "skin" not in town.properties(who)
    assert town.compare().differences == ()


def test_f81_a_field_of_another_type_is_one_case_and_nothing_is_sent_for_it(database: Database) -> None:
    """The case ends with a round that meets none."""
    town = Enriched(database, entry("skin"), entry("points", "number_integer"))
    ada, ben = town.person(), town.person("ben@example.com")
    for who in (ada, ben):
        town.set(who, "skin", "dry")
        town.set(who, "points", "1", "number_integer")
    town.come_to_rest()
    town.sims.change_fields("uk", "customer", None, "custom", "skin", LIST)
    town.set(ada, "points", "2", "number_integer")
    town.next_round()
    (case,) = town.cases("storefront.metafield_type")
    assert (case["subject"], case["store"]) == ("metafield:customer:custom.skin", "uk")
    assert case["detail"] == f"expected {TEXT}, found {LIST}"
    said = town.desired("contact", f"uk:{ada.id}")["properties"]
    assert "skin" not in said
    assert said["points"] == 2
    assert "skin" not in town.desired("contact", f"uk:{ben.id}")["properties"]
    town.next_round()
    assert len(town.cases("storefront.metafield_type")) == 1, "it is still so"
    for who in (ada, ben):
        town.set(who, "skin", "oily")
    town.next_round()
    assert town.cases("storefront.metafield_type") == []
    assert town.properties(ben)["skin"] == "oily"


def test_variants_have_fields_of_their_own(database: Database) -> None:
    town = Enriched(
        database, entry("fit", TEXT, "variant"), entry("fabric", LIST, "product", is_attribute=True, name="material")
    )
    page = next(iter(town.uk.products.values()))
    variant = page.variants[-1]
    town.set(variant.id, "fit", "slim", owner="variant")
    town.set(page.id, "fabric", '["Wool","Silk"]', LIST, owner="product")
    town.next_round()
    assert town.there(RecordKind.PRODUCT, variant.id)["properties"]["fit"] == "slim"
    labels = {(a["type"], a["label"]) for a in town.there(RecordKind.PRODUCT, page.id)["attributes"]}
    assert {("material", "Wool"), ("material", "Silk")} <= labels
    # A webhook of the product tells nothing of them, and so changes nothing.
    town.do(catalogue.price(town.world, town.uk, variant, variant.price + 1, None, town.now))
    town.come_to_rest()
    assert town.there(RecordKind.PRODUCT, variant.id)["properties"]["fit"] == "slim"
    assert town.compare().differences == ()


def test_somebody_who_is_gone_is_found_by_the_round_too(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    who = town.person(state="SUBSCRIBED")
    town.come_to_rest()
    people.leave(town.uk, who)
    town.next_round()
    town.pass_time(120)  # what is only inferred is judged together before it is done
    town.come_to_rest()
    assert town.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"


def test_f85_only_tags_that_are_allowed_are_sent_whatever_their_case(database: Database) -> None:
    town = Enriched(database)
    for name, shop in list(town.context.shops.items()):
        rules = msgspec.structs.replace(shop.rules, allowed_tags=frozenset({"VIP", "wholesale"}))
        town.context.shops[name] = msgspec.structs.replace(shop, rules=rules)  # type: ignore[index]
    who = town.person()
    town.do(people.tag(town.world, town.uk, who, ["vip", "Wholesale", "internal-note"], town.now))
    town.come_to_rest()
    assert town.properties(who)["tags"] == "vip,Wholesale"
    town.do(people.tag(town.world, town.uk, who, ["Wholesale", "internal-note"], town.now))
    town.come_to_rest()
    assert town.properties(who)["tags"] == "Wholesale"


def test_a_changed_file_sends_only_what_differs(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    ada, ben, cy = town.person(), town.person("ben@example.com"), town.person("cy@example.com")
    for who in (ada, ben):
        town.set(who, "skin", "dry")
    town.set(ben, "points", "12", "number_integer")
    town.come_to_rest()
    before = len(town.pushed("contact"))
    town.map(entry("skin"), entry("points", "number_integer"))
    with database.transaction() as tx:
        for store in town.context.shops:
            request_remap(tx, "acme", store, town.now)
    town.pass_time(FELT_AFTER.total_seconds() + 1)
    while remap_page(database, town.context):
        pass
    town.go_round()
    town.come_to_rest()
    assert [one["id"] for one in town.pushed("contact")[before:]] == [f"uk:{ben.id}"]
    assert town.properties(ben)["points"] == 12
    assert "skin" not in town.properties(cy)


# Modes ---------------------------------------------------------------------------------------------------------------


def test_if_empty_leaves_what_somebody_else_wrote(database: Database) -> None:
    town = Enriched(database, entry("skin", mode=WriteMode.IF_EMPTY))
    ada, ben = town.person(), town.person("ben@example.com")
    for who in (ada, ben):
        town.set(who, "skin", "dry")
    town.come_to_rest()
    assert town.properties(ada)["skin"] == town.properties(ben)["skin"] == "dry"
    town.overwrite_there(ada, skin="theirs")
    town.reconcile()
    town.come_to_rest()
    for who in (ada, ben):
        town.set(who, "skin", "oily")
    town.next_round()
    assert town.properties(ada)["skin"] == "theirs"
    assert town.properties(ben)["skin"] == "oily", "what is ours follows the shop"
    assert town.compare().differences == ()


def test_append_keeps_what_others_put_there(database: Database) -> None:
    town = Enriched(database, entry("brands", LIST, mode=WriteMode.APPEND))
    who = town.person()
    town.set(who, "brands", '["Lumen"]', LIST)
    town.come_to_rest()
    town.overwrite_there(who, brands="Acme,Lumen")
    town.reconcile()
    town.come_to_rest()
    town.set(who, "brands", '["Orla"]', LIST)
    town.next_round()
    assert town.properties(who)["brands"] == "Acme,Orla"
    town.set(who, "brands", None)
    town.next_round()
    assert town.properties(who)["brands"] == "Acme"


def test_if_new_is_written_once(database: Database) -> None:
    town = Enriched(database, entry("source", mode=WriteMode.IF_NEW))
    who = town.person()
    town.set(who, "source", "fair")
    town.come_to_rest()
    town.set(who, "source", "shop")
    town.next_round()
    assert town.properties(who)["source"] == "fair"


def test_nothing_shared_is_written_over_before_the_platform_was_looked_at(database: Database) -> None:
    """A file that names a shared property of people who were sent long ago: Ometria is looked at first."""
    town = Enriched(database)
    ada, ben = town.person(), town.person("ben@example.com")
    for who in (ada, ben):
        town.set(who, "skin", "dry")
    town.come_to_rest()
    town.overwrite_there(ada, skin="theirs")
    changed = (entry("skin", mode=WriteMode.IF_EMPTY),)
    town.map(*changed)
    with database.transaction() as tx:
        request_remap(tx, "acme", "uk", town.now)
    town.pass_time(FELT_AFTER.total_seconds() + 1)
    with database.transaction() as tx:
        marks = runs.load_watermarks(tx, "acme")
    assert is_remap_requested(marks, town.now)
    while remap_page(database, town.context):
        pass
    town.come_to_rest()
    assert "skin" not in town.properties(ben), "not read in the shop, not looked at in Ometria"
    town.go_round()
    town.come_to_rest()
    assert town.properties(ada)["skin"] == "theirs"
    assert town.properties(ben)["skin"] == "dry"


@pytest.mark.parametrize("mode", list(WriteMode))
def test_a_reconciliation_finds_nothing_in_shared_properties(database: Database, mode: WriteMode) -> None:
    town = Enriched(database, entry("skin", mode=mode))
    who = town.person()
    town.set(who, "skin", "dry")
    town.come_to_rest()
    town.pass_time(3_600)
    done = town.reconcile()
    assert done.n_findings == 0
    town.come_to_rest()
    assert town.properties(who)["skin"] == "dry"


# What is seen beforehand, and afterwards ------------------------------------------------------------------------------


def test_a_preview_shows_what_would_change_and_changes_nothing(database: Database) -> None:
    town = Enriched(database, entry("skin"))
    ada, ben = town.person(), town.person("ben@example.com")
    for who in (ada, ben):
        town.set(who, "skin", "dry")
    town.set(ada, "points", "12", "number_integer")
    town.set(ben, "size", "3", "number_integer")
    town.come_to_rest()
    before = town.rows("SELECT kind, id, desired, state FROM outbox ORDER BY kind, id")
    now, points = town.context, entry("points", "number_integer")
    town.context = msgspec.structs.replace(now, shops=dict(now.shops))
    town.map(points, entry("size"))
    then, town.context = town.context, now
    seen = preview_mapping(database, now, then)
    assert (seen.n_looked_at["customer"], seen.n_people) == (2, 2)
    assert seen.n_sent == {"contact": 2}
    assert [(one.name, one.n_new, one.n_gone, one.n_other) for one in seen.changes] == [
        ("points", 1, 0, 0),
        ("skin", 0, 2, 0),
    ]
    assert [(one.key, one.expected, one.found, one.n) for one in seen.mistyped] == [
        ("custom.size", TEXT, "number_integer", 1)
    ]
    example = next(one for one in seen.examples if one.id == f"uk:{ada.id}")
    assert (example.before, example.after) == ({"points": None, "skin": "d***"}, {"points": 12, "skin": None})
    assert preview_mapping(database, now, then, is_plain=True).examples[0].before["skin"] == "dry"
    assert preview_mapping(database, now, then, sample=1).n_people == 1
    assert town.rows("SELECT kind, id, desired, state FROM outbox ORDER BY kind, id") == before
    assert town.cases("storefront.metafield_type") == []
    assert preview_mapping(database, now, now).n_sent == {}


def test_status_says_what_was_cut_and_where_the_rounds_stand(database: Database) -> None:
    town = Enriched(database, *(entry(f"f{n}") for n in range(4)))
    who = town.person()
    for n in range(4):
        town.set(who, f"f{n}", "x" * 300)
    town.come_to_rest()
    town.next_round()
    (told,) = status.read_status(database, town.now).connections
    assert [(one.kind, one.n, one.n_values) for one in told.background.cut] == [("customers", 1, 3)]
    assert [name for name in ("f0", "f1", "f2", "f3", "tags") if name in town.properties(who)] == ["f0", "f1"]
    rounds = {(one.store, one.name): one for one in told.background.rounds}
    assert rounds["uk", "metafields:customer"].done_at is not None
    assert rounds["uk", "metafields:customer"].n == 1
