"""Parts taken in by several processes: all of them once, also when a process is killed in the middle of one."""

import time

import psutil
import pytest
from machine import NAME, machine

from isthmus.flows.backfill import spool
from isthmus.runs.loads import sql as loads
from isthmus.runs.span import Span
from isthmus.runtime.app import App
from isthmus.runtime.crew import Crew, hands
from isthmus.runtime.settings import load as settings_of
from isthmus.shopify.bulk import query

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
        with App.opened(settings, role="test", pool_size=2) as app, Crew(app, NAME) as crew:
            bulk = app.road(NAME).shops["uk"].bulk
            assert bulk is not None
            begun = bulk.start(query("order"))
            done = begun
            while done is None or done.url is None:
                time.sleep(0.2)
                done = bulk.look(begun.gid)
            folder = here.home / "parts"
            spool.spread(folder, "order", bulk.lines(done.url), PARTS)
            with app.db.transaction() as tx:
                loads.want(tx, NAME, "uk", "order", [Span()], app.clock.now())
                (load,) = loads.loads(tx, NAME)
                loads.begun(tx, NAME, load.id, begun.gid, begun.created_at, app.clock.now())
            with app.db.transaction() as tx:
                (load,) = loads.loads(tx, NAME)
            told: list[int] = []
            taken = []
            for one in crew.bring(load, spool.parts(folder, PARTS, ()), told.append):
                taken.append(one)
                if len(taken) == 5:
                    victims = [
                        p for p in psutil.Process().children() if "isthmus.runtime.crew" in " ".join(p.cmdline())
                    ]
                    assert len(victims) == hands(settings.workers.processes)
                    victims[0].kill()
            assert sorted(one.part for one in taken) == list(range(PARTS))
            assert sum(one.n for one in taken) == done.n_roots
            with app.db.transaction() as tx:
                assert len(loads.parts_done(tx, NAME, load.id)) == PARTS
                n = tx.fetch_value("SELECT count(*) FROM record WHERE kind = 'order' AND store = 'uk'")
            assert n == done.n_roots - sum(one.n_read for one in taken)
