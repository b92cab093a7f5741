"""The work of one bulk operation: every record's lines into its file, until the end or until a fault ends it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from sims.faults import Faults
from sims.shopify.bulk.export import Export
from sims.shopify.bulk.knobs import FAILURES
from sims.shopify.bulk.mixing import Mixer
from sims.shopify.bulk.output import Output
from sims.shopify.bulk.record import Operation
from sims.shopify.bulk.wide import Stream, Wide
from sims.shopify.run import Refusal

ROOTS_AT_ONCE = 20
"""Records written before others may have the world's lock."""


def write(one: Operation, made: Output, export: Export, sight: Wide, faults: Faults) -> Iterator[None]:
    """Write an operation's lines, some records at a time; `doom` of the operation says what ended it early."""
    width = 0 if one.is_grouped else faults.get("shopify.bulk_mixed")
    mixer = Mixer(made.write, width, random.Random(one.id))
    one.doom = next((name for name in FAILURES if name in one.faults), None)
    try:
        for stream, records in export.open(sight):
            for n, lines in enumerate(records, 1):
                for line in lines:
                    mixer.add(line)
                one.n_objects += len(lines)
                one.n_roots += 1
                if sight.run.errors or _ends(one, stream, faults):
                    break
                if n % ROOTS_AT_ONCE == 0:
                    sight.now = sight.world.now()
                    yield
            if sight.run.errors or one.doom is not None:
                break
    except Refusal as refusal:
        sight.run.errors.append({"extensions": refusal.extensions})
    mixer.end()
    if sight.run.errors:
        is_denied = any(_code(each) == "ACCESS_DENIED" for each in sight.run.errors)
        one.doom = "bulk_access_denied" if is_denied else "bulk_fail"


def _ends(one: Operation, stream: Stream | None, faults: Faults) -> bool:
    """Say whether the operation fails here: far enough along where it must, or because it has become too large."""
    above = faults.get("shopify.bulk_timeout_above")
    if one.doom is None and above and one.n_roots > above:
        faults.count("shopify.bulk_timeout_above")
        one.doom = "bulk_timeout"
        return True
    return one.doom is not None and (stream is None or stream.at >= stream.size * faults.get("shopify.bulk_fail_at"))


def _code(error: dict[str, Any]) -> str:
    return str(error.get("extensions", {}).get("code", ""))
