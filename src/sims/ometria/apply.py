"""Ometria's own time: accepted records become stored ones, in order, or errors in the ring.

Sources: https://support.ometria.com/hc/en-gb/articles/360011617238 (asynchronous; insert or update by id; OK does not
mean valid), https://support.ometria.com/support/solutions/articles/7000045353-merge (@merge). Delays are ASSUMED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sims.faults import Faults
from sims.ometria import consent, identity, times, written
from sims.ometria.account import Account
from sims.ometria.errors import INVALID, PushError, Refusal
from sims.ometria.shelf import Stored
from sims.ometria.validate import EVENT_TYPE_CHARS, OPTED_IN, OPTED_OUT, Rules, refusal, rules_for

PROGRAMS = ("api", "importer")
"""Writers whose consent is no person's own word at that moment."""

_DATES = {OPTED_IN: "timestamp_subscribed", OPTED_OUT: "timestamp_unsubscribed"}


@dataclass(frozen=True, slots=True)
class Write:
    """One record on its way into a shelf: as sent, as it will be, as it was, when and by whom."""

    sent: dict[str, Any]
    record: dict[str, Any]
    before: Stored | None
    now: datetime
    source: str


def due(account: Account, faults: Faults, now: datetime) -> int:
    """Apply every batch whose time has come, oldest first, and return how many records that were."""
    if not account.queue or account.queue[0].due_at > now:
        return 0
    rules = rules_for(account.switches)
    refused_ids, vanishing = frozenset(faults.get("ometria.refuse_ids")), frozenset(faults.get("ometria.vanish_ids"))
    n = 0
    while account.queue and account.queue[0].due_at <= now:
        batch = account.queue.popleft()
        account.backlog -= len(batch.records)
        failed = []
        for record in batch.records:
            wrong = None
            if faults.strikes("ometria.p_vanish"):
                continue
            if str(record.get("id")) in vanishing:
                faults.count("ometria.vanish_ids")
                continue
            if str(record.get("id")) in refused_ids:
                faults.count("ometria.refuse_ids")
                wrong = Refusal("root > id")
            wrong = wrong or one(account, record, rules, batch.due_at)
            if wrong is not None:
                failed.append(refuse(account, batch.request_id, record, wrong, batch.due_at))
        n += len(batch.records)
        status = account.requests.get(batch.request_id)
        if status is not None:
            status.update(status="PROCESSED", errors=failed)
    return n


def one(
    account: Account, sent: dict[str, Any], rules: Mapping[str, Rules], now: datetime, source: str = "api"
) -> Refusal | None:
    """Store one record of a known `@type`, or return why it is refused."""
    kind = sent["@type"]
    if isinstance(sent.get("id"), int):
        sent["id"] = str(sent["id"])  # Ometria's own Magento extension pushes numeric product ids
    before = _existing(account, kind, sent)
    record = written.over(before.record if before else None, sent, account.switches, rules[kind].fields)
    wrong = refusal({**record, **_commands(sent)}, rules[kind], account.switches)
    if wrong is not None:
        return wrong
    if kind == "contact":
        wrong = _unknown_list(account, sent)
        if wrong is not None:
            return wrong
    account.counts[f"applied_{kind}"] += 1
    write = Write(sent, record, before, now, source)
    {"contact": _contact, "order": _order, "product": _product, "custom_event": _event}[kind](account, write)
    return None


def refuse(account: Account, request_id: str, record: dict[str, Any], wrong: Refusal, now: datetime) -> str | None:
    """Put a refused record into the error ring and return its id."""
    found = record.get("id")
    record_id = None if found is None else str(found)
    account.counts["refused"] += 1
    account.errors.add(PushError(request_id, str(record.get("@type")), record_id, record, now, wrong))
    return record_id


def _existing(account: Account, kind: str, sent: dict[str, Any]) -> Stored | None:
    key = sent.get("id")
    if not isinstance(key, str):
        return None
    match kind:
        case "contact":
            shelf = account.collections.get(str(sent.get("@collection")))
            return shelf.get(key) if shelf is not None else None
        case "order":
            return account.orders.get(key)
        case "product":
            return account.products.get(key)
    return account.events.get(key)


def _commands(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: sent[name] for name in written.COMMANDS if name in sent}


def _unknown_list(account: Account, sent: dict[str, Any]) -> Refusal | None:
    for name in ("@add_to_lists", "@remove_from_lists"):
        if any(number not in account.lists for number in sent.get(name) or ()):
            return Refusal(f"root > {name}", INVALID)
    return None


def _contact(account: Account, write: Write) -> None:
    sent, record, before, now = write.sent, write.record, write.before, write.now
    people, collection, key = account.people, record["@collection"], record["id"]
    account.counts["writes"] += 1
    held = _held(before)
    said = consent.written(before, sent, record, account.switches, now, account.counts["writes"])
    shelf = account.collection(collection)
    row = _stored(before, shelf.next_seq, key, record, now, write.source)
    row.collection, row.consent = collection, said
    shelf.put(key, row)
    current = people.get(row.profile_id)
    holder = ("contact", collection, key)
    profile = people.place(holder, identity.of_contact(record, account.switches), current, account.switches, now)
    if current is not None and current is not profile:
        current.listings.pop((collection, key), None)
        people.drop_if_empty(current)
    profile.listings[(collection, key)] = None
    row.profile_id = profile.id
    _join_lists(account, sent, profile, now)
    _heard(account, write, row, held)
    _subscription_events(account, sent, row, profile, now)


def _held(before: Stored | None) -> tuple[str | None, bool | None]:
    """What a listing says of email and of text messages; take it before a write changes the row."""
    if before is None:
        return None, None
    sms = (before.record.get("channels") or {}).get("sms") or {}
    return (before.consent.status if before.consent is not None else None), sms.get("allow_marketing")


def _heard(account: Account, write: Write, row: Stored, held: tuple[str | None, bool | None]) -> None:
    """Write down the consent that a program changed on a listing; people are heard where they speak."""
    if write.source not in PROGRAMS:
        return
    status, sms = row.consent.status, (row.record.get("channels") or {}).get("sms") or {}
    allowed = sms.get("allow_marketing")
    said: list[tuple[str, str | None, bool, str | None]] = []
    if status in _DATES and status != held[0]:
        said.append(("email", row.record.get("email"), status == OPTED_IN, write.sent.get(_DATES[status])))
    if allowed is not None and allowed != held[1]:
        said.append(("sms", row.record.get("phone_number"), bool(allowed), sms.get("dt_updated_marketing")))
    for channel, address, is_in, stamped in said:
        account.statements.hear(
            "ometria",
            account.name,
            channel,
            address,
            "SUBSCRIBED" if is_in else "UNSUBSCRIBED",
            times.read(stamped) if stamped else write.now,
            who=row.profile_id,
            way=write.source,
            is_own_write=True,
            heard_at=write.now,
        )


def _subscription_events(
    account: Account, sent: dict[str, Any], row: Stored, profile: identity.Profile, now: datetime
) -> None:
    """Fire a (un)subscription: status and its date sent together, in effect, and the first time for the channel."""
    listings = account.listings_of(profile.id)
    status = sent.get("marketing_optin")
    date = _DATES.get(str(status))
    events = []
    if date and sent.get(date) and consent.resolved(listings, account.switches) == status:
        events.append(("subscribe" if status == OPTED_IN else "unsubscribe", "email", sent[date]))
    sms = (sent.get("channels") or {}).get("sms") or {}
    if sms.get("dt_updated_marketing") and sms.get("allow_marketing") is not None:
        wanted = sms["allow_marketing"]
        if wanted and account.switches.sms_double_optin and row.collection == consent.SMS_ASKED:
            account.automate(
                "double_optin_text", now, channel="sms", profile_id=profile.id, email=row.record.get("email")
            )
        if consent.resolved_sms(listings, account.switches) == wanted:
            events.append(("subscribe" if wanted else "unsubscribe", "sms", sms["dt_updated_marketing"]))
    for kind, channel, stamped in events:
        if (kind, channel) not in profile.fired:
            profile.fired.add((kind, channel))
            account.automate(
                kind,
                now,
                channel=channel,
                profile_id=profile.id,
                email=row.record.get("email"),
                listing={"collection": row.collection, "id": row.id},
                timestamp=stamped,
            )


def _join_lists(account: Account, sent: dict[str, Any], profile: identity.Profile, now: datetime) -> None:
    for name, event in (("@add_to_lists", "list_enter"), ("@remove_from_lists", "list_exit")):
        for number in sent.get(name) or ():
            static = account.lists[number]
            if (profile.id in static.members) == (event == "list_enter"):
                continue
            if event == "list_enter":
                static.members[profile.id] = now
            else:
                del static.members[profile.id]
            change = {"list_id": number, "profile_id": profile.id, "event": event, "timestamp": times.offset_text(now)}
            static.changes.append({**change, "email": next(iter(profile.values("email")), None)})


def _order(account: Account, write: Write) -> None:
    record, now = write.record, write.now
    people, key = account.people, record["id"]
    if isinstance(record.get("is_valid"), str):
        record["is_valid"] = record["is_valid"] == "true"
    row = _stored(write.before, account.orders.next_seq, key, record, now, write.source)
    account.orders.put(key, row)
    current = people.get(row.profile_id)
    named = identity.of_order(record)
    values = dict(named)
    profile = people.order_owner(values.get("customer_id"), values.get("email"))
    if profile is None and named:
        profile = people.place(("order", key), named, current, account.switches, now, is_search=False)
    if current is not None and current is not profile:
        people.leave(current, ("order", key))
        current.orders.pop(key, None)
        people.drop_if_empty(current)
    row.profile_id = profile.id if profile else None
    if profile is not None:
        profile.orders[key] = None
        people.touch(profile, now)
    if account.switches.auto_variants:
        _make_variants(account, record, now)


def _make_variants(account: Account, record: dict[str, Any], now: datetime) -> None:
    """Make the variants that only an order knows ("unknown variant_options create a variant product")."""
    for line in record.get("lineitems") or ():
        variant_id, options = line.get("variant_id"), line.get("variant_options")
        if variant_id and options and variant_id not in account.products:
            made = {"@type": "product", "id": variant_id, "is_variant": True, "attributes": options}
            row = _stored(None, account.products.next_seq, variant_id, made, now, "order")
            account.products.put(variant_id, row)


def _product(account: Account, write: Write) -> None:
    row = _stored(write.before, account.products.next_seq, write.record["id"], write.record, write.now, write.source)
    account.products.put(row.id, row)


def _event(account: Account, write: Write) -> None:
    record, before, now = write.record, write.before, write.now
    record["event_type"] = record["event_type"][:EVENT_TYPE_CHARS]
    record.setdefault("timestamp", times.offset_text(now))
    key = record["id"]
    again = before is not None
    if again and not account.switches.event_idempotency:
        before, key = None, f"{key}#{len(account.events)}"
    row = _stored(before, account.events.next_seq, record["id"], record, now, write.source)
    account.events.put(key, row)
    people = account.people
    profile = people.get(record.get("profile_id")) or people.order_owner(
        record.get("identity_account_id"), record.get("identity_email")
    )
    row.profile_id = profile.id if profile else None
    if profile is not None:
        profile.events[key] = None
    if again and account.switches.event_idempotency:
        return
    email = record.get("identity_email")
    account.automate(
        "custom_event", now, event_id=row.id, event_type=record["event_type"], profile_id=row.profile_id, email=email
    )


def _stored(
    before: Stored | None, next_seq: Any, key: str, record: dict[str, Any], now: datetime, source: str
) -> Stored:
    if before is None:
        return Stored(key, next_seq(), record, now, now, source)
    before.record, before.updated_at, before.source = record, now, source
    before.version += 1
    return before
