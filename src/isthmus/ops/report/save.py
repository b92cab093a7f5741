"""Put a report into a folder: the page, the sheets, the document."""

from pathlib import Path

import msgspec

from isthmus.ops.report import page, sheets
from isthmus.ops.report.gather import ReconcileReport


def save_report(told: ReconcileReport, folder: Path) -> list[Path]:
    """Write report.html, days.csv, findings.csv and report.json; the files, whose folder is made if it is not there.

    Raises OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "report.html": page.report_html(told).encode(),
        "days.csv": sheets.days_csv(told).encode(),
        "findings.csv": sheets.findings_csv(told).encode(),
        "report.json": msgspec.json.format(msgspec.json.encode(told), indent=2),
    }
    for name, text in files.items():
        (folder / name).write_bytes(text)
    return [folder / name for name in files]
