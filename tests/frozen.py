"""Worlds that cost much to build, built twice in a process: from then on each test gets a copy of its own.

Kept are the rows of the database, and the world as a pickle. A few things are the same in every copy because they never
change: modules, functions, parsed GraphQL, codecs. `tests/unit/test_frozen.py` holds that copies share nothing else.
"""

from __future__ import annotations

import io
import pickle
import threading
import types
from collections.abc import Callable, Hashable
from typing import Any

import msgspec
import zstandard

from isthmus.db.pool import Database
from isthmus.kit.compression import Packer
from kept import Lent, Rows
from sims.shopify.answer import Library

LOCK, RLOCK = type(threading.Lock()), type(threading.RLock())
CODECS = (
    msgspec.json.Decoder, msgspec.json.Encoder, msgspec.msgpack.Decoder, msgspec.msgpack.Encoder,
    zstandard.ZstdCompressor, zstandard.ZstdDecompressor,
)  # fmt: skip
DATABASE, WORLD = -1, -2

_seen: set[Hashable] = set()
_frozen: dict[Hashable, Frozen] = {}


def begin(
    world: object, database: Database, key: Hashable, build: Callable[[], object], *, is_common: bool = False
) -> None:
    """Give a new `world` what `build` gives it; that depends on nothing but `key` and what the world has already.

    A world that `is_common` is frozen when it is built for the first time. No test may have patched anything that
    `build` runs through.
    """
    key = (key, *vars(world).items())
    if not isinstance(database, Lent) or database.is_touched:
        build()
    elif (kept := _frozen.get(key)) is not None:
        kept.thaw(world, database)
    else:
        build()
        # Many a world is built once in a process: that is not worth freezing.
        if (is_common or key in _seen) and not database.is_changed():
            _frozen[key] = Frozen(world, database)
        _seen.add(key)


class Frozen:
    """What a world consisted of when it was frozen, and what its database held."""

    def __init__(self, world: object, database: Lent) -> None:
        self._shared: list[object] = []
        written = io.BytesIO()
        _Pickler(written, self._shared, world, database).dump(vars(world))
        self._pickle = written.getvalue()
        self._rows: Rows = database.rows()

    def thaw(self, world: object, database: Lent) -> None:
        """Make this of a world that is nothing yet, over an empty database."""
        vars(world).update(_Unpickler(io.BytesIO(self._pickle), self._shared, world, database).load())
        database.put(self._rows)


def stands_for_itself(it: object) -> bool:
    """Whether it never changes, and may be the same object in every copy."""
    kind = type(it)
    if kind is types.FunctionType:
        return it.__closure__ is None  # type: ignore[attr-defined]
    return isinstance(it, (types.ModuleType, Packer, Library, _Template, *CODECS)) or kind.__module__.startswith(
        ("graphql.", "structlog.", "ssl")
    )


class _Template:
    """A function that closes over something, as a pattern for others."""

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: list[object], world: object, database: Database) -> None:
        super().__init__(file, protocol=5)
        self._shared, self._world, self._database = shared, world, database
        self._places: dict[int, int] = {}

    def persistent_id(self, it: Any) -> int | None:
        if it is self._database:
            return DATABASE
        if it is self._world:
            return WORLD
        if not stands_for_itself(it):
            return None
        place = self._places.get(id(it))
        if place is None:
            place = self._places[id(it)] = len(self._shared)
            self._shared.append(it)
        return place

    def reducer_override(self, it: Any) -> Any:
        kind = type(it)
        if kind is LOCK:
            return threading.Lock, ()
        if kind is RLOCK:
            return threading.RLock, ()
        if kind is types.MappingProxyType:
            return _proxy, (dict(it),)
        if kind is types.CellType:
            return _cell, (), it.cell_contents, None, None, _fill
        if kind is types.FunctionType:
            return _function, (_Template(it), it.__closure__)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: list[object], world: object, database: Database) -> None:
        super().__init__(file)
        self._shared = [*shared, world, database]  # whose last are WORLD and DATABASE

    def persistent_load(self, place: int) -> object:
        return self._shared[place]


def _proxy(of: dict[Any, Any]) -> types.MappingProxyType[Any, Any]:
    return types.MappingProxyType(of)


def _cell() -> types.CellType:
    return types.CellType()


def _fill(cell: types.CellType, contents: object) -> None:
    cell.cell_contents = contents


def _function(template: _Template, closure: tuple[types.CellType, ...]) -> types.FunctionType:
    like = template.function
    made = types.FunctionType(like.__code__, like.__globals__, like.__name__, like.__defaults__, closure)
    made.__kwdefaults__ = like.__kwdefaults__
    return made
