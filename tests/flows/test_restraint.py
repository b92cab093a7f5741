"""What keeps an opt-in where it is: each of the notices alone, and what looks like one and is none."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from isthmus.consent.sql import ledger
from isthmus.consent.sql import store_updates as writes
from isthmus.consent.sql.ledger import RecordedClaim
from isthmus.consent.sql.store_updates import RequestedUpdate
from isthmus.db.pool import Database, Tx
from isthmus.kit.compression import Packer
from isthmus.kit.ids import claim_id
from isthmus.model.consent import Channel, Claim
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql import opt_in_gate as restraint
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.contact_consent import ConsentBasis
from isthmus.outbox.sql.queue import DesiredWrite
from scenes import AT, HASH_KEY, Stage

NOW = AT + timedelta(minutes=5)
EMAIL, PHONE = "ada@example.com", "+447911123456"
ADDRESS = ledger.hash_address(HASH_KEY, Channel.EMAIL, EMAIL)
NUMBER = ledger.hash_address(HASH_KEY, Channel.SMS, PHONE)
ELSE = ledger.hash_address(HASH_KEY, Channel.EMAIL, "ben@example.com")

Notice = Callable[[Tx], None]


class _Over(Exception):  # noqa: N818 - ends what was only tried
    """Takes back whatever a test has written."""


@pytest.fixture(scope="module")
def staged(module_database: Database) -> Database:
    Stage(module_database)
    return module_database


@pytest.fixture
def tx(staged: Database) -> Iterator[Tx]:
    with contextlib.suppress(_Over), staged.transaction() as tx:
        want(
            tx,
            Write(RecordKind.CONTACT, "uk:1", b'{"id":"uk:1"}', Lane.REALTIME, opts_in=True),
            ConsentBasis(ADDRESS, NUMBER),
        )
        yield tx
        raise _Over


def want(tx: Tx, write: Write, behind: ConsentBasis) -> None:
    outbox.upsert_desired(
        tx,
        "acme",
        [DesiredWrite("uk", write, AT, behind)],
        now=AT,
        coalesce=timedelta(),
        contact_head_start=timedelta(),
        packer=Packer(),
    )


def other(address: bytes = ADDRESS, *, opts_out: bool = False, is_retired: bool = False, state: str = "due") -> Notice:
    """Another contact, behind this address."""

    def write(tx: Tx) -> None:
        body = b'{"id":"uk:2"}'
        want(
            tx,
            Write(RecordKind.CONTACT, "uk:2", body, Lane.REPAIR, opts_out=opts_out, is_retired=is_retired),
            ConsentBasis(address, is_retired=is_retired),
        )
        tx.execute("UPDATE outbox SET state = %s WHERE id = 'uk:2'", (state,))

    return write


def heard(channel: Channel, address: str, state: str) -> Notice:
    def say(tx: Tx) -> None:
        claim = Claim(channel, address, state, "shopify.webhook", 1, AT)
        ledger.append_statements(tx, "acme", [RecordedClaim("uk", claim, is_word=True)], HASH_KEY, NOW)

    return say


def known(notice: Notice) -> Notice:
    """The body was mapped when this was known already."""

    def say(tx: Tx) -> None:
        notice(tx)
        tx.execute("UPDATE outbox SET n_outs = 1 WHERE id = 'uk:1'")

    return say


def sent_out(ago: timedelta, settled_ago: timedelta | None = None) -> Notice:
    """This very contact was sent as opted out so long ago."""

    def send(tx: Tx) -> None:
        settled_at = NOW - settled_ago if settled_ago is not None else None
        tx.execute("UPDATE outbox SET opted_out_at = %s, settled_at = %s WHERE id = 'uk:1'", (NOW - ago, settled_at))

    return send


def written(address: bytes, state: str, status: str) -> Notice:
    """A shop is told something of this address."""

    def wish(tx: Tx) -> None:
        channel = Channel.SMS if address == NUMBER else Channel.EMAIL
        writes.request_updates(
            tx, "acme", [RequestedUpdate("uk", 1, channel, address, state, "SINGLE_OPT_IN", AT, None)], AT
        )
        tx.execute("UPDATE consent_write SET status = %s", (status,))

    return wish


SECONDS = timedelta(seconds=3)
RESTRAINS: dict[str, Notice] = {
    "an opt-out by email that the body does not know of": heard(Channel.EMAIL, EMAIL, "UNSUBSCRIBED"),
    "an address that the shop holds to be no good": heard(Channel.EMAIL, EMAIL, "INVALID"),
    "an erased consent": heard(Channel.EMAIL, EMAIL, "REDACTED"),
    "an opt-out by text message that the body does not know of": heard(Channel.SMS, PHONE, "UNSUBSCRIBED"),
    **{
        f"another contact's opt-out, {state}": other(opts_out=True, state=state)
        for state in ("due", "leased", "accepted")
    },
    **{
        f"an opt-out that is withdrawn, {state}": other(is_retired=True, state=state)
        for state in ("due", "leased", "accepted")
    },
    "its own opt-out that is not settled": sent_out(SECONDS),
    "its own opt-out since it was settled": sent_out(SECONDS, timedelta(minutes=1)),
    "an opt-out that a shop is to be told": written(ADDRESS, "UNSUBSCRIBED", "due"),
    "an opt-out that a shop is being told": written(ADDRESS, "UNSUBSCRIBED", "leased"),
    "an opt-out by text message that a shop is to be told": written(NUMBER, "UNSUBSCRIBED", "due"),
}

PASSES: dict[str, Notice] = {
    "nothing at all": lambda _: None,
    "an opt-out that the body knows of": known(heard(Channel.EMAIL, EMAIL, "UNSUBSCRIBED")),
    "an opt-in": heard(Channel.EMAIL, EMAIL, "SUBSCRIBED"),
    "somebody else's opt-out": heard(Channel.EMAIL, "ben@example.com", "UNSUBSCRIBED"),
    "another contact's opt-out that is applied": other(opts_out=True, state="applied"),
    "another contact that says nothing": other(),
    "another person's contact that is opted out": other(ELSE, opts_out=True),
    "another person's contact that is withdrawn": other(ELSE, is_retired=True),
    "an opt-out that was withdrawn": other(is_retired=True, state="applied"),
    "its own opt-out that was settled": sent_out(timedelta(minutes=1), SECONDS),
    "its own opt-out of so long ago that it has settled or was lost": sent_out(timedelta(hours=1)),
    "an opt-in that a shop is told": written(ADDRESS, "SUBSCRIBED", "due"),
    "an opt-out that a shop was told": written(ADDRESS, "UNSUBSCRIBED", "written"),
    "an opt-out that a shop does not take": written(ADDRESS, "UNSUBSCRIBED", "refused"),
    "another person's opt-out that a shop is told": written(ELSE, "UNSUBSCRIBED", "due"),
}


def claimed(tx: Tx) -> list[str]:
    """What is taken for a push of the urgent lane."""
    rows = outbox.claim_batch(
        tx,
        "acme",
        RecordKind.CONTACT,
        (Lane.REALTIME,),
        now=NOW,
        claim=claim_id(),
        packer=Packer(),
        unsettled=NOW - timedelta(minutes=2),
    )
    return [row.id for row in rows]


@pytest.mark.parametrize("notice", RESTRAINS)
def test_each_notice_alone_keeps_an_opt_in_back(tx: Tx, notice: str) -> None:
    RESTRAINS[notice](tx)
    assert claimed(tx) == []
    later = NOW + restraint.AGAIN_AFTER
    assert restraint.defer_blocked(tx, "acme", (Lane.REALTIME,), NOW, NOW - timedelta(minutes=2)) == 1
    assert tx.fetch_value("SELECT due_at FROM outbox WHERE id = 'uk:1'") == later


@pytest.mark.parametrize("notice", PASSES)
def test_nothing_else_does(tx: Tx, notice: str) -> None:
    PASSES[notice](tx)
    assert restraint.defer_blocked(tx, "acme", (Lane.REALTIME,), NOW, NOW - timedelta(minutes=2)) == 0
    assert claimed(tx) == ["uk:1"]


@pytest.mark.parametrize("notice", RESTRAINS)
def test_no_notice_keeps_anything_but_an_opt_in_back(tx: Tx, notice: str) -> None:
    RESTRAINS[notice](tx)
    tx.execute("UPDATE outbox SET opts_in = false, sms_address = NULL WHERE id = 'uk:1'")
    assert claimed(tx) == ["uk:1"]
