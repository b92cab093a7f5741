"""A mapping file in real processes: checked, previewed, connected, obeyed by workers, and changes that nobody tells."""

import json
from collections.abc import Iterator

import pytest
from machine import NAME, Machine, machine, until

SKIN = """[[metafields]]
owner = "customer"
namespace = "custom"
key = "skin"
type = "single_line_text_field"
property = "skin"
"""


@pytest.fixture
def loaded() -> Iterator[Machine]:
    """A machine at work, with its history on both sides."""
    with machine(seed=5, customers=12, orders=6, products=3) as made:
        made.write_settings(processes=1)
        made.write_connection(subscriptions="api", metafields_every="1m")
        assert made.run("connect", f"{NAME}.toml").returncode == 0
        made.start("serve")
        until(made.is_ready, 30)
        assert made.run("backfill", NAME).returncode == 0
        yield made


def skins(there: Machine) -> dict[str, str]:
    """What Ometria holds, by the id of the contact."""
    found = {}
    for one in there.get("platform/contacts")["items"]:
        if value := (one.get("properties") or {}).get("skin"):
            found[one["id"]] = value
    return found


def test_a_mapping_file_from_its_first_mistake_to_the_platform(loaded: Machine) -> None:
    people = [one["id"] for one in loaded.get("truth/uk/customers")["items"] if one["email"]][:2]
    for number in people:
        loaded.post("metafields", {"shop": "uk", "id": number, "key": "skin", "value": "dry"})
    file = loaded.home / f"{NAME}.mapping.toml"

    file.write_text(SKIN.replace('"customer"', '"costumer"'))
    wrong = loaded.run("mapping", "check", file.name)
    assert (wrong.returncode, wrong.stderr.startswith(f"{file.name}:2: metafields[0].owner: must be")) == (2, True)
    with (loaded.home / f"{NAME}.toml").open("a") as connection:
        connection.write(f'\n[mapping]\nfile = "{file.name}"\n')
    refused = loaded.run("connect", f"{NAME}.toml")
    assert (refused.returncode, f"{file.name}:2:" in refused.stderr) == (2, True)

    file.write_text(SKIN)
    assert loaded.run("mapping", "check", file.name).returncode == 0
    seen = json.loads(loaded.run("mapping", "preview", NAME, file.name, "--json").stdout)
    assert (seen["n_sent"], seen["n_people"]) == ({"contact": 2}, 2)
    assert [(one["name"], one["n_new"]) for one in seen["changes"]] == [("skin", 2)]
    shown = loaded.run("mapping", "preview", NAME, file.name, "--show-values")
    assert "2 contacts would be sent again, of 2 people." in shown.stdout
    assert "dry" in shown.stdout
    assert skins(loaded) == {}

    assert loaded.run("connect", f"{NAME}.toml").returncode == 0
    until(lambda: skins(loaded) == {f"uk:{number}": "dry" for number in people}, 60, "it is obeyed")
    loaded.post("metafields", {"shop": "uk", "id": people[0], "key": "skin", "value": "oily"})
    loaded.post("metafields", {"shop": "uk", "id": people[1], "key": "skin", "value": None})
    until(lambda: skins(loaded) == {f"uk:{people[0]}": "oily"}, 120, "the next round finds what nobody told")
    assert "metafields:customer" in loaded.run("status", NAME, "--verbose").stdout
