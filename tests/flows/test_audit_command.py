"""isthmus audit as typed: on exports alone, without account and database."""

import json
from pathlib import Path

import pytest

from isthmus.cli import main


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["audit", *words])
    return int(ended.value.code or 0)


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


def test_a_clean_export_is_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "customers_export.csv").write_text(
        "Customer ID,First Name,Last Name,Email,Phone,Total Spent,Total "
        "Orders,Tags\n'1,Ada,Byron,ada@x.com,,10.00,1,vip\n"
    )
    assert run("--from-export", str(tmp_path)) == 0
    assert "Ready. Nothing was found;" in capsys.readouterr().out


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
