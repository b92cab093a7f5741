"""What every test may ask for: a migrated database of its own, cut from a template on one server per run."""

import contextlib
import fcntl
import functools
import gc
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpcore2
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from isthmus.db.embedded import Embedded
from isthmus.db.migrate import migrate
from isthmus.db.pool import Database
from kept import Shelf
from lengths import LONG

RUN_DIR = "ISTHMUS_TEST_DIR"
TEMPLATE = "template_isthmus"
SERVER = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "off",
    "max_wal_size": "128MB",
    "max_connections": "300",
    "autovacuum": "off",  # a database has few rows and lives for seconds, and plans do not change under a test
}
ROOM_FOR_DATABASES = 2 << 30  # bytes; one is 9 MB and lives as long as its test, the log of changes takes the rest

# Each `httpx2.get` would read all certificates once more, for a plain address on this machine.
httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("long", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if LONG else "quick")


def pytest_configure(config: pytest.Config) -> None:
    """The first process of a run chooses the folder of its database server; xdist's workers inherit the choice."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background jobs are born deaf to Ctrl-C, and so would be everything that a test starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ[RUN_DIR] = tempfile.mkdtemp(prefix="isthmus-test-", dir=_quick_folder())
        # Root's server runs as another user, who must get in; the data below are that user's alone.
        Path(os.environ[RUN_DIR]).chmod(0o711)


def pytest_collection_finish() -> None:
    """Five thousand tests and all modules stay to the end: nothing is won by walking over them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        run_dir = Path(os.environ.pop(RUN_DIR))
        if (run_dir / "server").exists():
            _server(run_dir).erase()
        shutil.rmtree(run_dir)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of this run's PostgreSQL server, where the database TEMPLATE is migrated."""
    run_dir = Path(os.environ[RUN_DIR])
    server = _server(run_dir)
    url = server.start()
    with (run_dir / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (TEMPLATE,)).rowcount
            if not found:
                half = f"half_{TEMPLATE}"
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(half)))
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(half)))
                with Database(make_conninfo(url, dbname=half)) as db:
                    migrate(db)
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(half), sql.Identifier(TEMPLATE))
                )
    yield url
    server.stop()


@pytest.fixture
def db_url(server_url: str) -> Iterator[str]:
    """The URL of a migrated, empty database of this test's own."""
    with _copy(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def shelf(server_url: str) -> Iterator[Shelf]:
    """The databases that this process keeps from test to test."""
    kept = Shelf(lambda: _copy(server_url))
    yield kept
    kept.close()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated, empty database of this test's own; the one of `db_url`, where a test asks for that, too."""
    with contextlib.ExitStack() as stack:
        if "db_url" in request.fixturenames:
            yield stack.enter_context(Database(request.getfixturevalue("db_url"), pool_size=4))
        else:
            yield stack.enter_context(request.getfixturevalue("shelf").lend())


@pytest.fixture(scope="session")
def fresh_database(shelf: Shelf) -> Callable[[], contextlib.AbstractContextManager[Database]]:
    """Opens a migrated, empty database, for tests that want one for each of many examples."""
    return shelf.lend


@pytest.fixture(scope="module")
def module_db_url(server_url: str) -> Iterator[str]:
    """The URL of a migrated database that the tests of one module share."""
    with _copy(server_url) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(module_db_url: str) -> Iterator[Database]:
    """A migrated database that the tests of one module share."""
    with Database(module_db_url, pool_size=4) as db:
        yield db


def _quick_folder() -> Path | None:
    """Memory where there is room: a fresh database takes 10 ms there, and 200 on ext4, whose deleted inodes linger."""
    memory = Path("/dev/shm")
    room = shutil.disk_usage(memory).free if memory.is_dir() else 0
    return memory if room > ROOM_FOR_DATABASES else None


def _server(run_dir: Path) -> Embedded:
    # Nothing here outlives the run, so it need not outlive a power cut either.
    return Embedded(run_dir / "server", SERVER)


@contextlib.contextmanager
def _copy(server_url: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )
        yield make_conninfo(server_url, dbname=name)
        # Connections just closed take a millisecond to go; DROP DATABASE would sleep a hundred on meeting one.
        for _ in range(50):
            if not connection.execute("SELECT FROM pg_stat_activity WHERE datname = %s", (name,)).rowcount:
                break
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module that says IN_ORDER run as they stand, wherever chance has put the module."""
    at: dict[object, list[int]] = {}
    for n, item in enumerate(items):
        module = getattr(item, "module", None)
        if getattr(module, "IN_ORDER", False):
            at.setdefault(module, []).append(n)
    for places in at.values():
        ordered = sorted((items[n] for n in places), key=_place_in_module)
        for n, item in zip(places, ordered, strict=True):
            items[n] = item


def _place_in_module(item: pytest.Item) -> tuple[int, tuple[int, ...]]:
    call = getattr(item, "callspec", None)
    return item.location[1] or 0, tuple(call.indices.values()) if call is not None else ()
