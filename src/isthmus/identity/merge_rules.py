"""Whether two people may be merged in Ometria, where nothing can be undone.

A merge deletes the loser's contacts there (https://docs.ometria.com/docs/merge-profiles) and joins what both allowed.
So it is refused when it would flip consent either way, or take along somebody who is neither of the two.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from isthmus.identity.match import Account
from isthmus.kit.email import normalise_email


class MergeConsent(StrEnum):
    """What a person allows on a channel. Only `in` lets anyone write to them. The first here is the strictest."""

    OUT = "out"
    UNSAID = "unsaid"
    IN = "in"


class Refusal(StrEnum):
    """Why two people are not merged, in the words that are shown."""

    APART = "somebody said that they are different people"
    ONE = "they are one person already"
    NO_ADDRESS = "one of them has no address, so nobody could look up what became of it"
    SHARED = "several people share an address of one of them, and would be merged too"
    EMAIL = "one may be written to by email and the other not"
    SMS = "one may be sent text messages and the other not"
    EXCLUDED = "a contact of one of them is not sent, or is held back by a case"
    ABSENT = "Ometria does not know one of them"
    SEVERAL = "Ometria has several profiles for an address of one of them: their history would be split"
    OTHERS = "Ometria knows one of them by an id or address that is somebody else's here"
    EMAIL_THERE = "by Ometria one may be written to by email and the other not"
    SMS_THERE = "by Ometria one may be sent text messages and the other not"


class Side(Struct, frozen=True, kw_only=True):
    """One person as we know them: accounts, contacts, addresses (in memory only), and what their contacts say.

    `n_moving` writes of theirs are not settled. `is_shared` when their accounts seem to be several people.
    """

    account: Account
    contact: str
    accounts: frozenset[Account]
    contacts: tuple[str, ...]
    emails: frozenset[str]
    n_orders: int = 0
    email: MergeConsent = MergeConsent.UNSAID
    sms: MergeConsent = MergeConsent.UNSAID
    is_shared: bool = False
    is_whole: bool = True
    n_moving: int = 0

    @property
    def ids(self) -> frozenset[str]:
        """Every customer_id Ometria may know them by."""
        return frozenset({self.contact, *self.contacts})


class There(Struct, frozen=True):
    """A profile as Ometria shows it."""

    id: str
    customer_id: str | None
    customer_ids: frozenset[str]
    emails: frozenset[str]
    email: MergeConsent
    sms: MergeConsent


def objections_by_records(one: Side, two: Side, *, are_apart: bool = False) -> tuple[Refusal, ...]:
    """Everything that by our own knowledge speaks against merging two people."""
    against = {
        Refusal.APART: are_apart,
        Refusal.ONE: one.contact == two.contact,
        Refusal.NO_ADDRESS: not (one.emails and two.emails),
        Refusal.SHARED: one.is_shared or two.is_shared,
        Refusal.EXCLUDED: not (one.is_whole and two.is_whole),
        Refusal.EMAIL: _flips(one.email, two.email),
        Refusal.SMS: _flips(one.sms, two.sms),
    }
    return tuple(refusal for refusal, holds in against.items() if holds)


def objections_by_profiles(one: Side, two: Side, seen: tuple[Sequence[There], Sequence[There]]) -> tuple[Refusal, ...]:
    """Everything that speaks against it by what Ometria says of both now."""
    if not (seen[0] and seen[1]):
        return (Refusal.ABSENT,)
    if len(seen[0]) > 1 or len(seen[1]) > 1:
        return (Refusal.SEVERAL,)
    first, second = seen[0][0], seen[1][0]
    against = {
        Refusal.OTHERS: not (_is_theirs(one, first) and _is_theirs(two, second)),
        Refusal.EMAIL_THERE: _flips(first.email, second.email) or _flips(first.email, one.email),
        Refusal.SMS_THERE: _flips(first.sms, second.sms),
    }
    return tuple(refusal for refusal, holds in against.items() if holds)


def stricter_consent(one: MergeConsent, two: MergeConsent) -> MergeConsent:
    """What both together allow."""
    return min(one, two, key=tuple(MergeConsent).index)


def survivor_and_loser(one: Side, two: Side) -> tuple[Side, Side]:
    """Survivor and loser: the person with the oldest account survives, as everywhere."""
    ordered = sorted((one, two), key=lambda side: (side.account[1], side.account[0]))
    return ordered[0], ordered[1]


def platform_side(profile: Mapping[str, Any]) -> There:
    """Read a profile; identities that are not told are taken from its own fields."""
    told = [one for one in profile.get("identities") or () if isinstance(one, Mapping)]
    sms = ((profile.get("channels") or {}).get("sms") or {}).get("allow_marketing")
    customer_id = profile.get("customer_id")
    return There(
        id=str(profile.get("id")),
        customer_id=customer_id,
        customer_ids=frozenset(_values(told, "customer_id", customer_id)),
        emails=frozenset(e for value in _values(told, "email", profile.get("email")) if (e := normalise_email(value))),
        email=_STANCES.get(profile.get("marketing_optin"), MergeConsent.UNSAID),
        sms=MergeConsent.IN if sms is True else MergeConsent.OUT if sms is False else MergeConsent.UNSAID,
    )


def consent_of_body(optin: object, allows_sms: object) -> tuple[MergeConsent, MergeConsent]:
    """What a contact's own body says by email and by text message."""
    sms = MergeConsent.IN if allows_sms is True else MergeConsent.OUT if allows_sms is False else MergeConsent.UNSAID
    return _STANCES.get(optin, MergeConsent.UNSAID), sms


_STANCES: Mapping[object, MergeConsent] = {
    "EXPLICITLY_OPTEDIN": MergeConsent.IN,
    "EXPLICITLY_OPTEDOUT": MergeConsent.OUT,
}


def _flips(one: MergeConsent, two: MergeConsent) -> bool:
    """Whether together they would allow what one alone does not, or the other way round."""
    return (one is MergeConsent.IN) != (two is MergeConsent.IN)


def _is_theirs(side: Side, seen: There) -> bool:
    return seen.customer_id in side.ids and seen.customer_ids <= side.ids and seen.emails <= side.emails


def _values(told: Iterable[Mapping[str, Any]], kind: str, own: object) -> Iterable[str]:
    if isinstance(own, str):
        yield own
    for one in told:
        if one.get("type") == kind and isinstance(one.get("id"), str):
            yield one["id"]
