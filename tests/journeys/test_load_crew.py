"""Parts taken in by several processes: all of them once, also when a process is killed in the middle of one."""

import time

import psutil
import pytest
from machine import NAME, machine

from isthmus.app.context import App
from isthmus.app.import_workers import ImportWorkers, count_workers
from isthmus.app.settings import load_settings as settings_of
from isthmus.flows.backfill import spool
from isthmus.runs.date_range import DateRange
from isthmus.runs.sql import bulk_loads as loads
from isthmus.shopify.bulk import bulk_query

PARTS = 24


def test_a_killed_process_costs_nothing_but_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(seed=5, customers=200, orders=1_200, products=10) as here:
        here.write_settings(processes=2)
        here.write_connection()
        assert here.run("migrate").returncode == 0
        assert here.run("connect", f"{NAME}.toml").returncode == 0
        for name, value in here.environment.items():
            if name.startswith("ACME_"):
                monkeypatch.setenv(name, value)
        settings = settings_of(here.home / "isthmus.toml")
        data_dir = (here.home / ".isthmus").resolve()
        settings = settings.model_copy(update={"database": settings.database.model_copy(update={"data_dir": data_dir})})
        with App.opened(settings, role="test", pool_size=2) as app, ImportWorkers(app, NAME) as crew:
            bulk = app.context(NAME).shops["uk"].bulk
            assert bulk is not None
            begun = bulk.start(bulk_query("order"))
            done = begun
            while done is None or done.url is None:
                time.sleep(0.2)
                done = bulk.look(begun.gid)
            folder = here.home / "parts"
            spool.split_result(folder, "order", bulk.lines(done.url), PARTS)
            with app.db.transaction() as tx:
                loads.enqueue_loads(tx, NAME, "uk", "order", [DateRange()], app.clock.now())
                (load,) = loads.list_loads(tx, NAME)
                loads.mark_running(tx, NAME, load.id, begun.gid, begun.created_at, app.clock.now())
            with app.db.transaction() as tx:
                (load,) = loads.list_loads(tx, NAME)
            told: list[int] = []
            taken = []
            for one in crew.bring(load, spool.pending_parts(folder, PARTS, ()), told.append):
                taken.append(one)
                if len(taken) == 5:
                    victims = [
                        p for p in psutil.Process().children() if "isthmus.app.import_workers" in " ".join(p.cmdline())
                    ]
                    assert len(victims) == count_workers(settings.workers.processes)
                    victims[0].kill()
            assert sorted(one.part for one in taken) == list(range(PARTS))
            assert sum(one.n for one in taken) == done.n_roots
            with app.db.transaction() as tx:
                assert len(loads.finished_parts(tx, NAME, load.id)) == PARTS
                n = tx.fetch_value("SELECT count(*) FROM record WHERE kind = 'order' AND store = 'uk'")
            assert n == done.n_roots - sum(one.n_read for one in taken)
