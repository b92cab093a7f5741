"""What an error of PostgreSQL means, by its SQLSTATE: a table, since nobody should have to guess.

https://www.postgresql.org/docs/18/errcodes-appendix.html
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Means(StrEnum):
    """passing: the same work may well succeed at once · away: the database cannot work now, nothing of it can · ours:
    the statement is wrong, which is a bug."""

    PASSING = "passing"
    AWAY = "away"
    OURS = "ours"


STATES: Mapping[str, Means] = MappingProxyType(
    {
        "0A000": Means.PASSING,  # a plan kept from before a migration: made again on another connection
        "25006": Means.AWAY,  # read-only: a standby, or a spell of maintenance
        "25P03": Means.PASSING,  # idle in a transaction for too long: this process stood still meanwhile
        "25P04": Means.PASSING,  # the transaction took too long
        "26000": Means.PASSING,  # a prepared statement that a pooler has forgotten
        "40001": Means.PASSING,
        "40003": Means.PASSING,  # whether it was completed is unknown
        "40P01": Means.PASSING,
        "53000": Means.AWAY,
        "53100": Means.AWAY,  # disk full
        "53200": Means.AWAY,  # out of memory
        "53300": Means.AWAY,  # too many connections
        "53400": Means.AWAY,
        "55000": Means.AWAY,  # not in the state needed, such as a server that is recovering
        "55006": Means.PASSING,
        "55P03": Means.PASSING,  # a lock was not to be had in time
        "57014": Means.PASSING,  # a statement took too long
        "57P01": Means.AWAY,
        "57P02": Means.AWAY,
        "57P03": Means.AWAY,
        "57P04": Means.AWAY,
        "57P05": Means.PASSING,  # idle for too long
        "58000": Means.AWAY,
        "58030": Means.AWAY,  # input or output error
        "58P01": Means.AWAY,  # a file is missing
    }
)
"""By code. What stands in neither table is ours."""

CLASSES: Mapping[str, Means] = MappingProxyType({"08": Means.AWAY, "28": Means.AWAY, "3D": Means.AWAY})
"""By the first two characters: connections, authorization, a database that is not there."""


def classify_error(sqlstate: str | None, *, is_operational: bool) -> Means:
    """What an error means; one without a code is a lost connection where the driver calls it operational."""
    if sqlstate is None:
        return Means.AWAY if is_operational else Means.OURS
    return STATES.get(sqlstate) or CLASSES.get(sqlstate[:2]) or Means.OURS
