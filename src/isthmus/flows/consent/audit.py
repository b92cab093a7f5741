"""Hold both sides against each other, person by person: who may be written to there and has said no here, or the other
way round.

Both sides are read: Ometria's profiles page by page, each shop by one bulk operation. What comes to light on the
way is acted on as always, and never towards an opt-in; `repair` switched off, it is only written down what Ometria
says. Whatever comes to light of an address counts for everybody who has it: they are judged once more when all shops
are read. Whatever differs and is younger than the grace period is looked at again, person by person, before the end.
"""

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import msgspec

from isthmus.config_changes import sql as governance
from isthmus.consent.decide import Statement
from isthmus.consent.sql import ledger
from isthmus.consent.sql import store_updates as writes
from isthmus.consent.sql.ledger import Address
from isthmus.db.pool import Database, Tx
from isthmus.flows.consent import pairing, poll_profiles, poll_unsubscribes, read_shops
from isthmus.flows.consent.audit_counts import AuditCounts, may_mail_any
from isthmus.flows.consent.pairing import ComparisonInput, ConsentComparison, Name
from isthmus.flows.consent.poll_profiles import ProfilesRead
from isthmus.flows.context import ConnectionContext
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import profiles as seen
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.inbox.sql import events as inbox
from isthmus.model.basis import AsOf, NotJudgedReason
from isthmus.model.consent_comparison import ConsentComparisonResult
from isthmus.model.customer import Customer, Here
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.model.reading import Absent, Found, found_record
from isthmus.records.sql import store as records
from isthmus.runs.sql import watermarks as runs

AT_ONCE = 500
MARK = "audit:consent"
DIFFERENCES_KEPT = 2_000
"""Differences that are remembered with the last audit."""

MOST_AGAIN = 1_000
"""People who are looked at once more, one by one, at the end of an audit."""

WAIT_FOR = 5.0
"""Seconds of one wait for the grace period to end."""

MOST_JUDGED_AGAIN = 10_000
"""People who are judged again because something came to light of an address that they have."""

AGAIN_AT_ONCE = 250

ReportProgress = Callable[[RunProgress], None]
_T = TypeVar("_T")


def run_consent_audit(
    db: Database,
    context: ConnectionContext,
    *,
    repair: bool = True,
    signed_by: str = "",
    tell: ReportProgress = lambda _: None,
) -> ConsentComparisonResult:
    """Read both sides, compare everybody, and remember the result with its date."""
    done = _Audit(db, context, repair=repair, tell=tell).run()
    done = msgspec.structs.replace(done, digest=findings_digest(done), signed_by=signed_by)
    with db.transaction() as tx:
        kept = msgspec.structs.replace(
            done, differs=done.differs[:DIFFERENCES_KEPT], unjudged=done.unjudged[:DIFFERENCES_KEPT]
        )
        governance.save_snapshot(tx, context.connection, "", MARK, msgspec.to_builtins(kept), done.at)
        runs.advance_watermark(tx, context.connection, "", MARK, done.at, len(done.differs))
    return done


def has_no_pending_updates(db: Database, connection: str) -> bool:
    """Whether nothing about anybody's consent is on its way to a shop, or still to be looked at."""
    with db.transaction() as tx:
        return not (writes.has_open_updates(tx, connection) or seen.has_profiles_to_recheck(tx, connection))


def findings_digest(done: ConsentComparisonResult) -> str:
    """The same for the same findings, whoever signs them."""
    plain = msgspec.structs.replace(done, digest="", signed_by="")
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()


def last_audit(db: Database, connection: str) -> ConsentComparisonResult | None:
    """The last audit there was."""
    with db.transaction() as tx:
        kept = governance.load_snapshots(tx, connection).get(("", MARK))
    return None if kept is None else msgspec.convert(kept.body, ConsentComparisonResult)


class _Audit:
    """One audit: what it has read, and what it has found so far."""

    def __init__(self, db: Database, context: ConnectionContext, *, repair: bool, tell: ReportProgress) -> None:
        self._db, self._road, self._repair, self._tell = db, context, repair, tell
        self._began = context.clock.now()
        self._tally = AuditCounts(context.shops)
        self._again: list[ConsentComparison] = []
        self._unheard: dict[Address, list[Statement]] = {}
        self._moved: set[Name] = set()

    def run(self) -> ConsentComparisonResult:
        context = self._road
        if self._repair:
            poll_unsubscribes.poll_unsubscribes(self._db, context)
        swept = poll_profiles.read_all_profiles(self._db, context, repair=self._repair, tell=self._tell_profiles)
        self._tally.as_of.append(AsOf("Ometria", read_from=swept.began, read_to=swept.ended))
        if not swept.is_whole:
            self._tally.leave_uncounted(NotJudgedReason.COULD_NOT_LOOK, "Ometria could not be read to its end")
        for store in sorted(context.shops):
            self._store(store, swept)
        self._of_those_who_left()
        self._retired(swept)
        self._judge_again(swept)
        self._look_again()
        return self._tally.result(self._road, is_whole=swept.is_whole)

    def _tell_profiles(self, n: int) -> None:
        self._tell(RunProgress("profiles", n, None, is_done=False))

    # One shop --------------------------------------------------------------------------------------------------------

    def _store(self, store: str, swept: ProfilesRead) -> None:
        """Everybody whom a shop lists now, and those of ours whom it does not list."""
        listed = array("q")
        read_at: datetime | None = None
        try:
            reading = read_shops.ShopConsentReading(self._road.shops[store], self._road.clock)
            read_at = reading.began
            for here in _batched(reading, AT_ONCE):
                self._judge(store, read_at, swept, here)
                listed.extend(one.id for one in here)
                self._tell(RunProgress(f"{store} customers", len(listed), None))
        except Failure as failure:
            self._tally.unread.append(f"{store}: {failure.code}")
            read_at = None
        self._tally.as_of.append(AsOf(store, read_from=read_at, read_to=self._road.clock.now() if read_at else None))
        self._tell(RunProgress(f"{store} customers", len(listed), None, is_done=True))
        self._unlisted(store, set(listed), read_at, swept)

    def _judge(self, store: str, read_at: datetime, swept: ProfilesRead, here: Sequence[Here]) -> None:
        asked = ComparisonInput(
            store, read_at, self._began, swept.listed if swept.is_whole else None, self._repair, self._began
        )
        with self._db.transaction() as tx:
            found = pairing.compare_customers(tx, self._road, asked, here)
            if self._repair:
                # What the shop never told is read as if it had been.
                self._hint(tx, store, [one.who[1] for one in found if one.is_missed])
        for one in found:
            self._note(one.unheard)
            if one.has_moved:
                self._moved.add(one.who)
            elif one.is_young:
                self._again.append(one)
            else:
                self._tally.count(one)

    def _note(self, unheard: Iterable[tuple[Address, Statement]]) -> None:
        for address, statement in unheard:
            self._unheard.setdefault(address, []).append(statement)

    def _unlisted(self, store: str, listed: set[int], read_at: datetime | None, swept: ProfilesRead) -> None:
        """Customers of ours whom the shop's list lacks: not being in a list proves nothing, so each is read."""
        missing: list[int] = []
        for names in self._pages(store):
            missing += [int(name) for name in names if int(name) not in listed]
        if not missing:
            return
        if read_at is None:
            why = next((one for one in self._tally.unread if one.startswith(f"{store}: ")), store)
            self._tally.leave(NotJudgedReason.COULD_NOT_LOOK, store, missing, why)
            return
        for some in _batched(missing[:MOST_AGAIN], AGAIN_AT_ONCE):
            at = self._road.clock.now()
            try:
                found = self._road.shops[store].reader.customers(list(some))
            except Failure as failure:
                self._tally.leave(NotJudgedReason.COULD_NOT_LOOK, store, some, f"{store}: {failure.code}")
                continue
            here = [_here(one.record) for one in found.values() if isinstance(one, Found)]
            self._judge(store, at, swept, here)
            gone = [number for number, one in found.items() if isinstance(one, Absent)]
            self._tally.leave(
                NotJudgedReason.OUT_OF_SIGHT, store, sorted({*some} - {one.id for one in here} - {*gone}), store
            )
            self._gone(store, gone, swept)
        if len(missing) > MOST_AGAIN:
            self._tally.leave(
                NotJudgedReason.NOT_COMPARED, store, missing[MOST_AGAIN:], f"{store}: not in the shop's list"
            )

    def _gone(self, store: str, numbers: Sequence[int], swept: ProfilesRead) -> None:
        """Customers who are gone from the shop, of which nobody told us: nobody may be written to because of them."""
        if not numbers:
            return
        with self._db.transaction() as tx:
            found = pairing.addresses_left_behind(tx, self._road, store, numbers)
            if self._repair:
                self._hint(tx, store, numbers)
        for one in found:
            self._note(one.unheard)
            mine = [p for p in one.mine if p.id in swept.listed]
            self._tally.ended((store, one.number), mine, "gone", is_missed=True)

    def _of_those_who_left(self) -> None:
        """People of stores that are not in the connection file any more: nobody tells us what they say there."""
        with self._db.transaction() as tx:
            left = records.stores_with_records(tx, self._road.connection, "customer", sorted(self._road.shops))
        for store, _ in left:
            numbers = [int(name) for names in self._pages(store) for name in names]
            self._tally.leave(
                NotJudgedReason.NOT_COMPARED, store, numbers, f"{store} is not in the connection file any more"
            )
        if left and self._road.policy.scope == "connection":
            self._not_agreed_with([store for store, _ in left])

    def _not_agreed_with(self, gone: Sequence[str]) -> None:
        """What people say in stores that left counts for them elsewhere, too, and nobody tells us what that is."""
        with self._db.transaction() as tx:
            sharing = ledger.customers_sharing_addresses(tx, self._road.connection, gone)
        for store in sorted(self._road.shops):
            some = self._tally.take_back(store, {number for at, number in sharing if at == store})
            what = f"{store}: who is also a customer of a store that is not in the connection file any more"
            self._tally.leave(NotJudgedReason.NOT_COMPARED, store, sorted(some), what)

    def _retired(self, swept: ProfilesRead) -> None:
        """Nobody may be written to because of a customer who is gone or has no address any more."""
        after: str | None = ""
        while after is not None:
            with self._db.transaction() as tx:
                page, after = pairing.retired_contacts(tx, self._road, after, AT_ONCE)
                emails = sorted({one.email for _, mine in page for one in mine if one.email})
                living = {link.email for link in identity.links_of_emails(tx, self._road.connection, emails)}
            for who, mine in page:
                said = [one for one in mine if one.email not in living and one.id in swept.listed]
                if may_mail_any(said):
                    self._tally.still_written_to(who, said, "no address", is_missed=False)

    def _pages(self, store: str) -> Iterator[list[str]]:
        after = ""
        while True:
            with self._db.transaction() as tx:
                names = records.record_ids(tx, self._road.connection, "customer", store, after, AT_ONCE)
            yield names
            if len(names) < AT_ONCE:
                return
            after = names[-1]

    def _hint(self, tx: Tx, store: str, numbers: Iterable[int]) -> None:
        now = self._road.clock.now()
        hints = [
            RefetchRequest("poll/customer", f"customer:{number}", Lane.REALTIME, now) for number in sorted(numbers)
        ]
        inbox.enqueue_internal(tx, self._road.connection, store, hints, now)

    # Once more -------------------------------------------------------------------------------------------------------

    def _judge_again(self, swept: ProfilesRead) -> None:
        """Whoever seemed to agree, and has an address of which something came to light that another says, is judged
        again with that; and so is whoever left an address that we opted in.
        """
        concerned: set[Name] = set()
        for addresses in _batched(sorted(self._unheard), AT_ONCE):
            with self._db.transaction() as tx:
                spoke = ledger.customers_by_address(tx, self._road.connection, addresses)
            for address in addresses:
                theirs = {(s.store, s.customer_id or 0) for s in self._unheard[address]}
                concerned |= {who for who in spoke.get(address, set()) | theirs if theirs != {who}}
        for store in sorted(self._road.shops):
            moved = {number for at, number in self._moved if at == store}
            seemed = self._tally.take_back(store, {number for at, number in concerned if at == store})
            numbers = sorted(seemed | moved)
            for some in _batched(numbers[:MOST_JUDGED_AGAIN], AGAIN_AT_ONCE):
                self._read_with_all(store, some, swept)
            self._tally.leave(NotJudgedReason.NOT_COMPARED, store, numbers[MOST_JUDGED_AGAIN:], store)

    def _read_with_all(self, store: str, numbers: Sequence[int], swept: ProfilesRead) -> None:
        """Some customers of a shop as it says now, with all that came to light of their addresses."""
        context = self._road
        read_at = context.clock.now()
        try:
            found = {n: found_record(one) for n, one in context.shops[store].reader.customers(list(numbers)).items()}
        except Failure as failure:
            self._tally.leave(NotJudgedReason.COULD_NOT_LOOK, store, numbers, f"{store}: {failure.code}")
            return
        here = [_here(one) for one in found.values() if one is not None]
        listed = swept.listed if swept.is_whole else None
        asked = ComparisonInput(store, read_at, self._began, listed, self._repair, self._began, self._unheard)
        with self._db.transaction() as tx:
            now = pairing.compare_customers(tx, context, asked, here)
        for one in now:
            if one.is_young:
                self._again.append(one)
            else:
                self._conclude(one, listed)
        self._tally.leave(NotJudgedReason.NOT_COMPARED, store, sorted({*numbers} - {one.id for one in here}), store)

    def _conclude(self, one: ConsentComparison, listed: Collection[str] | None = None) -> None:
        """Count somebody for good, who may have left an address that Ometria may still write to."""
        mine: list[KnownProfile] = []
        if one.has_moved:
            with self._db.transaction() as tx:
                behind = pairing.addresses_left_behind(tx, self._road, one.who[0], [one.who[1]])
            mine = [p for each in behind for p in each.mine if listed is None or p.id in listed]
        if may_mail_any(mine):
            self._tally.still_written_to(one.who, mine, "moved", is_missed=True)
        else:
            self._tally.count(one)

    def _look_again(self) -> None:
        """Whoever differed, and may only have been on the way, is read again on both sides once the grace is over."""
        again, rest = self._again[:MOST_AGAIN], self._again[MOST_AGAIN:]
        for one in rest:
            self._conclude(one)
        if not again:
            return
        until = self._road.clock.now() + self._road.pace.drift_grace + timedelta(seconds=1)
        while (left := (until - self._road.clock.now()).total_seconds()) > 0:
            self._tell(RunProgress("looking again", 0, len(again)))
            self._road.clock.wait(min(WAIT_FOR, left))
        by_store: dict[str, list[ConsentComparison]] = {}
        for one in again:
            by_store.setdefault(one.who[0], []).append(one)
        for store, some in sorted(by_store.items()):
            for first in _batched(some, AGAIN_AT_ONCE):
                self._read_again(store, first)
        self._tell(RunProgress("looking again", len(again), len(again), is_done=True))

    def _read_again(self, store: str, some: Sequence[ConsentComparison]) -> None:
        context = self._road
        read_at = context.clock.now()
        before = {one.who[1]: one for one in some}
        try:
            found = {
                number: found_record(one) for number, one in context.shops[store].reader.customers(list(before)).items()
            }
            here = [_here(one) for one in found.values() if one is not None]
            poll_profiles.read_profiles_by_email(
                self._db, context, [one.email for one in here if one.email], repair=self._repair
            )
        except Failure:
            for one in some:
                self._conclude(one)
            return
        asked = ComparisonInput(store, read_at, read_at, None, self._repair, self._began, self._unheard)
        with self._db.transaction() as tx:
            now = pairing.compare_customers(tx, context, asked, here)
        for one in now:
            first = before.pop(one.who[1])
            if first.is_missed and first.differs and not one.differs and not one.is_told:
                # Only because we read it: the shop never told us.
                self._tally.count(msgspec.structs.replace(first, reason=None))
            else:
                self._conclude(one)
        for one in before.values():
            self._tally.count(msgspec.structs.replace(one, reason=NotJudgedReason.NOT_COMPARED))


def _here(one: Customer) -> Here:
    return Here(one.id, one.updated_at, one.email, one.phone, one.email_consent, one.sms_consent)


def _batched(all_: Iterable[_T], n: int) -> Iterator[tuple[_T, ...]]:
    some = iter(all_)
    while batch := tuple(islice(some, n)):
        yield batch
