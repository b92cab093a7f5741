"""The first hour of somebody who connects a store, in real processes: every command, its exit code, a clean end."""

import signal
from collections.abc import Iterator

import httpx2
import psutil
import pytest
from machine import COMMANDS_EVERY, KEY, NAME, Machine, machine, stop, until


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[Machine]:
    is_untouched = bool(getattr(request, "param", False))
    with machine(seed=7, customers=8, orders=10, products=3, is_untouched=is_untouched) as made:
        made.write_settings(processes=1)
        made.write_connection(mode="live", subscriptions="api")
        yield made


@pytest.mark.parametrize("fresh", [True], indirect=True, ids=["on an untouched machine"])
def test_from_two_files_to_both_sides_equal_and_a_clean_stop(fresh: Machine) -> None:
    assert fresh.run("migrate").returncode == 0
    assert fresh.run("status").returncode == 0

    looked = fresh.told("connect", f"{NAME}.toml", "--dry-run")
    assert (looked["stored"], looked["subscriptions_changed"]) == (False, 0)
    assert fresh.told("connections")["connections"] == []

    serve = fresh.start("serve")
    until(fresh.is_ready, 20)
    # At log level warning nothing is logged of it, and still it is said, once.
    assert fresh.log_lines("listening") == [f"isthmus: listening on {fresh.url} (webhooks, health, metrics, dashboard)"]
    # The server holds the embedded database; every command from here on is a second process that attaches to it.
    done = fresh.told("connect", f"{NAME}.toml")
    assert (done["stored"], done["new"], done["mode"]) == (True, True, "live")
    assert done["subscriptions_changed"] > 0
    again = fresh.told("connect", f"{NAME}.toml")
    assert (again["new"], again["subscriptions_changed"]) == (False, 0)

    loaded = fresh.run("backfill", NAME)
    assert loaded.returncode == 0
    assert "uk orders: " in loaded.stderr
    assert " loaded" in loaded.stderr
    assert all(one["done"] for one in fresh.told("backfill", NAME)["loaded"])  # resumable: nothing is left to load

    def is_settled() -> bool:
        (told,) = fresh.told("status", NAME)["connections"]
        for classes in told["accounting"].values():
            assert classes["known"] == sum(n for name, n in classes.items() if name != "known")
        return told["accounting"]["orders"]["applied"] > 0 and not (
            told["events"]["waiting"] or any(classes["waiting"] for classes in told["accounting"].values())
        )

    until(is_settled, 60, "the load is applied", every=COMMANDS_EVERY)
    orders = fresh.get("platform/orders")["items"]
    assert orders

    number = orders[0]["id"].partition(":")[2]
    traced = fresh.told("trace", NAME, "--order", number)
    assert {"record", "write", "push"} <= {entry["what"] for entry in traced["entries"]}
    assert fresh.run("trace", NAME, "--order", number).returncode == 0
    assert f"http://127.0.0.1:{fresh.port}/hooks/shopify" in fresh.run("app-config", f"{NAME}.toml").stdout
    shown = fresh.run("cases")
    assert shown.returncode == 0, fresh.told("cases", "list")

    paused = fresh.told("pause", NAME)
    assert paused == {"name": NAME, "lane": None, "paused": True}
    assert fresh.told("status", NAME)["connections"][0]["paused"] is True
    fresh.post("life", {"steps": 5})
    until(lambda: not fresh.get("report")["deliveries"]["pending"], 20, "what comes meanwhile is taken")
    assert fresh.told("resume", NAME)["paused"] is False
    until(is_settled, 60, "what came meanwhile is applied", every=COMMANDS_EVERY)

    assert httpx2.get(f"{fresh.url}/", timeout=10).status_code == 200
    assert b"isthmus_" in httpx2.get(f"{fresh.url}/metrics", timeout=10).content

    assert stop(serve) == 0
    until(lambda: not fresh.processes(), 10, "nothing is left of it")


def test_wrong_use_and_a_horizon_not_decided_are_exit_code_2_and_an_absent_neighbour_3(fresh: Machine) -> None:
    unknown = fresh.run("status", "acne")
    assert unknown.returncode == 2
    assert len(unknown.stderr.strip().splitlines()) == 1
    missing = {name: value for name, value in fresh.environment.items() if name != KEY}
    kept, fresh.environment = fresh.environment, missing
    untold = fresh.run("connect", f"{NAME}.toml")
    assert untold.returncode == 2
    assert KEY in untold.stderr
    fresh.environment = {**kept, "ISTHMUS_WEB_PROT": "80"}
    assert fresh.run("migrate").returncode == 2
    fresh.environment = kept
    fresh.post("faults", {"shopify.dropped_scopes": "read_all_orders"})
    blind = fresh.run("connect", f"{NAME}.toml")
    assert blind.returncode == 2
    (line,) = blind.stderr.strip().splitlines()
    assert "orders.horizon" in line
    assert "read_all_orders" in line
    assert 'orders.horizon = "60d"' in line
    path = fresh.home / f"{NAME}.toml"
    path.write_text(f'{path.read_text()}\n[orders]\nhorizon = "60d"\n')
    accepted = fresh.run("connect", f"{NAME}.toml", "--dry-run")
    assert accepted.returncode == 0, accepted.stderr
    assert "sees orders from 20" in accepted.stdout
    fresh.post("faults", {"shopify.dropped_scopes": ""})
    fresh.sims["ometria"] = "http://127.0.0.1:9"
    fresh.write_connection(subscriptions="api")
    assert fresh.run("connect", f"{NAME}.toml").returncode == 3
    assert fresh.processes() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_serve_however_it_ends(fresh: Machine, how: signal.Signals) -> None:
    serve = fresh.start("serve")
    until(fresh.is_ready, 20)
    until(lambda: fresh.role("work"), 10)
    assert psutil.Process(serve.pid).children()
    code = stop(serve, how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    until(lambda: not fresh.processes(), 20, "nothing is left of it")


@pytest.mark.parametrize("role", ["web", "work"])
def test_a_role_alone_takes_its_database_with_it(fresh: Machine, role: str) -> None:
    assert fresh.run("migrate").returncode == 0
    assert fresh.processes() == []
    alone = fresh.start(role)
    until(fresh.is_ready if role == "web" else lambda: fresh.cluster().answers(), 20)
    assert stop(alone) == 0
    until(lambda: not fresh.processes(), 10, "nothing is left of it")
