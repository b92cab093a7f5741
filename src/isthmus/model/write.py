"""What Ometria should say of one record: the unit the outbox keeps."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from isthmus.model.lane import Lane
from isthmus.model.order_totals import OrderTotalsRow


class RecordKind(StrEnum):
    """The kinds of platform record, in the order they are best sent."""

    PRODUCT = "product"
    CONTACT = "contact"
    SMS = "sms"
    """A second contact of a customer, for the permission by text message alone (mapping/sms_contact.py)."""
    ORDER = "order"
    MOMENT = "moment"


PERMITTING = (RecordKind.CONTACT, RecordKind.SMS)
"""The kinds that say what somebody allowed."""


class Write(Struct, frozen=True, gc=False):
    """Desired state of one platform record.

    `body` is the JSON that would be sent, None when the record is excluded (then `excluded` says why)
    or cannot be said in Ometria's words (then `rejected` is the code of its case). `opts_in` marks
    a contact that would be sent as opted in by email, `opts_in_sms` by text message, `opts_out` as opted out by
    email, `forces` past its person's other contacts. `after` is the contact id an order
    lets go first. `subject` is the store record behind it, `order:123`, by which a person finds it again.
    `n_cut` counts values that were left out because Ometria's limits have no room for them.
    `ours` is what is ours, from now on, of the properties that others may write too, None while that is as it was.
    `is_retired` marks the contact of a customer who is gone or has no address any more.
    `sale` is an order's money as its body says it, or would, were the order not another writer's.
    """

    kind: RecordKind
    id: str
    body: bytes | None
    lane: Lane
    excluded: str | None = None
    rejected: str | None = None
    opts_in: bool = False
    opts_in_sms: bool = False
    opts_out: bool = False
    forces: bool = False
    after: str | None = None
    subject: str | None = None
    n_cut: int = 0
    sale: OrderTotalsRow | None = None
    ours: Mapping[str, object] | None = None
    is_retired: bool = False
