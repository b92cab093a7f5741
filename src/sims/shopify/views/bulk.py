"""Bulk operations as the Admin API shows them."""

from __future__ import annotations

from typing import ClassVar

from sims.shopify.bulk.record import Operation as Record
from sims.shopify.views.plain import dated, identified, own
from sims.shopify.views.sight import Sight


class BulkOperation:
    """One operation as it is now."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "BulkOperation"

    def __init__(self, sight: Sight, record: Record) -> None:
        self.sight, self.record = sight, record

    id = identified("BulkOperation")
    status = own("status")
    type = own("type")
    error_code = own("error_code")
    created_at = dated("created_at")
    completed_at = dated("completed_at")
    query = own("query")
    object_count = property(lambda self: str(self.record.n_objects))
    root_object_count = property(lambda self: str(self.record.n_roots))

    @property
    def file_size(self) -> str | None:
        output = self.record.output if self.record.status == "COMPLETED" else None
        return None if output is None else str(output.size)

    @property
    def url(self) -> str | None:
        return self._address("COMPLETED")

    @property
    def partial_data_url(self) -> str | None:
        return self._address("FAILED")

    def _address(self, status: str) -> str | None:
        bulk = self.sight.bulk
        return bulk.url(self.record, self.sight.base) if bulk is not None and self.record.status == status else None
