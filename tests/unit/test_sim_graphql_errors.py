"""What the simulated shop says of calls that are wrong: the shapes are those of captured answers."""

from typing import Any

import pytest

from admin_api import Admin


@pytest.fixture(scope="module")
def admin() -> Admin:
    return Admin.open(4, 4, 2)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "query Q { shop { nope } }",
            {
                "message": "Field 'nope' doesn't exist on type 'Shop'",
                "locations": [{"line": 1, "column": 18}],
                "path": ["query Q", "shop", "nope"],
                "extensions": {"code": "undefinedField", "typeName": "Shop", "fieldName": "nope"},
            },
        ),
        (
            "query Q { customers(first: 1, bogus: 2) { nodes { id } } }",
            {
                "message": "Field 'customers' doesn't accept argument 'bogus'",
                "locations": [{"line": 1, "column": 31}],
                "path": ["query Q", "customers", "bogus"],
                "extensions": {
                    "code": "argumentNotAccepted",
                    "name": "customers",
                    "typeName": "Field",
                    "argumentName": "bogus",
                },
            },
        ),
        (
            "{ customer { id } }",
            {
                "message": "Field 'customer' is missing required arguments: id",
                "locations": [{"line": 1, "column": 3}],
                "path": ["query", "customer"],
                "extensions": {
                    "code": "missingRequiredArguments",
                    "className": "Field",
                    "name": "customer",
                    "arguments": "id",
                },
            },
        ),
        (
            'query Q { order(id: "not-a-gid") { id } }',
            {
                "message": "Invalid global id 'not-a-gid'",
                "locations": [{"line": 1, "column": 11}],
                "path": ["query Q", "order", "id"],
                "extensions": {"code": "argumentLiteralsIncompatible", "typeName": "CoercionError"},
            },
        ),
        (
            "query Q($unused: Int) { shop { id } }",
            {
                "message": "Variable $unused is declared by Q but not used",
                "locations": [{"line": 1, "column": 1}],
                "path": ["query Q"],
                "extensions": {"code": "variableNotUsed", "variableName": "unused"},
            },
        ),
    ],
)
def test_an_invalid_document_is_told_without_data(admin: Admin, query: str, told: dict[str, Any]) -> None:
    assert admin.ask(query) == {"errors": [told]}


def test_an_id_that_is_none_is_an_invalid_variable(admin: Admin) -> None:
    told = admin.ask("query Q($id: ID!) { order(id: $id) { id } }", {"id": "7"})
    explained = "Invalid global id '7'"
    assert told["errors"] == [
        {
            "message": "Variable $id of type ID! was provided invalid value",
            "locations": [{"line": 1, "column": 9}],
            "extensions": {
                "code": "INVALID_VARIABLE",
                "value": "7",
                "problems": [{"path": [], "explanation": explained, "message": explained}],
            },
        }
    ]


def test_the_id_of_another_kind_is_not_found(admin: Admin) -> None:
    told = admin.ask('{ order(id: "gid://shopify/Product/1") { id } }')
    assert told["data"] == {"order": None}
    assert told["errors"][0]["message"] == "Invalid id: gid://shopify/Product/1"
    assert told["errors"][0]["extensions"] == {"code": "RESOURCE_NOT_FOUND"}


def test_too_long_an_input_list_is_refused_with_its_place(admin: Admin) -> None:
    ids = [f"gid://shopify/Order/{n}" for n in range(251)]
    told = admin.ask("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
    assert "data" not in told
    error = told["errors"][0]
    assert error["message"] == "The input array size of 251 is greater than the maximum allowed of 250."
    assert error["path"] == ["nodes", "ids"]
    assert error["extensions"] == {"code": "MAX_INPUT_SIZE_EXCEEDED"}
    assert told["extensions"]["cost"]["actualQueryCost"] is None


@pytest.mark.parametrize("query", ["{ shop {", "", "query A { shop { id } } query B { shop { id } }"])
def test_a_text_that_cannot_be_run_is_an_error_with_200(admin: Admin, query: str) -> None:
    assert set(admin.ask(query)) == {"errors"}


def test_a_body_that_is_no_json_is_a_bad_request(admin: Admin) -> None:
    path = "/admin/api/2026-10/graphql.json"
    assert admin.send("POST", path, b"{", x_shopify_access_token=admin.token).status == 400
    assert admin.send("POST", path, [1], x_shopify_access_token=admin.token).json()["errors"]
    assert admin.send("GET", path, x_shopify_access_token=admin.token).status == 405
    assert admin.send("GET", "/admin/elsewhere").status == 404


def test_one_of_many_operations_is_chosen_by_name(admin: Admin) -> None:
    body = {"query": "query A { shop { id } } query B { shop { name } }", "operationName": "B"}
    told = admin.send("POST", "/admin/api/2026-10/graphql.json", body, x_shopify_access_token=admin.token).json()
    assert set(told["data"]["shop"]) == {"name"}
