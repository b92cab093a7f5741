"""The simulated shop's own executor answers exactly what graphql-core's would, field by field."""

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import (
    execute_sync,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
    is_object_type,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from admin_api import Admin
from sims.shopify import schema
from sims.shopify.run import Run
from sims.shopify.schema import reader, snake
from sims.shopify.throttle import Bucket
from sims.shopify.views.mutation import Mutation
from sims.shopify.views.query import QueryRoot
from sims.shopify.views.registry import VIEWS, view_of
from sims.shopify.views.sight import Sight

SMALL = {"MoneyBag", "MoneyV2", "PageInfo", "Image", "TaxLine", "DiscountAllocation", "MailingAddress", "Count"}


@pytest.fixture(scope="module")
def admin() -> Admin:
    return Admin.open()


def everything(kind: Any, depth: int, above: frozenset[str], pick: Any = None) -> str:
    """Write a selection of all fields of a type (or those `pick` takes), as deep as told and never into itself."""
    own = schema.load()
    parts = ["__typename"]
    if is_abstract_type(kind):
        for each in own.get_possible_types(kind):
            if each.name not in above and each.name in VIEWS:
                parts.append(f"... on {each.name} {everything(each, depth, above, pick)}")
        return "{ " + " ".join(parts) + " }"
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        if any(is_non_null_type(each.type) for each in field.args.values()) or (pick and not pick(name)):
            continue
        arguments = "(first: 3)" if named.name.endswith("Connection") else ""
        if is_leaf_type(named):
            parts.append(name)
        elif depth > 0 and named.name not in above and named.name != "Node":
            inner = above if named.name in SMALL else above | {named.name}
            parts.append(f"{name}{arguments} {everything(named, depth - 1, inner, pick)}")
    return "{ " + " ".join(parts) + " }"


def by_graphql_core(admin: Admin, query: str, variables: dict[str, Any]) -> Any:
    scopes = admin.shopify.scopes()
    sight = Sight(admin.shopify.world, admin.store, admin.clock.now(), Run({}, scopes), scopes)

    def read(source: Any, info: Any, **arguments: Any) -> Any:
        if source is None:
            source = QueryRoot(sight)
        told, _ = reader(view_of(info.parent_type.name), info.field_name)
        return told(source, {snake(name): value for name, value in arguments.items()})

    def kind_of(value: Any, *_: Any) -> str:
        name: str = value["__typename"] if isinstance(value, Mapping) else value.type_name
        return name

    done = execute_sync(
        schema.load(), parse(query), variable_values=variables, field_resolver=read, type_resolver=kind_of
    )
    assert done.errors is None, done.errors
    return done.data


def ids(admin: Admin, kind: str, n: int = 12) -> list[str]:
    records = {"Order": admin.store.orders, "Customer": admin.store.customers, "Product": admin.store.products}[kind]
    return [f"gid://shopify/{kind}/{number}" for number in list(records)[:n]]


@pytest.fixture
def rich(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """A shop whose bucket and single query know no end, so that everything can be asked at once."""
    monkeypatch.setattr("sims.shopify.answer.SINGLE_QUERY_MAX", 10**9)
    monkeypatch.setattr(Bucket, "take", lambda *_: True)
    return admin


@pytest.mark.parametrize("kind", ["Order", "Customer", "Product"])
def test_all_fields_of_a_record_read_as_graphql_core_reads_them(rich: Admin, kind: str) -> None:
    selection = everything(schema.load().type_map[kind], 4, frozenset({kind}))
    query = f"query All($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {kind} {selection} }} }}"
    variables = {"ids": ids(rich, kind)}
    assert rich.data(query, variables) == by_graphql_core(rich, query, variables)


@given(
    letters=st.sets(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1),
    kind=st.sampled_from(["Order", "Customer"]),
)
def test_any_choice_of_fields_reads_as_graphql_core_reads_it(letters: set[str], kind: str) -> None:
    admin = _SHOP
    selection = everything(schema.load().type_map[kind], 2, frozenset({kind}), lambda name: name[0] in letters)
    query = f"query Some($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {kind} {selection} }} }}"
    variables = {"ids": ids(admin, kind, 3)}
    admin.clock.advance(60)
    answer = admin.ask(query, variables)
    if "data" in answer:  # else too dear
        assert answer["data"] == by_graphql_core(admin, query, variables)


_SHOP = Admin.open(10, 20, 10)


def test_every_field_of_the_schema_has_an_answer() -> None:
    missing = []
    for kind in schema.load().type_map.values():
        view = view_of(kind.name)
        if not is_object_type(kind) or kind.name.startswith("__") or view is None:
            continue
        for name in kind.fields:
            try:
                reader(view, name)
            except AttributeError as error:
                missing.append(str(error))
    assert not missing, missing
    assert {"QueryRoot", "Mutation"} == {QueryRoot.type_name, Mutation.type_name}


def test_directives_fragments_and_aliases_are_understood(admin: Admin) -> None:
    query = """
      query Parts($short: Boolean!, $id: ID!) {
        order(id: $id) { ...Name  note @skip(if: $short)  again: name @include(if: $short) }
      }
      fragment Name on Order { name ... on Node { id } }
    """
    first = next(iter(admin.store.orders.values()))
    gid = f"gid://shopify/Order/{first.id}"
    assert admin.data(query, {"short": True, "id": gid})["order"] == {
        "name": first.name,
        "id": gid,
        "again": first.name,
    }
    assert admin.data(query, {"short": False, "id": gid})["order"] == {
        "name": first.name,
        "id": gid,
        "note": first.note,
    }


def test_introspection_is_answered(admin: Admin) -> None:
    told = admin.data('{ __type(name: "UserError") { fields { name } } }')
    assert [each["name"] for each in told["__type"]["fields"]] == ["field", "message"]


def test_what_is_not_there_is_null_and_keeps_its_place(admin: Admin) -> None:
    known = ids(admin, "Order", 1)[0]
    told = admin.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["gid://shopify/Order/1", known]})
    assert told == {"nodes": [None, {"id": known}]}
