"""What a simulator does and on whose word: a document's address, or ASSUMED where no document says."""

from __future__ import annotations

from dataclasses import dataclass

ASSUMED = "ASSUMED"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One behaviour, its basis (an address or `ASSUMED`), and the module or switch where it lives."""

    behaviour: str
    basis: str
    where: str
