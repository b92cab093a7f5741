"""The lanes of the pipeline: priority and pace, never order."""

from enum import StrEnum


class Lane(StrEnum):
    """First in line comes first here; a write travels in the lane of its most urgent reason."""

    REALTIME = "realtime"
    ENRICHMENT = "enrichment"
    REPAIR = "repair"
    BACKFILL = "backfill"

    @property
    def rank(self) -> int:
        return RANKS[self]


RANKS = {lane: rank for rank, lane in enumerate(Lane)}
