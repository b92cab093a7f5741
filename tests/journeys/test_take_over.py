"""Another writer's account is taken over in real processes: refused, rehearsed, carried out, live."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from machine import COMMANDS_EVERY, NAME, Machine, machine, until


@pytest.fixture
def crowded() -> Iterator[Machine]:
    """A machine whose account Ometria's own importer has filled."""
    with machine(seed=11, customers=12, orders=18, products=4) as made:
        made.write_settings(processes=1)
        switches = {"native_importer": True, "phone_rule": "possible", "importer_totals": "net"}
        made.post("switches", switches)
        made.post("native-import", {})
        yield made


def write(there: Machine, mode: str, takeover: str | None = None) -> None:
    there.write_connection(mode=mode, subscriptions="api")
    if takeover is not None:
        path = there.home / f"{NAME}.toml"
        path.write_text(path.read_text().replace("[connection]\n", f'[connection]\ntakeover = "{takeover}"\n'))


def account(there: Machine) -> tuple[int, Decimal]:
    valid = [one for one in there.get("platform/orders")["items"] if one["is_valid"]]
    back = sum(Decimal(str(line.get("refunded") or 0)) for one in valid for line in one.get("lineitems") or ())
    return len(valid), sum((Decimal(str(one["grand_total"])) for one in valid), Decimal(0)) - back


def settled(there: Machine, part: str) -> bool:
    (told,) = there.told("status", NAME)["connections"]
    return not told["events"]["waiting"] and told["accounting"]["orders"][part] > 0


def test_from_the_first_refusal_to_live(crowded: Machine) -> None:
    before = account(crowded)
    crowded.start("serve")
    until(crowded.is_ready, 20)

    write(crowded, "live")
    refused = crowded.run("connect", f"{NAME}.toml")
    assert refused.returncode == 1
    assert "must be fixed: ometria: platform.foreign_writer" in refused.stdout
    assert all(
        word in refused.stdout for word in ("connection.takeover", '"adopt_ids"', '"start_at = DATE"', '"ignore"')
    )
    assert crowded.told("connections")["connections"] == []

    write(crowded, "shadow")
    told = crowded.told("connect", f"{NAME}.toml")
    assert (told["stored"], told["takeover"]) == (True, None)
    assert {group["verdict"] for group in told["other_writers"]["groups"] if group["kind"] == "order"} == {"matched"}
    assert "platform.foreign_writer" in codes(crowded)

    write(crowded, "live", "adopt_ids")
    early = crowded.run("connect", f"{NAME}.toml")
    assert early.returncode == 1
    assert f"isthmus takeover {NAME}" in " ".join(early.stdout.split())

    write(crowded, "shadow", "adopt_ids")
    assert crowded.told("connect", f"{NAME}.toml")["takeover"] == "adopt_ids"
    assert "platform.foreign_writer" not in codes(crowded)
    assert crowded.run("backfill", NAME).returncode == 0
    until(lambda: settled(crowded, "waiting"), 60, "history is known", every=COMMANDS_EVERY)
    rehearsed = crowded.told("takeover", NAME)
    assert all(one["before"] == one["after"] and one["added"] == "0.00" for one in rehearsed["totals"])
    assert sum(one["n_before"] for one in rehearsed["totals"]) == before[0]
    shown = crowded.run("takeover", NAME, "--dry-run")
    assert shown.returncode == 0
    assert "in all" in shown.stdout
    assert account(crowded) == before

    write(crowded, "live", "adopt_ids")
    assert crowded.told("connect", f"{NAME}.toml")["stored"] is True
    until(lambda: settled(crowded, "applied") and not waits(crowded), 60, "all of it is applied", every=COMMANDS_EVERY)
    assert account(crowded) == before

    write(crowded, "live")
    back = crowded.run("connect", f"{NAME}.toml")
    assert back.returncode == 1
    assert "leave connection.takeover at" in " ".join(back.stdout.split())


def codes(there: Machine) -> list[str]:
    return sorted(str(group["code"]) for group in there.told("cases", "list")["groups"])


def waits(there: Machine) -> bool:
    (told,) = there.told("status", NAME)["connections"]
    return any(classes["waiting"] for classes in told["accounting"].values())
