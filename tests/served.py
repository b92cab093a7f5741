"""The simulators as a process of their own, for tests that want them behind a real port."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

COMMAND = [sys.executable, "-m", "sims", "--with-parent", "--shopify-port", "0", "--ometria-port", "0"]


@contextlib.contextmanager
def served(*sizes: str) -> Iterator[dict[str, Any]]:
    """What they say of themselves once they are ready; they end with the block, or with this process."""
    process = subprocess.Popen([*COMMAND, *sizes], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
