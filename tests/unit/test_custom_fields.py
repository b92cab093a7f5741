"""Custom fields become properties by the mapping file: what is cleared, left alone, cut, and whose word counts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.mapping import contact, custom, product
from isthmus.mapping.custom import TypeMismatch
from isthmus.mapping.rules import MetafieldRule, Rules, WriteMode
from isthmus.model.customer import Customer
from isthmus.model.customer_metrics import NOTHING
from isthmus.model.lane import Lane
from isthmus.model.metafield import Metafield
from isthmus.model.product import Product, Variant
from isthmus.model.shared_property import UNHELD, SharedProperty
from isthmus.model.write import Write
from isthmus.ometria import wire
from isthmus.shopify.parse import metafield

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
TEXT, LIST = "single_line_text_field", "list.single_line_text_field"


def rules(*entries: MetafieldRule, **more: Any) -> Rules:
    base: dict[str, Any] = {
        "store": "uk", "namespace": "uk:", "domain": "acme-uk.myshopify.com", "currency": "GBP",
        "contact_properties": frozenset({"tags"}), "hold_for": {},
    }  # fmt: skip
    return Rules(metafields=entries, **(base | more))


def entry(key: str = "custom.skin", type_: str = TEXT, name: str = "skin", **more: Any) -> MetafieldRule:
    return MetafieldRule(more.pop("owner", "customer"), key, type_, name, **more)


def told(key: str = "custom.skin", type_: str = TEXT, value: str = "dry") -> Metafield:
    return metafield.parse_metafield(key, type_, value)


def customer(*fields: Metafield, tags: tuple[str, ...] = ()) -> Customer:
    return Customer(1, AT, AT, email="a@example.com", tags=tags, is_read=True, metafields=fields or None)


def mapped(one: Customer, by: Rules, held: SharedProperty = UNHELD) -> Write:
    return contact.map_contact(
        one, "uk:1", by, Lane.ENRICHMENT, worth=NOTHING, email_consent=None, sms_consent=None, was_opted_in=False,
        held=held,
    )  # fmt: skip


def said(write: Write) -> dict[str, Any]:
    assert write.body is not None
    found: dict[str, Any] = msgspec.json.decode(write.body).get("properties", {})
    return found


@pytest.mark.parametrize(
    ("type_", "value", "property_"),
    [
        (TEXT, " dry ", "dry"),
        ("number_integer", "12", 12),
        ("number_decimal", "10.50", 10.5),
        ("boolean", "false", False),
        ("date", "2026-02-28", "2026-02-28"),
        (LIST, '["silk","wool"]', "silk,wool"),
        ("list.number_integer", "[1]", "1"),
        ("product_reference", "gid://shopify/Product/7", "uk:7"),
        ("customer_reference", "gid://shopify/Customer/7", "Customer/7"),
        (TEXT, "", None),
    ],
)
def test_a_field_is_written_by_its_form(type_: str, value: str, property_: object) -> None:
    write = mapped(customer(told(type_=type_, value=value)), rules(entry(type_=type_)))
    assert said(write)["skin"] == property_


def test_a_field_that_is_gone_clears_its_property() -> None:
    gone = Metafield("custom.skin", is_gone=True)
    assert said(mapped(customer(gone), rules(entry()))) == {"skin": None, "tags": None}
    assert said(mapped(customer(gone), rules(entry(), clear="omit"))) == {}
    emptied = told(value="")
    assert said(mapped(customer(emptied), rules(entry())))["skin"] is None


def test_a_field_that_was_never_there_is_not_cleared() -> None:
    """Else a mapping file's first day would send everybody who has nothing to say."""
    assert "skin" not in said(mapped(customer(Metafield("custom.skin")), rules(entry())))


def test_a_field_that_was_never_read_is_left_alone() -> None:
    assert "skin" not in said(mapped(customer(told("custom.other")), rules(entry())))
    assert "skin" not in said(mapped(customer(), rules(entry())))


def test_a_field_of_another_type_is_left_alone_and_told() -> None:
    field, by = told(type_="number_integer", value="3"), rules(entry())
    assert "skin" not in said(mapped(customer(field), by))
    assert custom.type_mismatches([field], "customer", by) == [TypeMismatch("custom.skin", TEXT, "number_integer")]
    unreadable = told(type_="number_integer", value="many")
    assert custom.type_mismatches([unreadable], "customer", rules(entry(type_="number_integer")))
    assert not custom.type_mismatches([Metafield("custom.skin")], "customer", by)


def test_the_length_of_an_entry_cuts_the_last_of_a_list_and_the_end_of_a_text() -> None:
    write = mapped(customer(told(type_=LIST, value='["silk","wool","linen"]')), rules(entry(type_=LIST, room=9)))
    assert (said(write)["skin"], write.n_cut) == ("silk,wool", 1)
    write = mapped(customer(told(value="very dry indeed")), rules(entry(room=8)))
    assert (said(write)["skin"], write.n_cut) == ("very dry", 1)


def test_tags_are_cut_before_custom_fields_and_those_before_metrics() -> None:
    """SEMANTICS of a contact's 1,000 characters: tags, the last mapped field, the one before, metrics last."""
    fields = [told(f"custom.f{n}", TEXT, "x" * 200) for n in range(6)]
    by = rules(
        *(entry(f"custom.f{n}", TEXT, f"f{n}") for n in range(6)), contact_properties=frozenset({"n_orders", "tags"})
    )
    write = mapped(customer(*fields, tags=("a", "b")), by)
    properties = said(write)
    assert sorted(properties) == ["f0", "f1", "f2", "f3", "n_orders"]
    assert write.n_cut == 2 + 2  # both tags, f5 and f4
    assert wire.properties_size(properties) <= 999
    roomier = mapped(customer(*fields[:4], tags=tuple(f"tag{n:02}" for n in range(30))), by)
    assert sorted(said(roomier)) == ["f0", "f1", "f2", "f3", "n_orders", "tags"]
    assert roomier.n_cut > 0


@given(st.lists(st.text(max_size=300), max_size=12), st.lists(st.text(min_size=1, max_size=40), max_size=20))
def test_a_contact_always_fits_and_no_field_survives_one_before_it(values: list[str], tags: list[str]) -> None:
    fields = [Metafield(f"custom.f{n}", TEXT, custom.Form.TEXT, (value,)) for n, value in enumerate(values)]
    by = rules(*(entry(f"custom.f{n}", TEXT, f"f{n:02}") for n in range(len(values))))
    properties = said(mapped(customer(*fields, tags=tuple(tags)), by))
    assert wire.properties_size(properties) <= 999
    kept = [f"f{n:02}" in properties for n in range(len(values))]
    assert kept == sorted(kept, reverse=True)
    if not all(kept):
        assert "tags" not in properties


# Modes ---------------------------------------------------------------------------------------------------------------

NEW = UNHELD
UNSEEN = SharedProperty(None, {}, is_sent=True)


def kept(mode: WriteMode, value: str, held: SharedProperty) -> object:
    """What a property of this mode would say; "left" where nothing is said of it."""
    field = told(value=value) if value else Metafield("custom.skin")
    return custom.map_properties([field], "customer", rules(entry(mode=mode)), held).properties.get("skin", "left")


def seen(theirs: object, ours: object = None) -> SharedProperty:
    return SharedProperty({"skin": theirs}, {} if ours is None else {"skin": ours}, is_sent=True)


@pytest.mark.parametrize(
    ("mode", "value", "held", "wanted"),
    [
        (WriteMode.IF_NEW, "dry", NEW, "dry"),
        (WriteMode.IF_NEW, "", NEW, "left"),
        (WriteMode.IF_NEW, "dry", UNSEEN, "left"),
        (WriteMode.IF_NEW, "oily", seen(None, "dry"), "dry"),
        (WriteMode.IF_NEW, "", seen(None, "dry"), "dry"),
        (WriteMode.IF_NEW, "dry", seen(None), "left"),
        (WriteMode.IF_NEW, "dry", seen("theirs"), "theirs"),
        (WriteMode.IF_NEW, "dry", seen("theirs", "dry"), "theirs"),
        (WriteMode.IF_EMPTY, "dry", NEW, "dry"),
        (WriteMode.IF_EMPTY, "dry", UNSEEN, "left"),
        (WriteMode.IF_EMPTY, "dry", seen(None), "dry"),
        (WriteMode.IF_EMPTY, "dry", seen("oily"), "oily"),
        (WriteMode.IF_EMPTY, "oily", seen(None, "dry"), "oily"),
        (WriteMode.IF_EMPTY, "oily", seen("theirs", "dry"), "theirs"),
        (WriteMode.IF_EMPTY, "", seen(None, "dry"), None),
        (WriteMode.IF_EMPTY, "", seen(None), "left"),
        (WriteMode.APPEND, "dry", NEW, "dry"),
        (WriteMode.APPEND, "dry", UNSEEN, "left"),
        (WriteMode.APPEND, "dry", seen("vip,old"), "vip,old,dry"),
        (WriteMode.APPEND, "vip", seen("vip"), "vip"),
        (WriteMode.APPEND, "oily", seen("vip", "dry"), "vip,oily"),
        (WriteMode.APPEND, "", seen("vip", "dry"), "vip"),
        (WriteMode.APPEND, "", seen(None, "dry"), None),
        (WriteMode.APPEND, "", seen("vip"), "vip"),
    ],
)
def test_a_mode_looks_at_what_is_there(mode: WriteMode, value: str, held: SharedProperty, wanted: object) -> None:
    assert kept(mode, value, held) == wanted


def ours(by: Rules, value: str, held: SharedProperty, *cut: str) -> dict[str, object] | None:
    field = told(value=value) if value else Metafield("custom.skin")
    own = custom.map_properties([field], "customer", by, held)
    return custom.own_values(held, own, {name: one for name, one in own.properties.items() if name not in cut})


def test_what_we_put_there_is_remembered_and_forgotten_with_it() -> None:
    by = rules(entry(mode=WriteMode.IF_EMPTY))
    assert ours(by, "dry", UNHELD) == {"skin": "dry"}
    assert ours(by, "dry", UNHELD, "skin") is None, "it was cut"
    assert ours(by, "dry", seen(None, "dry")) is None
    assert ours(by, "", seen(None, "dry")) == {}
    assert ours(by, "oily", seen("theirs", "dry")) is None
    assert ours(rules(entry()), "dry", UNHELD) is None, "what is overwritten need not be remembered"
    assert ours(rules(entry(mode=WriteMode.APPEND)), "dry", seen("vip,dry")) is None, "others said it before us"
    assert ours(rules(entry(mode=WriteMode.APPEND)), "dry", seen("vip")) == {"skin": "dry"}
    assert mapped(customer(told()), by).ours == {"skin": "dry"}


@pytest.mark.parametrize(
    ("there", "ours", "mode", "wanted"),
    [
        ("dry", "dry", WriteMode.IF_EMPTY, None),
        ("12", Decimal(12), WriteMode.IF_EMPTY, None),
        ("True", True, WriteMode.IF_EMPTY, None),
        ("oily", "dry", WriteMode.IF_EMPTY, "oily"),
        ("", "dry", WriteMode.IF_EMPTY, None),
        (None, "dry", WriteMode.IF_NEW, None),
        ("vip,dry", "dry", WriteMode.APPEND, "vip"),
        (["vip", "dry"], "dry", WriteMode.APPEND, "vip"),
        ("dry", "dry", WriteMode.APPEND, None),
    ],
)
def test_a_reading_tells_what_others_put_there(there: object, ours: object, mode: WriteMode, wanted: object) -> None:
    assert custom.foreign_values(there, ours, mode) == wanted


WORDS = st.sampled_from(["dry", "oily", "vip", "old", "", "vip,old"])


@pytest.mark.parametrize("mode", [WriteMode.IF_NEW, WriteMode.IF_EMPTY, WriteMode.APPEND])
@given(data=st.data())
def test_any_history_of_a_shared_property_keeps_what_others_put_there(mode: WriteMode, data: st.DataObject) -> None:
    """The shop says one thing after the other, others write in between, and now and then Ometria is looked at."""
    type_ = LIST if mode is WriteMode.APPEND else TEXT
    by = rules(entry("custom.skin", type_, mode=mode))
    there: str = data.draw(st.one_of(st.just(""), WORDS))
    held = NEW if not there else SharedProperty({"skin": there}, {}, is_sent=False)
    for _ in range(data.draw(st.integers(1, 6))):
        value = data.draw(WORDS)
        raw = msgspec.json.encode([w for w in value.split(",") if w]).decode() if mode is WriteMode.APPEND else value
        field = told(type_=type_, value=raw) if value else Metafield("custom.skin")
        own = custom.map_properties([field], "customer", by, held)
        again = custom.map_properties([field], "customer", by, held)
        assert own == again
        kept_before = custom.own_values(held, own, own.properties)
        theirs_before = (held.theirs or {}).get("skin")
        there = str(own.properties.get("skin") or "")  # a push replaces the whole record
        held = SharedProperty(held.theirs, held.ours if kept_before is None else kept_before, is_sent=True)
        for word in str(theirs_before or "").split(","):
            assert word in there.split(",") if mode is WriteMode.APPEND and word else True
        if mode is not WriteMode.APPEND and theirs_before:
            assert there == theirs_before
        if data.draw(st.booleans()):  # somebody else writes
            there = data.draw(WORDS)
        found = custom.foreign_values(there or None, held.ours.get("skin"), mode)
        held = SharedProperty({} if found is None else {"skin": found}, held.ours, is_sent=True)


# Products ------------------------------------------------------------------------------------------------------------


def test_a_product_and_its_variants_have_their_own() -> None:
    by = rules(
        entry("custom.material", LIST, "material", owner="product", is_attribute=True),
        entry("custom.care", TEXT, "care", owner="product"),
        entry("custom.fit", TEXT, "fit", owner="variant"),
    )
    page = Product(
        7, "Shirt", "shirt", "ACTIVE", AT, AT, AT, variants=(
            Variant(71, "S", Decimal("10.00"), metafields=(told("custom.fit", TEXT, "slim"),)),
            Variant(72, "M", Decimal("10.00"), metafields=(Metafield("custom.fit", is_gone=True),)),
        ),
        metafields=(told("custom.material", LIST, '["Wool","Silk"]'), told("custom.care", TEXT, "cold")),
    )  # fmt: skip
    parent, small, medium = (
        msgspec.json.decode(write.body) for write in product.map_product(page, by, Lane.ENRICHMENT)
    )
    assert parent["properties"] == {"care": "cold"}
    assert {"type": "material", "id": "wool", "label": "Wool"} in parent["attributes"]
    assert small["properties"] == {"parent_id": "uk:7", "fit": "slim"}
    assert medium["properties"] == {"parent_id": "uk:7", "fit": None}


def test_the_properties_of_a_product_fit_too() -> None:
    by = rules(*(entry(f"custom.f{n}", TEXT, f"f{n}", owner="variant") for n in range(3)))
    fields = tuple(told(f"custom.f{n}", TEXT, "x" * 450) for n in range(3))
    page = Product(
        7, "Shirt", "shirt", "ACTIVE", AT, AT, AT, variants=(Variant(71, "S", Decimal("10.00"), metafields=fields),)
    )
    _, variant = product.map_product(page, by, Lane.ENRICHMENT)
    assert sorted(said(variant)) == ["f0", "f1", "parent_id"]
    assert variant.n_cut == 1
