"""Gather every record on which the sides may not agree, by what each of them listed."""

from isthmus.drift import sql as drift
from isthmus.drift.sql import KINDS
from isthmus.flows.reconcile.held import Held
from isthmus.flows.takeover.adopt import WITHHELD
from isthmus.mapping.order import BEFORE_US

THEIRS = (BEFORE_US, WITHHELD)
"""Why an order of ours is another writer's."""

ABSENT_LOOKS = 200
"""Records looked for one by one in a run over a window, whose listing shows no absence."""


def suspect(held: Held, step: str) -> None:
    """Write the suspects of a run down; doing it twice changes nothing."""
    connection, run = held.road.connection, held.id
    namespaces = {name: shop.rules.namespace for name, shop in held.road.shops.items()}
    with held.db.transaction() as tx:
        drift.suspect_the_unequal(tx, connection, run)
        held.move(tx, step, None, 0)
    for kind in held.asked.kinds:
        for store in held.stores:
            if held.asked.is_full and not held.is_blind("store", kind, store):
                with held.db.transaction() as tx:
                    drift.suspect_the_unlisted(tx, connection, run, kind, store, namespaces[store], held.run.started_at)
                    held.move(tx, step, None, 0)
        if not held.is_blind("platform", kind):
            limit = None if held.asked.is_full else ABSENT_LOOKS
            with held.db.transaction() as tx:
                drift.suspect_the_absent(tx, connection, run, KINDS[kind], held.stores, held.asked.since, limit)
                drift.suspect_the_odd(tx, connection, run, KINDS[kind], namespaces, THEIRS)
                held.move(tx, step, None, 0)
    with held.db.transaction() as tx:
        total = drift.n_suspects(tx, connection, run)
    held.tell_step(step, total, total, is_done=True)
