"""What a mapping file says: which custom field of the shop becomes which property of Ometria, by which rule."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from isthmus.connections.fields import FieldKey, FieldNamespace, PropertyName, Section
from isthmus.kit.config_errors import closest_name
from isthmus.model.metafield import Form
from isthmus.shopify.parse import metafield

MOST = 50
"""Entries of one owner: one reading asks for all of them. Ometria has room for 100 custom fields of a type
(https://docs.ometria.com/docs/push-endpoint)."""

LONGEST = 900
"""Characters of one property: all of a record's share 1,000."""

OWN = {
    "customer": frozenset(
        {
            "account_state",
            "locale",
            "city",
            "shop_n_orders",
            "shop_amount_spent",
            "tags",
            "n_orders",
            "net",
            "gross",
            "refunded",
            "average_order",
            "return_rate",
            "first_order_at",
            "last_order_at",
        }
    ),
    "product": frozenset(),
    "variant": frozenset({"parent_id"}),
}
"""Properties that isthmus writes itself; sums of money are named per currency, as net_gbp."""

_SUMS = ("net_", "gross_", "refunded_", "average_order_", "service_hold")
_ATTRIBUTES = frozenset({"vendor", "type", "category", "tag"})


def _type(value: str) -> str:
    if not metafield.is_known_type(value):
        near = closest_name(value, [*metafield.TYPES, *(f"{metafield.LIST}{name}" for name in metafield.TYPES)])
        hint = f"did you mean {near}?" if near else 'a type of Shopify\'s, such as "single_line_text_field"'
        raise ValueError(f"is no type of a metafield; {hint}")
    return value


def _written_out(value: str) -> str:
    if value.startswith("$app"):
        raise ValueError("must be written out as the shop shows it, such as app--123456--loyalty")
    return value


Namespace = Annotated[FieldNamespace, AfterValidator(_written_out)]
"""https://shopify.dev/docs/api/admin-graphql/2026-10/input-objects/MetafieldsSetInput; a key has no dot."""


class CustomField(Section):
    """One custom field that is sent. Repeat the section for each; the order is that of their worth, dearest first."""

    owner: Literal["customer", "product", "variant"] = Field(description="whose field it is")
    namespace: Namespace = Field(description="its namespace in Shopify")
    key: FieldKey = Field(description="its key in Shopify")
    type: Annotated[str, AfterValidator(_type)] = Field(
        description="its type in Shopify; a field of another type is left alone and becomes a case"
    )
    property: PropertyName = Field(description="the custom property that it becomes")
    target: Literal["property", "attribute"] = Field(
        default="property",
        description="attribute: one attribute of the product for each value, which segments and recommendations see",
    )
    mode: Literal["overwrite", "if_new", "if_empty", "append"] = Field(
        default="overwrite",
        description="overwrite: the shop's word counts; if_new: only when the record is first sent; if_empty: while"
        " nobody else wrote it; append: behind what others wrote",
    )
    max_length: Annotated[int, Field(ge=1, le=LONGEST)] | None = Field(
        default=None, description="characters of it that are sent; a list loses its last values, a text its end"
    )


def field_key(one: CustomField) -> str:
    """Namespace and key as one."""
    return f"{one.namespace}.{one.key}"


class MappingFile(Section):
    """The whole file."""

    metafields: tuple[CustomField, ...] = ()


Place = tuple[int | str, ...]


def find_conflicts(fields: Sequence[CustomField]) -> list[tuple[Place, str]]:
    """What is wrong between entries, or between the words of one: where in the file, and what to do."""
    found: list[tuple[Place, str]] = []
    keys: dict[tuple[str, str], int] = {}
    names: dict[tuple[str, str, str], int] = {}
    for n, one in enumerate(fields):
        at = ("metafields", n)
        if (first := keys.setdefault((one.owner, field_key(one).casefold()), n)) != n:
            found.append(
                ((*at, "key"), f"{field_key(one)} is mapped by metafields[{first}] already; take one of them out")
            )
        if (first := names.setdefault((one.owner, one.target, one.property), n)) != n:
            found.append(((*at, "property"), f"is also that of metafields[{first}]; give each its own"))
        found += [((*at, word), told) for word, told in _wrong(one)]
    for owner in OWN:
        mine = [n for n, one in enumerate(fields) if one.owner == owner]
        if len(mine) > MOST:
            found.append((("metafields", mine[MOST]), f"at most {MOST} fields of one owner; take some out"))
    return found


def _wrong(one: CustomField) -> list[tuple[str, str]]:
    found = []
    if one.target == "attribute":
        if one.owner == "customer":
            found.append(("target", 'only products and variants have attributes; use "property"'))
        if one.mode != "overwrite":
            found.append(("mode", 'attributes are always sent whole; use "overwrite"'))
        if one.property in _ATTRIBUTES:
            found.append(
                ("property", f"{one.property} is an attribute that isthmus writes itself; choose another name")
            )
    elif one.property in OWN[one.owner] or (one.owner == "customer" and one.property.startswith(_SUMS)):
        found.append(("property", f"{one.property} is written by isthmus itself; choose another name"))
    form = metafield.form_of(one.type)
    if one.mode == "append" and form in (Form.FLAG, Form.NUMBER) and not one.type.startswith(metafield.LIST):
        found.append(("mode", "append joins texts; a single number or yes and no cannot be joined"))
    return found
