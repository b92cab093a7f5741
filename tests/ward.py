"""A world for remedies: both simulated sides in this process, and the commands of the real program over one database.

`Ward.run` runs a command line as a person types it. What a person does outside isthmus (accepting scopes, correcting a
setting in a shop) is done in the simulators or in the connection file. Faults that no knob makes are answers of the
transport: `Ward.weather` puts one in place of a side's own answer for as long as a test wants it.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from isthmus import cli
from isthmus.app import clients
from isthmus.app import context as composition
from isthmus.app.context import App
from isthmus.app.settings import load_settings
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Case
from isthmus.commands import check_config_changes, monitor_subscriptions, notify
from isthmus.connections import file as files
from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.flows import subscription_monitor
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.flows.consent.write_back import write_back
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges import execute as merges
from isthmus.flows.poll import poll_checkouts
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.reconcile.run import reconcile
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.flows.remap import remap_page
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify.client import Shopify
from plays import Play
from scenes import InProcess
from sims.ometria import unsubscribes as centre
from sims.shopify.state import Customer
from sims.wire import Request, Response

Answer = Callable[[Request], Response | None]

COMMAND = re.compile(r"`(isthmus [^`]+)`")


def commands(text: str) -> list[str]:
    """The command lines that a text names, in their order."""
    return COMMAND.findall(text)


class Ward(Play):
    """A play whose connection is stored as the real program stores it, so that every command works on it."""

    def __init__(self, db: Database, dsn: str, server: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.app: App = None  # type: ignore[assignment]  # until the connection is stored
        self.patch = patch
        self.folder = folder
        self.file = folder / "acme.toml"
        super().__init__(db)
        self.weather: dict[str, Answer | None] = {"shopify": None, "ometria": None}
        self.handles = {"shopify": self.sims.shopify.handle, "ometria": self.sims.ometria.handle}
        shopify = InProcess(self._through("shopify", self.sims.shopify.handle))
        ometria = InProcess(self._through("ometria", self.sims.ometria.handle))
        patch.setattr(clients, "Shopify", lambda *a, **k: Shopify(*a, **{**k, "transport": shopify}))
        patch.setattr(clients, "OmetriaClient", lambda *a, **k: OmetriaClient(*a, **{**k, "transport": ometria}))
        patch.setattr(composition, "_clock", lambda *_: self.clock)
        address = urlsplit(server)._replace(path=f"/{conninfo_to_dict(dsn)['dbname']}").geturl()
        patch.setenv("ISTHMUS_DATABASE_URL", address)
        patch.setenv("ISTHMUS_DATABASE_DATA_DIR", str(folder / "data"))
        patch.setenv("ISTHMUS_WEB_PUBLIC_URL", "https://isthmus.example")
        patch.setenv("ACME_KEY", self.key)
        for at in self.sims.stores():
            patch.setenv(f"ACME_{at['name'].upper()}_SECRET", at["client_secret"])
        self.config: dict[str, Any] = {
            "connection": {"name": "acme", "mode": "live"},
            "ometria": {"api_key": "env:ACME_KEY", "base_url": "https://api.ometria.example/v2", "settle_after": "5s"},
            "lanes": {"enrichment_every": "1s"},
            "stores": [
                {
                    "name": at["name"],
                    "domain": at["domain"],
                    "admin_url": f"https://shopify.example/{at['domain']}",
                    "api_version": "2026-10",
                    "client_id": at["client_id"],
                    "client_secret": f"env:ACME_{at['name'].upper()}_SECRET",
                    "namespace": at["namespace"],
                    "currency": at["currency"],
                    "subscriptions": "api",
                }
                for at in self.sims.stores()
            ],
        }
        self.write()
        with db.transaction() as tx:
            connections.save_connection(tx, files.read_connection_file(self.file), self.now)
        self.app = App(load_settings(None), db, self.clock)  # type: ignore[arg-type]
        self.run("isthmus connect FILE")
        self.rest()

    # The pipeline is the one that the program makes of the connection as it is stored.
    @property
    def context(self) -> ConnectionContext:  # type: ignore[override]
        return self._road if self.app is None else self.app.context("acme")

    @context.setter
    def context(self, made: ConnectionContext) -> None:
        self._road = made

    def _through(self, side: str, handle: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answered(request: Request) -> Response:
            fault = self.weather[side]
            answer = fault(request) if fault is not None else None
            return handle(request) if answer is None else answer

        return answered

    # What a person does ----------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Start the processes again, which read their environment again."""
        self.app = App(load_settings(None), self.db, self.clock)  # type: ignore[arg-type]

    def stored_long_ago(self) -> None:
        """The file as it is was connected when it was right: stored without the checks of today."""
        with self.db.transaction() as tx:
            connections.save_connection(tx, files.read_connection_file(self.file), self.now)
        self.app.forget()

    def corrupt(self, side: str, change: Callable[[bytes], bytes]) -> None:
        """Let a side's answers come back changed."""
        handle = self.handles[side]

        def answered(request: Request) -> Response | None:
            answer = handle(request)
            return Response(answer.status, answer.headers, change(answer.body), answer.stream)

        self.weather[side] = answered

    def write(self, **sections: dict[str, Any]) -> None:
        """Write the connection file, with these keys of these sections changed."""
        for name, values in sections.items():
            self.config.setdefault(name, {}).update(values)
        self.file.write_text(toml(self.config), encoding="utf-8")

    def store(self, name: str = "uk", **values: Any) -> None:
        """Change keys of a store in the connection file."""
        next(one for one in self.config["stores"] if one["name"] == name).update(values)
        self.write()

    def run(self, line: str, case: int = 0) -> int:
        """Run a command line as a person types it, with their names for NAME, FILE and ID; the exit code."""
        words = shlex.split(line)
        assert words[0] == "isthmus", line
        is_plan = words[1] == "plans"
        own = self.case(case).subject.partition(":")[2] if case and is_plan else str(case)
        known = {"NAME": "acme", "FILE": str(self.file), "ID": own}
        typed = [known.get(word, word) for word in words[1:]]
        with pytest.MonkeyPatch.context() as here:
            here.chdir(self.folder)
            with pytest.raises(SystemExit) as ended:
                cli.main(typed)
        self.app.forget()
        return int(ended.value.code or 0)

    def subscriber(self, email: str) -> Customer:
        """Somebody who subscribed on both sides."""
        who = self.person(email, "SUBSCRIBED")
        self.rest(10)
        assert self.mailable(email) == "EXPLICITLY_OPTEDIN"
        return who

    def leaves(self, email: str, way: str = "preferences_centre") -> None:
        """Somebody unsubscribes in Ometria."""
        account = self.sims.ometria.account
        centre.opt_out(account, centre.find(account, email=email), self.sim_clock.now(), way)

    def returns(self, email: str) -> None:
        """Somebody subscribes again in Ometria's preference centre."""
        account = self.sims.ometria.account
        centre.opt_in(account, centre.find(account, email=email), self.sim_clock.now())

    # What isthmus does by itself -------------------------------------------------------------------------------------

    def rest(self, seconds: float = 2) -> None:
        """Let everything that comes round do its work until nothing waits: what the scheduler rings for."""
        for _ in range(6):
            self.pass_time(seconds)
            self.work()
            self.ask_around()
            write_back(self.db, self.context)
            while remap_page(self.db, self.context):
                pass
        close_finished_cases(self.db, self.context)

    def ask_around(self) -> None:
        """The readings that come round: polls, unsubscriptions, profiles."""
        self.poll()
        for store in self.context.shops:
            poll_checkouts(self.db, self.context, store)
        poll_unsubscribes.poll_unsubscribes(self.db, self.context)
        poll_profiles.poll_profiles(self.db, self.context)
        poll_profiles.recheck_profiles(self.db, self.context)
        merges.run_next_merge(self.db, self.context)

    def watch(self) -> subscription_monitor.MonitorResult:
        return monitor_subscriptions.monitor_subscriptions(self.app, "acme")

    def govern(self) -> None:
        self.app.forget()
        check_config_changes.check_config_changes(self.app, "acme")

    def tell_somebody(self) -> None:
        notify.notify_connection(self.app, "acme")

    def reconcile_only(self, *, repair: bool = False) -> None:
        """A reconciliation, which repairs nothing unless asked to, once what differs is older than the grace period."""
        self.pass_time(self.context.pace.drift_grace.total_seconds() + 60)
        done = reconcile(self.db, self.context, ReconcileRequest(repair=repair))
        assert done is not None
        assert done.is_done

    # What there is to see --------------------------------------------------------------------------------------------

    def opened(self, code: str) -> Case:
        """The one open case of a code, or the newest of several."""
        with self.db.transaction() as tx:
            found = cases.list_cases(tx, "acme", code=code)
            everything = [(one.code, one.subject, one.detail) for one in cases.list_cases(tx, "acme")]
        assert found, f"no open case {code}; open: {everything}"
        return found[0]

    def case(self, number: int) -> Case:
        with self.db.transaction() as tx:
            found = cases.get_case(tx, number)
        assert found is not None
        return found

    def clear(self) -> None:
        """Turn off every fault."""
        self.sims.faults.clear()
        self.sims.ometria.turn({"data_rps": 1e6, "push_rps": 1e6, "queue_max": 50_000})
        self.weather = {"shopify": None, "ometria": None}


def toml(config: dict[str, Any]) -> str:
    """A connection file; of everything only what JSON and TOML write alike."""
    parts = []
    for name, values in config.items():
        tables: Iterable[dict[str, Any]] = values if isinstance(values, list) else [values]
        for table in tables:
            parts.append(f"[[{name}]]" if isinstance(values, list) else f"[{name}]")
            parts += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(parts) + "\n"
