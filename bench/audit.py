"""An audit of a seeded merchant: over HTTP, both sides simulated, and from the CSV files that the shop would export.

`python -m bench audit --customers 100000`. Ometria may be read eight times a second, as newer accounts may.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

READS_PER_SECOND = 8
MOST_EACH = 20
"""Troubles of every sort that are sown into a large merchant."""


def run(customers: int, orders: int) -> dict[str, float]:
    """Seconds and MB of both audits, and whether every trouble that was sown was found."""
    each = max(1, min(MOST_EACH, customers // 1_000))
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as name, _sims(customers, orders) as sims:
        home = Path(name)
        home.chmod(0o711)
        sown = _post(sims, "troubles", {"seed": 1, "each": each})["items"]
        _post(sims, "switches", {"native_importer": True, "data_rps": READS_PER_SECOND})
        _post(sims, "native-import", {})
        apart = ["consent_against_will", "consent_lost", "consent_unproven"]
        sown += _post(sims, "troubles", {"seed": 1, "each": each, "sorts": apart})["items"]
        environment = _files(home, sims)
        live, seconds, most = _audit(home, environment, "--file", "acme.toml")
        _export(home / "export", sims)
        alone, seconds_alone, most_alone = _audit(home, environment, "--from-export", "export")
    found = {one["code"]: one["n"] for one in live["findings"]}
    labels = {one["sort"] for one in sown}
    return {
        "customers": live["read"]["customers"],
        "orders": live["read"]["orders"],
        "profiles": live["read"]["profiles of Ometria"],
        "seconds": round(seconds, 1),
        "mb": round(most),
        "sorts_sown": len(labels),
        "sorts_missed": len(labels - found.keys()),
        "from_export_customers": alone["read"]["customers"],
        "from_export_seconds": round(seconds_alone, 1),
        "from_export_mb": round(most_alone),
    }


def _audit(home: Path, environment: dict[str, str], *words: str) -> tuple[dict[str, Any], float, float]:
    """The document of an audit, how long the command took, and the most memory it had."""
    began = time.perf_counter()
    with (home / "out").open("wb") as out:
        program = subprocess.Popen(
            [sys.executable, "-m", "isthmus", "audit", *words, "--json"], cwd=home, env=environment, stdout=out
        )
        seen, most = psutil.Process(program.pid), 0.0
        while program.poll() is None:
            try:
                most = max(most, seen.memory_info().rss / 2**20)
            except psutil.Error:
                break
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    told = json.loads((home / "out").read_bytes() or b"{}")
    if program.wait() not in (0, 1):
        raise RuntimeError(f"the audit ended with {program.returncode}: {told.get('could_not_look')}")
    return told, seconds, most


@contextmanager
def _sims(customers: int, orders: int) -> Iterator[dict[str, Any]]:
    sizes = ["--customers", str(customers), "--orders", str(orders), "--products", str(max(200, customers // 50))]
    command = [sys.executable, "-m", "sims", "--shopify-port", "0", "--ometria-port", "0", *sizes]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        yield json.loads(program.stdout.readline())
    finally:
        program.terminate()
        program.wait()


def _post(sims: dict[str, Any], path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _ask(Request(f"{sims['shopify']}/_sim/{path}", json.dumps(body).encode(), method="POST"))  # noqa: S310


def _ask(request: Request) -> dict[str, Any]:
    with urlopen(request, timeout=600) as answer:  # noqa: S310 - our own simulators
        told: dict[str, Any] = json.loads(answer.read())
    return told


def _files(home: Path, sims: dict[str, Any]) -> dict[str, str]:
    """Settings and a connection as a newcomer writes them; the environment that holds the secrets."""
    stores = "".join(
        f"""
[[stores]]
name = "{store["name"]}"
domain = "{store["domain"]}"
admin_url = "{store["admin_url"]}"
client_id = "{store["client_id"]}"
client_secret = "env:SECRET_{store["name"].upper()}"
namespace = "{store["namespace"]}"
currency = "{store["currency"]}"
"""
        for store in sims["stores"]
    )
    (home / "isthmus.toml").write_text('[database]\nurl = "embedded"\n')
    (home / "acme.toml").write_text(
        f"""[connection]
name = "acme"
[ometria]
base_url = "{sims["ometria"]}/v2"
api_key = "env:OMETRIA_KEY"
read_per_second = {READS_PER_SECOND}
reporting_currency = "GBP"
rates = {{ EUR = 0.86 }}
{stores}"""
    )
    secrets = {f"SECRET_{store['name'].upper()}": store["client_secret"] for store in sims["stores"]}
    return {**os.environ, "OMETRIA_KEY": sims["api_key"], **secrets}


def _export(folder: Path, sims: dict[str, Any]) -> None:
    """The files that the admin of both shops would export, as far as the audit reads them."""
    folder.mkdir()
    with (folder / "customers_export.csv").open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ("Customer ID", "First Name", "Last Name", "Email", "Accepts Email Marketing", "Phone", "Total Spent",
             "Total Orders", "Tags")
        )  # fmt: skip
        for store in sims["stores"]:
            for one in _truth(sims, store, "customers"):
                rows.writerow((f"'{one['id']}", one["first_name"], one["last_name"], one["email"], "yes", one["phone"],
                               one["amount_spent"], one["number_of_orders"], ", ".join(one["tags"])))  # fmt: skip
    with (folder / "orders_export_1.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("Name", "Email", "Total", "Currency", "Created at", "Lineitem name", "Id", "Phone"))
        for store in sims["stores"]:
            for one in _truth(sims, store, "orders"):
                for n, line in enumerate(one["lines"] or [{"title": ""}]):
                    told = (one["email"], one["total"], one["currency"], one["created_at"]) if not n else ("",) * 4
                    rows.writerow((one["name"], *told, line["title"], one["id"] if not n else "", ""))
    with (folder / "products_export.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("URL handle", "Title", "Status", "SKU", "Price", "Option1 value", "Product image URL", "Tags"))
        for store in sims["stores"]:
            for one in _truth(sims, store, "products"):
                for n, variant in enumerate(one["variants"]):
                    told = (one["title"], one["status"].lower()) if not n else ("", "")
                    rows.writerow((one["id"], *told, variant["sku"], variant["price"], variant["title"], "x", ""))


def _truth(sims: dict[str, Any], store: dict[str, str], kind: str) -> list[dict[str, Any]]:
    request = Request(f"{sims['shopify']}/_sim/truth/{store['domain']}/{kind}")  # noqa: S310
    items: list[dict[str, Any]] = _ask(request)["items"]
    return items
