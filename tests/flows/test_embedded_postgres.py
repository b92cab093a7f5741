"""The embedded server: it starts, is shared, survives deaths, and leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from isthmus.db import account, binaries, server_location
from isthmus.db.cluster import is_alive
from isthmus.db.embedded import Embedded
from isthmus.db.pool import Database

# Another process that uses the server until it reads a line or is killed.
USER = """
    import sys
    from pathlib import Path
    from isthmus.db.embedded import Embedded
    server = Embedded(Path(sys.argv[1]))
    print(server.start(), flush=True)
    sys.stdin.readline()
    print(server.stop(), flush=True)
"""

Neighbour = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(folder: Path) -> Iterator[Path]:
    yield folder / "data"
    Embedded(folder / "data").erase()


@pytest.fixture
def server(data_dir: Path) -> Iterator[Embedded]:
    with Embedded(data_dir) as server:
        yield server


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    """Starts other processes that use a server; those that still run at the end are killed."""
    with contextlib.ExitStack() as running:

        def start(data_dir: Path, python: str = sys.executable, **how: Any) -> "subprocess.Popen[str]":
            process: subprocess.Popen[str] = subprocess.Popen(
                [python, "-c", textwrap.dedent(USER), str(data_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **how,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield start


def url_from(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: "subprocess.Popen[str]") -> bool:
    """Whether the process says that it stopped the server when it left."""
    said: str = process.communicate("\n", timeout=60)[0]
    return said.strip() == "True"


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def postmaster(url: str) -> int:
    return int(str(ask(url, "SELECT pg_read_file('postmaster.pid')")).splitlines()[0])


def kill_and_wait(db: Database) -> int:
    """Kill the server, return its number once another one has answered."""
    killed = postmaster(db.dsn)
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.OperationalError), db.transaction() as tx:
            # An orphaned backend may answer for another moment.
            if int(tx.fetch_value("SELECT pg_read_file('postmaster.pid')").splitlines()[0]) != killed:
                return killed
    pytest.fail("the server did not come back")


def is_running(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_a_first_start_serves_a_durable_database_on_a_private_socket_only(server: Embedded) -> None:
    url = server.start()
    with psycopg.connect(url) as connection:
        shown = {
            name: ask(url, f"SHOW {name}")
            for name in ("listen_addresses", "fsync", "synchronous_commit", "server_encoding", "TimeZone")
        }
        socket = connection.info.host
    assert shown == {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert stat.S_IMODE(Path(socket).stat().st_mode) == 0o700
    assert len(f"{socket}/.s.PGSQL.5432.lock".encode()) < 104
    assert ask(url, "SELECT current_database()") == "isthmus"


def test_what_was_committed_survives_a_killed_server(server: Embedded) -> None:
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    killed = postmaster(url)
    os.kill(killed, signal.SIGKILL)
    assert server.start() == url
    assert ask(url, "SELECT answer FROM kept") == 42
    assert postmaster(url) != killed


def test_a_killed_server_comes_back_although_its_backends_are_busy(server: Embedded) -> None:
    url = server.start()
    busy = psycopg.connect(url)
    busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e9)")
    os.kill(postmaster(url), signal.SIGKILL)
    assert ask(server.start(), "SELECT 1") == 1
    busy.close()


def test_a_watched_server_comes_back_by_itself(server: Embedded) -> None:
    url = server.start()
    server.watch()
    with Database(url) as db:
        killed = kill_and_wait(db)
        assert kill_and_wait(db) != killed


def test_a_stopped_server_leaves_no_process_and_no_socket(data_dir: Path) -> None:
    server = Embedded(data_dir)
    url = server.start()
    pid = postmaster(url)
    with psycopg.connect(url) as connection:
        sockets = Path(connection.info.host)
    assert server.stop()
    assert not is_running(pid)
    assert not sockets.exists()
    assert not server.stop()


def test_processes_share_one_server_and_the_last_one_out_stops_it(data_dir: Path, neighbour: Neighbour) -> None:
    processes = [neighbour(data_dir) for _ in range(3)]  # all at once, on an empty folder
    urls = {url_from(process) for process in processes}
    assert len(urls) == 1
    pid = postmaster(urls.pop())
    assert [leave(process) for process in processes] == [False, False, True]
    assert not is_running(pid)


def test_the_server_survives_the_process_that_started_it(data_dir: Path, neighbour: Neighbour) -> None:
    first = neighbour(data_dir)
    url = url_from(first)
    pid = postmaster(url)
    second = neighbour(data_dir)
    assert url_from(second) == url
    first.kill()
    first.wait()
    third = neighbour(data_dir)
    assert url_from(third) == url
    assert postmaster(url) == pid
    assert [leave(second), leave(third)] == [False, True]


def test_the_server_does_not_hear_the_terminals_ctrl_c(data_dir: Path, neighbour: Neighbour) -> None:
    process = neighbour(data_dir, start_new_session=True, stderr=subprocess.DEVNULL)
    url = url_from(process)
    pid = postmaster(url)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(20)
    assert postmaster(url) == pid


def test_one_attached_process_restarts_the_server_for_all(data_dir: Path, neighbour: Neighbour) -> None:
    starter = neighbour(data_dir)
    url = url_from(starter)
    with Embedded(data_dir) as server:
        server.watch()
        starter.kill()
        with Database(url) as db:
            assert kill_and_wait(db) != 0


def test_a_lock_file_that_names_a_stranger_is_no_obstacle(data_dir: Path) -> None:
    """As after a restart of a container, where numbers of processes are soon used again."""
    with Embedded(data_dir) as server:
        data = Path(str(ask(server.start(), "SELECT current_setting('data_directory')")))
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1700000000\n5432\n/tmp\n\n  1 1\nready   \n")
    with Embedded(data_dir) as server:
        assert ask(server.start(), "SELECT 1") == 1


def test_a_folder_made_anew_gets_a_server_of_its_own(data_dir: Path, neighbour: Neighbour) -> None:
    old = neighbour(data_dir)
    url = url_from(old)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE old_one ()")
        sockets = connection.info.host
    pid = postmaster(url)
    shutil.rmtree(data_dir)
    try:
        with Embedded(data_dir) as server:
            assert ask(server.start(), "SELECT to_regclass('old_one')") is None
    finally:
        os.kill(pid, signal.SIGQUIT)
        shutil.rmtree(sockets)


def test_data_of_an_unknown_version_are_refused_with_the_fix(data_dir: Path) -> None:
    with Embedded(data_dir) as server:
        data = Path(str(ask(server.start(), "SELECT current_setting('data_directory')")))
    version = (data / "PG_VERSION").read_text()
    (data / "PG_VERSION").write_text("99\n")
    with pytest.raises(binaries.BinariesNotFound, match="install PostgreSQL 99"):
        Embedded(data_dir).start()
    (data / "PG_VERSION").write_text(version)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another user")
def test_root_changes_no_permission_of_a_private_folder(folder: Path, neighbour: Neighbour) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    with Embedded(home / "data") as server:
        url = server.start()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert psutil.Process(postmaster(url)).uids().real != 0
    again = neighbour(home / "data")
    assert ask(url_from(again), "SELECT answer FROM kept") == 42
    assert leave(again)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, folder)]
    assert modes == [0o700, 0o711]
    Embedded(home / "data").erase()


@pytest.mark.skipif(os.geteuid() != 0, reason="without root, every other test here is this one")
def test_a_plain_user_runs_the_server_as_itself(folder: Path, neighbour: Neighbour) -> None:
    plain = account.unprivileged_user()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin"))
    pythons = [python for python in candidates if python and plain.can_run(Path(python))]
    if not pythons:
        pytest.skip(f"a plain user can run no {version} here")
    home = folder / "home"
    home.mkdir(mode=0o700)
    plain.give(home)
    process = neighbour(
        home / "data",
        python=pythons[0],
        user=plain.uid,
        group=plain.gid,
        extra_groups=[],
        cwd="/",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    pid = postmaster(url_from(process))
    assert psutil.Process(pid).uids().real == plain.uid
    assert leave(process)


def test_programs_are_copied_once_and_never_over_running_ones(folder: Path) -> None:
    found = next(one for one in binaries.list_installations() if one.root is not None)
    copy = found.copy_into(folder)
    made_at = copy.bin.stat().st_ctime_ns
    assert account.unprivileged_user().can_run(copy.bin / "initdb") or os.geteuid() != 0
    assert found.copy_into(folder) == copy
    assert copy.bin.stat().st_ctime_ns == made_at


def test_what_statements_were_given_is_never_logged(folder: Path) -> None:
    """People's addresses travel as parameters; slow statements and errors are logged without them."""
    server = Embedded(folder / "data", {"log_min_duration_statement": "0"})
    person = "jon.doe@example.com"
    try:
        with Database(server.start(), pool_size=1) as db:
            with db.transaction() as tx:
                tx.execute("CREATE TABLE person (email text PRIMARY KEY, n integer)")
            for _ in range(3):  # also as a prepared statement
                with contextlib.suppress(psycopg.Error), db.transaction() as tx:
                    tx.execute("INSERT INTO person (email) VALUES (%s)", (person,))
            with contextlib.suppress(psycopg.Error), db.transaction() as tx:
                tx.execute("SELECT %s::text::integer FROM person", (person,))
        [log] = (server_location.resolve_location((folder / "data").resolve()).home / "log").glob("*.log")
        text = log.read_text()
        assert "INSERT INTO person" in text
        assert "LOG:  duration:" in text
        # Neither a duplicate key nor what cannot be read as a number: PostgreSQL's words about both quote the value.
        assert [line for line in text.splitlines() if person in line or "ERROR:" in line] == []
    finally:
        server.erase()


HUNG = """
    import signal, sys, threading
    from pathlib import Path
    from isthmus.runtime import roles
    from isthmus.app.context import App
    from isthmus.app.settings import load_settings
    roles.STOP_WITHIN = 0.2
    with App.opened(load_settings(Path(sys.argv[1])), pool_size=1) as app:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        roles.stop_with_parent(app)
        print(app.db.dsn, flush=True)
        threading.Event().wait()
"""


def test_a_role_that_does_not_end_with_its_parent_leaves_no_server_behind(data_dir: Path, folder: Path) -> None:
    (folder / "isthmus.toml").write_text(f'[database]\nurl = "embedded"\ndata_dir = "{data_dir}"\n')
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HUNG), str(folder / "isthmus.toml")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as role:  # fmt: skip
        server = psutil.Process(postmaster(url_from(role)))
        assert role.stdin is not None
        role.stdin.close()
        assert role.wait(60) == 1
        assert not is_alive(server)
