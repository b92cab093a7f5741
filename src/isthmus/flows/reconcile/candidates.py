"""Gather every record on which the sides may not agree, by what each of them listed."""

from datetime import datetime

from isthmus.drift.sql import observations as drift
from isthmus.drift.sql import results as judged
from isthmus.drift.sql.observations import KINDS
from isthmus.flows import out_of_sight
from isthmus.flows.reconcile.run_context import RunContext, sure_since
from isthmus.flows.takeover.id_mapping import WITHHELD
from isthmus.mapping.order import BEFORE_US
from isthmus.model.failure import Failure

THEIRS = (BEFORE_US, WITHHELD)
"""Why an order of ours is another writer's."""

ABSENT_READS = 200
"""Records looked for one by one in a run over a window, whose listing shows no absence."""

IN_FLIGHT_READS = 1_000
"""Records on their way that are judged one by one; more of them are counted as what they are."""


def add_candidates(held: RunContext, step: str) -> None:
    """Write the suspects of a run down; doing it twice changes nothing."""
    connection, run = held.context.connection, held.id
    namespaces = {name: shop.rules.namespace for name, shop in held.context.shops.items()}
    with held.db.transaction() as tx:
        drift.add_mismatched(tx, connection, run)
        kinds = [KINDS[kind] for kind in held.asked.kinds]
        judged.add_in_flight_candidates(tx, connection, run, kinds, held.stores, held.asked.since, IN_FLIGHT_READS)
        held.move(tx, step, None, 0)
    horizons: dict[str, datetime] = {}
    for kind in held.asked.kinds:
        for store in held.stores:
            if held.asked.is_full and not held.is_blind("store", kind, store):
                horizon = _horizon(held, store) if kind == "order" else None
                with held.db.transaction() as tx:
                    drift.add_unlisted(
                        tx, connection, run, kind, store, namespaces[store], held.run.started_at, horizon
                    )
                    if horizon is not None:
                        horizons[store] = horizon
                        n = drift.count_out_of_sight(tx, connection, run, store, namespaces[store], horizon)
                        held.out_of_sight[store] = out_of_sight.report_out_of_sight(
                            tx, held.context, store, n, held.now()
                        )
                    held.move(tx, step, None, 0)
        if not held.is_blind("platform", kind):
            limit = None if held.asked.is_full else ABSENT_READS
            with held.db.transaction() as tx:
                drift.add_absent(tx, connection, run, KINDS[kind], held.stores, held.asked.since, limit)
                drift.add_unexpected(tx, connection, run, KINDS[kind], namespaces, THEIRS)
                held.move(tx, step, None, 0)
    with held.db.transaction() as tx:
        for store, horizon in horizons.items():
            judged.save_out_of_sight(tx, connection, run, store, namespaces[store], horizon)
        for kind in held.asked.kinds:
            if not held.is_blind("platform", kind):
                judged.add_half_listed_candidates(tx, connection, run, KINDS[kind], held.stores, ABSENT_READS)
        held.move(tx, step, None, 0)
    with held.db.transaction() as tx:
        total = drift.count_candidates(tx, connection, run)
    held.tell_step(step, total, total, is_done=True)


def _horizon(held: RunContext, store: str) -> datetime | None:
    """The day until which orders may be out of the app's sight; None where it sees all of them.

    A store that does not answer may hide orders: then nothing is concluded of old ones.
    """
    try:
        sees_all = held.patiently(held.context.shops[store].reader.sees_all_orders)
    except Failure:
        sees_all = False
    return None if sees_all else sure_since(held)
