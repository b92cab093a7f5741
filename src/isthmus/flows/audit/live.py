"""Audit a connection: every store by bulk operations, the platform page by page, both at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from msgspec import Struct

from isthmus.checks.every import Setting, every
from isthmus.checks.round import Round
from isthmus.flows.audit.others import others
from isthmus.flows.audit.platform import Profiles, read_profiles
from isthmus.flows.audit.sampling import Numbers
from isthmus.flows.audit.shops import Store, Unread, read_store
from isthmus.flows.audit.telling import Say, Seen, Tell, load_facts, spell
from isthmus.flows.takeover.sample import Account
from isthmus.kit.clock import Clock
from isthmus.model.census import Denied, Facts, Foreign, Profile, Source
from isthmus.model.failure import Failure
from isthmus.model.finding import Answer, Audit, Fact, Unseen
from isthmus.model.reading import WINDOW
from isthmus.ometria.client import PAGE, Ometria
from isthmus.shopify import census
from isthmus.shopify.versions import last_day


class Connected(Struct, frozen=True):
    """What is to be audited. `collection` holds our own contacts; `budget` ends the reading of the platform's people
    early, None reads all of them.
    """

    name: str
    stores: Sequence[Store]
    platform: Ometria
    reads_per_second: float
    collection: str
    budget: timedelta | None = None


def of_connection(
    what: Connected, setting: Setting, clock: Clock, tell: Tell, say: Say, *, is_beside: bool = True
) -> Audit:
    """Look at everything. Nothing that fails ends it: what could not be read is told with its reason.

    The platform is read in a thread of its own, unless `is_beside` is false.
    """
    began, account = clock.now(), Account(what.platform, what.reads_per_second, clock)
    checks = every(setting)
    round_, seen, unread = Round(checks), Seen(tell), Unread()
    known = _facts(what.stores, round_, unread)
    n_customers = sum(facts.counts.get("customer", 0) for facts in known.values())
    say(_outlook(known, n_customers, what.reads_per_second))

    def profiles() -> Profiles:
        rows = round_.eyes(Profile)
        ends = None if what.budget is None else clock.now() + what.budget
        return read_profiles(account, ends, clock, seen, rows, n_customers)

    with _Beside(is_beside) as beside:
        reading = beside(profiles)
        numbers: dict[str, Numbers] = {}
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
    return Audit(
        name=what.name,
        at=began,
        origin=" and ".join([*(store.expected.domain for store in what.stores), "Ometria"]),
        answers=tuple(answers),
        pictures=tuple(round_.pictures(unread.why)),
        facts=(*_told(known, setting), *load_facts(checks)),
        domains={store.name: store.expected.domain for store in what.stores},
        read=dict(seen.counts),
        seconds=(clock.now() - began).total_seconds(),
        away=tuple(dict.fromkeys(unread.away)),
    )


def _facts(stores: Iterable[Store], round_: Round, unread: Unread) -> dict[str, Facts]:
    known, show = {}, round_.eyes(Facts)
    for store in stores:
        try:
            known[store.name] = census.facts(store.shop, store.name, store.expected)
            show(known[store.name])
        except Failure as failure:
            unread.note(Source.SHOP, f"store {store.name}", failure)
            round_.eyes(Denied)(Denied(store.name, Source.SHOP, failure.code))
    return known


def _read_others(
    what: Connected, numbers: Mapping[str, Numbers], account: Account, round_: Round, seen: Seen, unread: Unread
) -> None:
    """Mostly reads the stores, so it goes on while the platform's people are read."""
    if Source.ORDERS in unread.why:
        unread.add(Source.WRITERS, unread.why[Source.ORDERS])
        return
    seen.begin(Source.WRITERS)
    try:
        rows = others(what.stores, numbers, account, what.collection)
        seen.end(Source.WRITERS, sum(row.of for row in rows))
        show = round_.eyes(Foreign)
        for row in rows:
            show(row)
    except Failure as failure:
        unread.note(Source.WRITERS, "a store" if failure.code.startswith("storefront.") else "Ometria", failure)


def _heard(reading: "Future[Profiles]", unread: Unread) -> list[Answer]:
    """What became of the platform's profiles; a part of them is judged, and the rest told as unseen."""
    try:
        got = reading.result()
    except Failure as failure:
        unread.note(Source.PROFILES, "Ometria", failure)
        return []
    if got.is_whole:
        return []
    return [Unseen("profiles", "The rest of Ometria's people", f"time was up after {got.n:,} of about {got.total:,}")]


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


def _outlook(known: Mapping[str, Facts], n_customers: int, reads_per_second: float) -> str:
    """What there is to read and how long the slowest part takes."""
    counts = ", ".join(
        f"{name}: " + ", ".join(f"{n:,} {kind}s" for kind, n in facts.counts.items()) for name, facts in known.items()
    )
    took = spell(n_customers / PAGE / reads_per_second)
    return f"{counts or 'no store answers'}. Ometria's people take about {took} at {reads_per_second:g} reads a second."


def _told(known: Mapping[str, Facts], setting: Setting) -> Iterator[Fact]:
    for name, facts in known.items():
        last = last_day(facts.api_version)
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
