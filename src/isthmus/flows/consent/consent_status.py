"""Write statements down with the rule that decided, and tell where the addresses behind them stand."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.consent.decide import NOTHING, ConsentStatus, Statement, decide_consent
from isthmus.consent.policy import Policy
from isthmus.consent.sql import ledger
from isthmus.consent.sql.ledger import Address, RecordedClaim
from isthmus.db.pool import Tx
from isthmus.flows.context import ConnectionContext
from isthmus.model.consent import OUT, Channel, Claim, Stance
from isthmus.model.customer import Customer


class ConsentStatuses(Struct, frozen=True):
    """What was stated about some addresses, and so where each stands in each store.

    `moved` are those whose standing was changed by what was just heard, `heard` those of which it was news.
    """

    policy: Policy
    hash_key: bytes
    said: dict[Address, list[Statement]]
    moved: frozenset[Address] = frozenset()
    heard: frozenset[Address] = frozenset()

    def of(self, channel: Channel, plain: str | None, store: str) -> ConsentStatus:
        """Where an address stands in a store; nothing said where there is no address."""
        if not plain:
            return NOTHING
        return decide_consent(self.said.get(self.name(channel, plain), []), self.policy, store)

    def name(self, channel: Channel, plain: str) -> Address:
        return channel, ledger.hash_address(self.hash_key, channel, plain)

    def has_opt_outs(self) -> bool:
        """Whether an address that stands elsewhere now is opted out."""
        return any(s.state in OUT for named in self.moved for s in self.said.get(named, []))

    def speakers(self) -> set[tuple[str, int]]:
        """The stores' customers who spoke for an address that stands elsewhere now."""
        return {
            (s.store, s.customer_id)
            for named in self.moved
            for s in self.said.get(named, [])
            if s.customer_id is not None
        }


def record_statements(
    tx: Tx,
    context: ConnectionContext,
    heard: Sequence[RecordedClaim],
    people: Iterable[Customer],
    now: datetime,
    *,
    is_once: bool = False,
) -> ConsentStatuses:
    """Append what was heard, each with the rule that decided; where those addresses and these people's stand.

    `is_once` leaves out what was said before by the same way at the same time: lists are read again and again.
    """
    wanted = {(channel, ledger.hash_address(context.hash_key, channel, plain)) for channel, plain in _addresses(people)}
    wanted |= {
        (h.claim.channel, ledger.hash_address(context.hash_key, h.claim.channel, h.claim.address)) for h in heard
    }
    said = ledger.statements_of(tx, context.connection, sorted(wanted))
    if not heard:
        return ConsentStatuses(context.policy, context.hash_key, said)
    stores = ["", *sorted(context.shops)]
    before = {
        named: [decide_consent(said.get(named, []), context.policy, store) for store in stores] for named in wanted
    }
    ruled, news = [], set()
    for h in heard:
        named = (h.claim.channel, ledger.hash_address(context.hash_key, h.claim.channel, h.claim.address))
        mine = said.setdefault(named, [])
        made = Statement(
            h.claim.state, h.claim.source, now, h.claim.at, h.store, h.claim.customer_id, h.claim.level, h.is_word
        )
        if any(_is_again(made, known, is_once=is_once) for known in mine):
            continue
        mine.append(made)
        news.add(named)
        ruled.append(msgspec.structs.replace(h, rule=decide_consent(mine, context.policy, h.store).rule))
    ledger.append_statements(tx, context.connection, ruled, context.hash_key, now)
    moved = {
        named
        for named in wanted
        if [decide_consent(said.get(named, []), context.policy, s) for s in stores] != before[named]
    }
    return ConsentStatuses(context.policy, context.hash_key, said, frozenset(moved), frozenset(news))


def consent_of_addresses(
    tx: Tx, context: ConnectionContext, addresses: Iterable[tuple[Channel, str]]
) -> ConsentStatuses:
    """Where these addresses stand."""
    wanted = {(channel, ledger.hash_address(context.hash_key, channel, plain)) for channel, plain in addresses}
    return ConsentStatuses(
        context.policy, context.hash_key, ledger.statements_of(tx, context.connection, sorted(wanted))
    )


def consent_of_customers(tx: Tx, context: ConnectionContext, people: Iterable[Customer]) -> ConsentStatuses:
    """Where the addresses of these customers stand."""
    return consent_of_addresses(tx, context, sorted(_addresses(people)))


def statements_of_merges(
    tx: Tx, context: ConnectionContext, pairs: Sequence[tuple[tuple[str, int], Customer]]
) -> list[RecordedClaim]:
    """What it states that customers were lost to others: the strictest of two consents is left, unless the policy lets
    the survivor speak. Each lost customer (store, number), and the one that was kept.
    """
    if context.policy.merge != "strictest":
        return []
    heard = []
    for (store, number), kept in pairs:
        spoken = ledger.addresses_of(tx, context.connection, store, number)
        said = ledger.statements_of(tx, context.connection, spoken)
        for channel, plain in sorted(_addresses([kept])):
            own = (channel, ledger.hash_address(context.hash_key, channel, plain))
            lost = [decide_consent(rows, context.policy, store) for named, rows in said.items() if named[0] is channel]
            if own not in said and any(one.stance is Stance.OUT for one in lost):
                claim = Claim(channel, plain, "UNSUBSCRIBED", "shopify.merge", kept.id)
                heard.append(RecordedClaim(store, claim, is_word=False))
    return heard


def _is_again(made: Statement, known: Statement, *, is_once: bool) -> bool:
    """Whether this is written down already: what came too late before, or what a list told before."""
    if made.is_word or known.is_word:
        is_same_sort = is_once and made.is_word and known.is_word and made.at is not None
    else:
        is_same_sort = True
    return is_same_sort and (known.state, known.source, known.at, known.store) == (
        made.state,
        made.source,
        made.at,
        made.store,
    )


def _addresses(people: Iterable[Customer]) -> set[tuple[Channel, str]]:
    found = {(Channel.EMAIL, one.email) for one in people if one.email}
    return found | {(Channel.SMS, one.phone) for one in people if one.phone}
