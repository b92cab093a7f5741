"""The life that goes on: each step one thing happens somewhere, as likely as in a shop, and fires its topics."""

from __future__ import annotations

import random

from sims.shopify.events import Event
from sims.shopify.life import buying, orders, people, shelves
from sims.shopify.state import World

HAPPENINGS = (*people.HAPPENINGS, *shelves.HAPPENINGS, *buying.HAPPENINGS, *orders.HAPPENINGS)
"""Everything that can happen, with how often against the others."""

TRIES = 50
MAILS = 0.8


def step(world: World, rng: random.Random) -> list[Event]:
    """Let one thing happen and give the events it fires; all of them belong to one merchant action.

    Render them before the next step. Empty only when nothing could happen, as in a world without people and products.
    """
    at = world.now()
    stores = list(world.stores.values())
    deeds, weights = [one for one, _ in HAPPENINGS], [weight for _, weight in HAPPENINGS]
    with world.lock:
        for _ in range(TRIES):
            events = rng.choices(deeds, weights)[0](world, rng.choice(stores), rng, at)
            if events:
                return events
    return []


def change_of_mind(world: World, rng: random.Random) -> list[Event]:
    """Let somebody subscribe who was not, or the other way round: to mails mostly, else to text messages."""
    at = world.now()
    stores = list(world.stores.values())
    for _ in range(TRIES):
        deed = people.somebody_agrees_or_not if rng.random() < MAILS else people.somebody_texts_or_not
        events = deed(world, rng.choice(stores), rng, at)
        if events:
            return events
    return []
