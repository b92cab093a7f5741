"""Custom fields of a record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from sims.shopify.pages import Page, whole
from sims.shopify.state import Definition, gid
from sims.shopify.state import Metafield as Record
from sims.shopify.views.plain import dated, identified, numbered, own


class Metafield:
    """One custom field."""

    __slots__ = ("owner_type", "record", "says_namespace")
    type_name: ClassVar[str] = "Metafield"
    owner_type: str

    def __init__(self, record: Record, owner_type: str, *, says_namespace: bool = False) -> None:
        self.record, self.owner_type, self.says_namespace = record, owner_type, says_namespace

    id = identified("Metafield")
    legacy_resource_id = numbered()
    namespace = own("namespace")
    type = own("type")
    value = own("value")
    created_at = dated("updated_at")
    updated_at = dated("updated_at")
    compare_digest = property(lambda self: hashlib.sha256(self.record.value.encode()).hexdigest())

    @property
    def key(self) -> str:
        """Return the key: beside its namespace where it was asked for so."""
        return f"{self.record.namespace}.{self.record.key}" if self.says_namespace else self.record.key

    @property
    def json_value(self) -> Any:
        try:
            return msgspec.json.decode(self.record.value)
        except msgspec.DecodeError:
            return self.record.value


def definitions(known: Sequence[Definition], owner_type: str, **asked: Any) -> Page:
    """Return what a merchant says of the custom fields of one kind of record, in order of making.

    https://shopify.dev/docs/api/admin-graphql/2026-10/queries/metafieldDefinitions; ids are made up.
    """
    namespace, key = asked.pop("namespace", None), asked.pop("key", None)
    found = [
        each
        for each in known
        if each.owner == owner_type and namespace in (None, each.namespace) and key in (None, each.key)
    ]
    return whole(found, _definition, **asked)


def _definition(each: Definition) -> dict[str, Any]:
    number = int.from_bytes(hashlib.sha256(f"{each.owner} {each.namespace}.{each.key}".encode()).digest()[:5], "big")
    return {
        "__typename": "MetafieldDefinition",
        "id": gid("MetafieldDefinition", number),
        "namespace": each.namespace,
        "key": each.key,
        "name": each.name,
        "ownerType": each.owner,
        "type": {"name": each.type},
    }


class WithMetafields:
    """Answers `metafield` and `metafields` of a record that keeps them."""

    __slots__ = ()
    record: Any
    owner_type: ClassVar[str]

    def metafield(self, key: str, namespace: str | None = None) -> Metafield | None:
        wanted = f"{namespace}.{key}" if namespace else key
        found = (each for each in self.record.metafields if f"{each.namespace}.{each.key}" == wanted)
        return next((Metafield(each, self.owner_type) for each in found), None)

    def metafields(self, keys: list[str] | None = None, namespace: str | None = None, **asked: Any) -> Page:
        """Answer the custom fields of a record: those of `keys`, which are told in the format they were asked in."""
        wanted = frozenset(keys or ())
        found: Sequence[Record] = [
            each
            for each in self.record.metafields
            if (namespace is None or each.namespace == namespace)
            and (not wanted or f"{each.namespace}.{each.key}" in wanted or each.key in wanted)
        ]

        def view(each: Record) -> Metafield:
            return Metafield(each, self.owner_type, says_namespace=f"{each.namespace}.{each.key}" in wanted)

        return whole(found, view, **asked)
