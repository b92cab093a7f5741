"""A worker process of a measurement: works off what is due, whenever it is told to go. Imports no simulator."""

import argparse

from bench.rig import context, say, settle, shifts, spent

from isthmus.db.pool import Database
from isthmus.flows.process import process_batch
from isthmus.model.lane import Lane


def work(url: str) -> None:
    """Process until nothing is due, and say how much that was and what it took."""
    line = context()
    with Database(url, pool_size=1) as db:
        process_batch(db, line)  # nothing yet, but the connection is there
        settle()
        for _ in shifts():
            before, n = spent(), 0
            while claimed := process_batch(db, line, (Lane.REALTIME,)).n_claimed:
                n += claimed
            after = spent()
            say({"n": n, "cpu": after["cpu"] - before["cpu"], "mb": after["mb"]})


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--url", required=True)
    work(options.parse_args().url)
