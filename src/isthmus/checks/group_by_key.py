"""Notice when a key comes back: the one thing that all searches for duplicates do."""

from collections.abc import Iterator

from isthmus.model.audit_rows import CustomerRef


class Groups:
    """Who shares a key. Of everybody only a number for the key and a reference to who they are is kept."""

    def __init__(self) -> None:
        self._first: dict[int, CustomerRef] = {}
        self._shared: dict[int, list[CustomerRef]] = {}

    def meet(self, key: tuple[str, ...], who: CustomerRef) -> None:
        # 64 bits of hash: among ten million keys two meet by chance once in 400,000 audits.
        number = hash(key)
        first = self._first.setdefault(number, who)
        if first is not who:
            self._shared.setdefault(number, [first]).append(who)

    def shared(self) -> Iterator[list[CustomerRef]]:
        """Groups of two and more, the one that spent most first."""
        yield from sorted(self._shared.values(), key=lambda group: (-sum(who.spent for who in group), group[0].id))

    def __len__(self) -> int:
        return len(self._shared)
