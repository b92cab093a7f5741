"""The audit before launch: it finds what is wrong, all of it and nothing else, and changes nothing."""

import csv
import io
from datetime import timedelta

import msgspec
import pytest
from graphql import FieldNode, OperationDefinitionNode, OperationType, parse

from audits import AT, Scene, found, truth
from isthmus.model.audit_finding import AuditOutcome, AuditResult, Level
from isthmus.ops import audit_page
from sims.neighbourhood import Sizes
from sims.ometria.dump import items
from sims.shopify.troubles import APART, SORTS
from sims.shopify.truth import KINDS
from sims.shopify.truth import truth as all_of


@pytest.fixture(scope="module")
def plain():
    scene = Scene()
    scene.import_natively()
    return scene, scene.audit()


def test_a_seeded_world_yields_what_it_really_has_and_no_more(plain):
    scene, audit = plain
    assert found(audit) == truth(scene.sims)
    assert audit.away == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_trouble_that_was_sown_is_found_and_no_other(seed):
    scene = Scene(seed)
    had = truth(scene.sims)
    sown = scene.sow(2, SORTS)
    scene.import_natively()
    sown |= scene.sow(2, APART) | {"other_writers": {frozenset({"stop"})}}
    assert len(sown) >= 20
    expected = {code: had.get(code, set()) | sown.get(code, set()) for code in had.keys() | sown.keys()}
    told = found(scene.audit())
    assert told == expected
    assert told == truth(scene.sims)


def test_nothing_is_changed_on_either_side():
    """The one mutation is the one that starts a bulk operation, which only reads."""
    scene = Scene(sizes=Sizes(customers=60, orders=40, products=10))
    scene.import_natively()
    before = _everything(scene)
    scene.audit()
    assert _everything(scene) == before
    assert {each["method"] for each in scene.sims.tape.read(0, "ometria", 1000)} == {"GET"}
    sent = [each["body"] for each in scene.sims.tape.read(0, "shopify", 1000) if each["path"].endswith("graphql.json")]
    assert {name for body in sent for name in _changing(body)} == {"bulkOperationRunQuery"}


def _everything(scene: Scene) -> dict[str, object]:
    sides = {
        f"{shop} {kind}": all_of(scene.sims.world, shop, kind) for shop in scene.sims.world.stores for kind in KINDS
    }
    return sides | {kind: items(scene.sims.ometria.account, kind) for kind in ("contacts", "orders", "profiles")}


def _changing(body: dict[str, str]) -> list[str]:
    """The fields of the operation that is asked for, if it is a mutation."""
    return [
        field.name.value
        for one in parse(body["query"]).definitions
        if isinstance(one, OperationDefinitionNode)
        and one.operation is OperationType.MUTATION
        and one.name is not None
        and one.name.value == body["operationName"]
        for field in one.selection_set.selections
        if isinstance(field, FieldNode)
    ]


def test_a_scope_that_is_missing_stops_a_launch():
    scene = Scene(sizes=Sizes(customers=30, orders=20, products=5))
    scene.sims.faults.set({"shopify.dropped_scopes": "read_customer_merge"})
    audit = scene.audit()
    assert audit.verdict is AuditOutcome.NOT_READY
    scopes = [one for one in audit.found if one.code == "scopes"]
    assert [("read_customer_merge" in one.what, one.level) for one in scopes] == [(True, Level.STOP)] * 2


def test_hidden_history_is_told_with_what_is_there_and_what_is_seen():
    scene = Scene(sizes=Sizes(customers=60, orders=200, products=10))
    scene.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    audit = scene.audit()
    walls = [one for one in audit.found if one.code == "history_wall"]
    assert len(walls) == 2
    for one, store in zip(sorted(walls, key=lambda each: each.title), ("int", "uk"), strict=True):
        there = len(scene.sims.store(store).orders)
        assert one.of is not None
        assert abs(one.of - there) <= 2
        assert 0 < one.n < there
    assert {one.level for one in walls} == {Level.STOP}
    # The first day that the app sees, of each store, is a line of the audit itself.
    assert {(fact.store, fact.says) for fact in audit.facts if fact.label == "Orders in sight"} == {
        ("uk", "from 2026-09-24 on"),
        ("int", "from 2026-09-24 on"),
    }
    accepted = scene.audit(is_horizon_accepted=True)
    assert {one.level for one in accepted.found if one.code == "history_wall"} == {Level.NOTE}
    assert [fact.says for fact in accepted.facts if fact.label == "Orders in sight"] == ["from 2026-09-24 on"] * 2


def test_an_app_that_sees_every_order_is_said_to():
    audit = Scene(sizes=Sizes(customers=10, orders=10, products=5)).audit()
    assert [fact.says for fact in audit.facts if fact.label == "Orders in sight"] == ["of any age"] * 2


def test_a_version_that_has_ended_and_falls_forward_stops_a_launch():
    audit = Scene(sizes=Sizes(customers=30, orders=20, products=5)).audit(api_version="2025-04")
    codes = {one.code: one for one in audit.found}
    assert codes["served_version"].level is Level.STOP
    assert codes["api_version"].days_left is not None
    assert codes["api_version"].days_left < 0


def test_a_version_that_ends_soon_says_in_how_many_days():
    audit = Scene(sizes=Sizes(customers=30, orders=20, products=5)).audit(api_version="2026-01")
    ending = [one for one in audit.found if one.code == "api_version"]
    assert [(one.level, one.days_left) for one in ending] == [(Level.CARE, 38)] * 2


def test_a_store_that_cannot_be_reached_is_told_and_the_other_side_is_still_read():
    scene = Scene(sizes=Sizes(customers=30, orders=20, products=5))
    scene.import_natively()
    scene.sims.faults.set({"shopify.shop_status": 402})
    audit = scene.audit()
    assert set(audit.away) == {"store uk", "store int"}
    assert audit.read["profiles of Ometria"] > 0
    assert {"duplicate_email", "no_sku", "scopes"} <= {one.code for one in audit.unseen}
    assert all("storefront.shop_closed" in one.reason for one in audit.unseen if one.code == "no_sku")


def test_an_operation_that_fails_is_begun_again():
    scene = Scene(sizes=Sizes(customers=60, orders=60, products=10))
    scene.sims.faults.set({"shopify.bulk_fail": 1})
    audit = scene.audit()
    assert audit.read["customers"] == 60
    assert audit.away == ()


def test_operations_that_never_go_through_leave_what_they_read_unseen():
    scene = Scene(sizes=Sizes(customers=60, orders=60, products=10))
    scene.sims.faults.set({"shopify.bulk_fail": -1, "shopify.bulk_fault_root": "orders"})
    audit = scene.audit()
    unseen = {one.code: one.reason for one in audit.unseen}
    assert "storefront.bulk_failed" in unseen["guest_orders"]
    assert "no_email" not in unseen
    assert audit.read["customers"] == 60


def test_a_download_that_breaks_goes_on_where_it_broke():
    scene = Scene(sizes=Sizes(customers=60, orders=60, products=10))
    scene.sims.faults.set({"shopify.bulk_cut": 5_000, "shopify.bulk_cuts": 3})
    assert scene.audit().read["orders"] == 60


def test_customers_without_any_name_mean_missing_approval():
    scene = Scene(sizes=Sizes(customers=80, orders=20, products=5))
    for store in scene.sims.world.stores.values():
        for one in store.customers.values():
            one.email = one.phone = one.first_name = one.last_name = None
    audit = scene.audit()
    hidden = [one for one in audit.found if one.code == "protected_data"]
    assert [(one.level, one.n) for one in hidden] == [(Level.STOP, 48), (Level.STOP, 32)]
    assert audit.verdict is AuditOutcome.NOT_READY


def test_a_platform_that_cannot_be_reached_leaves_the_shops_audited():
    scene = Scene(sizes=Sizes(customers=30, orders=20, products=5))
    scene.sims.faults.set({"ometria.down": True})
    audit = scene.audit()
    assert audit.away == ("Ometria",)
    assert audit.read["customers"] == 30
    assert {one.code for one in audit.unseen} == {"consent_differs", "other_writers"}


def test_a_budget_that_ends_says_how_much_was_seen():
    scene = Scene(sizes=Sizes(customers=600, orders=20, products=5))
    scene.import_natively()
    audit = scene.audit(budget=timedelta(0))
    (rest,) = [one for one in audit.unseen if one.code == "profiles"]
    assert rest.reason == "time was up after 250 of about 599"


def test_the_page_stands_alone_and_names_nobody(plain):
    scene, audit = plain
    html = audit_page.audit_report_html(audit)
    assert "Not ready" in html
    assert "https://admin.shopify.com/store/acme-uk/customers/" in html
    assert "<script" not in html
    assert " src=" not in html
    for store in scene.sims.world.stores.values():
        for one in store.customers.values():
            assert not one.email or one.email.strip() not in html


def test_the_sheet_and_the_document_tell_the_same(plain):
    _, audit = plain
    rows = list(csv.DictReader(io.StringIO(audit_page.audit_report_csv(audit))))
    told = msgspec.to_builtins(audit_page.audit_report_json(audit))
    assert [row["code"] for row in rows] == [one["code"] for one in (*told["findings"], *told["could_not_look"])]
    assert told["verdict"] == "not ready"


def test_nothing_found_is_ready():
    audit = AuditResult(name="acme", at=AT, origin="nowhere", answers=())
    assert audit.verdict is AuditOutcome.READY
    assert "Ready" in audit_page.audit_report_html(audit)
