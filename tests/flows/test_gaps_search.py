"""A search that Shopify does not understand matches everything: an error, wherever we search, and never an answer."""

from collections.abc import Callable

import httpx2
import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.poll import KINDS, poll_checkouts, poll_records
from isthmus.model.failure import RejectedError
from isthmus.runs.sql import watermarks as runs
from isthmus.shopify import documents
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.reads import Reads
from plays import Play
from scenes import AT, InProcess

FIELDS = (b"updated_at:", b"created_at:", b"customer_date:")


class Misspelling(InProcess):
    """The shop no longer knows the fields that we search by, and fails open as it does with any such field."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        for field in FIELDS:
            body = body.replace(field, b"no_such_" + field)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        return super().handle_request(httpx2.Request(request.method, request.url, headers=headers, content=body))


@pytest.fixture
def play(database: Database) -> Play:
    made = Play(database)
    made.orders(made.person())
    made.come_to_rest()
    at = next(at for at in made.sims.stores() if at["name"] == "uk")
    client = Shopify(
        f"https://shopify.example/{at['domain']}", "2026-10", Credentials(at["client_id"], at["client_secret"]),
        made.clock, transport=Misspelling(made.sims.shopify.handle),
    )  # fmt: skip
    shops = {**made.context.shops, "uk": msgspec.structs.replace(made.context.shops["uk"], reader=Reads(client))}
    made.context = msgspec.structs.replace(made.context, shops=shops)
    return made


SEARCHES: dict[str, Callable[[Reads], object]] = {
    **{f"changed {kind}": lambda reads, kind=kind: list(reads.changed(kind, AT)) for kind in KINDS},
    **{f"changed until {kind}": lambda reads, kind=kind: list(reads.changed(kind, AT, AT)) for kind in KINDS},
    **{f"all since {kind}": lambda reads, kind=kind: reads.all_ids(kind, since=AT) for kind in KINDS},
    **{f"tallies {kind}": lambda reads, kind=kind: reads.tallies(kind, since=AT) for kind in KINDS},
    "checkouts": lambda reads: list(reads.checkouts(AT)),
}  # fmt: skip


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_search_that_was_ignored_is_an_error(play: Play, search: Callable[[Reads], object]) -> None:
    reader = play.context.shops["uk"].reader
    assert isinstance(reader, Reads)
    with pytest.raises(RejectedError, match=r"^integration\.search_ignored"):
        search(reader)


def test_every_document_that_takes_a_search_is_tried_here() -> None:
    searching = {one.operation for one in documents.DOCUMENTS if "query: $query" in _of(one)}
    tried = [*documents.CHANGED.values(), *documents.ALL.values(), *documents.TALLY.values(), documents.CHECKOUTS]
    counts = {one.operation for one in documents.COUNT.values()}  # always asked for everything
    assert searching - counts == {one.operation for one in tried}


def _of(document: documents.Document) -> str:
    """The text of one operation, without the others of its file."""
    return document.text.partition(f"query {document.operation}(")[2].partition("\nquery ")[0]


def test_a_poll_whose_search_was_ignored_puts_nothing_on_the_road_and_stays_where_it_was(play: Play) -> None:
    poll_checkouts(play.db, play.context, "uk")
    with play.db.transaction() as tx:
        before = runs.load_watermarks(tx, "acme")
    play.pass_time(600)
    for kind in KINDS:
        assert poll_records(play.db, play.context, "uk", kind) == 0
    assert poll_checkouts(play.db, play.context, "uk") == 0
    with play.db.transaction() as tx:
        after = runs.load_watermarks(tx, "acme")
    names = [("uk", f"poll:{kind}") for kind in (*KINDS, "checkout")]
    assert [after[name].at for name in names] == [before[name].at for name in names]
    found = play.cases("integration.search_ignored")
    assert {(case["subject"], case["n"]) for case in found} == {(name, 1) for _, name in names}
    assert play.rows("SELECT count(*)::int AS n FROM event WHERE state = 'waiting'") == [{"n": 0}]


def test_a_listing_that_was_understood_says_nothing_about_another(play: Play) -> None:
    ignored = play.context
    poll_records(play.db, play.context, "uk", "customer")
    shop = play.context.shops["uk"]
    assert shop.client is not None
    shops = {**play.context.shops, "uk": msgspec.structs.replace(shop, reader=Reads(shop.client))}
    play.context = msgspec.structs.replace(play.context, shops=shops)
    poll_records(play.db, play.context, "uk", "order")
    (case,) = play.cases("integration.search_ignored")
    assert case["subject"] == "poll:customer"
    poll_records(play.db, ignored, "uk", "customer")
    poll_records(play.db, play.context, "uk", "customer")
    assert play.cases("integration.search_ignored") == []
