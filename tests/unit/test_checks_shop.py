"""What the audit's checks make of orders, products and what a shop says of itself."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.checks.api_version import ApiVersion
from isthmus.checks.currencies import Currencies
from isthmus.checks.duplicate_sku import DuplicateSku
from isthmus.checks.guest_orders import GuestOrders
from isthmus.checks.load_time import LoadTime
from isthmus.checks.metafields import Metafields
from isthmus.checks.no_image import NoImage
from isthmus.checks.no_price import NoPrice
from isthmus.checks.no_sku import NoSku
from isthmus.checks.order_history_limit import OrderHistoryLimit
from isthmus.checks.other_writers import OtherWriters
from isthmus.checks.over_limits import OverLimits
from isthmus.checks.ownerless_orders import OwnerlessOrders
from isthmus.checks.scopes import Scopes
from isthmus.checks.shop_identity import ShopIdentity
from isthmus.checks.subscriptions import Subscriptions
from isthmus.checks.tag_spelling import TagSpelling
from isthmus.model.audit_finding import Level
from isthmus.model.audit_rows import (
    CustomerRef,
    CustomerRow,
    Fields,
    ForeignSample,
    Mapped,
    OrderRow,
    ProductRow,
    ShopFacts,
    Sku,
)
from isthmus.shopify.versions import support_end

TODAY = date(2026, 11, 23)
FACTS = ShopFacts(
    store="uk",
    domain="acme-uk.myshopify.com",
    said_domain="acme-uk.myshopify.com",
    name="Acme",
    plan="Plus",
    currency="GBP",
    said_currency="GBP",
    presentment=("GBP",),
    timezone="Europe/London",
    scopes=(),
    api_version="2026-10",
    served_version="2026-10",
    supported=("2026-01", "2026-04", "2026-07", "2026-10"),
)


def facts(**more: Any) -> ShopFacts:
    return msgspec.structs.replace(FACTS, **more)


def sale(number: int, currency: str = "GBP", presentment: str | None = None, **more: Any) -> OrderRow:
    return OrderRow("uk", str(number), f"#{number}", Decimal("5.00"), currency, presentment or currency, **more)


def thing(number: int, *skus: tuple[str | None, str | None], **more: Any) -> ProductRow:
    made = tuple(
        Sku(f"{number}{n}", sku, None if price is None else Decimal(price)) for n, (sku, price) in enumerate(skus)
    )
    return ProductRow("uk", str(number), f"Thing {number}", made or (Sku("1", f"S{number}", Decimal(1)),), **more)


def test_a_guest_has_an_address_and_no_customer():
    guests, nobodies = GuestOrders(), OwnerlessOrders()
    for row in (sale(1, email="a@x.com"), sale(2, phone="+44770"), sale(3), sale(4, email=" "), sale(5, customer="9")):
        guests.sale(row)
        nobodies.sale(row)
    assert [(one.n, one.of, one.money) for one in guests.answer()] == [(2, 5, {"GBP": Decimal("10.00")})]
    assert [(one.n, [each.id for each in one.examples]) for one in nobodies.answer()] == [(2, ["3", "4"])]


def test_products_on_sale_that_lack_something():
    rows = [
        thing(1),
        thing(2, (None, "1"), ("B", "1")),
        thing(3, (" ", "1"), is_sold=False),
        thing(4, (None, "1"), is_gift_card=True),
        thing(5, ("C", "0.00"), has_image=False),
        thing(6, ("D", None)),
    ]
    told = {}
    for check in (NoSku(), NoPrice(), NoImage()):
        for row in rows:
            check.thing(row)
        told[check.code] = [(one.n, one.of, [each.id for each in one.examples]) for one in check.answer()]
    assert told == {"no_sku": [(1, 5, ["2"])], "no_price": [(2, 5, ["5", "6"])], "no_image": [(1, 5, ["5"])]}


def test_one_sku_on_two_variants_is_told_once_whatever_its_case():
    check = DuplicateSku()
    for row in (
        thing(1, ("A", "1"), ("a ", "1")),
        thing(2, ("A", "1")),
        thing(3, ("B", "1")),
        thing(4, ("B", "1"), is_sold=False),
    ):
        check.thing(row)
    (one,) = check.answer()
    assert (one.n, one.of, one.examples[0].says) == (1, 2, "A: Thing 1, 3 variants")


def test_the_same_sku_in_two_stores_is_no_duplicate():
    check = DuplicateSku()
    check.thing(thing(1, ("A", "1")))
    check.thing(msgspec.structs.replace(thing(2, ("A", "1")), store="int"))
    assert check.answer() == []


def test_spellings_of_a_tag_are_counted_apart_for_people_and_products():
    check = TagSpelling()
    check.person(CustomerRow(CustomerRef("uk", "1"), tags=("VIP", "gift")))
    check.person(CustomerRow(CustomerRef("uk", "2"), tags=("vip ", "Gift  box")))
    check.thing(thing(1, tags=("Gift", "gift box")))
    (one,) = check.answer()
    assert (one.n, one.of) == (1, 5)
    assert [each.says for each in one.examples] == ["“VIP” on 1, “vip ” on 1"]


def test_scopes_identity_and_subscriptions_are_told_by_store():
    wrong = facts(
        missing_scopes=("read_returns",), said_domain="other.myshopify.com", said_currency="EUR", n_to_subscribe=3,
        n_to_delete=1, n_doubled=1, writes_consent=False,
    )  # fmt: skip
    told = []
    for check in (Scopes(), ShopIdentity(), Subscriptions()):
        check.facts(FACTS)
        check.facts(wrong)
        told += [(one.code, one.level, one.n) for one in check.answer()]
    assert told == [
        ("scopes", Level.STOP, 1),
        ("scopes", Level.CARE, 1),
        ("shop_identity", Level.STOP, 1),
        ("shop_identity", Level.STOP, 1),
        ("subscriptions", Level.CARE, 3),
        ("subscriptions", Level.CARE, 2),
    ]


@pytest.mark.parametrize(
    ("version", "today", "found"),
    [
        ("2026-10", TODAY, []),
        ("2026-01", TODAY, [(Level.CARE, 38)]),
        ("2026-01", date(2026, 12, 31), [(Level.STOP, 0)]),
        ("2025-10", TODAY, [(Level.STOP, -54)]),
        ("unstable", TODAY, [(Level.CARE, None)]),
    ],
)
def test_a_version_that_ends(version: str, today: date, found: list[tuple[Level, int | None]]):
    check = ApiVersion(today)
    check.facts(facts(api_version=version, served_version=version))
    assert [(one.level, one.days_left) for one in check.answer()] == found


def test_a_version_that_another_answers_for():
    check = ApiVersion(TODAY)
    check.facts(facts(served_version="2026-01"))
    assert [(one.code, one.level) for one in check.answer()] == [("served_version", Level.STOP)]


@pytest.mark.parametrize(
    ("version", "day"),
    [("2026-10", date(2027, 9, 30)), ("2026-01", date(2026, 12, 31)), ("2026-02", None), ("x", None)],
)
def test_the_last_day_of_a_version(version: str, day: date | None):
    assert support_end(version) == day


def test_the_wall_counts_what_customers_are_said_to_have_ordered_or_the_newest_number():
    check = OrderHistoryLimit()
    check.facts(facts(sees_history=False, newest_name="#1010"))
    check.facts(facts(store="int", sees_history=False, newest_name="EU-1003-X"))
    check.person(CustomerRow(CustomerRef("uk", "1"), n_orders=4))
    check.person(CustomerRow(CustomerRef("int", "1"), n_orders=8))
    check.sale(sale(1))
    assert [(one.n, one.of) for one in check.answer()] == [(9, 10), (8, 8)]


def test_a_wall_that_the_connection_accepts_is_told_and_stops_nothing():
    check = OrderHistoryLimit()
    check.facts(facts(sees_history=False, is_horizon_accepted=True, newest_name="#1010"))
    check.facts(facts(store="int", sees_history=False, newest_name="#1010"))
    accepted, open_ = check.answer()
    assert (accepted.level, accepted.n, open_.level) == (Level.NOTE, 10, Level.STOP)
    assert 'orders.horizon = "60d"' in accepted.what
    assert "orders.horizon" not in open_.what


def test_there_is_no_wall_where_all_orders_may_be_seen():
    check = OrderHistoryLimit()
    check.facts(facts(newest_name="#9000"))
    assert check.answer() == []


def test_currencies_without_a_rate_and_how_people_pay():
    check = Currencies("GBP", frozenset({"EUR"}))
    for row in (sale(1), sale(2, "EUR"), sale(3, "SEK", "USD")):
        check.sale(row)
    assert [(one.n, one.money) for one in check.answer()] == [(1, {"SEK": Decimal("5.00")})]
    assert [[bar.label for bar in picture.bars] for picture in check.pictures()] == [["GBP", "EUR", "USD"]]


def test_without_a_reporting_currency_no_rate_is_missed():
    check = Currencies(None, frozenset())
    check.sale(sale(1, "SEK"))
    assert check.answer() == []
    assert check.pictures() == []


def test_custom_fields_are_listed_as_not_mapped():
    check = Metafields()
    check.facts(facts(definitions=(Fields("customer", "loyalty.points", "number_integer"),)))
    (one,) = check.answer()
    assert (one.level, one.n, one.examples[0].says) == (Level.NOTE, 1, "customer loyalty.points (number_integer)")


def test_custom_fields_are_held_against_the_mapping_file():
    defined = (
        Fields("customer", "loyalty.points", "number_integer"),
        Fields("customer", "custom.skin", "list.single_line_text_field"),
        Fields("productvariant", "custom.fit", "single_line_text_field"),
        Fields("order", "custom.gift", "boolean"),
    )
    mapped = frozenset(
        {
            ("customer", "Loyalty.points", "number_integer"),
            ("customer", "custom.skin", "single_line_text_field"),
            ("variant", "custom.fit", "single_line_text_field"),
            ("product", "custom.care", "json"),
        }
    )
    check = Metafields(mapped=mapped)
    check.facts(facts(definitions=defined))
    unmapped, mistyped, missing = check.answer()
    assert [one.says for one in unmapped.examples] == ["order custom.gift (boolean)"]
    assert (mistyped.level, mistyped.n) == (Level.CARE, 1)
    assert mistyped.examples[0].says == (
        "customer custom.skin is list.single_line_text_field, the mapping file says single_line_text_field"
    )
    assert [one.says for one in missing.examples] == ["product custom.care"]
    unread = Metafields(mapped=mapped)
    unread.facts(facts(definitions=None))
    assert unread.answer() == [], "what could not be listed is not missing"


def test_what_is_cut_and_what_cannot_be_sent():
    check = OverLimits()
    for row in (Mapped("customers", "uk", "1", 900), Mapped("customers", "uk", "2", 900, n_cut=3),
                Mapped("orders", "uk", "3", 0, rejected="integration.record_too_large")):  # fmt: skip
        check.mapped(row)
    assert [(one.code, one.n, one.of) for one in check.answer()] == [("cannot_be_sent", 1, 3), ("over_limits", 1, 3)]


@pytest.mark.parametrize(("is_decided", "level"), [(False, Level.STOP), (True, Level.NOTE)])
def test_other_writers_stop_until_it_is_decided_how_they_are_taken_over(is_decided: bool, level: Level):
    check = OtherWriters(is_decided)
    check.foreign(ForeignSample("orders", 40, 50, "order 1 is ours as uk:7"))
    check.foreign(ForeignSample("products", 0, 50, ""))
    assert [(one.level, one.n, one.of) for one in check.answer()] == [(level, 40, 50)]


def test_a_load_that_takes_long_is_said_before():
    check = LoadTime(Decimal(4))
    check.n = 400 * 8 * 3600
    assert [one.title for one in check.answer()] == ["The first load takes at least 8 hours"]
    check.n = 1000
    assert check.answer() == []
    assert check.seconds == 3
