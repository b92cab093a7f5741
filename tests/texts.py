"""People who say what they allow by text message, on either side, in accounts with and without double opt-in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from msgspec.structs import replace

from isthmus.db.pool import Database
from isthmus.mapping.sms_contact import ASKED, CONFIRMED
from isthmus.model.consent import OUT, Channel
from isthmus.ometria.client import OmetriaClient
from scenes import InProcess
from sims.shopify import chance
from sims.shopify.deeds import people
from sims.shopify.state import Customer, SmsConsent
from talks import ADDRESSES, Eye, Talk

PHONES = dict(zip(ADDRESSES, ("+447911123456", "+447911123457", "+447911123458"), strict=True))
NEVER = datetime.min.replace(tzinfo=UTC)
LEVELS = ("SINGLE_OPT_IN", "CONFIRMED_OPT_IN")


class TextEye(Eye):
    """Looks at what goes out about text messages."""

    def __init__(self, db: Database, inner: httpx2.BaseTransport, *, is_double: bool) -> None:
        super().__init__(db, inner)
        self._is_double = is_double
        self.useless: list[str] = []

    def see(self, record: Mapping[str, Any]) -> None:
        if ((record.get("channels") or {}).get("sms") or {}).get("allow_marketing"):
            self.n_opt_ins += 1
            if self.is_out(Channel.SMS, record["phone_number"]):
                self.against.append((record["id"], record["phone_number"]))
            if self._is_double and record["@collection"] not in (ASKED, CONFIRMED):
                self.useless.append(record["id"])


class Texts(Talk):
    """The people of a talk, each with a number of their own."""

    def __init__(self, db: Database, seed: int, *, is_double: bool) -> None:
        super().__init__(db, seed)
        self.is_double = is_double
        self.sims.ometria.turn({"sms_double_optin": is_double})
        self.watch = TextEye(db, InProcess(self.sims.ometria.handle), is_double=is_double)
        shops = {
            name: replace(shop, rules=replace(shop.rules, sms_double_optin=is_double))
            for name, shop in self.context.shops.items()
        }
        platform = OmetriaClient("https://api.ometria.example/v2", self.key, transport=self.watch)
        self.context = replace(self.context, shops=shops, platform=platform)

    def appears(self, email: str, shop: str, state: str | None) -> None:
        """Somebody becomes a customer of a shop with their number; `state` is of email, and nobody's matter here."""
        store = self.sims.store(shop)
        if any(one is store for one, _ in self.customers(email)):
            return
        made = chance.customer(self.sims.world, store, self.dice, self.clock.now(), email)
        made.email, made.phone, made.tags = email, PHONES[email], []
        self._do(people.appear(store, made))

    def texts(self, email: str, shop: str, state: str, level: str) -> None:
        """They say something about text messages in a shop."""
        for store, one in self.customers(email):
            if store is self.sims.store(shop):
                now = self.clock.now()
                self._do(people.sms_consent(self.sims.world, store, one, SmsConsent(state, level, now), now))

    def empties(self, email: str, shop: str) -> None:
        """Their number is taken out of a shop; it states nothing."""
        for store, one in self.customers(email):
            if store is self.sims.store(shop) and one.phone:
                self._do(people.change_address(self.sims.world, store, one, one.email, None, self.clock.now()))

    def arrive(self) -> None:
        """Let what was said so far go its way, as far as nothing stops it."""
        for _ in range(4):
            self.work()
            self.pass_time(5)

    def stops(self, email: str) -> None:
        """They answer a text with the stop word."""
        self.leaves(email, "stopword_unsubscribe_TF")

    def check(self) -> None:
        assert not self.watch.against, f"opted in against the newest word: {self.watch.against}"
        assert not self.watch.useless, f"opted in where it counts for nothing: {self.watch.useless}"

    def _agrees(self, email: str) -> None:
        shop = [one for _, one in self.customers(email) if one.phone]  # without a number nobody may text them
        newest = self._newest(shop)
        found = self.context.platform.profiles(email=email)
        may = [((one.get("channels") or {}).get("sms") or {}).get("allow_marketing") for one in found]
        case = self._case(email)
        words = [(c.sms_consent.state, c.sms_consent.opt_in_level, c.sms_consent.updated_at) for c in shop]
        story = f"{email}: shops {words}, platform {may}, cases {case}"
        if newest is None or newest.state != "SUBSCRIBED":
            assert True not in may or case, story
        elif not self.is_double or newest.opt_in_level == "CONFIRMED_OPT_IN":
            assert True in may or case, story
        said = self.sims.statements.of(PHONES[email], "sms")
        outs = [one.at for one in said if one.state in OUT and one.at is not None]
        ins = [one.at for one in said if one.state == "SUBSCRIBED" and one.at is not None]
        if outs and (not ins or max(ins) <= max(outs)):
            assert True not in may, f"texted after they said no: {story}"

    def _newest(self, shop: Sequence[Customer]) -> SmsConsent | None:
        """The newest word in the shops; of two at once the no."""
        said = [one.sms_consent for one in shop if one.sms_consent.state in (*OUT, "SUBSCRIBED")]
        return max(said, key=lambda one: (one.updated_at or NEVER, one.state in OUT), default=None)
