"""Every type of custom field is read into a form and plain text, and what is not of its type is not guessed."""

import pytest

from isthmus.model.metafield import Form, Metafield, overlay_metafields
from isthmus.shopify.parse import metafield
from isthmus.shopify.parse.metafield import Node


def _text(words: str) -> str:
    return f'{{"type":"text","value":"{words}"}}'


def _part(kind: str, *children: str) -> str:
    return f'{{"type":"{kind}","children":[{",".join(children)}]}}'


RICH = _part(
    "root",
    _part("paragraph", _text("Soft "), _text("wool")),
    _part("list", _part("list-item", _text("a")), _part("list-item", _text("b"))),
)


@pytest.mark.parametrize(
    ("type_", "value", "form", "values"),
    [
        ("single_line_text_field", "dry", Form.TEXT, ("dry",)),
        ("single_line_text_field", "", Form.TEXT, ()),
        ("number_integer", "-12", Form.NUMBER, ("-12",)),
        ("number_decimal", "10.50", Form.NUMBER, ("10.50",)),
        ("number_decimal", "1E+3", Form.NUMBER, ("1000",)),
        ("boolean", "true", Form.FLAG, ("true",)),
        ("date", "2026-02-28", Form.DAY, ("2026-02-28",)),
        ("date_time", "2026-02-28T12:00:00+02:00", Form.TIME, ("2026-02-28T10:00:00Z",)),
        ("date_time", "2026-02-28T12:00:00", Form.TIME, ("2026-02-28T12:00:00Z",)),
        ("money", '{"amount":"5.99","currency_code":"GBP"}', Form.NUMBER, ("5.99",)),
        ("rating", '{"value":"3.5","scale_min":"1.0","scale_max":"5.0"}', Form.NUMBER, ("3.5",)),
        ("weight", '{"value":2.50,"unit":"KILOGRAMS"}', Form.TEXT, ("2.50 kilograms",)),
        ("json", '{"b": 1.10, "a": [true]}', Form.TEXT, ('{"a":[true],"b":1.10}',)),
        ("link", '{"text":"Size guide","url":"https://acme.example/size"}', Form.TEXT, ("https://acme.example/size",)),
        ("rich_text_field", RICH, Form.TEXT, ("Soft wool\na\nb",)),
        ("product_reference", "gid://shopify/Product/7", Form.REFERENCE, ("Product/7",)),
        ("list.single_line_text_field", '["wool","silk"]', Form.TEXT, ("wool", "silk")),
        ("list.number_integer", "[1,2]", Form.NUMBER, ("1", "2")),
        ("list.number_decimal", '["1.10",2.20]', Form.NUMBER, ("1.10", "2.20")),
        ("list.date", '["2026-02-28"]', Form.DAY, ("2026-02-28",)),
        ("list.weight", '[{"value":2,"unit":"g"}]', Form.TEXT, ("2 g",)),
        ("list.metaobject_reference", '["gid://shopify/Metaobject/3"]', Form.REFERENCE, ("Metaobject/3",)),
    ],
)
def test_a_value_is_read_by_its_type(type_: str, value: str, form: Form, values: tuple[str, ...]) -> None:
    read = metafield.parse_metafield("custom.x", type_, value)
    assert read == Metafield("custom.x", type_, form, values, type_.startswith("list."))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("number_integer", "1.5"),
        ("number_integer", "many"),
        ("number_decimal", "NaN"),
        ("boolean", "yes"),
        ("date", "28.2.2026"),
        ("money", "5.99"),
        ("rating", "{}"),
        ("json", "{"),
        ("product_reference", "7"),
        ("list.number_integer", "[1.5]"),
        ("list.single_line_text_field", '"wool"'),
        ("list.single_line_text_field", "[1]"),
        ("some_new_type", "x"),
    ],
)
def test_what_is_not_of_its_type_has_no_form(type_: str, value: str) -> None:
    assert metafield.parse_metafield("custom.x", type_, value) == Metafield("custom.x", type_)


def test_every_key_that_was_asked_for_is_answered_whatever_way_it_is_told() -> None:
    nodes = [
        Node("custom", "custom.skin", "single_line_text_field", "dry"),
        Node("loyalty", "Points", "number_integer", "3"),
    ]
    told = metafield.requested_metafields(nodes, ("loyalty.points", "custom.none", "custom.skin"))
    assert [(field.key, field.values) for field in told] == [
        ("loyalty.points", ("3",)),
        ("custom.none", ()),
        ("custom.skin", ("dry",)),
    ]
    assert told[1].type is None


def test_what_was_not_told_stays_as_it_was() -> None:
    a, b, newer = Metafield("a.a", "json"), Metafield("b.b"), Metafield("b.b", "date")
    assert overlay_metafields((a, b), (newer,)) == (a, newer)
    assert overlay_metafields((a,), None) == (a,)
    assert overlay_metafields((newer,), (Metafield("b.b"),)) == (Metafield("b.b", is_gone=True),)
    assert overlay_metafields((Metafield("b.b", is_gone=True),), (Metafield("b.b"),)) == (
        Metafield("b.b", is_gone=True),
    )
    assert overlay_metafields((Metafield("b.b"),), (Metafield("b.b"),)) == (b,)
    assert overlay_metafields(None, None) is None
