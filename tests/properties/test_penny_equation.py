"""Whatever happens to an order, its money adds up: grand_total − Σ refunded = what the shop kept.

The orders here come from a small shop that counts for itself what was paid, what went back and which units are left.
It shares no arithmetic with the mapping.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from isthmus.mapping import order as mapping
from isthmus.mapping import refunds
from isthmus.mapping.rules import Rules
from isthmus.model.lane import Lane
from isthmus.model.order import Amount, Order, OrderLine, Refund, RefundLine

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLACES = {"GBP": 2, "EUR": 2, "JPY": 0, "KWD": 3}
RATES = (Decimal("0.8437"), Decimal("1.2"), Decimal("151.37"))


@dataclass
class Item:
    """One line of the shop's own books, money in smallest units, sums for all units first ordered."""

    id: int
    quantity: int
    price: int
    discount: int
    tax: int
    left: int
    refunded: int = 0

    def worth(self, units: int, included: bool) -> int:
        whole = self.price * self.quantity - self.discount + (0 if included else self.tax)
        return whole * units // self.quantity

    def tax_of(self, units: int) -> int:
        return self.tax * units // self.quantity


@dataclass
class Shop:
    """An order in the making."""

    currency: str
    presentment: str
    rate: Decimal
    included: bool
    shipping: int
    items: list[Item]
    paid: int = 0
    returned: int = 0
    shipping_named: int = 0
    shipping_returned: int = 0
    refunds: list[Refund] = field(default_factory=list)
    is_cancelled: bool = False

    def money(self, smallest_units: int) -> Amount:
        shop = Decimal(smallest_units).scaleb(-PLACES[self.currency])
        there = shop if self.presentment == self.currency else shop * self.rate
        unit = Decimal(1).scaleb(-PLACES[self.presentment])
        return Amount(shop, there.quantize(unit, ROUND_HALF_UP))

    def current(self) -> int:
        if self.is_cancelled:
            return 0
        return sum(item.worth(item.left, self.included) for item in self.items) + self.shipping - self.shipping_named


@st.composite
def shops(draw: st.DrawFn) -> tuple[Shop, Order]:
    currency = draw(st.sampled_from(sorted(PLACES)))
    presentment = draw(st.one_of(st.just(currency), st.sampled_from(sorted(PLACES))))
    shop = Shop(
        currency=currency,
        presentment=presentment,
        rate=draw(st.sampled_from(RATES)),
        included=draw(st.booleans()),
        shipping=draw(st.integers(0, 2000)),
        items=[draw(items(n)) for n in range(1, draw(st.integers(1, 4)) + 1)],
    )
    total = shop.current()
    shop.paid = draw(st.sampled_from([total, total, total, 0, total // 2]))
    for n in range(draw(st.integers(0, 5))):
        _happen(draw, shop, n)
    return shop, _order(draw, shop, total)


@st.composite
def items(draw: st.DrawFn, number: int) -> Item:
    quantity, price = draw(st.integers(1, 5)), draw(st.integers(0, 20000))
    discount = draw(st.integers(0, price * quantity))
    tax = (price * quantity - discount) * draw(st.sampled_from([0, 5, 20])) // 120
    return Item(number, quantity, price, discount, tax, left=quantity)


def _happen(draw: st.DrawFn, shop: Shop, n: int) -> None:
    what = draw(
        st.sampled_from(["edit out", "edit in", "refund", "refund", "goodwill", "shipping", "exchange", "cancel"])
    )
    if what == "edit out":
        item = draw(st.sampled_from(shop.items))
        item.left -= draw(st.integers(0, item.left))
    elif what == "edit in":
        shop.items.append(draw(items(100 + n)))
    elif what == "cancel":
        shop.is_cancelled = True
        for item in shop.items:
            item.left = 0
    elif what == "goodwill":
        _refund(shop, n, [], draw(st.integers(0, max(0, shop.paid - shop.returned))), 0)
    elif what == "shipping":
        named = draw(st.integers(0, max(0, min(shop.shipping - shop.shipping_named, shop.paid - shop.returned))))
        back = draw(st.sampled_from([named, named, named // 2, 0]))
        _refund(shop, n, [], back, named)
        shop.shipping_returned += back
    else:
        lines = [(item, draw(st.integers(0, item.left))) for item in shop.items if item.left]
        lines = [(item, units) for item, units in lines if units]
        worth = sum(item.worth(units, shop.included) for item, units in lines)
        money = 0 if what == "exchange" else draw(st.sampled_from([worth, worth, worth // 3, 0, worth + 7]))
        _refund(shop, n, lines, min(money, max(0, shop.paid - shop.returned)), 0)
        if what == "exchange":
            shop.items.append(draw(items(100 + n)))


def _refund(shop: Shop, n: int, lines: list[tuple[Item, int]], money: int, shipping: int) -> None:
    told = []
    for item, units in lines:
        item.left -= units
        item.refunded += units
        tax = item.tax_of(units)
        worth = item.worth(units, shop.included)
        told.append(RefundLine(item.id, units, shop.money(worth if shop.included else worth - tax), shop.money(tax)))
    shop.returned += money
    shop.shipping_named += shipping
    shop.refunds.append(Refund(n, AT, shop.money(money), shop.money(shipping), tuple(told)))


def _order(draw: st.DrawFn, shop: Shop, total: int) -> Order:
    if shop.returned:
        financial: str | None = "REFUNDED" if shop.returned == shop.paid else "PARTIALLY_REFUNDED"
    elif shop.paid and shop.paid >= total:
        financial = "PAID"
    else:
        financial = (
            "PARTIALLY_PAID"
            if shop.paid
            else draw(st.sampled_from(["PENDING", "AUTHORIZED", "VOIDED", "EXPIRED", None]))
        )
    current = shop.money(shop.current())
    return Order(
        id=1, name="#1", created_at=AT, processed_at=AT, updated_at=AT,
        currency=shop.currency, presentment_currency=shop.presentment,
        total=shop.money(total), current_total=current,
        outstanding=current.shop - shop.money(shop.paid - shop.returned).shop,
        taxes_included=shop.included, shipping=shop.money(shop.shipping + draw(st.sampled_from([0, 500]))),
        current_shipping=shop.money(shop.shipping - shop.shipping_named),
        current_tax=shop.money(sum(item.tax_of(item.left) for item in shop.items)),
        financial_status=financial,
        fulfilment_status=draw(st.sampled_from(["UNFULFILLED", "PARTIALLY_FULFILLED", "FULFILLED"])),
        cancelled_at=AT if shop.is_cancelled else None,
        lines=tuple(
            OrderLine(
                id=item.id, title="Thing", quantity=item.quantity, current_quantity=item.left, product_id=item.id,
                unit_price=shop.money(item.price), discount=shop.money(item.discount), tax=shop.money(item.tax),
            )
            for item in shop.items
        ),
        refunds=tuple(shop.refunds),
    )  # fmt: skip


def _rules(shop: Shop, **changed: Any) -> Rules:
    return Rules(store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency=shop.currency, **changed)


def _sent(order: Order, rules: Rules) -> dict[str, Any]:
    write = mapping.map_order(order, "uk:7", rules, Lane.REALTIME)
    assert write.body is not None
    sent: dict[str, Any] = json.loads(write.body, parse_float=Decimal, parse_int=Decimal)
    return sent


def _refunded(lines: list[dict[str, Any]]) -> Decimal:
    return sum((line.get("refunded", Decimal(0)) for line in lines), Decimal(0))


@given(shops())
def test_grand_total_less_refunded_lines_is_what_the_shop_kept(made: tuple[Shop, Order]) -> None:
    shop, order = made
    sent = _sent(order, _rules(shop))
    is_paid = order.financial_status in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")
    kept = shop.money(shop.paid - shop.returned if is_paid else shop.current()).shop
    assert sent["grand_total"] - _refunded(sent["lineitems"]) == kept
    assert mapping.net_revenue(order) == kept


@given(shops())
def test_no_line_is_refunded_more_than_went_back(made: tuple[Shop, Order]) -> None:
    shop, order = made
    lines = _sent(order, _rules(shop))["lineitems"]
    assert _refunded(lines) <= shop.money(shop.returned).shop
    worth: dict[str, Decimal] = {}
    for refund in order.refunds:
        for line in refund.lines:
            tax = Decimal(0) if order.taxes_included else line.tax.shop
            worth[f"uk:{line.line_id}"] = worth.get(f"uk:{line.line_id}", Decimal(0)) + line.subtotal.shop + tax
    for line in lines:
        if "refunded" in line:
            assert 0 <= line["refunded"] <= worth[line["product_id"]]


@given(shops())
def test_lines_are_what_is_left_and_what_was_refunded(made: tuple[Shop, Order]) -> None:
    shop, order = made
    lines = _sent(order, _rules(shop))["lineitems"]
    expected = [
        (f"uk:{item.id}", item.left + item.refunded, item.refunded)
        for item in shop.items
        if item.left + item.refunded > 0
    ]
    assert [(line["product_id"], line["quantity"], line.get("quantity_refunded", 0)) for line in lines] == expected


@given(shops(), st.sampled_from(["lines", "net"]))
def test_sums_add_up_in_every_currency(made: tuple[Shop, Order], style: str) -> None:
    shop, order = made
    rules = _rules(shop, refunds_style=style, reporting_currency="EUR", rates={"GBP": Decimal("1.17")})
    sent = _sent(order, rules)
    for totals in (sent, *sent["totals"].values()):
        assert totals["subtotal"] + totals["shipping"] + totals["tax"] == totals["grand_total"]
        assert totals["shipping"] >= 0
        assert totals["tax"] >= 0
    for line in sent["lineitems"]:
        for totals in (line, *line.get("totals", {}).values()):
            assert totals["subtotal"] + totals["tax"] == totals["total"]


@given(shops())
def test_refunded_shipping_lowers_shipping(made: tuple[Shop, Order]) -> None:
    shop, order = made
    sent = _sent(order, _rules(shop))
    left = shop.money(shop.shipping - shop.shipping_returned).shop
    assert sent["shipping"] == max(0, min(left, sent["grand_total"]))


@given(shops())
def test_the_customers_currency_adds_up_too(made: tuple[Shop, Order]) -> None:
    shop, order = made
    sent = _sent(order, _rules(shop))
    local = sent["totals"]["local"]
    lines = [line.get("totals", {}).get("local", line) for line in sent["lineitems"]]
    if shop.presentment == shop.currency:
        assert local["grand_total"] == sent["grand_total"]
    rate = order.total.presentment / order.total.shop if order.total.shop else Decimal(1)
    back = order.outstanding * rate if order.financial_status in mapping.PAID else Decimal(0)
    kept = order.current_total.presentment - back
    half = Decimal(1).scaleb(-PLACES[shop.presentment]) / 2
    assert abs(local["grand_total"] - _refunded(lines) - kept) <= half


@given(shops())
def test_the_net_style_names_no_refund(made: tuple[Shop, Order]) -> None:
    shop, order = made
    sent = _sent(order, _rules(shop, refunds_style="net"))
    assert sent["grand_total"] == mapping.net_revenue(order)
    assert not any("refunded" in line or "quantity_refunded" in line for line in sent["lineitems"])
    assert [line["quantity"] for line in sent["lineitems"]] == [item.left for item in shop.items if item.left]


@given(shops())
def test_every_amount_has_exactly_its_currencys_decimals(made: tuple[Shop, Order]) -> None:
    shop, order = made
    sent = _sent(order, _rules(shop))
    names = ("subtotal", "discount", "shipping", "tax", "grand_total")
    for totals, currency in ((sent, shop.currency), (sent["totals"]["local"], shop.presentment)):
        assert {totals[name].as_tuple().exponent for name in names} == {-PLACES[currency]}
    for line in sent["lineitems"]:
        given_ = [
            line[name] for name in ("unit_price", "subtotal", "discount", "tax", "total", "refunded") if name in line
        ]
        assert {amount.as_tuple().exponent for amount in given_} == {-PLACES[shop.currency]}


@given(shops())
def test_the_scale_an_amount_arrived_with_changes_nothing(made: tuple[Shop, Order]) -> None:
    shop, order = made
    rules = _rules(shop, reporting_currency=shop.currency)
    shortest = msgspec.convert(_shortened(msgspec.to_builtins(order)), Order)
    assert shortest == order
    assert (
        mapping.map_order(shortest, None, rules, Lane.REPAIR).body
        == mapping.map_order(order, None, rules, Lane.REPAIR).body
    )


def _shortened(value: Any) -> Any:
    """The same value with amounts as GraphQL writes them: 15.00 as 15.0."""
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner) for inner in value]
    if isinstance(value, str) and value.replace(".", "").replace("-", "").isdigit() and "T" not in value:
        return format(Decimal(value).normalize(), "f")
    return value


@given(shops(), st.sampled_from(["placed", "paid"]), st.booleans(), st.booleans())
def test_statuses_follow_the_table(
    made: tuple[Shop, Order], valid_when: str, count_retained_cancelled: bool, is_deleted: bool
) -> None:
    shop, order = made
    rules = _rules(shop, valid_when=valid_when, count_retained_cancelled=count_retained_cancelled)
    status, is_valid = mapping.order_status(order, rules, is_deleted=is_deleted)
    financial, kept = order.financial_status, mapping.net_revenue(order)
    was_paid = financial in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")
    if is_deleted or order.cancelled_at or financial in ("VOIDED", "EXPIRED"):
        expected = "cancelled", count_retained_cancelled and was_paid and kept > 0
    elif financial == "REFUNDED" or (order.refunds and kept <= 0):
        expected = "refunded", False
    elif order.refunds and (was_paid or shop.returned):
        expected = "partial_refund", True
    elif financial in ("PENDING", "PARTIALLY_PAID", None):
        expected = "pending", valid_when == "placed"
    else:
        names = {"FULFILLED": "complete", "PARTIALLY_FULFILLED": "partially_shipped", "UNFULFILLED": "processing"}
        expected = names[order.fulfilment_status], True
    assert (status, is_valid) == expected


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), max_size=12))
def test_shares_are_exact_and_proportional(money: int, amounts: list[int]) -> None:
    given_ = refunds.split_amount(Decimal(money), [Decimal(amount) for amount in amounts], Decimal(1))
    assert sum(given_) == min(money, sum(amounts))
    for share, amount in zip(given_, amounts, strict=True):
        assert 0 <= share <= amount
        if money < sum(amounts):
            assert abs(share - Decimal(money) * amount / sum(amounts)) < 1
