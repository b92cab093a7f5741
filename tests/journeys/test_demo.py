"""The demonstration is the main job, whole: it ends with both sides equal, and leaves nothing behind."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from machine import free_port, until

from isthmus.db.cluster import is_alive

DEMO = (sys.executable, "-m", "isthmus", "demo")
"""Seconds until the shops are loading; five on a machine that has nothing else to do."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demonstration may make its own folder; root's database server must get in."""
    made = Path(tempfile.mkdtemp(prefix="demo-", dir=os.environ.get("ISTHMUS_TEST_DIR")))
    made.chmod(0o711)
    return made


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TMPDIR": str(folder)}


def theirs(folder: Path) -> list[psutil.Process]:
    """Everything that was started with this folder for its temporary files, or works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            is_theirs = process.environ().get("TMPDIR") == str(folder) or str(folder) in " ".join(process.cmdline())
        except psutil.Error:
            continue
        if is_theirs and is_alive(process):
            found.append(process)
    return found


@pytest.mark.timeout(500)  # what is young at its end is looked at again after the grace period, which is two minutes
def test_a_short_demonstration_ends_with_no_difference_and_ignores_the_installation_around_it(
    folder: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10_000)
    print(f"seed {seed}")
    port = free_port()
    installation = {
        "ISTHMUS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/real",
        "ISTHMUS_DATABASE_DATA_DIR": str(tmp_path / "real"),
        "isthmus_web_port": "1",
        "ISTHMUS_CLOCK_FOLLOW": "http://127.0.0.1:1",
    }
    (tmp_path / "isthmus.toml").write_text('[database]\nurl = "postgresql://nobody@127.0.0.1:1/real"\n')
    done = subprocess.run(
        [*DEMO, "--seconds", "16", "--seed", str(seed), "--port", str(port), "--json"],
        env=environment(folder) | installation, cwd=tmp_path, capture_output=True, text=True, timeout=450,
    )  # fmt: skip
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["differences"] == []
    assert told["agrees"] is True, told
    assert [connection["name"] for connection in told["status"]["connections"]] == ["demo"]
    assert f"the dashboard is on http://127.0.0.1:{port}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["isthmus.toml"]
    assert done.returncode == 0
    assert sum(told["injected"].values()) > 10
    assert told["injected"]["shopify.p_duplicate"]
    assert told["processes_killed"] == 1
    assert all(told["compared"].values())
    assert theirs(folder) == []
    assert list(folder.iterdir()) == []


def test_a_port_that_is_taken_is_one_line_that_names_the_option(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*DEMO, "--port", str(port)], env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"isthmus: --port: {port} is in use; choose another, or leave it out to use any free port\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_a_demonstration_however_it_ends(folder: Path, how: signal.Signals) -> None:
    demo = subprocess.Popen([*DEMO], env=environment(folder), stderr=subprocess.PIPE, text=True)
    assert demo.stderr is not None
    with demo.stderr as said:
        assert any("loading" in line for line in said)
        demo.send_signal(how)
        demo.wait(30)
    assert demo.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    until(lambda: not theirs(folder), 60, "nothing is left of it")
