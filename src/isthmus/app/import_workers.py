"""Processes that take parts of a load in side by side, since reading and mapping keep one core busy each.

`python -m isthmus.app.import_workers` is one of them: it reads what to do from standard input, answers on output,
and ends when whoever started it is gone.
"""

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
from msgspec import Struct

from isthmus.app.context import App
from isthmus.app.settings import Settings
from isthmus.flows.backfill.import_part import Taken, import_part
from isthmus.flows.backfill.spool import Part
from isthmus.kit import heap
from isthmus.runs.sql.bulk_loads import Load

AT_LEAST = 2
"""Cores that are used, where there are as many; more when more workers are wanted."""

ALLOCATIONS = 100_000
"""How many are made between two looks for cycles: a part is records by the thousand, none of which has any."""


class InitMessage(Struct, frozen=True):
    """The first line that a process is told."""

    settings: dict[str, Any]
    connection: str


class ImportTask(Struct, frozen=True):
    """Every further line: a part to be taken in."""

    load: Load
    number: int
    path: str


class WorkerMessage(Struct, frozen=True):
    """`n` is what `take` tells; with `taken` the whole part is in."""

    n: int = 0
    taken: Taken | None = None


class ImportWorkers:
    """Takes parts in: a single one here, several in processes of their own."""

    def __init__(self, app: App, name: str) -> None:
        self._app = app
        self._name = name
        self._hands: list[_Hand] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for hand in self._hands:
            hand.end()

    def bring(self, load: Load, parts: Sequence[Part], tell: Callable[[int], None]) -> Iterator[Taken]:
        """Take these parts in, in any order; gives each when it is in. `tell` hears what `take` tells."""
        left = list(reversed(parts))
        if len(parts) > 1:
            yield from self._share_out(load, left, tell)
        # Also what somebody had who died: to take a part in twice does no harm.
        for part in reversed(left):
            yield import_part(self._app.db, self._app.context(self._name), load, part, tell)

    def _share_out(self, load: Load, left: list[Part], tell: Callable[[int], None]) -> Iterator[Taken]:
        """Give everybody a part, and another when it is in; what is left at the end nobody could take in."""
        lost: list[Part] = []
        with selectors.DefaultSelector() as ready:
            for hand in self._there():
                if left:
                    hand.give(load, left.pop())
                    ready.register(hand.answers, selectors.EVENT_READ, hand)
            while ready.get_map():
                for key, _ in ready.select():
                    hand = key.data
                    answer = hand.hear()
                    if answer is None:
                        lost.append(hand.part)
                    elif answer.taken is None:
                        tell(answer.n)
                        continue
                    else:
                        yield answer.taken
                    if answer is not None and left:
                        hand.give(load, left.pop())
                    else:
                        ready.unregister(hand.answers)
        left += lost

    def _there(self) -> "list[_Hand]":
        """The processes, started when they are first needed; without those that died."""
        if not self._hands:
            hello = InitMessage(self._app.settings.model_dump(mode="json"), self._name)
            self._hands = [_Hand(hello) for _ in range(count_workers(self._app.settings.workers.processes))]
        self._hands = [hand for hand in self._hands if hand.is_there]
        return self._hands


def count_workers(workers: int) -> int:
    """How many processes take parts in: one more than cores are used, since each waits for its commits now and then."""
    return min(max(AT_LEAST, workers), os.cpu_count() or 1) + 1


def lower_priority() -> None:
    """Make this process one that takes parts in: it yields to everything else, and seldom looks for cycles."""
    os.nice(10)
    heap.freeze_heap(ALLOCATIONS)


class _Hand:
    """One process, and the part it has."""

    def __init__(self, hello: InitMessage) -> None:
        # Unbuffered, so that what was not heard yet is always seen to be there. Ctrl-C is for whoever started it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "isthmus.app.import_workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - pipes were asked for
        assert self._process.stdout is not None  # noqa: S101
        self._told: Any = self._process.stdin
        self.answers: Any = self._process.stdout
        self.part: Part | None = None
        self._say(hello)

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def give(self, load: Load, part: Part) -> None:
        self.part = part
        self._say(ImportTask(load, part.number, str(part.path)))

    def hear(self) -> WorkerMessage | None:
        """The next answer; None when there will be no more."""
        line = self.answers.readline()
        return msgspec.json.decode(line, type=WorkerMessage) if line.endswith(b"\n") else None

    def end(self) -> None:
        """Let it finish the part it has, and wait for it."""
        self._told.close()
        self.answers.close()
        self._process.wait()

    def _say(self, told: Struct) -> None:
        with suppress(BrokenPipeError):  # it died; that it answers nothing is noticed
            self._told.write(msgspec.json.encode(told) + b"\n")


def worker_main(told: BinaryIO, answers: BinaryIO) -> None:
    """Take in what is told until nothing more will be."""
    lower_priority()
    hello = msgspec.json.decode(told.readline(), type=InitMessage)
    with App.opened(Settings.model_validate(hello.settings), role="load", pool_size=2) as app:

        def say(answer: WorkerMessage) -> None:
            answers.write(msgspec.json.encode(answer) + b"\n")
            answers.flush()

        for line in told:
            errand = msgspec.json.decode(line, type=ImportTask)
            part = Part(errand.number, Path(errand.path))
            say(
                WorkerMessage(
                    taken=import_part(
                        app.db, app.context(hello.connection), errand.load, part, lambda n: say(WorkerMessage(n))
                    )
                )
            )


def run_worker(told: BinaryIO, answers: BinaryIO) -> None:
    """End without a traceback where nothing here is at fault, such as a full disk: whoever started us takes the part in
    itself, and says why it cannot."""
    try:
        with suppress(BrokenPipeError):  # nobody hears us any more; what is in is in
            worker_main(told, answers)
    except Exception as error:
        from isthmus.app.exit_codes import exit_message

        if (why := exit_message(error)) is None:
            raise
        sys.exit(why.code)


if __name__ == "__main__":
    run_worker(sys.stdin.buffer, sys.stdout.buffer)
