"""How far a load is, for whoever watches."""

from collections.abc import Sequence

from msgspec import Struct

from isthmus.runs.sql.bulk_loads import Load


class Progress(Struct, frozen=True):
    """One kind of one store. `n` of `total` records are in; `n_read` of them are read one by one by the workers.

    `n_found` is how many Shopify has written so far, `total` is None until it is known.
    """

    store: str
    kind: str
    n: int
    n_found: int
    total: int | None
    n_read: int = 0
    n_again: int = 0
    is_done: bool = False
    is_failed: bool = False


def progress_of_loads(loads: Sequence[Load], count: int | None, extra: int = 0) -> Progress:
    """The progress of one kind of one store from its loads; `count` is what the shop said there is to see, `extra` what
    is in of parts that are not.
    """
    whole = [one for one in loads if one.state != "split"]
    is_over = all(one.is_over for one in whole)
    n = sum(one.n_loaded for one in whole) + extra
    told = [one for one in whole if one.state in ("ready", "done")]
    total = sum(one.n_roots for one in told) if len(told) == len(whole) else count
    return Progress(
        store=loads[0].store,
        kind=loads[0].kind,
        n=n,
        n_found=sum(one.n_roots for one in whole),
        total=total,
        n_read=sum(one.n_read for one in whole),
        n_again=sum(one.n_again for one in loads) + sum(one.state == "split" for one in loads),
        is_done=is_over,
        is_failed=any(one.state == "failed" for one in whole),
    )
