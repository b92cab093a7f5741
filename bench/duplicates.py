"""Who is who on a seeded merchant: a search over everybody, held against the label that says who really is.

`python -m bench duplicates --customers 100000`. The label is the simulator's and is not derived from anything that is
compared. A twentieth of the people is sown with ties: accounts that are one human's, and humans who only look like one.
"""

import time
from datetime import UTC, datetime
from itertools import combinations

import msgspec
import psutil
from bench import rig

from isthmus.db.pool import Database
from isthmus.flows import duplicates
from isthmus.flows.context import ConnectionContext
from isthmus.identity.duplicates.candidate_pairs import Pair, find_pairs
from isthmus.identity.duplicates.features import PersonFeatures, person_features
from isthmus.identity.duplicates.rules import DuplicateLikelihood
from isthmus.identity.match import Link
from isthmus.identity.sql import links as identity
from isthmus.kit.email import normalise_email
from isthmus.mapping import contact
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.customer_metrics import NOTHING
from isthmus.model.lane import Lane
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql import store as records
from isthmus.records.sql.store import RecordUpsert
from isthmus.shopify import parse
from sims.clock import SimClock
from sims.shopify import kinship, world
from sims.shopify.rest.people import customer as body_of
from sims.shopify.state import World

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TIED = 0.05
"""Of the people have to do with another account."""


def run(customers: int, seed: int = 1) -> dict[str, float]:
    """Precision and recall in pairs of accounts, seconds and MB of the search alone."""
    made = world.build(seed, customers, 0, 2, SimClock(AT, rate=0))
    sorts = len(kinship.ONE_HUMAN) + len(kinship.SEVERAL)
    kinship.sow(made, seed, max(1, round(customers * TIED / sorts)))
    told = _told(made)
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.perf_counter()
    people = [_seen(store, customer) for store, customer in told]
    found = find_pairs(people)
    seconds = time.perf_counter() - began
    memory = (process.memory_info().rss - before) / 2**20

    true = _true_pairs(made)
    one = {_accounts(pair) for pair in found.one_address}
    flagged = {_accounts(pair) for pair in found.shared_addresses}
    offered = {_accounts(pair) for pair in found.candidates}
    sure = {_accounts(pair) for pair in found.candidates if pair.judgement.verdict is DuplicateLikelihood.SURE}
    likely = {
        _accounts(pair) for pair in found.candidates if pair.judgement.verdict is not DuplicateLikelihood.POSSIBLE
    }
    apart = one - true
    return {
        "accounts": len(people),
        "true_pairs": len(true),
        "recall": round(len(true & (one | offered)) / len(true), 4),
        "missed_pairs": len(true - one - offered),
        "one_by_address_pairs": len(one),
        "address_of_different_people_pairs": len(apart),
        "of_them_flagged": len(apart & flagged),
        "true_pairs_flagged_as_different_people": len(true & flagged),
        "candidate_pairs": len(offered),
        "candidate_precision": _share(offered & true, offered),
        "likely_or_sure_precision": _share(likely & true, likely),
        "sure_pairs": len(sure),
        "sure_precision": _share(sure & true, sure),
        "different_people_merged_by_rule": len(sure - true),
        "comparisons": found.n_compared,
        "seconds": round(seconds, 2),
        "mb": round(memory),
        **_command(told),
    }


def _command(told: list[tuple[str, Customer]]) -> dict[str, float]:
    """What the command does: read everybody from the database, keep what was found, and weigh every candidate."""
    with rig.database() as url, Database(url) as db:
        context = _context()
        _fill(db, context, told)
        process = psutil.Process()
        before = process.memory_info().rss
        began = time.perf_counter()
        looked = duplicates.find_duplicates(db, context)
        seen = time.perf_counter() - began
        found = duplicates.review_candidates(db, context)
        seconds = time.perf_counter() - began
        memory = (process.memory_info().rss - before) / 2**20
    return {
        "of_the_command_candidates": looked.n_candidates,
        "of_the_command_may_be_merged": sum(one.may_be_merged for one in found),
        "of_the_command_look_seconds": round(seen, 1),
        "of_the_command_seconds": round(seconds, 1),
        "of_the_command_mb": round(memory),
    }


def _context() -> ConnectionContext:
    plain = rig.context()
    shops = {
        name: msgspec.structs.replace(
            plain.shops["uk"], name=name, rules=msgspec.structs.replace(rig.RULES, store=name, namespace=f"{name}:")
        )
        for name in ("uk", "int")
    }
    return msgspec.structs.replace(plain, shops=shops)


def _fill(db: Database, context: ConnectionContext, told: list[tuple[str, Customer]]) -> None:
    """Records, links and contacts as the pipeline leaves them behind."""
    for first in range(0, len(told), 2_000):
        some = told[first : first + 2_000]
        with db.transaction() as tx:
            records.save_records(
                tx, rig.NAME, [RecordUpsert(store, one, AT) for store, one in some], AT, context.packer
            )
            links = [Link(store, one.id, f"{store}:{one.id}", normalise_email(one.email)) for store, one in some]
            identity.save_links(tx, rig.NAME, links)
            writes = [
                DesiredWrite(
                    store,
                    contact.map_contact(
                        msgspec.structs.replace(one, is_read=True), f"{store}:{one.id}", context.shops[store].rules,
                        Lane.BACKFILL, hold=None, worth=NOTHING, email_consent=_consent(one), sms_consent=None,
                        was_opted_in=False,
                    ),
                    AT,
                )
                for store, one in some
            ]  # fmt: skip
            outbox.upsert_desired(
                tx, rig.NAME, writes, now=AT, coalesce=AT - AT, contact_head_start=AT - AT, packer=context.packer
            )


def _consent(one: Customer) -> ChannelConsent:
    return ChannelConsent(("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED")[one.id % 3], None, AT)


def _told(made: World) -> list[tuple[str, Customer]]:
    told = []
    for store in made.stores.values():
        for one in store.customers.values():
            record = parse.parse_webhook("customer", msgspec.json.encode(body_of(store, one)))
            if isinstance(record, Customer):
                told.append((store.shop.name, record))
    return told


def _seen(store: str, customer: Customer) -> PersonFeatures:
    return person_features(store, f"{store}:{customer.id}", customer)


def _accounts(pair: Pair) -> frozenset[int]:
    return frozenset({pair.one.id, pair.two.id})


def _true_pairs(made: World) -> set[frozenset[int]]:
    """Accounts of one human, by the label; ids are the world's own, and no two stores share one."""
    of: dict[int, list[int]] = {}
    for store in made.stores.values():
        for one in store.customers.values():
            of.setdefault(one.human or one.id, []).append(one.id)
    return {frozenset(pair) for some in of.values() for pair in combinations(some, 2)}


def _share(part: set[frozenset[int]], whole: set[frozenset[int]]) -> float:
    return round(len(part) / len(whole), 4) if whole else 1.0
