"""A process that takes parts of a result in, as `isthmus backfill` has several of. Imports no simulator."""

import argparse
from pathlib import Path

from bench.rig import NAME, context, say, shifts, spent

from isthmus.app.import_workers import lower_priority
from isthmus.db.pool import Database
from isthmus.flows.backfill.import_part import import_part
from isthmus.flows.backfill.spool import Part
from isthmus.runs.sql import bulk_loads as loads


def work(url: str, folder: Path, share: int, of: int) -> None:
    """Take in one part of every so many, and say how many records that were and what it took."""
    lower_priority()
    line = context()
    with Database(url, pool_size=1) as db:
        with db.transaction() as tx:
            tx.execute("SELECT 1")
        for _ in shifts():
            before, n = spent(), 0
            with db.transaction() as tx:
                (load,) = loads.list_loads(tx, NAME)
            most = before["mb"]
            for number in range(share, len(list(folder.glob("*.jsonl"))), of):
                n += import_part(db, line, load, Part(number, folder / f"{number:04}.jsonl")).n
                most = max(most, spent()["mb"])
            say({"n": n, "cpu": spent()["cpu"] - before["cpu"], "mb": most})


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--url", required=True)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--share", type=int, required=True)
    options.add_argument("--of", type=int, required=True)
    given = options.parse_args()
    work(given.url, given.folder, given.share, given.of)
