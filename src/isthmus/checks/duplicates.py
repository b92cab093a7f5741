"""Say what a search for duplicates found: groups, and everybody in them."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import Check
from isthmus.checks.group_by_key import Groups
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level


def duplicate_finding(
    check: Check, groups: Groups, n_seen: int, *, level: Level, what: str, remedy: str, owner: FindingOwner
) -> list[AuditFinding]:
    """One finding over all groups, each shown by its first; nothing when there are none."""
    if not len(groups):
        return []
    toll, n = FindingAccumulator(check.keep), 0
    for group in groups.shared():
        others = ", ".join(who.id for who in group[1:4]) + (" and more" if len(group) > 4 else "")
        toll.customer(group[0], f"also {others}")
        n += len(group)
        for who in group[1:]:
            toll.add(who)
    return [
        AuditFinding(
            code=check.code,
            level=level,
            title=check.title,
            what=f"{toll.n:,} groups of two or more. {what}" if toll.n > 1 else f"One group. {what}",
            remedy=remedy,
            owner=owner,
            n=n,
            unit="customers",
            of=n_seen,
            people=n,
            money=toll.money,
            examples=toll.examples,
        )
    ]
