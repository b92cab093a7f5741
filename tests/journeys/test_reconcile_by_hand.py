"""A reconciliation in real processes: by the scheduler, by hand, with a report, and what it repairs is repaired."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from machine import COMMANDS_EVERY, NAME, Machine, machine, until


@pytest.fixture
def loaded() -> Iterator[Machine]:
    """A machine at work, with its history on both sides."""
    with machine(seed=9, customers=12, orders=16, products=4) as made:
        made.write_settings(processes=1)
        made.write_connection(mode="live", subscriptions="api")
        with (made.home / f"{NAME}.toml").open("a") as file:
            file.write('\n[reconcile]\ngrace_period = "1s"\nincremental_every = "1m"\n')
        made.start("serve")
        until(made.is_ready, 20)
        assert made.run("connect", f"{NAME}.toml").returncode == 0
        assert made.run("backfill", NAME).returncode == 0
        until(lambda: is_settled(made), 60, "the load is applied", every=COMMANDS_EVERY)
        yield made


def is_settled(there: Machine) -> bool:
    (told,) = there.told("status", NAME)["connections"]
    is_waiting = any(classes["waiting"] for classes in told["accounting"].values())
    return told["accounting"]["orders"]["applied"] > 0 and not (told["events"]["waiting"] or is_waiting)


def by_hand(there: Machine, *options: str) -> subprocess.CompletedProcess[str]:
    """A reconciliation as typed, again while one of the scheduler is under way."""
    done: list[subprocess.CompletedProcess[str]] = []

    def is_done() -> bool:
        done.append(there.run("reconcile", NAME, *options))
        return done[-1].returncode != 2 or "is under way in another process" not in done[-1].stderr

    until(is_done, 60, "no other reconciliation is under way")
    return done[-1]


def test_what_somebody_broke_is_found_shown_and_mended(loaded: Machine) -> None:
    calm = by_hand(loaded, "--json")
    assert calm.returncode == 0, calm.stdout + calm.stderr
    told = json.loads(calm.stdout)
    assert (told["n_findings"], told["blind"]) == (0, [])
    assert told["run"] > 1, "the worker looked by itself already"
    assert "platform orders: " in calm.stderr

    first, second = (one["id"] for one in loaded.get("platform/orders")["items"][:2])
    loaded.post("tamper", {"side": "ometria", "kind": "order", "id": first, "set": {"grand_total": 1.25}})
    loaded.post("tamper", {"side": "ometria", "kind": "order", "id": second, "delete": True})
    until(lambda: by_hand(loaded, "--no-repair").returncode == 1, 20, every=COMMANDS_EVERY)
    folder = loaded.home / "report"
    seen = by_hand(loaded, "--out", str(folder))
    assert seen.returncode == 1
    assert "platform.not_applied" in seen.stdout
    assert {path.name for path in folder.iterdir()} == {"report.html", "days.csv", "findings.csv", "report.json"}

    def has_cases() -> bool:
        return "platform." in loaded.run("cases", "list", "--json").stdout

    until(lambda: not has_cases(), 60, "the repairs are applied, and their cases closed")
    assert by_hand(loaded).returncode == 0
