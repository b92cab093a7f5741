"""Name the layer at fault for a record on which the store, we and Ometria do not agree.

The pipeline goes store, record, desired write, platform. The first step on it where two sides differ is where the
fault lies; what differs further down follows from it. One table, first match wins.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct


class SideView(StrEnum):
    """there: read and there · absent: looked for and not found · unlisted: not in a complete listing, which alone
    proves nothing · unseen: nobody looked, or could not.
    """

    THERE = "there"
    ABSENT = "absent"
    UNLISTED = "unlisted"
    UNSEEN = "unseen"


class Record(StrEnum):
    """What we have of it: known, gone (a tombstone), none."""

    KNOWN = "known"
    GONE = "gone"
    NONE = "none"


class NoDrift(StrEnum):
    """agreed: all sides say the same · waiting: it is on its way or too young · unseen: not enough was looked at ·
    settled: Ometria says what we desire, though we had given it up.
    """

    AGREED = "agreed"
    WAITING = "waiting"
    UNSEEN = "unseen"
    SETTLED = "settled"


class Repair(StrEnum):
    """read: read the record again · map: map it again · send: send it again."""

    READ = "read"
    MAP = "map"
    SEND = "send"


class DriftFacts(Struct, frozen=True, kw_only=True):
    """Everything that is known of one platform record.

    `store_path`, `mapped_path` and `platform_path` say where the store's reading differs from our record, a fresh
    mapping of the record from the desired write, and Ometria's reading from the desired write: None where they
    agree, "" where a side has nothing to compare. `state` is the outbox's, None without a row. `blamed` is the code of
    an open case that says why the store's record cannot be used. `is_ours` says that the id is one we would give today;
    `twin` names another id of the same order.
    """

    kind: str
    id: str
    store_look: SideView = SideView.UNSEEN
    store_path: str | None = None
    record: Record = Record.NONE
    mapped_path: str | None = None
    state: str | None = None
    case_code: str | None = None
    is_ours: bool = True
    platform_look: SideView = SideView.UNSEEN
    platform_path: str | None = None
    is_written_later: bool = False
    twin: str | None = None
    blamed: str | None = None
    is_told: bool = False
    """An event about it waits to be worked on."""
    is_young: bool = False
    """It changed within the grace period, on whichever side."""
    is_overruled: bool = False
    """What may be sent to the person is not the same on both sides yet, though the records agree."""
    would_opt_in: bool = False
    """Sending it again would opt somebody in who is not opted in there."""


class DriftVerdict(Struct, frozen=True):
    """A finding: its code, the layer at fault, what may be done about it, and where or why, naming no person."""

    code: str
    cause: str
    repair: tuple[Repair, ...] = ()
    detail: str = ""


MOVING = ("due", "leased", "accepted", "held")
"""States of a write that is on its way."""

RESENDABLE = ("platform.not_applied", "platform.differs", "platform.unanswered")
"""Dead letters that Ometria never refused: it only did not do what it was told."""


class DriftRule(Struct, frozen=True):
    """One row of the table. Where `code` is worked out, it is the one that a case has already."""

    code: str | Callable[[DriftFacts], str]
    when: Callable[[DriftFacts], bool]
    repair: Callable[[DriftFacts], tuple[Repair, ...]]
    detail: Callable[[DriftFacts], str]


def attribute_difference(facts: DriftFacts) -> DriftVerdict | NoDrift:
    """What is wrong with a record and whose fault it is, or how it stands when nothing is."""
    if facts.is_told or facts.is_young:
        return NoDrift.WAITING
    for rule in RULES:
        if rule.when(facts):
            code = rule.code if isinstance(rule.code, str) else rule.code(facts)
            return DriftVerdict(code, cause_of_code(code), rule.repair(facts), rule.detail(facts))
    if facts.state in MOVING or facts.is_overruled:
        return NoDrift.WAITING
    if facts.state == "buried":
        return NoDrift.SETTLED
    return NoDrift.AGREED if _is_seen(facts) else NoDrift.UNSEEN


def cause_of_code(code: str) -> str:
    """The layer that a code's name begins with; whatever names no layer is ours."""
    layer = code.partition(".")[0]
    return layer if layer in ("storefront", "platform") else "integration"


def _is_seen(facts: DriftFacts) -> bool:
    """Whether every side was looked at, so that agreement is more than silence."""
    is_not_there = facts.store_look in (SideView.ABSENT, SideView.UNLISTED)
    has_store = facts.store_look is SideView.THERE or (is_not_there and facts.record is not Record.KNOWN)
    if facts.state is None:
        return facts.platform_look is SideView.ABSENT and facts.record is not Record.KNOWN
    if facts.state == "excluded" or not facts.is_ours:
        return facts.platform_look is SideView.ABSENT
    return has_store and facts.platform_look is SideView.THERE


def _is_absent_or_other(facts: DriftFacts) -> bool:
    return facts.platform_look is SideView.ABSENT or facts.platform_path is not None


def _send(facts: DriftFacts) -> tuple[Repair, ...]:
    """Never towards an opt-in: that somebody is opted out there may be their own word."""
    return () if facts.would_opt_in else (Repair.SEND,)


def _read(facts: DriftFacts) -> tuple[Repair, ...]:
    """Read it, and where Ometria strayed as well, send it: the reading may find nothing that is to be sent."""
    strayed = facts.state == "applied" and facts.platform_look is not SideView.UNSEEN and _is_absent_or_other(facts)
    return (Repair.READ, *(_send(facts) if strayed else ()))


def _at(facts: DriftFacts) -> str:
    where = f"at {facts.platform_path}" if facts.platform_path else ""
    if facts.would_opt_in:
        return f"{where}; not sent again, since that would opt somebody in".lstrip("; ")
    return where


def _blamed(facts: DriftFacts) -> str:
    return facts.blamed or facts.case_code or "internal.bug"


def _buried(facts: DriftFacts) -> str:
    return facts.case_code or facts.blamed or "internal.bug"


def _none(_: DriftFacts) -> tuple[Repair, ...]:
    return ()


RULES: tuple[DriftRule, ...] = (
    DriftRule(
        "integration.left_behind",
        lambda f: f.state is not None and not f.is_ours and f.platform_look is SideView.THERE,
        _none,
        lambda _: "under an id that its store no longer gives",
    ),
    DriftRule(
        _blamed,
        lambda f: f.blamed is not None and f.store_look is SideView.THERE and f.store_path is not None,
        lambda _: (Repair.READ,),
        lambda _: "the shop's record cannot be read",
    ),
    DriftRule(
        "integration.missed_change",
        lambda f: (
            f.is_ours and f.store_look is SideView.THERE and (f.record is not Record.KNOWN or f.store_path is not None)
        ),
        _read,
        lambda f: f"at {f.store_path}" if f.store_path else "the shop has it, we do not",
    ),
    DriftRule(
        "integration.missed_deletion",
        lambda f: f.is_ours and f.store_look is SideView.ABSENT and f.record is Record.KNOWN,
        _read,
        lambda _: "the shop no longer has it",
    ),
    DriftRule(
        _buried,
        lambda f: f.state == "buried" and cause_of_code(f.case_code or "") == "storefront",
        _none,
        lambda _: "what the shop says of it has no words in Ometria",
    ),
    DriftRule(
        "integration.stale_mapping",
        lambda f: f.is_ours and f.mapped_path is not None,
        lambda _: (Repair.MAP,),
        lambda f: f"at {f.mapped_path}" if f.mapped_path else "nothing is desired of it",
    ),
    DriftRule(
        "integration.left_behind",
        lambda f: f.state == "excluded" and f.platform_look is SideView.THERE,
        _none,
        lambda _: "we no longer send it, and it is still there",
    ),
    DriftRule(
        _buried,
        lambda f: f.state == "buried" and f.case_code not in RESENDABLE,
        _none,
        lambda _: "refused, and not to be sent again as it is",
    ),
    DriftRule(
        _buried,
        lambda f: f.state == "buried" and (f.platform_look is SideView.UNSEEN or _is_absent_or_other(f)),
        lambda f: () if f.platform_look is SideView.UNSEEN else _send(f),
        _at,
    ),
    DriftRule(
        "platform.not_applied",
        lambda f: f.state == "applied" and f.is_ours and f.platform_look is SideView.ABSENT,
        _send,
        _at,
    ),
    DriftRule(
        "platform.overwritten",
        lambda f: f.state == "applied" and f.platform_path is not None and f.is_written_later,
        _send,
        _at,
    ),
    DriftRule("platform.differs", lambda f: f.state == "applied" and f.platform_path is not None, _send, _at),
    DriftRule(
        "platform.duplicate_order",
        lambda f: f.state is None and f.platform_look is SideView.THERE and f.twin is not None,
        _none,
        lambda f: f"the same order is there as {f.twin}",
    ),
    DriftRule(
        "platform.foreign_writer",
        lambda f: f.state is None and f.platform_look is SideView.THERE,
        _none,
        lambda _: "we never wrote it",
    ),
)
"""From the store to Ometria, the first step that does not hold."""
