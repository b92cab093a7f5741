"""The control paths of the simulators, in process."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sims.clock import SimClock
from sims.control import Control
from sims.neighbourhood import Neighbourhood, Sizes
from sims.wire import Request, Response

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = {"x-ometria-auth": "sim-ometria-key"}
CONTACT = {"@type": "contact", "@collection": "shopify", "id": "uk:1", "email": "a@example.com"}


class Town:
    """A small frozen neighbourhood and its control."""

    def __init__(self) -> None:
        self.town = Neighbourhood(SimClock(AT, rate=0), seed=3, sizes=Sizes(4, 6, 3))
        self.control = Control(self.town)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Response:
        raw = b"" if body is None else msgspec.json.encode(body)
        return self.control.handle(Request(method, f"/_sim/{path}", query, {}, raw))

    def push(self, record: dict[str, Any]) -> int:
        return self.town.ometria.handle(Request("POST", "/v2/push", {}, KEY, msgspec.json.encode([record]))).status


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


@pytest.fixture(autouse=True)
def fresh(town: Town) -> None:
    town.town.clock.set(AT)
    assert town.ask("POST", "reset", {"seed": 3}).status == 200


def test_the_clock_is_set_advanced_and_paced(town: Town) -> None:
    assert town.ask("GET", "clock").json() == {"now": "2026-11-23T09:00:00Z", "rate": 0.0}
    moved = town.ask("POST", "clock", {"set": "2026-11-24T00:00:00Z", "advance": 60}).json()
    assert moved["now"] == "2026-11-24T00:01:00Z"


def test_moving_the_clock_applies_what_has_become_due(town: Town) -> None:
    assert town.push(CONTACT) == 200
    assert town.ask("GET", "platform/contacts").json() == {"items": []}
    town.ask("POST", "clock", {"advance": 5})
    (stored,) = town.ask("GET", "platform/contacts").json()["items"]
    assert (stored["email"], stored["_meta"]["source"]) == ("a@example.com", "api")


def test_large_dumps_come_line_by_line(town: Town) -> None:
    whole = town.ask("GET", "truth/uk/orders").json()["items"]
    answer = town.ask("GET", "truth/uk/orders", format="ndjson")
    assert answer.stream is not None
    assert [msgspec.json.decode(line) for line in b"".join(answer.stream).splitlines()] == whole
    assert town.push(CONTACT) == 200
    town.ask("POST", "clock", {"advance": 5})
    told = town.ask("GET", "platform/contacts", format="ndjson")
    assert told.stream is not None
    assert msgspec.json.decode(b"".join(told.stream))["email"] == "a@example.com"


def test_faults_are_one_plain_object(town: Town) -> None:
    assert town.ask("POST", "faults", {"ometria.down": True}).json()["ometria.down"] is True
    assert town.push(CONTACT) == 503
    assert town.ask("GET", "faults").json()["ometria.down"] is True
    assert town.ask("GET", "report").json()["injected"] == {"ometria.down": 1}


def test_switches_play_the_other_side(town: Town) -> None:
    assert town.ask("POST", "switches", {"queue_max": 0}).json()["queue_max"] == 0
    assert town.push(CONTACT) == 429
    assert town.ask("GET", "switches").json()["identity"] == "post2024"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"forward": 1}),
        ("clock", {"set": "soon"}),
        ("clock", {"rate": -1}),
        ("clock", [1]),
        ("faults", {"ometria.p430": 1}),
        ("switches", {"identity": "2025"}),
        ("switches", {"shape": "flat"}),
        ("reset", {"people": 5}),
        ("life", {"speed": 1}),
        ("subscriptions", {"shop": "us", "uri": "https://a.example", "topics": []}),
        ("subscriptions", {"shop": "uk"}),
        ("tokens", {"shop": "us"}),
        ("deeds", {"shop": "uk", "deed": "burn"}),
        ("deeds", {"shop": "uk", "deed": "redact", "customer": 1}),
        ("preference-centre", {"email": "nobody@example.com"}),
        ("merge-profiles", {"survivor": {"type": "profile_hash", "value": "x"}, "customers_to_merge": []}),
        ("deeds", {"shop": "uk", "deed": "merge", "customer": 1, "other": 2}),
    ],
)
def test_a_wrong_order_is_refused_with_the_reason(town: Town, path: str, body: Any) -> None:
    answer = town.ask("POST", path, body)
    assert answer.status == 400
    assert answer.json()["error"]


def test_a_path_that_is_not_there_is_404(town: Town) -> None:
    assert town.ask("GET", "weather").status == 404
    assert town.ask("POST", "report").status == 404
    assert town.ask("GET", "platform/baskets").status == 400


def test_reset_forgets_everything_but_the_time(town: Town) -> None:
    town.push(CONTACT)
    town.ask("POST", "faults", {"ometria.p429": 1.0})
    town.ask("POST", "clock", {"advance": 5})
    report = town.ask("POST", "reset", {"seed": 4}).json()
    assert report["ometria"]["contacts"] == 0
    assert town.ask("GET", "tape").json() == {"items": []}
    assert town.ask("GET", "faults").json()["ometria.p429"] == 0.0
    assert town.ask("GET", "clock").json()["now"] == "2026-11-23T09:00:05Z"


def test_the_tape_is_read_by_side_and_number(town: Town) -> None:
    town.push(CONTACT)
    town.push(CONTACT)
    (first, second) = town.ask("GET", "tape", side="ometria").json()["items"]
    assert first["body"] == [CONTACT]
    assert town.ask("GET", "tape", since=str(first["n"])).json()["items"] == [second]
    assert town.ask("GET", "tape", side="shopify").json()["items"] == []


def test_the_truth_of_a_shop_is_shown_whole(town: Town) -> None:
    orders = [town.ask("GET", f"truth/{shop}/orders").json()["items"] for shop in ("uk", "acme-int.myshopify.com")]
    assert sum(map(len, orders)) >= 6
    assert town.ask("GET", "truth/uk/checkouts").status == 200
    assert all(len(order["lines"]) >= 1 for shop in orders for order in shop)
    assert town.ask("GET", "truth/us/orders").status == 400
    assert town.ask("GET", "truth/uk/weather").status == 400


def test_life_goes_on_when_it_is_told_to(town: Town) -> None:
    before = town.ask("GET", "report").json()["shopify"]
    assert town.ask("POST", "life", {"steps": 40}).json()["steps"] == 40
    assert town.ask("GET", "report").json()["shopify"] != before


def test_what_happens_is_told_to_who_subscribed_and_to_nobody_else(town: Town) -> None:
    subscribed = {"shop": "uk", "uri": "http://127.0.0.1:1/hooks", "topics": ["orders/create", "customers/create"]}
    assert town.ask("POST", "subscriptions", subscribed).json() == {"topics": subscribed["topics"]}
    town.ask("POST", "life", {"steps": 200})
    posted: list[str] = []

    def post(uri: str, headers: Mapping[str, str], body: bytes) -> int:
        assert (uri, bool(body)) == (subscribed["uri"], True)
        posted.append(headers["X-Shopify-Topic"])
        return 200

    assert town.town.deliver(post) == len(posted) > 0
    assert set(posted) <= set(subscribed["topics"])
    assert town.ask("GET", "report").json()["deliveries"]["ok"] == len(posted)


def test_a_token_is_handed_out_and_taken_back(town: Town) -> None:
    store = town.town.stores()[0]
    token = town.ask("POST", "tokens", {"shop": "uk"}).json()["access_token"]
    scopes = Request(
        "GET", f"/{store['domain']}/admin/oauth/access_scopes.json", {}, {"x-shopify-access-token": token}, b""
    )
    assert town.town.handle_shopify(scopes).status == 200
    assert town.ask("POST", "tokens", {"shop": "uk", "revoke": True}).json() == {"revoked": 1}
    assert town.town.handle_shopify(scopes).status == 401


def test_a_person_unsubscribes_in_the_preference_centre(town: Town) -> None:
    town.push({**CONTACT, "marketing_optin": "EXPLICITLY_OPTEDIN"})
    town.ask("POST", "clock", {"advance": 5})
    profile = town.ask("POST", "preference-centre", {"email": "a@example.com"}).json()
    assert profile["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert len(town.ask("GET", "platform/unsubscribes").json()["items"]) == 1


def test_people_speak_by_every_way_and_each_word_stands_in_the_record(town: Town) -> None:
    town.push({**CONTACT, "marketing_optin": "EXPLICITLY_OPTEDIN", "phone_number": "+447400123456"})
    town.push({**CONTACT, "id": "uk:2", "email": "b@example.com"})
    town.ask("POST", "clock", {"advance": 5})
    for said in ({"way": "form"}, {"way": "csv", "action": "subscribe", "forced": True}, {"channel": "sms"}):
        town.ask("POST", "clock", {"advance": 5})
        assert town.ask("POST", "preference-centre", {"email": "a@example.com", **said}).status == 200
    assert len(town.ask("GET", "platform/unsubscribes").json()["items"]) == 1
    heard = town.ask("GET", "statements", side="ometria", people="1").json()["items"]
    assert [(one["channel"], one["way"], one["state"], one["at"][11:19]) for one in heard] == [
        ("email", "form", "UNSUBSCRIBED", "09:00:10"),
        ("email", "csv", "SUBSCRIBED", "09:00:15"),
        ("sms", "stopword_unsubscribe_TF", "UNSUBSCRIBED", "09:00:20"),
    ]
    by_address = town.ask("GET", "statements", side="ometria", address=" A@example.com").json()["items"]
    assert [one["way"] for one in by_address] == ["api", "form", "csv"]
    assert by_address[0]["is_own_write"] is True
    named = [{"type": "email_address", "value": f"{name}@example.com"} for name in "ab"]
    assert town.ask("POST", "merge-profiles", {"survivor": named[0], "customers_to_merge": named[1:]}).status == 200
    assert town.ask("GET", "report").json()["ometria"]["profiles"] == 1


def test_a_customer_of_a_shop_speaks_and_two_are_merged_on_demand(town: Town) -> None:
    one, two = [each["id"] for each in town.ask("GET", "truth/uk/customers").json()["items"] if each["email"]][:2]
    topics = ["customers_email_marketing_consent/update", "customers/update"]
    since = str(town.ask("GET", "statements").json()["items"][-1]["n"])
    for state in ("UNSUBSCRIBED", "SUBSCRIBED"):
        told = {"shop": "uk", "deed": "consent", "customer": one, "state": state}
        assert town.ask("POST", "deeds", told).json()["topics"] in (topics, [])
    heard = town.ask("GET", "statements", since=since, channel="email").json()["items"]
    assert [(each["who"], each["way"]) for each in heard][-1] == (str(one), "storefront")
    merged = town.ask("POST", "deeds", {"shop": "uk", "deed": "merge", "customer": one, "other": two}).json()["topics"]
    assert merged[0] == "customers/merge"
    (gone,) = [each for each in town.ask("GET", "truth/uk/gone_customers").json()["items"] if each["merged_into"]]
    assert {gone["id"], gone["merged_into"]} == {one, two}


def test_rare_deeds_are_done_on_demand(town: Town) -> None:
    customer = town.ask("GET", "truth/uk/customers").json()["items"][0]["id"]
    asked = {"shop": "uk", "customer": customer}
    for deed, topics in (("request_data", ["customers/data_request"]), ("redact", ["customers/redact"])):
        assert town.ask("POST", "deeds", {**asked, "deed": deed}).json() == {"topics": topics}
    rotated = town.ask("POST", "deeds", {"shop": "uk", "deed": "rotate_secret", "secret": "shpss_new"})
    assert rotated.json() == {"topics": []}
    assert town.town.stores()[0]["client_secret"] == "shpss_new"


def test_a_merchant_tags_everybody_some_at_a_time(town: Town) -> None:
    people = [one["id"] for one in town.ask("GET", "truth/uk/customers").json()["items"]]
    assert len(people) > 1
    touched = first = 0
    while n := town.ask("POST", "touch", {"shop": "uk", "tag": "seen", "first": first, "n": 1}).json()["n"]:
        touched, first = touched + n, first + 1
    assert touched == len(people)
    assert all("seen" in one["tags"] for one in town.ask("GET", "truth/uk/customers").json()["items"])
    assert town.ask("POST", "touch", {"shop": "uk", "tag": "seen"}).status == 400


def test_people_unsubscribe_by_themselves_while_life_goes_on(town: Town) -> None:
    town.push(CONTACT)
    town.ask("POST", "clock", {"advance": 5})
    town.ask("POST", "faults", {"ometria.p_unsubscribe": 1.0})
    town.ask("POST", "life", {"steps": 3})
    assert len(town.ask("GET", "platform/unsubscribes").json()["items"]) == 3


def test_the_native_importer_reads_the_shops_where_it_is_switched_on(town: Town) -> None:
    nothing = {"customers": 0, "orders": 0, "products": 0}
    assert set(map(str, town.ask("POST", "native-import", {}).json().values())) == {str(nothing)}
    town.ask("POST", "switches", {"native_importer": True, "phone_rule": "possible"})
    done = town.ask("POST", "native-import", {}).json()
    shops = town.ask("GET", "report").json()["shopify"]
    for domain, written in done.items():
        assert 0 < written["orders"] <= shops[domain]["orders"]
        assert written["customers"] <= shops[domain]["customers"]


def test_every_behaviour_has_a_basis_or_is_called_assumed(town: Town) -> None:
    rows = town.ask("GET", "assumptions").json()
    assert len(rows) > 50
    assert all(row["behaviour"] and row["basis"] and row["where"] for row in rows)
    assert {"ASSUMED"} < {row["basis"] for row in rows}
    assert {row["where"].split(".")[1] for row in rows} == {"shopify", "ometria"}
