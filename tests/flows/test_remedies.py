"""The remedy of every code works: what opens the case is real, the command is the remedy's, a later look closes it.

To add a code: write a cause, a function of a `Ward` (tests/ward.py), and decorate it with `@cause("the.code")`. It
makes the failure happen with a simulator's knob, a changed record or a fault of the transport, never with an INSERT,
and lets isthmus notice it. If a person has to act outside isthmus first (accept a scope, correct a record), it returns
a function that does that; faults are turned off before that. The remedy in cases/catalogue.py names its commands
literally, in backticks, with NAME, FILE and ID; the test types them, lets time pass, and wants the case closed by a
look, with the way in which it ended. `NOT_YET` names the codes without a cause and why; it must only shrink.
"""

import asyncio
import base64
import hmac
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from isthmus.cases.catalogue import CATALOGUE, row_of
from isthmus.commands.reconcile import Reconciler
from isthmus.config_changes import calendar
from isthmus.db.pool import Database
from isthmus.flows import duplicates, enrich
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.merges import candidates, execute
from isthmus.flows.process import LEASE, process_batch
from isthmus.flows.secret_rotation import report_previous_secret
from isthmus.flows.settle import settle_pushes
from isthmus.inbox.sql import events as inbox
from isthmus.kit.ids import claim_id
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.runtime.scheduler import Scheduler
from isthmus.web.server import SHOPIFY_HOOK, Server
from isthmus.web.webhooks.verify import StoreSecret, WebhookVerifier
from sims.ometria import apply
from sims.ometria import unsubscribes as centre
from sims.ometria.account import Unsubscribe
from sims.ometria.validate import rules_for
from sims.shopify import tamper
from sims.shopify.deeds import people, placing, refunding
from sims.shopify.rest import order as rest_order
from sims.shopify.state import Customer, Order, gid
from sims.wire import TIMEOUT_STATUS, Request, Response, json_response
from ward import Ward, commands

Act = Callable[[], object]
Cause = Callable[[Ward], Act | None]

CAUSES: dict[str, Cause] = {}

NOT_YET: dict[str, str] = dict.fromkeys(
    ("privacy.data_request", "privacy.redact_customer", "privacy.redact_shop"),
    "erasing and exporting a person's data are commands of a later issue; until then a person does it by hand",
)
"""Codes whose remedy no test holds yet, each with the reason."""


def cause(code: str) -> Callable[[Cause], Cause]:
    def register(function: Cause) -> Cause:
        assert code not in CAUSES, f"{code} has a cause already"
        CAUSES[code] = function
        return function

    return register


@pytest.fixture(scope="module")
def ward(
    module_database: Database, module_db_url: str, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    """One world for all of this module."""
    with pytest.MonkeyPatch.context() as patch:
        yield Ward(module_database, module_db_url, server_url, tmp_path_factory.mktemp("ward"), patch)


@pytest.fixture
def calm(ward: Ward) -> Iterator[Ward]:
    """Whatever a cause turned is turned back, whether or not its test went well."""
    config = msgspec.json.decode(msgspec.json.encode(ward.config))
    yield ward
    ward.clear()
    ward.pass_time(61)  # whoever was turned away waits no longer
    if ward.config != config:
        ward.config = config
        ward.write()
        ward.stored_long_ago()


def test_every_code_has_a_cause_or_a_reason() -> None:
    print(*(f"no test yet: {code}: {why}" for code, why in sorted(NOT_YET.items())), sep="\n")
    assert sorted({*CAUSES, *NOT_YET}) == sorted(CATALOGUE)
    assert not CAUSES.keys() & NOT_YET.keys()


def test_every_remedy_names_its_commands_and_none_is_to_close_by_hand() -> None:
    silent = [code for code in CATALOGUE if code not in NOT_YET and not commands(row_of(code).remedy)]
    assert silent == []
    assert [code for code in CATALOGUE if "cases resolve" in row_of(code).remedy] == []


def carried_out(ward: Ward, code: str) -> None:
    """Open the case by its cause, act as the remedy says, and see a later look close it."""
    act = CAUSES[code](ward)
    case = ward.opened(code)
    ward.clear()
    if act is not None:
        act()
    for line in commands(row_of(code).remedy):
        ward.run(line, case.id)
    for _ in range(3):
        if ward.case(case.id).state != "open":
            break
        ward.rest(10)
    closed = ward.case(case.id)
    assert closed.state == "resolved", f"{code} is still open: {closed.subject} {closed.detail}"
    assert closed.note, f"{code} does not say how it ended (closed by {closed.closed_by})"


# The shop ------------------------------------------------------------------------------------------------------------


@cause("storefront.unreadable_body")
def unreadable_body(ward: Ward) -> None:
    ward.tell("orders/create", {"line_items": []}, webhook_id="no-id")
    ward.hear()


def unreadable(ward: Ward, order: Order) -> None:
    """Let readings of an order answer with a date that is none."""
    whole = f"{gid('Order', order.id)}".encode()
    ward.corrupt("shopify", lambda body: body.replace(b'"createdAt":"2', b'"createdAt":"x2') if whole in body else body)


@cause("storefront.unreadable_record")
def unreadable_record(ward: Ward) -> None:
    order = ward.orders(ward.person("unreadable@example.com"), is_told=False)
    unreadable(ward, order)
    ward.poll()
    ward.hear()


def out_of_sight(ward: Ward, order: Order) -> None:
    """Let an order be too old for an app without the scope for all orders."""
    with ward.world.lock:
        order.created_at = order.processed_at = order.updated_at = ward.now - timedelta(days=70)
    ward.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})


@cause("storefront.deletion_unconfirmed")
def deletion_unconfirmed(ward: Ward) -> None:
    order = ward.orders(ward.person("deleted-unseen@example.com"), is_told=False)
    with ward.world.lock:
        order.created_at = order.processed_at = ward.now - timedelta(days=70)
        order.updated_at = ward.now
        ward.uk.version += 1
    ward.rest(10)
    assert ward.order(order)["is_valid"] is True
    out_of_sight(ward, order)
    ward.do(placing.erase(ward.uk, order))
    ward.pass_time(10)
    ward.hear()


@cause("storefront.revival_unconfirmed")
def revival_unconfirmed(ward: Ward) -> None:
    order = ward.orders(ward.person("revived-unseen@example.com"))
    ward.rest(10)
    ward.do(placing.erase(ward.uk, order))
    ward.rest(10)
    assert ward.order(order)["status"] == "cancelled"
    out_of_sight(ward, order)
    body = msgspec.json.decode(msgspec.json.encode(rest_order.order(ward.world, ward.uk, order)))
    ward.tell("orders/updated", body | {"updated_at": ward.now.isoformat()}, webhook_id="revived-unseen")
    ward.pass_time(10)
    ward.hear()


@cause("storefront.access_denied")
def access_denied(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.dropped_scopes": "read_products"})
    ward.poll()


@cause("storefront.bulk_failed")
def bulk_failed(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.bulk_fault_root": "orders", "shopify.bulk_timeout": -1})
    ward.backfill(["order"], again=True)


@cause("storefront.merge_failed")
def merge_failed(ward: Ward) -> Act:
    one, two = ward.person("merge1@example.com"), ward.person("merge2@example.com")
    body = {
        "admin_graphql_api_customer_kept_id": gid("Customer", one.id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", two.id),
        "admin_graphql_api_job_id": None, "status": "failed", "errors": [],
    }  # fmt: skip
    ward.tell("customers/merge", body, webhook_id="merge-failed")
    ward.hear()
    return lambda: ward.do(people.merge(ward.world, ward.uk, one, two, ward.now))


@cause("storefront.token_refused")
def token_refused(ward: Ward) -> Act:
    ward.uk.shop.client_secret = "shpss_rotated"  # and the old one is revoked with it
    ward.sims.shopify.revoke_tokens("uk")
    ward.poll()

    def new_secret() -> None:
        ward.patch.setenv("ACME_UK_SECRET", "shpss_rotated")
        ward.restart()

    return new_secret


@cause("storefront.shop_closed")
def shop_closed(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.shop_status": 402})
    ward.poll()


@cause("storefront.protected_data_missing")
def protected_data_missing(ward: Ward) -> Act:
    for _ in range(50):
        ward.person(None)
    ward.govern()
    return lambda: ward.person("approved@example.com")


@cause("storefront.scope_missing")
def scope_missing(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.dropped_scopes": "read_returns"})
    ward.govern()


@cause("storefront.scopes_changed")
def scopes_changed(ward: Ward) -> None:
    ward.govern()
    ward.sims.faults.set({"shopify.extra_scopes": "read_themes"})
    ward.govern()


@cause("storefront.app_uninstalled")
def app_uninstalled(ward: Ward) -> Act:
    ward.sims.happen("uk", {"deed": "uninstall"})
    ward.hear()
    return lambda: ward.sims.happen("uk", {"deed": "install"})


@cause("storefront.api_version")
def api_version(ward: Ward) -> Act:
    ward.store(api_version="2025-07")
    ward.stored_long_ago()
    ward.govern()
    return lambda: ward.store(api_version="2026-10")


@cause("storefront.unavailable")
def shopify_unavailable(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.error": 1.0})
    ward.poll()


@cause("storefront.throttled")
def throttled(ward: Ward) -> None:
    ward.sims.faults.set({"shopify.throttle": 1.0})
    ward.poll()


@cause("storefront.consent_unknown_state")
def consent_unknown_state(ward: Ward) -> Act:
    who = ward.person("wondering@example.com", "WONDERING")
    ward.hear()

    def subscribes() -> None:
        ward.pass_time(60)
        ward.says(who, "SUBSCRIBED")

    return subscribes


@cause("storefront.metafield_type")
def metafield_type(ward: Ward) -> Act:
    (ward.folder / "fields.toml").write_text(
        '[[metafields]]\nowner = "customer"\nnamespace = "custom"\nkey = "size"\ntype = "single_line_text_field"\n'
        'property = "size"\n',
        encoding="utf-8",
    )
    ward.write(mapping={"file": "fields.toml"})
    ward.run("isthmus connect FILE")
    who = ward.person("sized@example.com")
    ward.sims.change_fields("uk", "customer", who.id, "custom", "size", "number_integer", "7")
    ward.rest()
    ward.pass_time(ward.context.pace.metafields_every.total_seconds())
    while enrich.scan_next_page(ward.db, ward.context):
        pass
    return lambda: ward.sims.change_fields(
        "uk", "customer", who.id, "custom", "size", "single_line_text_field", "seven"
    )


@cause("storefront.moved")
def moved(ward: Ward) -> None:
    domain = ward.uk.shop.domain.encode()
    ward.corrupt("shopify", lambda body: body.replace(domain, b"elsewhere.myshopify.com"))
    ward.govern()


@cause("storefront.webhook_version")
def webhook_version(ward: Ward) -> Act:
    ward.uk.shop.webhook_version = "2026-07"
    ward.govern()

    def deploy() -> None:
        ward.uk.shop.webhook_version = "2026-10"

    return deploy


@cause("storefront.setting_changed")
def setting_changed(ward: Ward) -> Act:
    ward.govern()
    ward.uk.shop.taxes_included = not ward.uk.shop.taxes_included
    ward.govern()

    def set_back() -> None:
        ward.uk.shop.taxes_included = not ward.uk.shop.taxes_included

    return set_back


@cause("storefront.unusual_changes")
def unusual_changes(ward: Ward) -> Act:
    """Somebody deletes a handful of customers at once."""
    who = [ward.person(f"bulk{n}@example.com") for n in range(6)]
    ward.rest()
    for one in who:
        ward.do(people.leave(ward.uk, one))
    ward.rest()
    ward.pass_time(60)
    ward.watch()
    return lambda: ward.pass_time(timedelta(days=1, hours=1).total_seconds())


@cause("storefront.consent_refused")
def consent_refused(ward: Ward) -> Act:
    who = ward.subscriber("refused@example.com")
    ward.sims.faults.set({"shopify.consent_refused": [who.id]})
    ward.leaves("refused@example.com")
    for _ in range(6):
        ward.rest(10)
    return lambda: ward.says(who, "UNSUBSCRIBED")


# isthmus -------------------------------------------------------------------------------------------------------------


@cause("integration.unknown_topic")
def unknown_topic(ward: Ward) -> Act:
    ward.tell("planets/align", {"id": 1}, webhook_id="planet")
    ward.pass_time(2)
    ward.hear()
    return lambda: ward.pass_time(timedelta(days=1, minutes=1).total_seconds())


@cause("storefront.body_of_another_topic")
def body_of_another_topic(ward: Ward) -> Act:
    ward.tell("shop/redact", {"id": 1, "email": "ada@example.com"}, webhook_id="captured")
    ward.pass_time(2)
    ward.hear()
    return lambda: ward.pass_time(timedelta(days=1, minutes=1).total_seconds())


class Buggy:
    """A reader with a mistake of ours in it."""

    def __init__(self, true: Any) -> None:
        self._true = true

    def __getattr__(self, name: str) -> Any:
        return getattr(self._true, name)

    def orders(self, _: Any) -> Any:
        raise KeyError("x")


@cause("internal.bug")
def bug(ward: Ward) -> Act:
    order = ward.orders(ward.person("bug@example.com"))
    ward.rest()
    shop = ward.context.shops["uk"]
    ward.context.shops["uk"] = msgspec.structs.replace(shop, reader=Buggy(shop.reader))  # type: ignore[index]
    ward.tell("refunds/create", {"id": 1, "order_id": order.id}, webhook_id="buggy")
    for _ in range(8):
        ward.hear()
        ward.pass_time(2)
    return ward.restart


@cause("integration.poison_row")
def poison_row(ward: Ward) -> None:
    """Whoever claims the event is killed, again and again."""
    order = ward.orders(ward.person("poison@example.com"), is_told=False)
    ward.rest()
    ward.tell("refunds/create", {"id": 2, "order_id": order.id}, webhook_id="poison")
    for _ in range(6):
        with ward.db.transaction() as tx:
            inbox.claim_events(tx, "acme", tuple(Lane), ward.now, 200, claim_id(), LEASE)
        ward.pass_time(LEASE.total_seconds() + 1)
    process_batch(ward.db, ward.context)


@cause("integration.search_ignored")
def search_ignored(ward: Ward) -> None:
    handle = ward.handles["shopify"]

    def misspelt(request: Request) -> Response:
        body = request.body.replace(b"updated_at:", b"no_such_updated_at:")
        return handle(Request(request.method, request.path, request.query, request.headers, body))

    ward.weather["shopify"] = misspelt
    ward.poll()


@cause("integration.record_too_large")
def record_too_large(ward: Ward) -> Act:
    product = next(iter(ward.uk.products.values()))
    title = product.title

    def called(words: str) -> None:
        tamper.change(ward.world, ward.uk, "products", product.id, {"title": words})
        ward.pass_time(2)
        ward.poll()
        ward.pass_time(2)
        ward.hear()

    called("x" * 70_000)
    return lambda: called(title)


@cause("integration.secret_missing")
def secret_missing(ward: Ward) -> Act:
    ward.patch.setenv("ACME_OLD", "shpss_before")
    ward.store(previous_client_secret="env:ACME_OLD")
    ward.stored_long_ago()
    ward.patch.delenv("ACME_OLD")
    ward.govern()
    return lambda: ward.patch.setenv("ACME_OLD", "shpss_before")


@cause("integration.connection_unusable")
def connection_unusable(ward: Ward) -> None:
    """Another version stored a value that this one does not take."""
    with ward.db.transaction() as tx:
        tx.execute("""UPDATE connection SET config = jsonb_set(config, '{connection,mode}', '"dimmed"')""")
    ward.app.forget()
    Scheduler(ward.app, tuple(Lane), Reconciler(ward.app), lambda *_, **__: None, lambda: True).sweep()
    assert ward.run("isthmus reconcile NAME") == 2
    assert ward.run("isthmus connections") == 1


@cause("integration.previous_secret_in_use")
def previous_secret_in_use(ward: Ward) -> Act:
    """A delivery that only the previous secret opens, through the endpoint itself."""
    shop = ward.uk.shop.domain
    doors = WebhookVerifier([StoreSecret("acme", "uk", shop, "shpss_new", "shpss_old")], [])

    async def keep(deliveries: Any) -> list[bool]:
        return [True] * len(deliveries)

    server = Server(
        doors=lambda: doors, keep=keep, ring=lambda *_: None, is_ready=lambda: True, registry=CollectorRegistry()
    )
    body = b'{"id": 1}'
    headers = [
        (b"x-shopify-topic", b"orders/create"), (b"x-shopify-shop-domain", shop.encode()),
        (b"x-shopify-hmac-sha256", base64.b64encode(hmac.digest(b"shpss_old", body, "sha256"))),
        (b"x-shopify-webhook-id", b"w-1"), (b"content-length", str(len(body)).encode()),
    ]  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(_: Any) -> None:
        return None

    scope = {"type": "http", "method": "POST", "path": SHOPIFY_HOOK, "headers": headers}
    asyncio.run(server(scope, receive, send))
    report_previous_secret(ward.db, server.rotation.take(), ward.now)
    return lambda: ward.pass_time(timedelta(days=1, minutes=1).total_seconds())


def unheard(ward: Ward, *, is_silent: bool) -> Customer:
    """Changes of a customer that no webhook tells, found by polls and judged once their webhook had its time."""
    ward.watch()
    who = ward.person(f"unheard{int(is_silent)}@example.com")
    ward.rest()
    ward.pass_time(60)
    ward.do(people.tag(ward.world, ward.uk, who, ["unheard"], ward.now), is_told=False)
    for _ in range(3):
        ward.poll()
        ward.hear()
        ward.pass_time(90)
    ward.watch()
    return who


@cause("integration.webhook_silent")
def webhook_silent(ward: Ward) -> Act:
    who = unheard(ward, is_silent=True)

    def told() -> None:
        ward.do(people.tag(ward.world, ward.uk, who, ["heard"], ward.now))
        ward.hear()
        ward.pass_time(60)

    return told


@cause("integration.missed_webhook")
def missed_webhook(ward: Ward) -> Act:
    unheard(ward, is_silent=False)

    def an_hour() -> None:
        ward.pass_time(3700)
        ward.poll()

    return an_hour


@cause("integration.missed_change")
def missed_change(ward: Ward) -> None:
    ward.orders(ward.person("missed@example.com"), is_told=False)
    ward.reconcile_only()


@cause("integration.missed_deletion")
def missed_deletion(ward: Ward) -> None:
    order = ward.orders(ward.person("deleted@example.com"))
    ward.rest()
    ward.sims.tamper("shopify", "orders", order.id, shop="uk", delete=True)
    ward.reconcile_only()


@cause("integration.stale_mapping")
def stale_mapping(ward: Ward) -> None:
    """Rules changed and nothing was mapped again: another process stored the file and was killed before it asked."""
    ward.orders(ward.person("stale@example.com"))
    ward.rest()
    ward.write(orders={"properties": []}, contacts={"properties": []})
    ward.stored_long_ago()
    ward.reconcile_only()


@cause("integration.plan_stopped")
def plan_stopped(ward: Ward) -> None:
    """More orders are gone from the shop than may be cancelled by inference."""
    gone = [ward.orders(ward.person(f"plan{n}@example.com")) for n in range(8)]
    ward.rest(10)
    for order in gone:
        ward.sims.tamper("shopify", "orders", order.id, shop="uk", delete=True)
    ward.reconcile_only(repair=True)


@cause("integration.left_behind")
def left_behind(ward: Ward) -> Act:
    order = ward.orders(ward.person("left@example.com"))
    ward.rest()
    ward.sims.tamper("shopify", "orders", order.id, {"test": True}, shop="uk")
    ward.rest()
    ward.reconcile_only()
    return lambda: ward.sims.tamper("ometria", "order", f"uk:{order.id}", delete=True)


@cause("integration.currency_differs")
def currency_differs(ward: Ward) -> Act:
    ward.store(currency="EUR")
    ward.stored_long_ago()
    ward.govern()
    return lambda: ward.store(currency="GBP")


def errors(code: str) -> Response:
    error = {"message": "…", "path": ["orders"], "extensions": {"code": code}}
    return json_response({"errors": [error]})


def on_graphql(code: str) -> Callable[[Request], Response | None]:
    return lambda request: errors(code) if "graphql" in request.path and b"updated_at:" in request.body else None


@cause("storefront.unexplained")
def unexplained(ward: Ward) -> None:
    answer = json_response({"errors": [{"message": "Something went wrong"}]})
    ward.weather["shopify"] = lambda request: answer if b"updated_at:" in request.body else None
    ward.poll()


@cause("integration.query_refused")
def query_refused(ward: Ward) -> None:
    ward.weather["shopify"] = on_graphql("undefinedField")
    ward.poll()


@cause("integration.query_too_expensive")
def query_too_expensive(ward: Ward) -> None:
    ward.weather["shopify"] = on_graphql("MAX_COST_EXCEEDED")
    ward.poll()


@cause("integration.subscriptions_differ")
def subscriptions_differ(ward: Ward) -> None:
    ward.sims.unsubscribe(ward.uk.shop.domain)
    ward.watch()


@cause("integration.subscription_refused")
def subscription_refused(ward: Ward) -> None:
    ward.sims.unsubscribe(ward.uk.shop.domain)
    ward.sims.faults.set({"shopify.dropped_scopes": "read_returns"})
    ward.watch()


@cause("integration.notify_failed")
def notify_failed(ward: Ward) -> Act:
    """What stands behind notify.url is broken, then well."""
    status = [500]

    class Address(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Address)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ward.patch.setenv("ISTHMUS_NOTIFY_URL", f"http://127.0.0.1:{server.server_port}/hook")
    ward.restart()
    ward.tell("planets/fall", {"id": 1}, webhook_id="planet-2")
    ward.pass_time(2)
    ward.hear()
    ward.sims.faults.set({"shopify.shop_status": 402})
    ward.poll()
    for _ in range(6):
        ward.tell_somebody()
        ward.pass_time(600)

    def well() -> None:
        status[0] = 200
        ward.poll()

    return well


# People --------------------------------------------------------------------------------------------------------------


def looked_for_duplicates(ward: Ward) -> None:
    ward.rest()
    duplicates.find_duplicates(ward.db, ward.context)


@cause("identity.shared_address")
def shared_address(ward: Ward) -> Act:
    abroad = ward.sims.store("int")
    ward.person("shared@example.com", first_name="Ada", last_name="King", created_at=ward.now)
    other = ward.person("shared@example.com", first_name="Tom", last_name="Berg", store=abroad)
    looked_for_duplicates(ward)

    def own_address() -> None:
        ward.do(people.change_address(ward.world, abroad, other, "own@example.com", None, ward.now))
        ward.rest()

    return own_address


@cause("identity.shared_phone")
def shared_phone(ward: Ward) -> Act:
    number = "+447911123499"
    ward.person("phone1@example.com", first_name="Ada", last_name="King", phone=number)
    ward.uk.by_phone.clear()  # an import may bring a number twice
    other = ward.person("phone2@example.com", first_name="Tom", last_name="Berg", phone=number)
    looked_for_duplicates(ward)

    def no_number() -> None:
        ward.do(people.change_address(ward.world, ward.uk, other, "phone2@example.com", None, ward.now))
        other.phone = None
        ward.world.touch(ward.uk, other, ward.now)
        ward.rest()

    return no_number


@cause("identity.conflict")
def conflict(ward: Ward) -> Act:
    old = ward.subscriber("given-up@example.com")
    ward.do(people.change_address(ward.world, ward.uk, old, "new@example.com", None, ward.now))
    ward.person("given-up@example.com", "SUBSCRIBED", first_name="Tom", last_name="Berg")
    ward.hear()
    return ward.rest


@cause("platform.merge_refused")
def merge_refused(ward: Ward) -> None:
    one = ward.person("ada.king@merge.example", first_name="Ada", last_name="King")
    two = ward.person("ada.king+shop@merge.example", first_name="Ada", last_name="King")
    looked_for_duplicates(ward)
    ids = {f"uk:{one.id}", f"uk:{two.id}"}
    found = duplicates.review_candidates(ward.db, ward.context)
    pair = next(w for w in found if {w.survivor.contact, w.loser.contact} == ids)
    assert candidates.queue_merge(ward.db, ward.context, pair, "ada") is not None
    ward.weather["ometria"] = lambda request: (
        json_response({"error": "merging is not enabled"}, 400) if request.path.endswith("/merge-profile") else None
    )
    execute.run_next_merge(ward.db, ward.context)


# Ometria -------------------------------------------------------------------------------------------------------------


def an_order(ward: Ward, name: str) -> Order:
    order = ward.orders(ward.person(f"{name}@example.com"))
    ward.rest()
    return order


def something_to_push(ward: Ward, name: str) -> None:
    ward.orders(ward.person(f"{name}@example.com"))
    ward.hear()


def pushed_in_vain(ward: Ward, times: int = 6) -> None:
    for _ in range(times):
        ward.pass_time(60)
        push_next_batch(ward.db, ward.context)


def answered(status: int, body: bytes = b"{}", method: str = "POST") -> Callable[[Request], Response | None]:
    return lambda request: (
        Response(status, {"Content-Type": "application/json"}, body) if (request.method == method) else None
    )


@cause("platform.key_refused")
def key_refused(ward: Ward) -> None:
    something_to_push(ward, "key")
    ward.weather["ometria"] = answered(401)
    pushed_in_vain(ward, 1)


@cause("platform.not_the_api")
def not_the_api(ward: Ward) -> None:
    something_to_push(ward, "address")
    ward.weather["ometria"] = lambda _: Response(404, {"Content-Type": "text/html"}, b"<html></html>")
    pushed_in_vain(ward, 1)


@cause("platform.rate_limited")
def rate_limited(ward: Ward) -> None:
    something_to_push(ward, "limited")
    ward.sims.faults.set({"ometria.p429": 1.0})
    pushed_in_vain(ward)


@cause("platform.backlog")
def backlog(ward: Ward) -> None:
    something_to_push(ward, "backlog")
    ward.sims.ometria.turn({"queue_max": 0})
    pushed_in_vain(ward)


@cause("platform.unavailable")
def ometria_unavailable(ward: Ward) -> None:
    something_to_push(ward, "down")
    ward.sims.faults.set({"ometria.down": True})
    pushed_in_vain(ward)


@cause("platform.limit_differs")
def limit_differs(ward: Ward) -> Act:
    ward.govern()
    something_to_push(ward, "limits")
    ward.sims.faults.set({"ometria.p429": 1.0})
    pushed_in_vain(ward, 9)
    ward.pass_time(86_400)
    ward.govern()

    def a_day_within() -> None:
        ward.rest()
        for n in range(55):
            ward.person(f"many{n}@example.com")
            ward.hear()
            ward.pass_time(2)
            ward.push()
        ward.pass_time(86_400)
        ward.govern()
        ward.pass_time(86_400)

    return a_day_within


@cause("platform.refused")
def refused(ward: Ward) -> None:
    order = ward.orders(ward.person("ring@example.com"))
    ward.sims.faults.set({"ometria.refuse_ids": [f"uk:{order.id}"]})
    ward.rest()


@cause("platform.refused_batch")
def refused_batch(ward: Ward) -> None:
    something_to_push(ward, "batch")
    ward.sims.faults.set({"ometria.reject_sync": 1.0})
    for _ in range(12):
        ward.pass_time(5)
        push_next_batch(ward.db, ward.context)


@cause("platform.too_large")
def too_large(ward: Ward) -> None:
    order = ward.orders(ward.person("large@example.com"))
    name = f'"uk:{order.id}"'.encode()
    ward.weather["ometria"] = lambda request: (
        json_response({}, 413) if request.method == "POST" and name in request.body else None
    )
    for _ in range(6):
        ward.work()
        ward.pass_time(20)


@cause("platform.refused_read")
def refused_read(ward: Ward) -> None:
    ward.weather["ometria"] = lambda request: json_response({}, 400) if "unsubscribes" in request.path else None
    ward.ask_around()


@cause("platform.read_path_unknown")
def read_path_unknown(ward: Ward) -> None:
    page = Response(404, {"Content-Type": "text/html"}, b"<html></html>")
    ward.weather["ometria"] = lambda request: page if request.method == "GET" else None
    for _ in range(4):
        ward.pass_time(600)
        ward.ask_around()


@cause("platform.not_applied")
def not_applied(ward: Ward) -> None:
    order = an_order(ward, "gone")
    ward.sims.tamper("ometria", "order", f"uk:{order.id}", delete=True)
    ward.reconcile_only()


@cause("platform.differs")
def differs(ward: Ward) -> None:
    order = an_order(ward, "differs")
    ward.sims.tamper("ometria", "order", f"uk:{order.id}", {"grand_total": 1.23}, dated=False, source="api")
    ward.reconcile_only()


@cause("integration.repair_returns")
def repair_returns(ward: Ward) -> None:
    """Somebody writes the same wrong value again after it was repaired."""
    order = an_order(ward, "returns")
    for _ in range(2):
        ward.sims.tamper("ometria", "order", f"uk:{order.id}", {"grand_total": 1.23}, dated=False, source="api")
        ward.reconcile_only(repair=True)
        ward.rest()


@cause("platform.overwritten")
def overwritten(ward: Ward) -> None:
    who = ward.person("overwritten@example.com")
    ward.rest()
    ward.pass_time(60)
    change = {"lastname": "Agency"}
    ward.sims.tamper("ometria", "contact", f"uk:{who.id}", change, collection="shopify", source="script")
    ward.reconcile_only()


def put(ward: Ward, record: dict[str, Any]) -> None:
    account = ward.sims.ometria.account
    assert apply.one(account, record, rules_for(account.switches), ward.now, "script") is None


@cause("platform.duplicate_order")
def duplicate_order(ward: Ward) -> Act:
    order = an_order(ward, "twice")
    model = ward.sims.ometria.account.orders.get(f"uk:{order.id}")
    assert model is not None
    put(ward, {**model.record, "@type": "order", "id": "uk:8800001"})
    ward.reconcile_only()
    return lambda: ward.sims.tamper("ometria", "order", "uk:8800001", delete=True)


@cause("platform.foreign_writer")
def foreign_writer(ward: Ward) -> Act:
    put(ward, {"@type": "contact", "@collection": "shopify", "id": "crm-1", "email": "crm@example.com",
               "marketing_optin": "NOT_SPECIFIED"})  # fmt: skip
    ward.reconcile_only()
    return lambda: ward.sims.tamper("ometria", "contact", "crm-1", collection="shopify", delete=True)


@cause("platform.ambiguous_moment")
def ambiguous_moment(ward: Ward) -> None:
    """An event is sent, the answer never comes, and the account has no path to look for it."""
    order = an_order(ward, "moment")
    ward.do(refunding.cancel(ward.world, ward.uk, order, "CUSTOMER", ward.now))
    ward.hear()
    page = Response(404, {"Content-Type": "text/html"}, b"<html></html>")
    ward.sims.faults.set({"ometria.p_drop_before_accept": 1.0})
    ward.weather["ometria"] = lambda request: page if request.method == "GET" and "event" in request.path else None
    for _ in range(8):
        ward.pass_time(10)
        push_next_batch(ward.db, ward.context)
        settle_pushes(ward.db, ward.context)


@cause("platform.unanswered")
def unanswered(ward: Ward) -> None:
    order = ward.orders(ward.person("hangs@example.com"))
    name = f'"uk:{order.id}"'.encode()
    ward.weather["ometria"] = lambda request: (
        Response(TIMEOUT_STATUS) if (request.method == "POST" and name in request.body) else None
    )
    for n in range(14):  # a record is given up only while others are answered
        ward.person(f"answered{n}@example.com")
        ward.work()
        ward.pass_time(20)


@cause("platform.takeover_conflict")
def takeover_conflict(ward: Ward) -> Act:
    """Another writer has an order of after the day on which ours begin."""
    model = ward.sims.ometria.account.orders.get(f"uk:{an_order(ward, 'model').id}")
    assert model is not None
    ward.write(connection={"takeover": f"start_at = {ward.now - timedelta(days=3):%Y-%m-%d}"})
    ward.run("isthmus connect FILE")
    order = ward.orders(ward.person("both@example.com"), is_told=False)
    put(ward, {**model.record, "@type": "order", "id": "shop_77", "web_id": order.name,
               "timestamp": order.created_at.isoformat()})  # fmt: skip
    ward.run("isthmus takeover NAME")
    ward.poll()
    ward.hear()
    return lambda: ward.sims.tamper("ometria", "order", "shop_77", delete=True)


# Consent -------------------------------------------------------------------------------------------------------------


@cause("consent.blocked_by_listing")
def blocked_by_listing(ward: Ward) -> Act:
    who = ward.subscriber("blocked@example.com")
    account = ward.sims.ometria.account
    person = centre.find(account, email="blocked@example.com")
    centre.say_elsewhere(account, person, ward.sim_clock.now(), "csv", is_in=False)
    ward.rest(10)
    ward.pass_time(60)
    ward.says(who, "SUBSCRIBED")
    ward.rest(10)

    def leave() -> None:
        ward.says(who, "UNSUBSCRIBED")
        ward.rest(10)

    return leave


@cause("consent.unproven_resubscribe")
def unproven_resubscribe(ward: Ward) -> Act:
    who = ward.subscriber("unproven@example.com")
    ward.leaves("unproven@example.com")
    ward.rest(10)
    ward.returns("unproven@example.com")
    ward.rest(10)

    def record_it() -> None:
        ward.says(who, "SUBSCRIBED")
        ward.rest(10)

    return record_it


@cause("consent.opt_out_refused")
def opt_out_refused(ward: Ward) -> Act:
    ward.write(consent={"force": "never"})
    ward.run("isthmus connect FILE")
    who = ward.subscriber("overruled@example.com")
    ward.returns("overruled@example.com")
    ward.rest(10)
    ward.says(who, "UNSUBSCRIBED")
    ward.rest(10)
    return lambda: ward.leaves("overruled@example.com")


@cause("consent.guest_opted_out")
def guest_opted_out(ward: Ward) -> Act:
    ward.orders(email="guest@example.com")
    ward.rest(10)
    ward.leaves("guest@example.com")
    ward.rest(10)
    return lambda: (ward.person("guest@example.com"), ward.rest(10))


@cause("consent.unnamed_opt_out")
def unnamed_opt_out(ward: Ward) -> None:
    account, now = ward.sims.ometria.account, ward.sim_clock.now()
    account.unsubscribes.append(Unsubscribe(None, "prof_gone", now, "preferences_centre", now))
    ward.ask_around()


def call(ward: Ward, body: dict[str, Any], n: str) -> None:
    raw = msgspec.json.encode(body)
    with ward.db.transaction() as tx:
        inbox.insert_deliveries(tx, [Delivery("acme", "", "ometria/hook", Lane.REALTIME, n, raw)], ward.now)
    ward.hear()


@cause("consent.unreadable_call")
def unreadable_call(ward: Ward) -> Act:
    call(ward, {"event": "hello", "email": "caller@example.com"}, "call-1")

    def corrected() -> None:
        ward.pass_time(60)
        call(ward, {"event": "unsubscribe", "email": "caller@example.com"}, "call-2")

    return corrected


# The end of a version, last, since time passes ----------------------------------------------------------------------


def until_days_left(ward: Ward, left: int) -> Act:
    """Nobody moves the version, and time passes until so many days are left of it."""
    months = ["2026-01", "2026-04", "2026-07", "2026-10"]
    waits = {month: calendar.version_end(month) - timedelta(days=left) - ward.now.date() for month in months}
    month = next(month for month in months if waits[month] > timedelta(0))
    wait, newer = waits[month], "2026-10" if month < "2026-07" else "2027-01"
    ward.store(api_version=month)
    ward.store("int", api_version=month)
    ward.stored_long_ago()
    ward.pass_time(wait.total_seconds())
    ward.govern()

    def move() -> None:
        ward.store(api_version=newer)
        ward.store("int", api_version=newer)

    return move


@cause("storefront.api_version_ends")
def api_version_ends(ward: Ward) -> Act:
    return until_days_left(ward, 60)


@cause("storefront.api_version_ends_soon")
def api_version_ends_soon(ward: Ward) -> Act:
    return until_days_left(ward, 20)


@cause("storefront.api_version_ends_now")
def api_version_ends_now(ward: Ward) -> Act:
    return until_days_left(ward, 5)


IN_ORDER = True
"""One world, whose clock only goes forward: tests/conftest.py keeps the order of this module."""


@pytest.mark.parametrize("code", CAUSES)
def test_the_remedy_closes_the_case(calm: Ward, code: str) -> None:
    carried_out(calm, code)


def test_a_second_replay_says_that_the_first_is_under_way(calm: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    order = calm.orders(calm.person("twice@example.com"))
    calm.sims.faults.set({"ometria.refuse_ids": [f"uk:{order.id}"]})
    calm.rest()
    case = calm.opened("platform.refused")
    assert case.difference is not None
    assert (case.difference["store"], case.difference["order"]) == ("uk", order.name)
    assert case.difference["request_id"]
    assert f"order {order.name}; store uk" in case.detail
    calm.clear()
    capsys.readouterr()
    said = []
    for _ in range(2):
        assert calm.run("isthmus cases replay ID", case.id) == 0
        said.append(capsys.readouterr().out)
    assert "go again; the case closes" in said[0]
    assert "and under way: the case" in said[1]
    calm.rest(10)
    assert calm.case(case.id).state == "resolved"
