"""Where Shopify's own published schema and samples lie on this machine; a test that needs what is absent is skipped.

`make conformance` fetches them into `.conformance/`; ISTHMUS_SHOPIFY_DATA names another folder of the same layout.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / ".conformance"
VARIABLE = "ISTHMUS_SHOPIFY_DATA"


def find(name: str) -> Path | None:
    """Find a file or folder of the published data, such as `webhook-samples-2026-07`."""
    named = os.environ.get(VARIABLE)
    folders = [Path(named)] if named else [FETCHED, ROOT.parent / "shared" / "data" / "shopify"]
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def need(name: str) -> Path:
    """Find it or skip the test, saying how to get it."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is not here: run `make conformance` or set {VARIABLE}")
    return found
