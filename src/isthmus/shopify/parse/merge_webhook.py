"""The body of `customers/merge`: who was kept, who is gone, and whether it came to that; it is sent on failure too.

https://shopify.dev/docs/api/webhooks/2026-10?reference=toml#list-of-topics-customers/merge
"""

from msgspec import Struct

from isthmus.shopify.parse.common_graphql import number_of_gid
from isthmus.shopify.parse.json import json_reader


class _Error(Struct, gc=False):
    field: list[str] | str | None = None


class _Merge(Struct, gc=False):
    admin_graphql_api_customer_kept_id: str | None = None
    admin_graphql_api_customer_deleted_id: str | None = None
    status: str | None = None
    errors: list[_Error] | None = None


class CustomerMerge(Struct, frozen=True, gc=False):
    """A merge of two customers. `why` names the fields that Shopify stumbled over; what it said of them is left out,
    since that may name a person. A status that is neither (one is still under way) is left to a reading of both.
    """

    kept: int | None
    lost: int | None
    is_done: bool
    is_failed: bool = False
    why: str = ""


_read = json_reader(_Merge)


def parse_merge(body: bytes) -> CustomerMerge:
    """Read one; RejectedError `storefront.unreadable_body` with the path of what is wrong."""
    raw = _read(body)
    status = (raw.status or "").strip().lower()
    fields = [one.field if isinstance(one.field, str) else ".".join(one.field or ()) for one in raw.errors or ()]
    return CustomerMerge(
        kept=_id(raw.admin_graphql_api_customer_kept_id),
        lost=_id(raw.admin_graphql_api_customer_deleted_id),
        is_done=status == "completed",
        is_failed=status == "failed",
        why=", ".join(sorted({name for name in fields if name})),
    )


def _id(gid: str | None) -> int | None:
    return number_of_gid(gid) if gid else None
