"""Connect a connection, with settings resolved."""

import contextlib
from datetime import datetime

import msgspec

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.connections import sql as connections
from isthmus.connections import stored
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve
from isthmus.connections.sql import Connected, Unusable
from isthmus.db.pool import Tx
from isthmus.flows import connect as checking
from isthmus.flows import remap
from isthmus.flows.connect import Checked
from isthmus.flows.consent import returning
from isthmus.flows.holding import MISTYPED
from isthmus.flows.road import Shop
from isthmus.flows.takeover import carry_out, words
from isthmus.flows.takeover.sample import Account
from isthmus.flows.takeover.words import Standing
from isthmus.identity.foreign import sql as foreign
from isthmus.kit.explain import ConfigError
from isthmus.outbox.spoken import sql as spoken
from isthmus.runs import sql as runs
from isthmus.runtime import schema
from isthmus.runtime.app import App
from isthmus.runtime.expected import expected
from isthmus.runtime.rules import rules
from isthmus.shopify.reads import Reads
from isthmus.shopify.topics import HISTORY_SCOPE


def connect(app: App, config: ConnectionConfig, *, dry_run: bool) -> tuple[Checked, int, bool]:
    """Check, and unless something blocks or it is a dry run, store and subscribe; changed rules map everything again.

    Returns what was found, how many subscriptions changed, and whether the connection is new.
    """
    for key, reference in config.secrets():
        resolve(reference, key)  # every missing secret is told before anything else is tried
    public = app.settings.web.public_url
    passing = Connected(config, app.clock.now(), None, None, None, None, frozenset())
    with contextlib.ExitStack() as stack:
        stores = {
            store.name: (
                stack.enter_context(app.shopify(passing, n, patience=10.0)),
                expected(config, store, public, app.clock.now()),
            )
            for n, store in enumerate(config.stores)
        }
        platform = stack.enter_context(app.ometria(config))
        at = _standing(app, config)
        shops = [Shop(store.name, rules(passing, store, b""), Reads(stores[store.name][0])) for store in config.stores]
        account = Account(platform, float(config.ometria.read_per_second), app.clock)
        checked = checking.check(stores, platform)
        _must_see_all(config, checked)
        checked = checking.look_for_others(checked, shops, account, config.ometria.collection, at)
        checked = msgspec.structs.replace(checked, notices=leaving(app, config))
        if dry_run or not checked.is_good:
            return checked, 0, False
        is_new = _store(app, config, checked, at)
        return checked, checking.subscribe(stores, checked), is_new


def _must_see_all(config: ConnectionConfig, checked: Checked) -> None:
    """Going live with the orders of the last 60 days alone is for the connection file to decide."""
    if not config.is_live or config.orders.horizon != "all":
        return
    for name, seen in checked.stores.items():
        if not seen.sees_all_orders:
            raise ConfigError(
                f"orders.horizon: the app of store {name} lacks the scope {HISTORY_SCOPE} and sees orders from "
                f'{seen.visible_since} on only; have the scope granted, or accept this with orders.horizon = "60d"',
                "orders.horizon",
            )


def _store(app: App, config: ConnectionConfig, checked: Checked, at: Standing) -> bool:
    """Keep the connection as its file says it; whether it is new."""
    hash_key, now = app.hash_key, app.clock.now()
    with app.db.transaction() as tx:
        before = connections.load_any(tx, config.name)
        if before is not None and _takeover(before) != at.takeover:
            carry_out.start_over(tx, config.name)
            # What a reconciliation found to be another writer's was told before this was decided.
            cases.resolve(tx, config.name, words.CODE, now, "connect")
        had = _stores(before) if before is not None else None
        is_new = connections.save(tx, config, now)
        after = connections.load(tx, config.name)
        for name in _mapped_otherwise(before, after, hash_key):
            remap.ask(tx, config.name, name, now)
            # What the file says now is held against the fields anew.
            cases.resolve(tx, config.name, MISTYPED, now, "connect", store=name)
        cases.resolve(tx, config.name, stored.CODE, now, "connect")
        _tell_of_others(tx, checked, at, now)
        # From now on nothing that changes is missed, whether or not its webhook comes.
        for store in config.stores:
            names = [f"poll:{kind}" for kind in ("product", "customer", "order", "checkout")]
            runs.begin(tx, config.name, store.name, names, now)
            if had is not None and store.name not in had:
                returning.begin(tx, config.name, store.name, now)
    app.forget()
    return is_new


def leaving(app: App, config: ConnectionConfig) -> tuple[str, ...]:
    """What will no longer be known of stores that the file leaves out."""
    if not schema.is_current(app):
        return ()
    with app.db.transaction() as tx:
        before = connections.load_any(tx, config.name)
        names = {store.name for store in config.stores}
        left = [] if before is None else sorted(_stores(before) - names)
        counts = {store: spoken.n_contacts(tx, config.name, store) for store in left}
    return tuple(
        f"store {store} leaves the connection: its {n:,} contacts stay in Ometria as they are. What people say in that "
        "shop will not be heard, what they say in Ometria will not be written to it, and a consent audit will not "
        "judge them. Put the store back to have all of it decided again before anything of it is sent."
        for store, n in counts.items()
    )


def _standing(app: App, config: ConnectionConfig) -> Standing:
    """Where the connection stands as it is stored, and what its file asks for."""
    asked = Standing(
        name=config.name,
        is_live=config.is_live,
        takeover=config.connection.takeover,
        start_at=config.connection.start_at,
        today=app.clock.now().date(),
    )
    if not schema.is_current(app):
        return asked  # a first look at a database that is not there yet
    with app.db.transaction() as tx:
        before = connections.load_any(tx, config.name)
        return msgspec.structs.replace(
            asked,
            was_live=before is not None and (before if isinstance(before, Unusable) else before.config).is_live,
            is_carried_out=carry_out.is_carried_out(tx, config.name),
            n_sent=foreign.n_sent(tx, config.name),
        )


def _tell_of_others(tx: Tx, checked: Checked, at: Standing, now: datetime) -> None:
    """Another writer is a case until it is decided what about it."""
    if at.takeover is not None:
        cases.resolve(tx, at.name, words.CODE, now, "connect", subjects=["takeover"])
    elif checked.sampled is not None and checked.sampled.is_foreign:
        cases.touch(tx, at.name, [Touch(words.CODE, "takeover", "", words.found(checked.sampled))], now)


def _takeover(one: Connected | Unusable) -> str | None:
    return one.takeover if isinstance(one, Unusable) else one.config.connection.takeover


def _stores(one: Connected | Unusable) -> frozenset[str]:
    if isinstance(one, Unusable):
        return one.stores
    return frozenset(store.name for store in one.config.stores)


def _mapped_otherwise(before: Connected | Unusable | None, after: Connected | None, hash_key: bytes) -> list[str]:
    """The stores that were connected already and whose records the new settings say otherwise."""
    if before is None or after is None:
        return []
    if isinstance(before, Unusable):
        return sorted(before.stores & _stores(after))  # what it meant is not known
    was = {store.name: rules(before, store, hash_key) for store in before.config.stores}
    now = {store.name: rules(after, store, hash_key) for store in after.config.stores}
    return [name for name in now if name in was and remap.differs(was[name], now[name])]
