"""Commands in processes of their own that need not load the libraries first: two thirds of what a command costs.

One process loads what others wrote, nothing of isthmus, and forks for each command. From there on the child does what
`python -m isthmus` does: it loads as much of isthmus as the command needs, runs it, and ends like any process.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "asyncio", "concurrent.futures", "csv", "decimal", "email.message", "http.client", "importlib.metadata", "logging",
    "sqlite3", "ssl", "tomllib", "urllib.request", "uuid",
    "httpx2", "jinja2", "msgspec", "phonenumbers", "procrastinate", "prometheus_client", "psutil", "psycopg",
    "psycopg_pool", "pydantic", "pydantic_settings", "rich.console", "rich.progress", "rich.table", "rich.text",
    "rich.traceback", "structlog", "typer", "uvicorn", "zstandard",
)  # fmt: skip


def run(
    words: Sequence[str], *, cwd: Path, environment: Mapping[str, str], within: float
) -> subprocess.CompletedProcess[str]:
    """Run `isthmus` with these words to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        asked = json.dumps({"words": [*words], "cwd": str(cwd), "environment": dict(environment)}).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(within)
            link.connect(_keeper())
            socket.send_fds(link, [len(asked).to_bytes(4, "big")], [out.fileno(), err.fileno()])
            link.sendall(asked)
            try:
                answer = link.makefile("rb").readline()
            except TimeoutError:
                raise subprocess.TimeoutExpired(["isthmus", *words], within) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(
            ["isthmus", *words], int(answer), out.read().decode("utf-8"), err.read().decode("utf-8")
        )


@functools.cache
def _keeper() -> str:
    """Where the process that forks listens; it ends with this one."""
    folder = tempfile.mkdtemp(prefix="forked-", dir="/tmp")
    address = f"{folder}/socket"
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    keeper = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == b"ready\n"

    def end() -> None:
        for pipe in (keeper.stdin, keeper.stdout):
            if pipe is not None:
                pipe.close()
        keeper.wait(20)
        with contextlib.suppress(OSError):
            os.remove(address)
            os.rmdir(folder)

    atexit.register(end)
    return address


def _serve(address: str) -> None:
    """Fork for every link, until standard input ends."""
    for name in LIBRARIES:
        import_module(name)
    import gc
    import selectors

    gc.freeze()  # what is loaded is nobody's to walk, and its pages stay shared
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as here, selectors.DefaultSelector() as selector:
        here.bind(address)
        here.listen()
        selector.register(here, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        os.write(1, b"ready\n")
        while all(key.fd != 0 for key, _ in selector.select()):
            link, _ = here.accept()
            if os.fork() == 0:
                selector.close()
                here.close()
                _answer(link)  # does not return
            link.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(link: socket.socket) -> None:
    """Between the keeper and the command, for the exit code: what the command leaves running is not waited for."""
    told, fds, _, _ = socket.recv_fds(link, 4, 2)
    with link.makefile("rb") as read:
        asked = json.loads(read.read(int.from_bytes(told, "big")))
    child = os.fork()
    if child == 0:
        link.close()
        _become(asked, fds)
        return
    _, status = os.waitpid(child, 0)
    link.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(asked: dict[str, object], fds: list[int]) -> None:
    """Be `python -m isthmus`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for there, fd in zip((0, 1, 2), (nowhere, *fds), strict=True):
        os.dup2(fd, there)
        os.close(fd)
    os.environ.clear()
    os.environ.update(asked["environment"])  # type: ignore[call-overload]
    os.chdir(str(asked["cwd"]))
    sys.path[0] = str(asked["cwd"])
    sys.argv = ["isthmus", *asked["words"]]  # type: ignore[misc]
    code = 0
    try:
        runpy.run_module("isthmus", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise SystemExit(code) from None
    except BaseException:
        traceback.print_exc()
        raise SystemExit(1) from None


if __name__ == "__main__":
    _serve(sys.argv[1])
