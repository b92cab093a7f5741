"""Who the database server runs as: PostgreSQL refuses to run as root, so root lends it an existing plain user."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

LENT = ("postgres", "nobody")
# Nothing else of our environment: other processes of a lent user could read what the server was started with.
PASSED_ON = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class NoAccount(RuntimeError):  # noqa: N818 - says what is the matter
    """Root may not, or cannot, act as a plain user here; the message names the fix."""


@dataclass(frozen=True)
class SystemAccount:
    """A user of this machine, and the means to act as that user."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    def run(
        self, command: Sequence[str], *, stdin: str = "", log: IO[Any] | None = None, own_session: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` as this user, away from our folder, terminal, settings and whatever secrets they hold."""
        change: dict[str, Any] = {} if self.is_us else {"user": self.uid, "group": self.gid, "extra_groups": []}
        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        try:
            return subprocess.run(
                command,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=log or subprocess.PIPE,
                text=True,
                check=False,
                cwd="/",
                env=environment | {"LC_ALL": "C"},
                umask=0o077,
                start_new_session=own_session,
                **change,
            )
        except PermissionError as error:
            if self.is_us:
                raise
            raise NoAccount(
                f"root may not act as user {self.uid} here ({error.strerror}); "
                "run isthmus as a plain user, or set database.url"
            ) from error

    def can_run(self, program: Path) -> bool:
        try:
            return self.run([str(program), "--version"]).returncode == 0
        except (NoAccount, OSError):
            return False

    def can_enter(self, folder: Path) -> bool:
        return self.run(["/bin/sh", "-c", 'cd "$0"', str(folder)]).returncode == 0

    def owns(self, path: Path) -> bool:
        return path.lstat().st_uid == self.uid

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid)


def current_user() -> SystemAccount:
    return SystemAccount(os.geteuid(), os.getegid())


def unprivileged_user() -> SystemAccount:
    """The plain user that root lends to the server."""
    for name in LENT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemAccount(entry.pw_uid, entry.pw_gid)
    raise NoAccount(
        f"PostgreSQL does not run as root and none of the users {', '.join(LENT)} exists; "
        "run isthmus as a plain user, or set database.url"
    )


def owner_of(path: Path) -> SystemAccount:
    found = path.stat()
    return SystemAccount(found.st_uid, found.st_gid)
