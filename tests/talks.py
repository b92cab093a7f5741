"""People who say what they allow, on either side, while anything goes wrong; and what must hold at every push."""

import contextlib
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
import msgspec

from isthmus.consent.sql import ledger
from isthmus.consent.sql import store_updates as writes
from isthmus.db.pool import Database
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.flows.consent.write_back import write_back
from isthmus.flows.context import Timings
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.process import LEASE, process_batch
from isthmus.flows.settle import settle_pushes
from isthmus.inbox.sql import events as inbox
from isthmus.kit.ids import claim_id
from isthmus.model.consent import OUT, Channel
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.ometria.client import OmetriaClient
from isthmus.outbox.sql import queue as outbox
from scenes import HASH_KEY, InProcess, Town
from sims.neighbourhood import Sizes
from sims.ometria import unsubscribes as centre
from sims.ometria.unsubscribes import UNLISTED
from sims.shopify import chance
from sims.shopify.deeds import people
from sims.shopify.state import Customer, EmailConsent, Store

LEVEL = "SINGLE_OPT_IN"
IN = "EXPLICITLY_OPTEDIN"
ADDRESSES = tuple(f"{name}@example.com" for name in ("ada", "ben", "cleo"))
WAYS = ("preferences_centre", "link_unsubscribe", *UNLISTED)

TROUBLE = {
    "shop 502": {"shopify.error": 0.3},
    "shop silent": {"shopify.timeout": 0.3, "shopify.timeout_after": 0.3},
    "shop throttles": {"shopify.throttle": 0.4},
    "copies": {"shopify.p_duplicate": 0.5},
    "held back": {"shopify.p_reorder": 0.6, "shopify.p_delay": 0.3},
    "never comes": {"shopify.p_drop": 0.5},
    "writes do not stay": {"shopify.p_consent_reverts": 0.5},
    "writes come late": {"shopify.p_consent_late": 0.5},
    "writes are refused": {"shopify.p_consent_refused": 0.5},
    "platform 429": {"ometria.p429": 0.4},
    "platform 502": {"ometria.p502": 0.4},
    "platform silent": {"ometria.p_timeout_after_accept": 0.4, "ometria.p_drop_before_accept": 0.2},
    "platform slow": {"ometria.slow_application": 15.0},
    "platform down": {"ometria.down": True},
}

EXPLAINS = ("consent.", "storefront.consent_refused")
"""The cases that say why two sides do not agree."""


class Eye(httpx2.BaseTransport):
    """Looks at every push as it goes out, and at what the ledger knows at that moment."""

    def __init__(self, db: Database, inner: httpx2.BaseTransport) -> None:
        self._db, self._inner = db, inner
        self.against: list[tuple[str, str]] = []
        self.n_opt_ins = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            for record in msgspec.json.decode(request.read()):
                if record["@type"] == "contact":
                    self.see(record)
        return self._inner.handle_request(request)

    def see(self, record: Mapping[str, Any]) -> None:
        """One contact that goes out."""
        if record.get("marketing_optin") == IN:
            self.n_opt_ins += 1
            if self.is_out(Channel.EMAIL, record["email"]):
                self.against.append((record["id"], record["email"]))

    def is_out(self, channel: Channel, address: str) -> bool:
        """Whether the newest that is known of an address is an opt-out, told from the ledger's rows alone."""
        with self._db.transaction() as tx:
            rows = tx.fetch_all(
                """SELECT state, coalesce(claimed_at, heard_at) AS since, claimed_at FROM consent_claim
                   WHERE channel = %s AND address = %s""",
                (channel.value, ledger.hash_address(HASH_KEY, channel, address)),
            )
        outs = [row["since"] for row in rows if row["state"] in OUT]
        ins = [row["claimed_at"] for row in rows if row["state"] == "SUBSCRIBED" and row["claimed_at"] is not None]
        return bool(outs) and (not ins or max(ins) <= max(outs))


class Talk(Town):
    """Three people over two shops, each of whom may be a customer of either; nothing is told until it is delivered."""

    def __init__(self, db: Database, seed: int, *, policy: Any = None) -> None:
        pace = Timings(
            push_per_second=1000, read_per_second=1000, enrichment_every=timedelta(0), read_back=0.0,
            settle_after=timedelta(seconds=5),
        )  # fmt: skip
        super().__init__(db, seed=seed, sizes=Sizes(customers=0, orders=0, products=1), pace=pace)
        self.dice = random.Random(seed)
        self.eye = Eye(db, InProcess(self.sims.ometria.handle))
        platform = OmetriaClient("https://api.ometria.example/v2", self.key, transport=self.eye)
        self.context = msgspec.structs.replace(self.context, platform=platform)
        if policy is not None:
            self.context = msgspec.structs.replace(self.context, policy=policy)
        self.calm()
        self.load()
        self.poll()
        self.moved: set[str] = set()
        self.vague: set[str] = set()

    # What people do --------------------------------------------------------------------------------------------------

    def customers(self, email: str) -> list[tuple[Store, Customer]]:
        found = [(self.sims.store(name), name) for name in self.context.shops]
        return [(store, one) for store, _ in found for one in store.customers.values() if one.email == email]

    def appears(self, email: str, shop: str, state: str | None) -> None:
        """Somebody becomes a customer of a shop, asked or not."""
        store = self.sims.store(shop)
        if any(one is store for one, _ in self.customers(email)):
            return
        made = chance.customer(self.sims.world, store, self.dice, self.clock.now(), email)
        made.email, made.phone, made.tags = email, None, []
        made.email_consent = EmailConsent(state, LEVEL, self.clock.now()) if state else EmailConsent()
        self._do(people.appear(store, made))

    def says(self, email: str, shop: str, state: str, earlier: float) -> None:
        """They say something in a shop; it may carry a time that has passed for a while."""
        at = self.clock.now() - timedelta(seconds=earlier)
        for store, one in self.customers(email):
            known = one.email_consent.updated_at
            if store is self.sims.store(shop) and (known is None or known < at):
                self._do(people.email_consent(self.sims.world, store, one, EmailConsent(state, LEVEL, at), at))

    def leaves(self, email: str, way: str) -> None:
        """They unsubscribe on Ometria's side."""
        account = self.sims.ometria.account
        with contextlib.suppress(ValueError):  # nobody there yet
            who = centre.find(account, email=email)
            if way in UNLISTED:
                self.vague.add(email)
                centre.say_elsewhere(account, who, self.clock.now(), way, is_in=False)
            else:
                centre.opt_out(account, who, self.clock.now(), way)

    def returns(self, email: str) -> None:
        """They subscribe again in the preference centre."""
        with contextlib.suppress(ValueError):
            centre.opt_in(
                self.sims.ometria.account, centre.find(self.sims.ometria.account, email=email), self.clock.now()
            )

    def changes_address(self, email: str, shop: str, to: str) -> None:
        for store, one in self.customers(email):
            taken = any(other is store for other, _ in self.customers(to))
            if store is self.sims.store(shop) and not taken:
                self.moved |= {email, to}
                self._do(people.change_address(self.sims.world, store, one, to, None, self.clock.now()))

    def _do(self, events: Sequence[Any]) -> None:
        with self.sims.world.lock:
            self.sims.deliveries.take(list(events))
        self.pass_time(1)

    # What we do, and what kills us -----------------------------------------------------------------------------------

    def listen(self) -> None:
        poll_unsubscribes.poll_unsubscribes(self.db, self.context)

    def attend(self) -> None:
        poll_profiles.poll_profiles(self.db, self.context)
        poll_profiles.recheck_profiles(self.db, self.context)

    def write(self) -> None:
        write_back(self.db, self.context)

    def step(self, what: str) -> None:
        """One thing that a worker does."""
        match what:
            case "deliveries":
                self.sims.deliver(self.post)
            case "process":
                process_batch(self.db, self.context, limit=3)
            case "push":
                push_next_batch(self.db, self.context)
            case "settle":
                settle_pushes(self.db, self.context)
            case _:
                getattr(self, what)()

    def dies(self, holding: str) -> None:
        """A worker is killed with something in its hands: nobody settles it."""
        claim, now = claim_id(), self.clock.now()
        with self.db.transaction() as tx:
            if holding == "events":
                inbox.claim_events(tx, "acme", tuple(Lane), now, 3, claim, LEASE)
            elif holding == "writes":
                writes.claim_updates(tx, "acme", "due", now, claim, 3)
            else:
                unsettled = now - self.context.pace.settle_after - outbox.LEASE
                outbox.claim_batch(
                    tx, "acme", RecordKind.CONTACT, tuple(Lane), now=now, claim=claim, packer=self.context.packer,
                    unsettled=unsettled,
                )  # fmt: skip

    def calm(self) -> None:
        self.sims.faults.clear()
        self.sims.faults.set({"shopify.retry_speed": 1000.0})

    def work(self) -> None:
        self.listen()
        self.attend()
        super().work()
        self.write()

    # What must hold --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        assert not self.eye.against, f"opted in against the newest word: {self.eye.against}"

    def end(self) -> None:
        """Everything works again and everybody is silent: both sides agree, or a case says why not."""
        self.calm()
        self.pass_time(LEASE.total_seconds() + 20)
        for _ in range(4):
            self.poll()
            self._rest()
            self.pass_time(40)
        self.check()
        for email in sorted(
            {one.email for shop in self.context.shops for one in self.sims.store(shop).customers.values() if one.email}
        ):
            self._agrees(email)

    def _rest(self) -> None:
        for round_ in range(120):
            self.work()
            with self.db.transaction() as tx:
                waiting = inbox.count_waiting(tx, "acme")
                moving = tx.fetch_value(
                    """SELECT (SELECT count(*) FROM outbox WHERE state IN ('due', 'leased', 'accepted', 'held'))
                            + (SELECT count(*) FROM consent_write WHERE status <> 'refused')
                            + (SELECT count(*) FROM profile WHERE look_at IS NOT NULL)"""
                )
            if not waiting and not moving and not self.sims.deliveries.pending:
                return
            self.pass_time(3 if round_ < 40 else 30)
        raise AssertionError(f"{waiting} events and {moving} writes are left")

    def _agrees(self, email: str) -> None:
        shop = [one for _, one in self.customers(email)]
        in_shop = self._stands_in_shop(shop)
        found = self.context.platform.profiles(email=email)
        on_platform = any(one["marketing_optin"] == IN for one in found)
        case = self._case(email)
        words = [(c.email_consent.state, c.email_consent.updated_at) for c in shop]
        story = f"{email}: shops {words}, platform {[f['marketing_optin'] for f in found]}, cases {case}"
        assert in_shop == on_platform or case, story
        if email in self.moved:
            return  # what was said about another address came along
        said = self.sims.statements.of(email)
        outs = [one.at for one in said if one.state in OUT]
        ins = [one.at for one in said if one.state == "SUBSCRIBED" and one.side == "shopify"]
        if outs and (not ins or max(ins) <= max(outs)):
            assert not in_shop or "storefront.consent_refused" in case, f"written to after they said no: {story}"
        elif ins and email not in self.vague:
            assert in_shop, f"silenced although they said yes last: {story}"

    def _stands_in_shop(self, shop: Sequence[Customer]) -> bool:
        """Whether the shops, taken together, may write to somebody: by their newest word; of two at once the no."""
        said = [
            (c.email_consent.updated_at, c.email_consent.state)
            for c in shop
            if c.email_consent.state in (*OUT, "SUBSCRIBED")
        ]
        never = datetime.min.replace(tzinfo=self.clock.now().tzinfo)
        newest = max(said, key=lambda one: (one[0] or never, one[1] in OUT), default=None)
        return newest is not None and newest[1] == "SUBSCRIBED"

    def _case(self, email: str) -> list[str]:
        subjects = [f"customer:{one.id}" for _, one in self.customers(email)]
        subjects += [f"profile:{one['id']}" for one in self.context.platform.profiles(email=email)]
        with self.db.transaction() as tx:
            rows = tx.fetch_all("SELECT code FROM cases WHERE state = 'open' AND subject = ANY(%s)", (subjects,))
        return sorted(row["code"] for row in rows if row["code"].startswith(EXPLAINS))
