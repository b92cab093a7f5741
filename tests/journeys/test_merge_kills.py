"""kill -9 while Ometria is asked to merge two people: nothing is asked twice, and the merge is followed."""

import signal
from typing import Any

from machine import COMMANDS_EVERY, NAME, Machine, machine, until


def settled(there: Machine) -> bool:
    (told,) = there.told("status", NAME)["connections"]
    known = told["accounting"]["customers"]
    return not told["events"]["waiting"] and known["applied"] > 0 and not known["waiting"]


def merges_asked(there: Machine) -> int:
    tape = there.get("tape?side=ometria&limit=200000")["items"]
    return sum(entry["path"].endswith("/merge-profile") for entry in tape)


def profiles(there: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = there.get("platform/profiles")["items"]
    return found


def test_a_merge_that_was_killed_in_the_middle_is_looked_up_and_not_asked_again() -> None:
    with machine(seed=21, customers=40, orders=0, products=2) as there:
        there.write_settings(processes=1)
        settings = there.home / "isthmus.toml"
        settings.write_text(settings.read_text() + f'\n[clock]\nfollow = "{there.sims["shopify"]}"\n')
        there.write_connection()
        (tie,) = there.post("ties", {"seed": 1, "sorts": ["plus_tag"]})["items"]
        survivor, loser = sorted(f"uk:{number}" for _, number in tie["accounts"])
        serve = there.start("serve")
        until(there.is_ready, 30)
        assert there.run("connect", f"{NAME}.toml").returncode == 0
        there.deploy_app()
        assert there.run("backfill", NAME, within=120).returncode == 0
        until(lambda: settled(there), 90, "everybody is there", every=COMMANDS_EVERY)
        serve.send_signal(signal.SIGTERM)
        serve.wait(30)

        (sure,) = [one for one in there.told("duplicates", NAME)["candidates"] if one["verdict"] == "sure"]
        assert (sure["survivor"]["contact"], sure["loser"]["contact"]) == (survivor, loser)
        there.post("faults", {"ometria.p_timeout_after_accept": 1.0, "ometria.hang_seconds": 30.0})
        asking = there.start("merge", NAME, str(sure["candidate"]), "--yes", "--wait")
        until(lambda: merges_asked(there) == 1, 60, "it is asked")
        asking.kill()
        asking.wait()
        there.post("faults", {"ometria.p_timeout_after_accept": 0.0})

        (merge,) = there.told("duplicates", NAME)["merges"]
        assert merge["state"] == "asked"
        there.post("clock", {"advance": 130})
        there.start("serve")
        until(there.is_ready, 30)
        until(
            lambda: there.told("duplicates", NAME)["merges"][0]["state"] == "done",
            60,
            "it is looked up",
            every=COMMANDS_EVERY,
        )
        until(lambda: settled(there), 90, "the deleted contact is there again", every=COMMANDS_EVERY)
        assert merges_asked(there) == 1
        (one,) = [each for each in profiles(there) if each["customer_id"] in (survivor, loser)]
        assert {each["id"] for each in one["identities"] if each["type"] == "email"} >= {one["email"].lower()}
        contacts = {each["id"]: each for each in there.get("platform/contacts")["items"]}
        assert contacts[loser]["customer_id"] == contacts[survivor]["customer_id"] == survivor
