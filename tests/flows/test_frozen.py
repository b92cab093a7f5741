"""Worlds that tests are given as copies: each is whole, alike, and nobody else's."""

import enum
import gc
import types
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal

from frozen import stands_for_itself
from isthmus.db.pool import Database
from kept import Lent
from plays import Play

Opened = Callable[[], AbstractContextManager[Lent]]

NEVER_CHANGES = (
    type(None), bool, int, float, complex, str, bytes, date, time, timedelta, tzinfo, Decimal, enum.Enum, type, range,
    types.BuiltinFunctionType, types.WrapperDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
    types.CodeType, Database,
)  # fmt: skip

SPREAD = "tally"
"""A number there is kept in as many rows as chance will have it."""


def parts(world: object) -> dict[int, object]:
    """All that a world consists of and that could change."""
    found: dict[int, object] = {}
    left = [world]
    while left:
        it = left.pop()
        if id(it) in found or isinstance(it, NEVER_CHANGES) or stands_for_itself(it):
            continue
        found[id(it)] = it
        left += it.__closure__ or () if isinstance(it, types.FunctionType) else gc.get_referents(it)
    return found


def frozen_of(value: object) -> bool:
    """Whether it can only share what cannot change: a tuple or frozen set of such, or nothing."""
    return isinstance(value, (tuple, frozenset)) and all(
        isinstance(one, NEVER_CHANGES) or stands_for_itself(one) or frozen_of(one) for one in value
    )


def n_rows(play: Play, table: str) -> object:
    return play.rows(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - from the catalogue


def test_copies_of_a_world_share_nothing_that_changes(fresh_database: Opened) -> None:
    plays = []
    for _ in range(4):
        with fresh_database() as db:
            plays.append(Play(db))
    first, second = (parts(play) for play in plays[-2:])
    assert len(first) > 1000
    assert [one for number, one in first.items() if number in second and not frozen_of(one)] == []


def test_a_copy_is_what_was_built(fresh_database: Opened) -> None:
    told: list[tuple[object, ...]] = []
    rows, kinds = [], []
    for _ in range(4):
        with fresh_database() as db:
            play = Play(db)
            told.append(
                (play.now, play.sims.world.rng.getstate(), play.mark(), len(play.sims.tape.read(limit=200_000)))
            )
            rows.append({name: n_rows(play, name) for name, _ in db.kept.tables if name != SPREAD})
            kinds.append(Counter(type(part).__name__ for part in parts(play).values() if type(part) is not tuple))
            assert play.compare().differences == ()
            who = play.person("ada@example.com", "SUBSCRIBED")
            play.come_to_rest()
            assert play.contact(who)["email"] == "ada@example.com"
            told.append((play.mark(), play.mailable("ada@example.com")))
    assert rows[0] == rows[-1]
    assert told[0] == told[-2]
    assert told[1] == told[-1]
    assert kinds[0]["World"] == kinds[-1]["World"] == 1
