"""Audit a connection: every store by bulk operations, Ometria page by page, both at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from msgspec import Struct

from isthmus.checks.registry import Setting, all_checks
from isthmus.checks.runner import CheckRunner
from isthmus.flows.audit.foreign_records import sample_foreign_records
from isthmus.flows.audit.platform import Profiles, read_profiles
from isthmus.flows.audit.progress import ProgressCounter, ReportProgress, ReportText, format_seconds, load_time_facts
from isthmus.flows.audit.read_store import AuditedStore, Unread, read_store
from isthmus.flows.audit.samples import OrderNumbers
from isthmus.flows.takeover.precheck import PlatformAccount
from isthmus.kit.clock import Clock
from isthmus.model.audit_finding import AuditResult, CheckAnswer, Fact, NotChecked
from isthmus.model.audit_rows import ForeignSample, ProfileRow, ReadDenied, ShopFacts, Source
from isthmus.model.failure import Failure
from isthmus.model.reading import WINDOW
from isthmus.ometria.client import PAGE, OmetriaClient
from isthmus.shopify import audit_reads
from isthmus.shopify.versions import support_end


class AuditScope(Struct, frozen=True):
    """What is to be audited. `collection` holds our own contacts; `budget` ends the reading of Ometria's people
    early, None reads all of them.
    """

    name: str
    stores: Sequence[AuditedStore]
    platform: OmetriaClient
    reads_per_second: float
    collection: str
    budget: timedelta | None = None


def audit_connection(
    what: AuditScope, setting: Setting, clock: Clock, tell: ReportProgress, say: ReportText, *, is_beside: bool = True
) -> AuditResult:
    """Look at everything. Nothing that fails ends it: what could not be read is told with its reason.

    Ometria is read in a thread of its own, unless `is_beside` is false.
    """
    began, account = clock.now(), PlatformAccount(what.platform, what.reads_per_second, clock)
    checks = all_checks(setting)
    round_, seen, unread = CheckRunner(checks), ProgressCounter(tell), Unread()
    known = _facts(what.stores, round_, unread)
    n_customers = sum(facts.counts.get("customer", 0) for facts in known.values())
    say(_outlook(known, n_customers, what.reads_per_second))

    def profiles() -> Profiles:
        rows = round_.eyes(ProfileRow)
        ends = None if what.budget is None else clock.now() + what.budget
        return read_profiles(account, ends, clock, seen, rows, n_customers)

    with _Beside(is_beside) as beside:
        reading = beside(profiles)
        numbers: dict[str, OrderNumbers] = {}
        for store in what.stores:
            if store.name in known:
                numbers[store.name] = read_store(store, known[store.name], round_, seen, unread, clock)
            else:
                for source in (Source.CUSTOMERS, Source.ORDERS, Source.PRODUCTS, Source.SAMPLE):
                    unread.add(source, unread.why[Source.SHOP])
        _read_others(what, numbers, account, round_, seen, unread)
        extra = _heard(reading, unread)
    for source, needs in ((Source.CONSENT, Source.CUSTOMERS), (Source.OWNERS, Source.ORDERS)):
        if needs in unread.why:
            unread.why[source] = unread.why[needs]
    answers = [*round_.answers(unread.why), *extra]
    return AuditResult(
        name=what.name,
        at=began,
        origin=" and ".join([*(store.expected.domain for store in what.stores), "Ometria"]),
        answers=tuple(answers),
        pictures=tuple(round_.pictures(unread.why)),
        facts=(*_told(known, setting), *load_time_facts(checks)),
        domains={store.name: store.expected.domain for store in what.stores},
        read=dict(seen.counts),
        seconds=(clock.now() - began).total_seconds(),
        away=tuple(dict.fromkeys(unread.away)),
    )


def _facts(stores: Iterable[AuditedStore], round_: CheckRunner, unread: Unread) -> dict[str, ShopFacts]:
    known, show = {}, round_.eyes(ShopFacts)
    for store in stores:
        try:
            known[store.name] = audit_reads.read_shop_facts(store.shop, store.name, store.expected)
            show(known[store.name])
        except Failure as failure:
            unread.note(Source.SHOP, f"store {store.name}", failure)
            round_.eyes(ReadDenied)(ReadDenied(store.name, Source.SHOP, failure.code))
    return known


def _read_others(
    what: AuditScope,
    numbers: Mapping[str, OrderNumbers],
    account: PlatformAccount,
    round_: CheckRunner,
    seen: ProgressCounter,
    unread: Unread,
) -> None:
    """Mostly reads the stores, so it goes on while Ometria's people are read."""
    if Source.ORDERS in unread.why:
        unread.add(Source.WRITERS, unread.why[Source.ORDERS])
        return
    seen.begin(Source.WRITERS)
    try:
        rows = sample_foreign_records(what.stores, numbers, account, what.collection)
        seen.end(Source.WRITERS, sum(row.of for row in rows))
        show = round_.eyes(ForeignSample)
        for row in rows:
            show(row)
    except Failure as failure:
        unread.note(Source.WRITERS, "a store" if failure.code.startswith("storefront.") else "Ometria", failure)


def _heard(reading: "Future[Profiles]", unread: Unread) -> list[CheckAnswer]:
    """What became of Ometria's profiles; a part of them is judged, and the rest told as unseen."""
    try:
        got = reading.result()
    except Failure as failure:
        unread.note(Source.PROFILES, "Ometria", failure)
        return []
    if got.is_whole:
        return []
    return [
        NotChecked("profiles", "The rest of Ometria's people", f"time was up after {got.n:,} of about {got.total:,}")
    ]


class _Beside:
    """Runs a reading beside the others, or right away."""

    def __init__(self, is_beside: bool) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="audit") if is_beside else None

    def __enter__(self) -> Callable[[Callable[[], Profiles]], "Future[Profiles]"]:
        return self._run

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _run(self, act: Callable[[], Profiles]) -> "Future[Profiles]":
        if self._pool is not None:
            return self._pool.submit(act)
        done: Future[Profiles] = Future()
        try:
            done.set_result(act())
        except Failure as failure:
            done.set_exception(failure)
        return done


def _outlook(known: Mapping[str, ShopFacts], n_customers: int, reads_per_second: float) -> str:
    """What there is to read and how long the slowest part takes."""
    counts = ", ".join(
        f"{name}: " + ", ".join(f"{n:,} {kind}s" for kind, n in facts.counts.items()) for name, facts in known.items()
    )
    took = format_seconds(n_customers / PAGE / reads_per_second)
    return f"{counts or 'no store answers'}. Ometria's people take about {took} at {reads_per_second:g} reads a second."


def _told(known: Mapping[str, ShopFacts], setting: Setting) -> Iterator[Fact]:
    for name, facts in known.items():
        last = support_end(facts.api_version)
        days = "" if last is None else f", answered until {last:%d %B %Y}, {(last - setting.today).days} days"
        owner = "the app's configuration" if facts.n_to_subscribe is None else "isthmus"
        yield Fact("Shop", f"{facts.name}, {facts.domain}, plan {facts.plan}, {facts.timezone}", name)
        yield Fact("Currency", f"{facts.currency}; customers may pay in {', '.join(facts.presentment)}", name)
        yield Fact("API version", f"{facts.api_version}{days}; served: {facts.served_version or 'not said'}", name)
        yield Fact("Scopes", ", ".join(facts.scopes), name)
        since = f"from {setting.today - WINDOW} on" if not facts.sees_history else "of any age"
        yield Fact("Orders in sight", since, name)
        yield Fact("Webhooks", f"owned by {owner}", name)
        if facts.definitions is None:
            yield Fact("Custom fields", "could not be listed", name)
