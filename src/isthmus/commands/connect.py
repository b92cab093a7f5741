"""Connect a connection, with settings resolved."""

import contextlib
from datetime import datetime

import msgspec

from isthmus.app import schema
from isthmus.app.context import App
from isthmus.app.expected_stores import expected_store
from isthmus.app.rules import mapping_rules
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.connections import sql as connections
from isthmus.connections import stored
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve_secret
from isthmus.connections.sql import StoredConnection, Unusable
from isthmus.db.pool import Tx
from isthmus.flows import connect as checking
from isthmus.flows import remap
from isthmus.flows.connect import ConnectionCheck
from isthmus.flows.consent import recurring_differences
from isthmus.flows.context import ShopContext
from isthmus.flows.shared_properties import MISTYPED
from isthmus.flows.takeover import apply_decision, messages
from isthmus.flows.takeover.messages import TakeoverState
from isthmus.flows.takeover.precheck import PlatformAccount
from isthmus.identity.sql import foreign
from isthmus.kit.config_errors import ConfigError
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.runs.sql import watermarks as runs
from isthmus.shopify.reads import Reads
from isthmus.shopify.topics import HISTORY_SCOPE


def connect_connection(app: App, config: ConnectionConfig, *, dry_run: bool) -> tuple[ConnectionCheck, int, bool]:
    """Check, and unless something blocks or it is a dry run, store and subscribe; changed rules map everything again.

    Returns what was found, how many subscriptions changed, and whether the connection is new.
    """
    for key, reference in config.secrets():
        resolve_secret(reference, key)  # every missing secret is told before anything else is tried
    public = app.settings.web.public_url
    passing = StoredConnection(config, app.clock.now(), None, None, None, None, frozenset())
    with contextlib.ExitStack() as stack:
        stores = {
            store.name: (
                stack.enter_context(app.shopify(passing, n, patience=10.0)),
                expected_store(config, store, public, app.clock.now()),
            )
            for n, store in enumerate(config.stores)
        }
        platform = stack.enter_context(app.ometria(config))
        at = _standing(app, config)
        shops = [
            ShopContext(store.name, mapping_rules(passing, store, b""), Reads(stores[store.name][0]))
            for store in config.stores
        ]
        account = PlatformAccount(platform, float(config.ometria.read_per_second), app.clock)
        checked = checking.check_connection(stores, platform)
        _must_see_all(config, checked)
        checked = checking.check_for_other_writers(checked, shops, account, config.ometria.collection, at)
        checked = msgspec.structs.replace(checked, notices=describe_leaving_stores(app, config))
        if dry_run or not checked.is_good:
            return checked, 0, False
        is_new = _store(app, config, checked, at)
        return checked, checking.repair_subscriptions(stores, checked), is_new


def _must_see_all(config: ConnectionConfig, checked: ConnectionCheck) -> None:
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


def _store(app: App, config: ConnectionConfig, checked: ConnectionCheck, at: TakeoverState) -> bool:
    """Keep the connection as its file says it; whether it is new."""
    hash_key, now = app.hash_key, app.clock.now()
    with app.db.transaction() as tx:
        before = connections.load_connection_or_error(tx, config.name)
        if before is not None and _takeover(before) != at.takeover:
            apply_decision.restart_takeover(tx, config.name)
            # What a reconciliation found to be another writer's was told before this was decided.
            cases.resolve_by_code(tx, config.name, messages.CODE, now, "connect")
        had = _stores(before) if before is not None else None
        is_new = connections.save_connection(tx, config, now)
        after = connections.load_connection(tx, config.name)
        for name in _mapped_otherwise(before, after, hash_key):
            remap.request_remap(tx, config.name, name, now)
            # What the file says now is held against the fields again.
            cases.resolve_by_code(tx, config.name, MISTYPED, now, "connect", store=name)
        cases.resolve_by_code(tx, config.name, stored.CODE, now, "connect")
        _tell_of_others(tx, checked, at, now)
        # From now on nothing that changes is missed, whether or not its webhook comes.
        for store in config.stores:
            names = [f"poll:{kind}" for kind in ("product", "customer", "order", "checkout")]
            runs.create_watermarks(tx, config.name, store.name, names, now)
            if had is not None and store.name not in had:
                recurring_differences.note_returning_store(tx, config.name, store.name, now)
    app.forget()
    return is_new


def describe_leaving_stores(app: App, config: ConnectionConfig) -> tuple[str, ...]:
    """What will no longer be known of stores that the file leaves out."""
    if not schema.is_schema_compatible(app):
        return ()
    with app.db.transaction() as tx:
        before = connections.load_connection_or_error(tx, config.name)
        names = {store.name for store in config.stores}
        left = [] if before is None else sorted(_stores(before) - names)
        counts = {store: spoken.count_sent_contacts(tx, config.name, store) for store in left}
    return tuple(
        f"store {store} leaves the connection: its {n:,} contacts stay in Ometria as they are. What people say in that "
        "shop will not be heard, what they say in Ometria will not be written to it, and a consent audit will not "
        "judge them. Put the store back to have all of it decided again before anything of it is sent."
        for store, n in counts.items()
    )


def _standing(app: App, config: ConnectionConfig) -> TakeoverState:
    """Where the connection stands as it is stored, and what its file asks for."""
    asked = TakeoverState(
        name=config.name,
        is_live=config.is_live,
        takeover=config.connection.takeover,
        start_at=config.connection.start_at,
        today=app.clock.now().date(),
    )
    if not schema.is_schema_compatible(app):
        return asked  # a first look at a database that is not there yet
    with app.db.transaction() as tx:
        before = connections.load_connection_or_error(tx, config.name)
        return msgspec.structs.replace(
            asked,
            was_live=before is not None and (before if isinstance(before, Unusable) else before.config).is_live,
            is_carried_out=apply_decision.is_takeover_complete(tx, config.name),
            n_sent=foreign.count_sent(tx, config.name),
        )


def _tell_of_others(tx: Tx, checked: ConnectionCheck, at: TakeoverState, now: datetime) -> None:
    """Another writer is a case until it is decided what about it."""
    if at.takeover is not None:
        cases.resolve_by_code(tx, at.name, messages.CODE, now, "connect", subjects=["takeover"])
    elif checked.sampled is not None and checked.sampled.is_foreign:
        cases.open_or_count(
            tx, at.name, [Touch(messages.CODE, "takeover", "", messages.describe_found(checked.sampled))], now
        )


def _takeover(one: StoredConnection | Unusable) -> str | None:
    return one.takeover if isinstance(one, Unusable) else one.config.connection.takeover


def _stores(one: StoredConnection | Unusable) -> frozenset[str]:
    if isinstance(one, Unusable):
        return one.stores
    return frozenset(store.name for store in one.config.stores)


def _mapped_otherwise(
    before: StoredConnection | Unusable | None, after: StoredConnection | None, hash_key: bytes
) -> list[str]:
    """The stores that were connected already and whose records the new settings say otherwise."""
    if before is None or after is None:
        return []
    if isinstance(before, Unusable):
        return sorted(before.stores & _stores(after))  # what it meant is not known
    was = {store.name: mapping_rules(before, store, hash_key) for store in before.config.stores}
    now = {store.name: mapping_rules(after, store, hash_key) for store in after.config.stores}
    return [name for name in now if name in was and remap.mapping_differs(was[name], now[name])]
