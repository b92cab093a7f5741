"""Everything that the operating checklist judges, gathered at one moment."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.config_changes.result import CheckResult
from isthmus.db.pool import Database, Row
from isthmus.model.consent_comparison import ConsentComparisonResult
from isthmus.ops import sql as looks
from isthmus.ops.alerting_queries import compared, sql
from isthmus.ops.alerting_queries.compared import Chained
from isthmus.ops.alerting_queries.sql import FinishedRun, OpenCases

DAY = timedelta(days=1)
UNINSTALLED = "storefront.app_uninstalled"
AUDIT_OF_CONSENT = "audit:consent"
"""Where the last audit of consent is kept."""


class Setup(Struct, frozen=True, kw_only=True):
    """What the settings say, and the machine: the database does not know. `disk` is free and whole bytes, `by_api` the
    stores whose webhooks are subscribed to by API.
    """

    versions: Mapping[str, str] = {}
    by_api: tuple[str, ...] = ()
    poll_every: timedelta = timedelta(minutes=5)
    enrichment_every: timedelta = timedelta(minutes=15)
    retention: Mapping[str, timedelta] = {}
    is_told: bool = False
    disk: tuple[int, int] | None = None
    trouble: str | None = None


class Note(Struct, frozen=True):
    """That a person has done something: who, when, and what they wrote beside it."""

    at: datetime
    by: str
    text: str = ""


class ChecklistFacts(Struct, frozen=True, kw_only=True):
    """One connection as it stands."""

    connection: str
    now: datetime
    setup: Setup
    switches: Row
    groups: list[OpenCases]
    oldest: dict[int, datetime]
    runs: dict[str, FinishedRun | None]
    compared: Chained | None
    missed: list[Row]
    marks: dict[tuple[str, str], datetime | None]
    verdicts: list[CheckResult]
    looked_at: datetime | None
    secrets: dict[str, datetime]
    kept: dict[str, datetime | None]
    size: int
    untold: tuple[int, datetime | None]
    notes: dict[str, Note]
    accord: ConsentComparisonResult | None = None

    @property
    def left(self) -> dict[str, datetime]:
        """The stores that the app was uninstalled from, and since when: nothing more can be known of them."""
        return {group.store: group.first_at for group in self.groups if group.code == UNINSTALLED}

    @property
    def is_any_store_left(self) -> bool:
        """Whether there is a store that the app is still installed in."""
        return bool(self.setup.versions.keys() - self.left.keys())

    def of_other_stores(self) -> "ChecklistFacts":
        """The same without what is about a store that the app was uninstalled from."""
        left = self.left
        if not left:
            return self
        setup = self.setup
        return msgspec.structs.replace(
            self,
            setup=msgspec.structs.replace(
                setup,
                versions={store: version for store, version in setup.versions.items() if store not in left},
                by_api=tuple(store for store in setup.by_api if store not in left),
            ),
            groups=[group for group in self.groups if group.store not in left],
            missed=[row for row in self.missed if row["store"] not in left],
            marks={key: at for key, at in self.marks.items() if key[0] not in left},
            verdicts=[verdict for verdict in self.verdicts if verdict.store not in left],
        )


def gather_facts(db: Database, connection: str, now: datetime, setup: Setup) -> ChecklistFacts:
    """How a connection stands now. Raises KeyError where there is none of that name."""
    with db.transaction() as tx:
        looks.begin_snapshot(tx)
        switches = sql.connection_switches(tx, connection)
        if switches is None:
            raise KeyError(connection)
        seen = sql.settings_snapshots(tx, connection)
        judged = seen.get(("", "verdicts"))
        waiting = sql.pending_notifications(tx, connection) or {"n": 0, "since": None}
        return ChecklistFacts(
            connection=connection,
            now=now,
            setup=setup,
            switches=switches,
            groups=sql.open_cases_by_code(tx, connection),
            oldest=sql.oldest_work(tx, connection),
            runs={
                "whole": sql.last_ended_run(tx, connection, "reconcile", of_everything=True),
                "audit": sql.last_ended_run(tx, connection, "audit"),
            },
            compared=compared.basis_of_chain(tx, connection),
            missed=sql.missed_changes(tx, connection, now - DAY),
            marks={(mark["store"], mark["name"]): mark["at"] for mark in sql.poll_positions(tx, connection)},
            verdicts=msgspec.convert(judged["body"]["verdicts"], list[CheckResult]) if judged else [],
            looked_at=judged["at"] if judged else None,
            secrets=_ages(seen.get(("", "secrets"))),
            kept=sql.oldest_rows(tx, connection),
            size=sql.database_size(tx),
            untold=(waiting["n"], waiting["since"]),
            notes={
                name.removeprefix("done:"): Note(row["at"], row["body"]["by"], row["body"].get("text", ""))
                for (_, name), row in seen.items()
                if name.startswith("done:")
            },
            accord=_accord(seen.get(("", AUDIT_OF_CONSENT))),
        )


def _accord(row: Row | None) -> ConsentComparisonResult | None:
    return None if row is None else msgspec.convert(row["body"], ConsentComparisonResult)


def _ages(row: Row | None) -> dict[str, datetime]:
    body: dict[str, Any] = row["body"] if row else {}
    return {key: datetime.fromisoformat(age["since"]) for key, age in body.items()}
