"""Labelled faults of every sort on all three layers: each is found, blamed on the right layer, and fixed."""

import random

import pytest

from isthmus.db.pool import Database
from lengths import LONG
from mischief import SORTS, Label, Mischief

SEEDS = range(1, 41 if LONG else 4)
RIGHT = 0.95
"""Share of findings that must name the right layer."""


def hurt(database: Database, seed: int) -> Mischief:
    """A calm town, and then every sort of fault in an order of the seed's own."""
    town = Mischief(database, seed)
    sorts = [*SORTS]
    random.Random(seed).shuffle(sorts)
    for sort in sorts:
        sort(town)
    town.come_to_rest()
    town.pass_time(600)
    return town


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_is_found_blamed_on_its_layer_and_mended(database: Database, seed: int) -> None:
    town = hurt(database, seed)
    assert len(town.labels) >= 30
    assert len({label.sort for label in town.labels.values()}) >= 12
    assert {label.cause for label in town.labels.values()} == {"storefront", "integration", "platform"}

    first = town.findings(town.reconcile().run)
    found = {(f.kind, f.id): f for f in first}
    assert not [label for key, label in town.labels.items() if key not in found], "not found"
    assert not [f for key, f in found.items() if key not in town.labels], "nobody did that"
    right = [town.labels[f.kind, f.id].cause == f.cause for f in first]
    assert sum(right) / len(right) >= RIGHT, [(town.labels[f.kind, f.id], f.code) for f in first]

    town.come_to_rest()
    town.pass_time(600)
    second = {(f.kind, f.id): f for f in town.findings(town.reconcile().run)}
    assert not [f for key, f in second.items() if key not in town.labels or town.labels[key].is_repairable]
    assert not [label for key, label in town.labels.items() if not label.is_repairable and key not in second]
    assert not [fired for fired in town.sims.ometria.account.automations if fired["kind"] == "custom_event"]


def test_labels_say_what_was_done(database: Database) -> None:
    town = Mischief(database, 5)
    town.dropped_there()
    (label,) = town.labels.values()
    assert label == Label("dropped there", "order", label.id, "platform")
