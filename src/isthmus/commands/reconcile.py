"""Reconcile and enrich stored connections: with readers that wait for their turn, in shifts where a worker does it."""

import threading
from collections.abc import Callable

import msgspec

from isthmus.app.context import App
from isthmus.flows.context import ConnectionContext
from isthmus.flows.reconcile import schedule
from isthmus.flows.reconcile.run import Reconciled, reconcile
from isthmus.flows.reconcile.run_context import ReconcileRequest, RunProgress
from isthmus.shopify.bucket import STANDARD_SIZE
from isthmus.shopify.reads import Reads

PATIENCE = 60.0
"""Seconds that a reading may wait for points: nobody waits for it."""

RESERVE = STANDARD_SIZE / 2
"""Points of a shop that are left to the pipeline."""


class Reconciler:
    """What a process needs to reconcile, kept between shifts so that no token is asked for twice."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._roads: dict[str, tuple[ConnectionContext, ConnectionContext]] = {}
        self._lock = threading.Lock()

    def is_due(self, name: str) -> bool:
        """Whether there is a run to begin or to go on with."""
        return self._asked(name) is not None

    def shift(self, name: str, goes_on: Callable[[], bool]) -> bool:
        """Work on what is due while `goes_on`; whether something is left of it."""
        asked = self._asked(name)
        if asked is None:
            return False
        done = self.run(name, asked, goes_on=goes_on, is_patient=False)
        return done is not None and not done.is_done

    def run(
        self,
        name: str,
        asked: ReconcileRequest,
        *,
        tell: Callable[[RunProgress], None] = lambda _: None,
        goes_on: Callable[[], bool] = lambda: True,
        anew: bool = False,
        is_patient: bool = True,
    ) -> Reconciled | None:
        """One run, or what is left of it; None while another process holds one of this connection."""
        return reconcile(
            self._app.db, self.context(name), asked, tell=tell, goes_on=goes_on, anew=anew, is_patient=is_patient
        )

    def context(self, name: str) -> ConnectionContext:
        """The context of a connection, with readers of its stores that leave the live ones room."""
        live = self._app.context(name)
        with self._lock:
            held = self._roads.get(name)
            if held is not None and held[0] is live:
                return held[1]
            connected = self._app.connected(name)
            shops = {
                store.name: msgspec.structs.replace(
                    live.shops[store.name],
                    reader=Reads(
                        self._app.shopify(connected, n, patience=PATIENCE, reserve=RESERVE),
                        live.shops[store.name].rules.keys,
                    ),
                )
                for n, store in enumerate(connected.config.stores)
            }
            self._roads[name] = (live, msgspec.structs.replace(live, shops=shops))
            return self._roads[name][1]

    def _asked(self, name: str) -> ReconcileRequest | None:
        settings = self._app.connected(name).config.reconcile
        return schedule.due_request(self._app.db, self._app.context(name), settings.incremental_every, settings.night)
