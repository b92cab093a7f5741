"""An audit of the simulated APIs in this process, and what it ought to find, walked from the truth by itself."""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from isthmus.checks.registry import Setting
from isthmus.flows.audit import run
from isthmus.flows.audit.read_store import AuditedStore
from isthmus.kit.clock import FrozenClock
from isthmus.mapping.rules import Rules
from isthmus.model.audit_finding import AuditResult
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify.access import Expected
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.reads import Reads
from scenes import InProcess
from sims.clock import SimClock
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria import dump
from sims.shopify import troubles
from sims.shopify.state import World

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOOK = "https://isthmus.example/hooks/shopify"


class Scene:
    """Two seeded stores and an account of Ometria, empty until its own importer has run."""

    def __init__(self, seed: int = 1, sizes: Sizes | None = None) -> None:
        self.seed = seed
        self.sim_clock = SimClock(AT, rate=0)
        self.sims = Neighbourhood(self.sim_clock, seed, sizes or Sizes(customers=300, orders=300, products=60))
        self.sims.ometria.turn({"data_rps": 1e6, "native_importer": True})
        self.clock = FrozenClock(AT, on_wait=self._moved)

    def _moved(self, seconds: float) -> None:
        self.sim_clock.advance(seconds)
        self.sims.tick()

    def import_natively(self) -> None:
        """Let Ometria learn of everybody by its own importer."""
        self.sims.import_natively()

    def sow(self, each: int = 1, sorts: Iterable[str] = ()) -> dict[str, set[frozenset[str]]]:
        """Sow troubles; what each finding ought to name because of them."""
        return labelled(self.sims.sow(self.seed, each, tuple(sorts)))

    def audit(self, api_version: str = "2026-10", *, is_horizon_accepted: bool = False, **more: Any) -> AuditResult:
        """Look at everything, with every example kept."""
        stores = []
        for at in self.sims.stores():
            shop = Shopify(
                f"https://shopify.example/{at['domain']}",
                api_version,
                Credentials(at["client_id"], at["client_secret"]),
                self.clock,
                transport=InProcess(self.sims.shopify.handle),
            )
            rules = Rules(
                store=at["name"],
                namespace=at["namespace"],
                domain=at["domain"],
                currency=at["currency"],
                hash_key=b"k",
            )
            expected = Expected(at["domain"], at["currency"], HOOK, is_horizon_accepted=is_horizon_accepted)
            stores.append(AuditedStore(at["name"], shop, Bulk(shop), Reads(shop), rules, expected))
        platform = OmetriaClient(
            "https://api.ometria.example/v2",
            self.sims.ometria.settings.api_key,
            transport=InProcess(self.sims.ometria.handle),
        )
        what = run.AuditScope("acme", stores, platform, 1e6, "shopify", **more)
        setting = Setting(
            today=date(2026, 11, 23), pushes_per_second=Decimal(4), reporting="GBP",
            rated=frozenset({"EUR"}), keep=1_000_000,
        )  # fmt: skip
        return run.audit_connection(what, setting, self.clock, lambda _: None, lambda _: None, is_beside=False)


def labelled(sown: Iterable[troubles.Trouble]) -> dict[str, set[frozenset[str]]]:
    """The labels of troubles, by the finding that ought to name them."""
    labels: dict[str, set[frozenset[str]]] = defaultdict(set)
    doubled: dict[str, int] = defaultdict(int)
    for one in sown:
        if one.sort == "subscriptions":
            doubled[one.shop] += 1
        else:
            labels[one.sort].add(frozenset(one.ids[:1] if one.sort == "duplicate_sku" else one.ids))
    for n in doubled.values():
        labels["subscriptions"].add(frozenset({str(n)}))
    return dict(labels)


def found(audit: AuditResult) -> dict[str, set[frozenset[str]]]:
    """What an audit found: per finding the sets of records that share a trouble."""
    told: dict[str, set[frozenset[str]]] = defaultdict(set)
    for one in audit.found:
        for each in one.examples:
            ids = {each.id} if each.id else set()
            if one.code.startswith("duplicate_") and each.kind == "customers":
                ids |= set(re.findall(r"\d+", each.says))
            elif one.code == "consent_between_stores":
                ids |= {each.says.rpartition(" ")[2]}
            elif one.code == "tag_spelling":
                ids = {" ".join(re.findall("“([^”]*)”", each.says)[0].split()).casefold()}
            elif one.code == "other_writers":
                ids = {one.level}
            elif one.code == "metafields":
                ids = {f"{each.store} {each.says}"}
            told[one.code].add(frozenset(ids))
        if not one.examples:
            told[one.code].add(frozenset({str(one.n)}))
    return dict(told)


def truth(sims: Neighbourhood) -> dict[str, set[frozenset[str]]]:
    """What is wrong on both sides, by walking their records; shares no code with the checks."""
    wrong = _of_shops(sims.world)
    if any(row.source == "importer" for row in sims.ometria.account.orders):
        wrong["other_writers"] = {frozenset({"stop"})}
    stances = {"SUBSCRIBED": "yes", "UNSUBSCRIBED": "no", "INVALID": "no"}
    said: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for store in sims.world.stores.values():
        for one in store.customers.values():
            if one.email:
                stance = stances.get(one.email_consent.state, "nothing")
                said[one.email.strip().lower()].append((one.id, stance))
    for profile in dump.items(sims.ometria.account, "profiles"):
        known = said.get((profile["email"] or "").strip().lower())
        if not known:
            continue
        here = {stance for _, stance in known}
        me = frozenset({str(next((number for number, stance in known if stance == "no"), known[0][0]))})
        if profile["marketing_optin"] == "EXPLICITLY_OPTEDIN":
            if "no" in here:
                wrong.setdefault("consent_against_will", set()).add(me)
            elif here == {"nothing"}:
                wrong.setdefault("consent_unproven", set()).add(me)
        elif profile["marketing_optin"] == "EXPLICITLY_OPTEDOUT" and "yes" in here and "no" not in here:
            wrong.setdefault("consent_lost", set()).add(me)
    return wrong


def _of_shops(world: World) -> dict[str, set[frozenset[str]]]:
    wrong: dict[str, set[frozenset[str]]] = defaultdict(set)
    persons: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for store in world.stores.values():
        groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for one in store.customers.values():
            me = str(one.id)
            address = one.email.strip().lower() if one.email else ""
            if not address:
                wrong["no_email"].add(frozenset({me}))
            elif not re.fullmatch(r"(?!\.)[^\s@]+@[^\s@]+\.[a-z]{2,}", address) or one.email_consent.state == "INVALID":
                wrong["invalid_email"].add(frozenset({me}))
            if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", address):
                groups["duplicate_email", address].add(me)
                if one.email_consent.state in ("SUBSCRIBED", "UNSUBSCRIBED", "INVALID"):
                    said = "yes" if one.email_consent.state == "SUBSCRIBED" else "no"
                    persons[address][said].add(f"{store.shop.name} {me}")
            if re.match(r"(info|sales|office|hello)(\+[^@]*)?@", address):
                wrong["role_address"].add(frozenset({me}))
            if one.phone:
                groups["duplicate_phone", one.phone].add(me)
            place = one.default_address.zip if one.default_address else None
            if one.first_name and one.last_name and place:
                name = re.sub(r"\s", "", f"{one.first_name}|{one.last_name}|{place}").lower()
                groups["duplicate_name", name].add(me)
            if address and one.email_consent.state == "SUBSCRIBED":
                if one.email_consent.updated_at is None:
                    wrong["consent_without_time"].add(frozenset({me}))
                if one.email_consent.opt_in_level == "UNKNOWN":
                    wrong["consent_without_level"].add(frozenset({me}))
            for tag in one.tags:
                spellings["customers", re.sub(r"\s+", " ", tag).lower()].add(tag)
            if sum(len(tag) + 1 for tag in one.tags) > 1000:
                wrong["over_limits"].add(frozenset({me}))
        for (code, _), ids in groups.items():
            if len(ids) > 1:
                wrong[code].add(frozenset(ids))
        for order in store.orders.values():
            if order.test:
                continue
            if order.customer_id is None:
                code = "guest_orders" if order.email or order.phone else "ownerless_orders"
                wrong[code].add(frozenset({str(order.id)}))
            if sum(len(tag) + 3 for tag in order.tags) > 1000:
                wrong["over_limits"].add(frozenset({str(order.id)}))
        skus: dict[str, list[str]] = defaultdict(list)
        for product in store.products.values():
            for tag in product.tags:
                spellings["products", re.sub(r"\s+", " ", tag).lower()].add(tag)
            if sum(map(len, product.tags)) > 30_000:
                wrong["over_limits"].add(frozenset({str(product.id)}))
            if product.status not in ("ACTIVE", "UNLISTED"):
                continue
            if not product.is_gift_card and any(not each.sku for each in product.variants):
                wrong["no_sku"].add(frozenset({str(product.id)}))
            if any(not each.price for each in product.variants):
                wrong["no_price"].add(frozenset({str(product.id)}))
            if not product.images:
                wrong["no_image"].add(frozenset({str(product.id)}))
            for each in product.variants:
                if each.sku:
                    skus[each.sku.lower()].append(str(product.id))
        for ids_of in skus.values():
            if len(ids_of) > 1:
                wrong["duplicate_sku"].add(frozenset({ids_of[0]}))
        doubled = sum(one.owner == "api" for one in store.subscriptions.values())
        if doubled:
            wrong["subscriptions"].add(frozenset({str(doubled)}))
        for each in store.definitions:
            name = f"{each.owner.lower()} {each.namespace}.{each.key} ({each.type})"
            wrong["metafields"].add(frozenset({f"{store.shop.name} {name}"}))
    for said_by in persons.values():
        stores = [{name.partition(" ")[0] for name in said_by[answer]} for answer in ("yes", "no")]
        if all(stores) and stores[0] != stores[1]:
            ids = [name.partition(" ")[2] for name in (*said_by["yes"], *said_by["no"])]
            wrong["consent_between_stores"].add(frozenset(ids))
    for (_, folded), tags in spellings.items():
        if len(tags) > 1:
            wrong["tag_spelling"].add(frozenset({folded}))
    return dict(wrong)
