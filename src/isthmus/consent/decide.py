"""Who may be written to: one table over everything that was ever stated about an address, first match wins.

An opt-in needs a later and proven statement; ties and doubt go to opt-out. Nothing here depends on the order in which
statements arrived, or on which side made them unless the policy says so.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.consent.policy import MOVED, PLATFORM, Policy
from isthmus.model.consent import IN, OUT, Stance


class Statement(Struct, frozen=True, gc=False):
    """One row of the ledger about one address. `store` is empty for what was said of the whole account.

    `is_word` says that it became its speaker's word rather than coming too late to be it; the speaker is the store's
    customer. `at` is the statement's own time, None where it has none; `heard_at` when we heard it.
    """

    state: str
    source: str
    heard_at: datetime
    at: datetime | None = None
    store: str = ""
    customer_id: int | None = None
    level: str | None = None
    is_word: bool = True

    @property
    def side(self) -> str:
        """store or platform"""
        return "platform" if self.source.startswith(PLATFORM) else "store"

    @property
    def is_proven(self) -> bool:
        """Whether it has a time of its own and was made about this very address."""
        return self.at is not None and self.source != MOVED

    @property
    def since(self) -> datetime:
        """From when it holds: what has no time of its own holds from when it was heard."""
        return self.at if self.at is not None else self.heard_at


class ConsentStatus(Struct, frozen=True):
    """Where an address stands: the stance, the rule that decided, and the statement that did, if any.

    `n_outs` counts the opt-outs that are known, of every store: more of them later may change the stance.
    """

    stance: Stance
    rule: str
    by: Statement | None = None
    n_outs: int = 0


NOTHING = ConsentStatus(Stance.UNSAID, "nothing_said")


class WeighedStatements(Struct, frozen=True):
    """The statements that matter: the latest opt-out, and of the opt-ins that still stand the latest of each sort."""

    out: Statement | None
    opt_in: Statement | None
    """The latest, proven or not."""
    proven: Statement | None
    """The latest that is proven and whose side may lift an opt-out."""
    is_entitled: bool
    """Whether any opt-in comes from a side that may lift an opt-out."""


class ConsentRule(Struct, frozen=True):
    """One row of the table."""

    name: str
    stance: Stance
    when: Callable[[WeighedStatements], bool]


TABLE: tuple[ConsentRule, ...] = (
    ConsentRule("nothing_said", Stance.UNSAID, lambda w: w.out is None and w.opt_in is None),
    ConsentRule("opt_out", Stance.OUT, lambda w: w.opt_in is None),
    ConsentRule("opt_in", Stance.IN, lambda w: w.out is None),
    ConsentRule("other_authority", Stance.OUT, lambda w: not w.is_entitled),
    ConsentRule("unproven_opt_in", Stance.OUT, lambda w: w.proven is None),
    ConsentRule("later_opt_out", Stance.OUT, lambda w: _since(w.proven) < _since(w.out)),
    ConsentRule("tie_to_opt_out", Stance.OUT, lambda w: _since(w.proven) == _since(w.out)),
    ConsentRule("later_opt_in", Stance.IN, lambda _: True),
)
"""From no statement at all to an opt-in that is later than every opt-out."""


def decide_consent(statements: Sequence[Statement], policy: Policy, store: str) -> ConsentStatus:
    """Where one address stands in one store of the connection, from the ledger's rows about it in their order.

    The order counts only for one speaker's own words, which were weighed by their versions when they were heard.
    """
    mine = statements if policy.scope == "connection" else [s for s in statements if s.store in ("", store)]
    n_outs = sum(s.state in OUT for s in statements)
    if not mine:
        return ConsentStatus(NOTHING.stance, NOTHING.rule, n_outs=n_outs)
    outs = [s for s in mine if s.state in OUT]
    opt_ins = [s for s in _standing_words(mine) if s.state == IN]
    entitled = [s for s in opt_ins if policy.lets_lift(s.side)]
    weighed = WeighedStatements(
        _latest(outs), _latest(opt_ins), _latest([s for s in entitled if s.is_proven]), is_entitled=bool(entitled)
    )
    rule = next(rule for rule in TABLE if rule.when(weighed))
    by = {Stance.IN: weighed.proven or weighed.opt_in, Stance.OUT: weighed.out, Stance.UNSAID: None}[rule.stance]
    return ConsentStatus(rule.stance, rule.name, by, n_outs)


def _standing_words(statements: Iterable[Statement]) -> list[Statement]:
    """What is not taken back: each customer's last word in the shop, and everything said on Ometria's side."""
    last: dict[tuple[str, int | None], Statement] = {}
    said = []
    for s in statements:
        if s.side == "platform":
            said.append(s)
        elif s.is_word:
            last[s.store, s.customer_id] = s
    return [*said, *last.values()]


def _latest(statements: Iterable[Statement]) -> Statement | None:
    """The one that holds from the latest time, so chosen among equals that equal sets give equal answers: of what both
    sides say of one moment Ometria's is first, since the shop's is then the echo of ours.
    """
    return max(statements, key=_rank, default=None)


def _rank(s: Statement) -> tuple[datetime, bool, bool, str, str, str, int, datetime]:
    return s.since, s.is_proven, s.side == "platform", s.state, s.source, s.store, s.customer_id or 0, s.heard_at


def _since(statement: Statement | None) -> datetime:
    assert statement is not None  # noqa: S101 - the rows above it in the table have seen to that
    return statement.since
