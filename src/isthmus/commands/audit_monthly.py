"""Let a thread of its own make the audit that comes round once a month, at a quarter of the account's readings."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from isthmus.app.context import App
from isthmus.commands import audit
from isthmus.db.pool import is_unavailable
from isthmus.flows.audit import monthly
from isthmus.flows.audit.progress import ReportProgress
from isthmus.model.audit_finding import AuditResult

log = structlog.get_logger(__name__)

SHARE = 0.25
"""Of the account's readings, since nobody waits for it."""

BUDGET = timedelta(minutes=30)
"""After so long it stops reading Ometria's people, and says how many it saw."""


class Auditor:
    """Begins what is due; one at a time in this process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._thread: threading.Thread | None = None

    def is_due(self, name: str) -> bool:
        """Whether it is time, and nobody makes one."""
        if self._thread is not None and self._thread.is_alive():
            return False
        connected = self._app.connected(name)
        every = connected.config.reconcile.audit_every
        return monthly.is_monthly_audit_due(self._app.db, name, connected.connected_at, every, self._app.clock.now())

    def begin(self, name: str, goes_on: Callable[[], bool]) -> None:
        """Let a thread make it, which may take half an hour; it stops soon after `goes_on` says no."""
        self._thread = threading.Thread(target=self._do, args=(name, goes_on), name="audit", daemon=True)
        self._thread.start()

    def audit(self, name: str, goes_on: Callable[[], bool] = lambda: True) -> bool:
        """One audit, written down; False where another process makes it, or it did not get to its end."""

        def look(tell: ReportProgress) -> AuditResult:
            config = self._app.connected(name).config
            return audit.audit_connection(config, self._app.settings, tell, lambda _: None, budget=BUDGET, share=SHARE)

        return monthly.run_monthly_audit(self._app.db, self._app.clock, name, look, goes_on)

    def _do(self, name: str, goes_on: Callable[[], bool]) -> None:
        try:
            self.audit(name, goes_on)
        except Exception as error:
            if not is_unavailable(error):
                log.error("the audit failed", connection=name, error=type(error).__name__)
