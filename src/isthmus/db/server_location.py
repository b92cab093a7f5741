"""Decide where the embedded server keeps its files, so that its user can reach them and no permission is changed."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from isthmus.db import account as accounts
from isthmus.db.account import SystemAccount

# Where root puts what the server's user could not reach in its own place, such as below a 0700 home.
SHELF = Path("/var/lib/isthmus")
# The path of a unix socket must stay below 104 (macOS) or 108 bytes, so it cannot live beside the data.
SOCKETS = Path("/tmp")  # noqa: S108 - the folder made in it is 0700 and its owner is checked


class PlaceError(RuntimeError):
    """The files of the embedded server cannot be where they should be; the message names the fix."""


@dataclass(frozen=True)
class ServerLocation:
    """The server's own 0700 folder, who it belongs to, and the folder of its socket."""

    home: Path
    account: SystemAccount
    sockets: Path


def resolve_location(data_dir: Path) -> ServerLocation:
    """The place of `data_dir`, made if it is new. Whoever calls holds the start lock of `data_dir`."""
    home, account = _home(data_dir)
    return ServerLocation(home, account, _sockets(home, account))


def existing_location(data_dir: Path) -> Path | None:
    """The server's folder if `data_dir` has one already."""
    pointer = data_dir / "place"
    if pointer.exists():
        home = Path(pointer.read_text().strip())
        if not home.exists():
            raise PlaceError(f"{pointer} says the data are in {home}, which is gone; restore it, or remove {data_dir}")
        return home
    home = data_dir / "postgres"
    return home if home.exists() else None


def _home(data_dir: Path) -> tuple[Path, SystemAccount]:
    us = accounts.current_user()
    home = existing_location(data_dir)
    if home is not None:
        account = accounts.owner_of(home)
        if account.uid == 0:  # made by root, who stopped before giving it away
            account = accounts.unprivileged_user()
        elif us.uid not in (0, account.uid):
            raise PlaceError(
                f"{home} belongs to another user (uid {account.uid}); run as that user, or set database.data_dir"
            )
    elif us.uid != 0:
        home, account = data_dir / "postgres", us
    else:
        account = accounts.unprivileged_user()
        home = data_dir / "postgres" if account.can_enter(data_dir) else _on_the_shelf(data_dir)
    _own(home, account)
    return home, account


def _on_the_shelf(data_dir: Path) -> Path:
    try:
        SHELF.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceError(
            f"the database's own user cannot reach {data_dir}, and {SHELF} cannot be made ({error.strerror}); "
            "set database.data_dir to a folder that every user can reach"
        ) from error
    # The second half makes it another place when the data directory was removed and made again.
    digest = hashlib.blake2b(os.fsencode(data_dir), digest_size=8).hexdigest()
    home = SHELF / f"{digest}-{secrets.token_hex(4)}"
    home.mkdir(mode=0o700)
    (data_dir / "place").write_text(f"{home}\n")
    return home


def _own(folder: Path, account: SystemAccount) -> None:
    """Make `folder`, 0700 and the account's; refuse one that somebody else put there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or not folder.is_dir() or folder.lstat().st_uid not in (0, account.uid):
        raise PlaceError(f"{folder} belongs to somebody else; remove it")
    account.give(folder)


def _sockets(home: Path, account: SystemAccount) -> Path:
    """A short folder of its own for this home; a copy of the home, or one made again in its place, gets another."""
    name = home / "name"
    if not name.exists():
        name.write_text(secrets.token_hex(8))
    digest = hashlib.blake2b(os.fsencode(home) + name.read_bytes(), digest_size=8).hexdigest()
    folder = SOCKETS / f"isthmus-{account.uid}-{digest}"
    _own(folder, account)
    return folder
