"""isthmus audit as typed: on exports alone, without account and database."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from isthmus.cli import main
from served import served


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["audit", *words])
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "customers_export.csv").write_text(
        "Customer ID,First Name,Last Name,Email,Phone,Total Spent,Total Orders,Tags\n"
        "'1,Ada,Byron,ada@x.com,,10.00,1,vip\n'2,Ada,Byron,ADA@x.com,,5.00,1,VIP\n'3,Bob,Quill,,,0.00,0,\n"
    )
    (tmp_path / "orders_export.csv").write_text(
        "Name,Email,Total,Currency,Created at,Id\n#1001,ada@x.com,10.00,GBP,2026-09-03 10:14:00 "
        "-0400,7\n#1002,,5.00,GBP,,8\n"
    )
    return tmp_path


def test_exports_alone_make_a_page_a_sheet_and_a_document(folder: Path, capsys: pytest.CaptureFixture[str]):
    page, sheet = folder / "report.html", folder / "report.csv"
    code = run("--from-export", str(folder), "--out", str(page), "--csv", str(sheet), "--json")
    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert told["verdict"] == "ready with care"
    assert {one["code"]: one["n"] for one in told["findings"]} == {
        "duplicate_email": 2,
        "no_email": 1,
        "ownerless_orders": 1,
    }
    assert "Ready with care" in page.read_text()
    assert sheet.read_text().startswith("level,code,title")


def test_a_file_that_is_missing_is_told_as_not_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]):
    run("--from-export", str(folder), "--json")
    told = json.loads(capsys.readouterr().out)
    unseen = {one["code"]: one["reason"] for one in told["could_not_look"]}
    assert unseen["no_sku"] == "products: there is no products_export.csv"
    assert "Ometria was not asked" in unseen["other_writers"]


def test_one_small_file_is_not_enough_to_be_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "customers_export.csv").write_text(
        "Customer ID,First Name,Last Name,Email,Phone,Total Spent,Total Orders,Tags\n"
        "'1,Ada,Byron,ada@x.com,,10.00,1,vip\n'2,Bob,Quill,bob@x.com,,5.00,1,vip\n"
    )
    page = tmp_path / "report.html"
    assert run("--from-export", str(tmp_path), "--out", str(page)) == 1
    assert "Not enough was looked at. Nothing was found; " in capsys.readouterr().out
    assert "<strong>Not enough was looked at</strong>" in page.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give one of NAME, --file FILE, --from-export DIR"),
        (("acme", "--from-export", "x"), "give one of NAME, --file FILE, --from-export DIR"),
        (("--from-export", "nowhere"), "nowhere is no folder"),
        (("--from-export", ".", "--out", "no/where/report.html"), "there is no folder"),
    ],
)
def test_wrong_use_is_said_in_one_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    assert run(*words) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert said in told[0]


@pytest.fixture
def sims() -> Iterator[dict[str, Any]]:
    with served("--customers", "40", "--orders", "30", "--products", "6", "--seed", "3") as told:
        yield told


def test_a_connection_that_is_not_stored_is_audited_over_the_wire(
    sims: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """No database is there, and none is made."""
    store = sims["stores"][0]
    (tmp_path / "acme.toml").write_text(
        f"""[connection]
name = "acme"
[ometria]
base_url = "{sims["ometria"]}/v2"
api_key = "env:ACME_KEY"
[[stores]]
name = "uk"
domain = "{store["domain"]}"
admin_url = "{store["admin_url"]}"
client_id = "{store["client_id"]}"
client_secret = "env:ACME_SECRET"
namespace = "uk:"
currency = "GBP"
"""
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_KEY", sims["api_key"])
    monkeypatch.setenv("ACME_SECRET", store["client_secret"])
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert run("--file", "acme.toml", "--json", "--out", "report.html") in (0, 1)
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["read"]["customers"] == len(_truth(sims, store))
    assert "Ometria's people take about" in captured.err
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    monkeypatch.setenv("ACME_SECRET", "wrong")
    assert run("--file", "acme.toml", "--json") == 3
    assert "storefront.token_refused" in json.loads(capsys.readouterr().out)["could_not_look"][0]["reason"]
    monkeypatch.delenv("ACME_SECRET")
    assert run("--file", "acme.toml") == 2
    assert "ACME_SECRET" in capsys.readouterr().err


def _truth(sims: dict[str, Any], store: dict[str, str]) -> list[Any]:
    items: list[Any] = httpx2.get(f"{sims['shopify']}/_sim/truth/{store['domain']}/customers").json()["items"]
    return items
