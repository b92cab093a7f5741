"""Audit a folder of exports, or a connection, with settings resolved."""

from decimal import Decimal
from pathlib import Path

from isthmus.checks.every import Setting
from isthmus.flows import audit
from isthmus.flows.audit import Tell
from isthmus.kit.clock import SystemClock
from isthmus.model.finding import Audit
from isthmus.ometria.limits import PUSHES_PER_SECOND
from isthmus.shopify import exports


def of_exports(folder: Path, tell: Tell) -> Audit:
    """Shopify's CSV exports alone: neither database nor neighbour is needed. ConfigError for other files."""
    now = SystemClock().now()
    setting = Setting(today=now.date(), pushes_per_second=Decimal(PUSHES_PER_SECOND))
    return audit.from_exports(exports.find(folder), setting, now, tell)
