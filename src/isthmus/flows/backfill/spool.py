"""A result on the disk, in parts that each fit into memory: all lines of a record lie in one.

A result may be of any size and its lines of any order, so it is spread by a hash of the record's id while it comes in.
Only the owner may read the files, and they are removed as soon as they are in.
"""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from msgspec import Struct

from isthmus.kit.config_errors import ConfigError
from isthmus.shopify.parse import lines

PART = 8 * 2**20
"""Bytes of a part, about: 1,500 orders, which take 30 MB while they are joined; few enough that nobody waits long for
whoever has the last."""

MOST = 256
"""Parts of a result: as many files are open at once."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR})

_ROOTS = {"order": "gid://shopify/Order/", "customer": "gid://shopify/Customer/", "product": "gid://shopify/Product/"}


class Part(Struct, frozen=True):
    """One part of a result: its number, and where it lies."""

    number: int
    path: Path


def count_parts(n_bytes: int, part: int = PART) -> int:
    """How many parts a result of this size is spread over."""
    return max(1, min(MOST, -(-n_bytes // part)))


def split_result(folder: Path, kind: str, told: Iterable[bytes], n_parts: int) -> int:
    """Spread the lines of a result; how many there were. The folder is there once all of it is.

    A line names its parent, which for most is the record itself. What is two steps below (a variant's picture) is put
    aside until it is known where its parent went. ConfigError where the disk does not take it: what was written is
    removed, and the result can be asked for again.
    """
    making = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(making, ignore_errors=True)
    with _room(folder.parent):
        try:
            making.mkdir(parents=True, mode=0o700)
            n = _spread(making, kind, told, n_parts)
            making.rename(folder)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            raise
    return n


def _spread(making: Path, kind: str, told: Iterable[bytes], n_parts: int) -> int:
    root, n = _ROOTS[kind], 0
    places: dict[str, int] = {}
    with contextlib.ExitStack() as open_files:
        files = [open_files.enter_context(_create(part_path(making, number))) for number in range(n_parts)]
        aside = open_files.enter_context(_create(making / "aside"))
        for line in told:
            if not line:
                continue
            n += 1
            top = lines.line_head(line)
            if top.parent is None:
                files[crc32((top.id or "").encode()) % n_parts].write(line + b"\n")
            elif top.parent.startswith(root):
                place = crc32(top.parent.encode()) % n_parts
                files[place].write(line + b"\n")
                if kind == "product" and top.id is not None:
                    places[top.id] = place
            else:
                aside.write(line + b"\n")
        aside.flush()
        with (making / "aside").open("rb") as below:
            for line in below:
                files[places.get(lines.line_head(line).parent or "", 0)].write(line)
    (making / "aside").unlink()
    return n


def pending_parts(folder: Path, n_parts: int, done: Iterable[int]) -> list[Part]:
    """The parts that are still to be taken in; those that are in lose their file."""
    are_in = set(done)
    for number in are_in:
        part_path(folder, number).unlink(missing_ok=True)
    return [Part(number, part_path(folder, number)) for number in range(n_parts) if number not in are_in]


def part_path(folder: Path, number: int) -> Path:
    return folder / f"{number:04}.jsonl"


def remove_other_folders(spool: Path, folders: Sequence[Path]) -> None:
    """Remove what was left behind by loads that are over."""
    wanted = {folder.name for folder in folders}
    if spool.is_dir():
        for found in spool.iterdir():
            if found.is_dir() and found.name not in wanted:
                shutil.rmtree(found, ignore_errors=True)


@contextlib.contextmanager
def lock_spool(spool: Path, connection: str) -> Iterator[None]:
    """Be the only one on this machine who loads this connection; a killed process holds nothing any more."""
    with _room(spool):
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (spool / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"NAME: {connection} is being loaded by another command; wait until it is done") from None
        yield


@contextlib.contextmanager
def _room(spool: Path) -> Iterator[None]:
    """A disk that does not take what is written is told of by the setting that names another."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise ConfigError(
            f"backfill.spool_dir: {error.strerror} ({spool}); make room there or name another folder,"
            " then type the same command again"
        ) from error


def _create(name: Path) -> BinaryIO:
    return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", 1 << 16)
