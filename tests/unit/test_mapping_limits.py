"""What does not fit is cut by rule, counted, or refused with a code; what is unknown is never an opt-in."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from isthmus.mapping import fields, order, product
from isthmus.mapping.consent_fields import TABLE, Permission, map_consent
from isthmus.mapping.rules import Rules
from isthmus.model.consent import Stance
from isthmus.model.customer import ChannelConsent
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.order import Address, Amount, Order, OrderLine
from isthmus.model.product import Product, Variant
from isthmus.ometria import limits, wire

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULES = Rules(store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency="GBP")


def _money(text: str) -> Amount:
    return Amount(Decimal(text), Decimal(text))


def _order(n_lines: int, *, product_id: int | None = 5, presentment: str = "GBP", tags: tuple[str, ...] = ()) -> Order:
    total = _money(f"{n_lines}.00")
    lines = tuple(
        OrderLine(n, f"Thing {n} " + "x" * 70, 1, 1, _money("1.00"), product_id=product_id)
        for n in range(1, n_lines + 1)
    )
    return Order(
        id=1, name="#1", created_at=AT, processed_at=AT, updated_at=AT,
        currency="GBP", presentment_currency=presentment,
        total=total, current_total=total, outstanding=Decimal("0.00"), lines=lines, financial_status="PAID",
        shipping_address=Address("London"), tags=tags,
    )  # fmt: skip


def _mapped(given: Order) -> tuple[wire.OrderBody, int]:
    write = order.map_order(given, None, RULES, Lane.REALTIME)
    assert write.body is not None
    assert len(write.body) <= limits.RECORD_BYTES
    return msgspec.json.decode(write.body, type=wire.OrderBody), write.n_cut


def test_an_order_with_room_is_not_cut() -> None:
    record, n_cut = _mapped(_order(100, tags=("vip",)))
    assert n_cut == 0
    assert record.properties is not None
    assert record.shipping_address is not None


def test_an_order_loses_its_properties_first() -> None:
    record, n_cut = _mapped(_order(546, tags=("vip",)))  # 110 bytes a line: 60,000 are passed by its properties alone
    assert record.properties is None
    assert record.shipping_address is not None
    assert n_cut == 3


def test_an_order_in_two_currencies_loses_line_totals_next_and_keeps_its_own() -> None:
    record, n_cut = _mapped(_order(300, presentment="EUR"))
    assert {line.totals for line in record.lineitems} == {None}
    assert record.totals is not None
    assert n_cut == 302


def test_an_order_that_cannot_fit_is_refused_with_a_code() -> None:
    with pytest.raises(RejectedError) as refused:
        _mapped(_order(700))
    assert refused.value.code == "integration.record_too_large"


def test_titles_of_custom_lines_share_the_room_of_the_orders_properties() -> None:
    record, n_cut = _mapped(_order(20, product_id=None, tags=tuple(f"tag-{n:03d}" for n in range(150))))
    told = [line.properties for line in record.lineitems if line.properties]
    assert told
    assert len(told) < 20
    assert n_cut > 20 - len(told)
    assert record.properties is not None
    assert wire.properties_size(record.properties) + sum(map(wire.properties_size, told)) <= limits.PROPERTIES_BYTES
    assert record.properties["financial_status"] == "paid"


def test_custom_lines_alike_share_one_placeholder_that_names_nobody() -> None:
    line = OrderLine(1, "Engraving for Ada", 1, 1, _money("5.00"))
    other = OrderLine(2, "Engraving for Ada", 3, 3, _money("7.00"))
    assert order.placeholder_product_id(line, RULES) == order.placeholder_product_id(other, RULES)
    assert "Ada" not in order.placeholder_product_id(line, RULES)
    assert order.placeholder_product_id(line, RULES) != order.placeholder_product_id(
        msgspec.structs.replace(line, sku="ENG"), RULES
    )


def test_a_product_keeps_vendor_and_options_and_loses_tags() -> None:
    huge = Product(
        1, "Shirt", "shirt", "ACTIVE", AT, AT, AT, vendor="Acme",
        tags=tuple(f"tag {n} " + "x" * 200 for n in range(250)),
        variants=(Variant(2, "M", Decimal(1), options=(("Size", "M"),)),),
    )  # fmt: skip
    write = product.map_product(huge, RULES, Lane.ENRICHMENT)[0]
    assert write.body is not None
    record = msgspec.json.decode(write.body, type=wire.ProductBody)
    assert [(attribute.type, attribute.label) for attribute in record.attributes] == [("vendor", "Acme"), ("size", "M")]
    assert write.n_cut == 250


def test_properties_count_bytes_so_that_no_accent_is_one_too_many() -> None:
    fitted = fields.fit_properties({"first": "é" * 300, "second": "é" * 300})
    assert list(fitted.properties) == ["first"]
    assert fitted.n_cut == 1


@pytest.mark.parametrize(
    ("number", "country", "written"),
    [
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 20 7946 0018", None, "+442079460018"),
        ("+1 (212) 555-0175", "GB", "+12125550175"),
        ("020 7946 0018", None, None),
        ("12345", "GB", None),
        ("not a number", "GB", None),
        ("020 7946 0018", "??", None),
        ("", "GB", None),
        (None, "GB", None),
    ],
)
def test_phones_are_written_as_e164_or_not_at_all(number: str | None, country: str | None, written: str | None) -> None:
    assert fields.map_phone(number, country) == written


def test_times_are_written_in_utc_without_fractions() -> None:
    given = datetime.fromisoformat("2026-05-01T14:00:00.123456+02:00")
    assert fields.to_utc(given).isoformat() == "2026-05-01T12:00:00+00:00"


@pytest.mark.parametrize("state", ["SOMETHING_NEW", "", "subscribed"])
def test_an_unknown_consent_state_is_a_case_and_never_sent(state: str) -> None:
    with pytest.raises(RejectedError) as refused:
        map_consent(ChannelConsent(state), was_opted_in=False, live_since=AT)
    assert refused.value.code == "storefront.consent_unknown_state"


def test_only_subscribed_opts_in() -> None:
    assert [state for state, stance in TABLE.items() if stance is Stance.IN] == ["SUBSCRIBED"]


def test_an_opt_in_at_the_very_moment_of_going_live_starts_no_welcome() -> None:
    given = map_consent(ChannelConsent("SUBSCRIBED", updated_at=AT), was_opted_in=True, live_since=AT)
    assert given == Permission(Stance.IN)
