"""Remember which deliveries only the previous secret of an app opened, in memory, until somebody writes it down."""

from collections import Counter
from collections.abc import Iterable, Mapping

from isthmus.web.webhooks.verify import VerifiedStore


class Rotation:
    """Counts by connection and store. Lives in the endpoint's event loop; `take` may be called from another thread."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, matches: Iterable[VerifiedStore]) -> None:
        for match in matches:
            if match.is_previous:
                self._counts[match.connection, match.store] += 1

    def take(self) -> Mapping[tuple[str, str], int]:
        """What was counted since the last time, by connection and store."""
        counts, self._counts = self._counts, Counter()
        return counts

    def give_back(self, counts: Mapping[tuple[str, str], int]) -> None:
        """It could not be written down: count it again the next time."""
        for key, n in counts.items():
            self._counts[key] += n
