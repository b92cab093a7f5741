"""Bulk operations of the simulated shop: lines, order, addresses, time and every fault."""

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from admin_api import Admin
from sims.shopify import access
from sims.shopify.state import Customer
from sims.wire import Request, Response

RUN = """mutation($query: String!, $group: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $group) {
    bulkOperation { id status } userErrors { field message code } } }"""
LOOK = """query($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt } }"""
ORDERS = """{ orders { edges { node {
  id name customer { id } tags
  lineItems { edges { node { id title } } }
  refunds { id } } } } }"""


@dataclass
class Office:
    """Starts operations in one shop and fetches their results."""

    admin: Admin

    def start(self, query: str = ORDERS, group: bool = False) -> dict[str, Any]:
        told: dict[str, Any] = self.admin.data(RUN, {"query": query, "group": group})["bulkOperationRunQuery"]
        return told

    def look(self, gid: str) -> dict[str, Any]:
        told: dict[str, Any] = self.admin.data(LOOK, {"id": gid})["bulkOperation"]
        return told

    def run(self, query: str = ORDERS, group: bool = False) -> dict[str, Any]:
        """Run an operation to its end, whatever that is."""
        begun = self.start(query, group)
        assert begun["userErrors"] == []
        self.admin.clock.advance(60)
        return self.look(begun["bulkOperation"]["id"])

    def fetch(self, address: str, **headers: str) -> Response:
        split = urlsplit(address)
        return self.admin.shopify.handle(Request("GET", split.path, dict(parse_qsl(split.query)), headers))

    def lines(self, address: str) -> list[Any]:
        return [json.loads(each) for each in content(self.fetch(address)).splitlines()]


def content(answer: Response) -> bytes:
    assert answer.status in (200, 206), answer.body
    assert answer.stream is not None
    return b"".join(answer.stream)


@pytest.fixture
def office() -> Office:
    return Office(Admin.open())


def test_every_record_and_every_child_is_one_line(office: Office) -> None:
    told = office.run()
    orders = office.admin.store.orders
    lines = office.lines(told["url"])
    children = [each for each in lines if "__parentId" in each]
    assert told["status"] == "COMPLETED"
    assert int(told["objectCount"]) == len(lines) == len(orders) + sum(len(each.lines) for each in orders.values())
    assert int(told["rootObjectCount"]) == len(orders)
    assert {each["__parentId"] for each in children} <= {each["id"] for each in lines}
    assert all(list(each) == ["id", "title", "__parentId"] for each in children)


def test_a_line_has_its_fields_in_the_order_asked_for_and_lists_inside(office: Office) -> None:
    lines = office.lines(office.run()["url"])
    roots = [each for each in lines if "__parentId" not in each]
    assert all(list(each) == ["id", "name", "customer", "tags", "refunds"] for each in roots)
    assert any(each["refunds"] for each in roots)


def test_slashes_are_escaped_and_the_size_is_that_of_the_file(office: Office) -> None:
    told = office.run()
    raw = content(office.fetch(told["url"]))
    assert b'"gid:\\/\\/shopify\\/Order\\/' in raw
    assert b"://" not in raw
    assert len(raw) == int(told["fileSize"])


def test_grouped_children_follow_their_parent_and_ungrouped_ones_may_precede_it(office: Office) -> None:
    grouped = office.lines(office.run(group=True)["url"])
    parent = None
    for each in grouped:
        parent = each["id"] if "__parentId" not in each else parent
        assert each.get("__parentId", parent) == parent
    mixed = office.lines(office.run()["url"])
    first = {each["id"]: n for n, each in enumerate(mixed)}
    assert any(n < first[each["__parentId"]] for n, each in enumerate(mixed) if "__parentId" in each)
    by_text = [sorted(json.dumps(each) for each in lines) for lines in (grouped, mixed)]
    assert by_text[0] == by_text[1]


def test_a_search_chooses_the_records(office: Office) -> None:
    placed = sorted(each.created_at for each in office.admin.store.orders.values())
    middle = placed[len(placed) // 2]
    query = f"created_at:>='{middle:%Y-%m-%dT%H:%M:%SZ}'"
    told = office.run(f'{{ orders(query: "{query}", sortKey: CREATED_AT) {{ edges {{ node {{ id }} }} }} }}')
    assert int(told["rootObjectCount"]) == sum(at >= middle for at in placed)


def test_more_children_than_a_page_holds_all_come(office: Office) -> None:
    product = next(iter(office.admin.store.products.values()))
    product.variants = [replace(product.variants[0], id=n) for n in range(1, 601)]
    told = office.run("{ products { edges { node { id variants { edges { node { id sku } } } } } } }", group=True)
    mine = [each for each in office.lines(told["url"]) if each.get("__parentId", "").endswith(f"/{product.id}")]
    assert len(mine) == 600


def test_an_empty_result_has_no_address(office: Office) -> None:
    told = office.run('{ orders(query: "tag:nobody") { edges { node { id } } } }')
    assert (told["status"], told["url"], told["fileSize"], told["objectCount"]) == ("COMPLETED", None, None, "0")


def test_it_takes_its_time_by_the_clock(office: Office) -> None:
    office.admin.turn(bulk_starts_after=2.0, bulk_rows_per_second=30.0)
    gid = office.start()["bulkOperation"]["id"]
    seen = []
    for _ in range(20):
        office.admin.clock.advance(1)
        told = office.look(gid)
        seen.append((told["status"], int(told["objectCount"])))
        if told["status"] == "COMPLETED":
            break
    assert [status for status, _ in seen[:3]] == ["CREATED", "RUNNING", "RUNNING"]
    assert seen[-1][0] == "COMPLETED"
    counts = [n for _, n in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3


def test_a_record_is_told_as_it_is_when_its_line_is_written(office: Office) -> None:
    office.admin.turn(bulk_rows_per_second=30.0)
    gid = office.start("{ customers { edges { node { id note } } } }")["bulkOperation"]["id"]
    office.admin.clock.advance(1)
    office.look(gid)
    people: list[Customer] = list(office.admin.store.customers.values())
    people[-1].note = "changed meanwhile"
    gone = people[-2]
    office.admin.store.drop_customer(gone)
    office.admin.clock.advance(60)
    lines = {each["id"]: each for each in office.lines(office.look(gid)["url"])}
    assert lines[f"gid://shopify/Customer/{people[-1].id}"]["note"] == "changed meanwhile"
    assert f"gid://shopify/Customer/{gone.id}" not in lines


def test_five_run_at_once_and_the_sixth_is_refused(office: Office) -> None:
    begun = [office.start()["bulkOperation"]["id"] for _ in range(5)]
    refused = office.start()
    told = f"A bulk query operation for this app and shop is already in progress: {', '.join(begun)}."
    assert refused["userErrors"] == [{"field": None, "message": told, "code": "OPERATION_IN_PROGRESS"}]
    office.admin.clock.advance(60)
    assert office.start()["userErrors"] == []


def test_the_end_is_told_to_whoever_subscribed(office: Office) -> None:
    told = office.run()
    ended = [each for each in office.admin.events if each.topic == "bulk_operations/finish"]
    assert [f"gid://shopify/BulkOperation/{each.id}" for each in ended] == [told["id"]]
    assert ended[0].detail["status"] == "completed"
    assert ended[0].detail["error_code"] is None


def test_a_result_comes_by_range(office: Office) -> None:
    address = office.run()["url"]
    whole = content(office.fetch(address))
    part = office.fetch(address, range="bytes=100-")
    assert (part.status, content(part)) == (206, whole[100:])
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert content(office.fetch(address, range="bytes=5-9")) == whole[5:10]
    assert office.fetch(address, range=f"bytes={len(whole)}-").status == 416


def test_an_address_ends_after_seven_days_and_cannot_be_made_up(office: Office) -> None:
    told = office.run()
    assert office.fetch(told["url"].replace("Signature=", "Signature=0")).status == 403
    assert office.fetch(told["url"].replace("Expires=", "Expires=9")).status == 403
    office.admin.clock.advance(7 * 86_400)
    ended = office.fetch(told["url"])
    assert ended.status == 403
    assert b"<Code>ExpiredToken</Code>" in ended.body
    assert office.look(told["id"])["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("knob", "status", "code", "is_partial"),
    [
        ("bulk_fail", "FAILED", "INTERNAL_SERVER_ERROR", True),
        ("bulk_fail_without_partial", "FAILED", "INTERNAL_SERVER_ERROR", False),
        ("bulk_timeout", "FAILED", "TIMEOUT", True),
        ("bulk_access_denied", "FAILED", "ACCESS_DENIED", False),
        ("bulk_expire", "EXPIRED", None, False),
        ("bulk_never_finishes", "RUNNING", None, False),
    ],
)
def test_an_operation_fails_as_told(office: Office, knob: str, status: str, code: str | None, is_partial: bool) -> None:
    office.admin.turn(**{knob: 2})
    assert office.run()["status"] == "COMPLETED"
    told = office.run()
    assert (told["status"], told["errorCode"], told["url"]) == (status, code, None)
    assert (told["partialDataUrl"] is not None) == is_partial
    assert office.admin.shopify.faults.injected[f"shopify.{knob}"] == 1
    assert office.run()["status"] == "COMPLETED"


def test_a_partial_result_is_the_beginning_of_the_file(office: Office) -> None:
    office.admin.turn(bulk_mixed=0, bulk_fail=2)
    whole = content(office.fetch(office.run()["url"]))
    part = content(office.fetch(office.run()["partialDataUrl"]))
    assert whole.startswith(part)
    assert 0 < len(part) < len(whole)


def test_a_fault_can_be_kept_to_one_kind_and_to_large_windows(office: Office) -> None:
    office.admin.turn(bulk_fault_root="orders", bulk_fail=-1)
    assert office.run("{ customers { edges { node { id } } } }")["status"] == "COMPLETED"
    assert office.run()["status"] == "FAILED"
    office.admin.turn(bulk_fail=0, bulk_timeout_above=10)
    assert office.run()["errorCode"] == "TIMEOUT"
    one = next(iter(office.admin.store.orders.values()))
    day = f"created_at:'{one.created_at:%Y-%m-%dT%H:%M:%SZ}'"
    assert office.run(f'{{ orders(query: "{day}") {{ edges {{ node {{ id }} }} }} }}')["status"] == "COMPLETED"


def test_an_address_can_be_dead_at_once_and_a_download_break_off(office: Office) -> None:
    office.admin.turn(bulk_url_expired=1)
    assert office.fetch(office.run()["url"]).status == 403
    address = office.run()["url"]
    office.admin.turn(bulk_cut=1000, bulk_cuts=1)
    broken = office.fetch(address)
    assert len(content(broken)) == 1000 < int(broken.headers["Content-Length"])
    assert len(content(office.fetch(address))) == int(broken.headers["Content-Length"])


def test_others_can_keep_us_waiting_and_starts_be_throttled(office: Office) -> None:
    office.admin.turn(bulk_busy=5)
    assert office.start()["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    office.admin.turn(bulk_busy=0, bulk_throttle_start=1)
    throttled = office.admin.ask(RUN, {"query": ORDERS, "group": False})
    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert office.start()["userErrors"] == []


def test_what_the_app_may_not_see_fails_the_operation(office: Office) -> None:
    office.admin.turn(dropped_scopes="read_orders")
    told = office.run()
    assert (told["status"], told["errorCode"]) == ("FAILED", "ACCESS_DENIED")
    assert "read_orders" in access.GRANTED


def test_a_listing_finds_operations_by_status_newest_first(office: Office) -> None:
    ended = [office.run()["id"] for _ in range(2)]
    begun = office.start()["bulkOperation"]["id"]
    query = "query($q: String) { bulkOperations(first: 5, query: $q) { nodes { id } } }"

    def listed(search: str | None) -> list[str]:
        return [each["id"] for each in office.admin.data(query, {"q": search})["bulkOperations"]["nodes"]]

    assert listed(None) == [begun, *reversed(ended)]
    assert listed("status:completed operation_type:query") == list(reversed(ended))
    assert listed("operation_type:mutation") == []
    assert office.admin.data("{ currentBulkOperation { id } }")["currentBulkOperation"]["id"] == begun


def test_a_query_outside_the_schema_is_refused_in_words(office: Office) -> None:
    errors = office.start("{ orders { edges { node { id nothing } } } }")["userErrors"]
    assert errors == [
        {
            "field": ["query"],
            "message": "Invalid bulk query: Field 'nothing' doesn't exist on type 'Order'",
            "code": "INVALID",
        }
    ]
