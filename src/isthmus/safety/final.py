"""What undo can never put back, and why. Everything else that a run changed is put back."""

from collections.abc import Mapping
from types import MappingProxyType

FINAL: Mapping[str, str] = MappingProxyType(
    {
        "merge": "Ometria has no call that takes a merge of two profiles back",
        "custom_event": "a custom event that went out may have started an automation",
    }
)
"""By what it is. `isthmus undo` may name nothing else as final."""
