"""The control paths under `/_sim/`, alike on both ports: clock, reset, faults, tape, life, truth and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sims.clock import iso, parse
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria import assumptions as ometria_assumptions
from sims.ometria import dump
from sims.shopify import assumptions as shopify_assumptions
from sims.shopify import truth
from sims.wire import Request, Response, json_response, lines_response

PREFIX = "/_sim/"
_SIZES = ("customers", "orders", "products", "metafields")

Body = Mapping[str, Any]


class Control:
    """Answers control requests; a wrong one is a 400 that says what would be right."""

    def __init__(self, town: Neighbourhood) -> None:
        self._town = town
        self._gets: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "clock": lambda _: self._clock(),
            "faults": lambda _: town.faults.as_dict(),
            "switches": lambda _: town.ometria.account.switches,
            "tape": self._tape,
            "life": lambda _: {"rate": town.life_rate, "steps": town.n_steps},
            "report": lambda _: town.report(),
            "statements": self._statements,
            "acknowledged": lambda _: {"items": town.deliveries.acknowledged()},
            "assumptions": lambda _: shopify_assumptions.listed() + ometria_assumptions.listed(),
        }
        self._posts: dict[str, Callable[[Body], Any]] = {
            "clock": self._set_clock,
            "reset": self._reset,
            "faults": self._set_faults,
            "switches": town.ometria.turn,
            "life": self._live,
            "subscriptions": self._subscribe,
            "tamper": self._tamper,
            "tokens": self._tokens,
            "deeds": self._happen,
            "touch": self._touch,
            "metafields": self._fields,
            "troubles": self._sow,
            "ties": self._tie,
            "native-import": lambda _: town.import_natively(),
            "agency-script": lambda body: town.script(int(body.get("n", 3))),
            "preference-centre": self._preference_centre,
            "merge-profiles": self._merge_profiles,
        }

    def handle(self, request: Request) -> Response:
        """Answer one request whose path begins with `PREFIX`."""
        name = request.path.removeprefix(PREFIX).strip("/")
        try:
            if request.method == "GET":
                if name in self._gets:
                    return json_response(self._gets[name](request.query))
                match name.split("/"):
                    case ["platform", kind]:
                        return _listing(dump.walk(self._town.ometria.account, kind), request)
                    case ["truth", shop, kind]:
                        return _listing(truth.walk(self._town.world, self._domain(shop), kind), request)
            elif request.method == "POST" and name in self._posts:
                body = request.json() if request.body else {}
                if not isinstance(body, dict):
                    raise ValueError("the body is one JSON object")
                return json_response(self._posts[name](body))
        except (ValueError, LookupError, TypeError, msgspec.DecodeError) as problem:
            return json_response({"error": f"{type(problem).__name__}: {problem}"}, 400)
        return json_response({"error": f"no control path {request.method} {request.path}"}, 404)

    def _clock(self) -> dict[str, Any]:
        return {"now": iso(self._town.clock.now()), "rate": self._town.clock.speed}

    def _set_clock(self, body: Body) -> dict[str, Any]:
        _only(body, "advance", "set", "rate")
        if "set" in body:
            self._town.clock.set(parse(body["set"]))
        if "advance" in body:
            self._town.clock.advance(float(body["advance"]))
        if "rate" in body:
            self._town.clock.rate(float(body["rate"]))
        self._town.tick()
        return self._clock()

    def _reset(self, body: Body) -> dict[str, Any]:
        _only(body, "seed", "customers", "orders", "products", "metafields")
        seed, sizes = body.get("seed", self._town.seed), self._town.sizes
        wanted = {name: body.get(name, getattr(sizes, name)) for name in _SIZES}
        self._town.reset(int(seed), Sizes(**wanted))
        return self._town.report()

    def _set_faults(self, body: Body) -> dict[str, Any]:
        self._town.faults.set(body)
        return self._town.faults.as_dict()

    def _tape(self, query: Mapping[str, str]) -> dict[str, Any]:
        since, limit = int(query.get("since", 0)), int(query.get("limit", 1000))
        return {"items": self._town.tape.read(since, query.get("side"), limit)}

    def _live(self, body: Body) -> dict[str, Any]:
        _only(body, "rate", "steps")
        if "rate" in body:
            self._town.life_rate = float(body["rate"])
        self._town.live(int(body.get("steps", 0)))
        return {"rate": self._town.life_rate, "steps": self._town.n_steps}

    def _tamper(self, body: Body) -> dict[str, Any]:
        """`{"side", "shop", "kind", "id", "set" | "delete", "collection", "dated", "source"}`: behind our back."""
        _only(body, "side", "shop", "kind", "id", "set", "delete", "collection", "dated", "source")
        self._town.tamper(**body)
        return {"ok": True}

    def _subscribe(self, body: Body) -> dict[str, Any]:
        """`{"shop", "uri", "topics"}`: the app's own subscriptions, replaced as by deploying its configuration.

        `{"shop", "lose": [topics] | true, "owner": "api" | "app"}` takes some away without a word.
        """
        _only(body, "shop", "uri", "topics", "lose", "owner")
        if "lose" in body:
            topics = None if body["lose"] is True else body["lose"]
            return {"lost": self._town.unsubscribe(body["shop"], topics, body.get("owner"))}
        return {"topics": self._town.subscribe(body["shop"], body["uri"], body["topics"])}

    def _tokens(self, body: Body) -> dict[str, Any]:
        """`{"shop"}` hands out a token that never expires; with `"revoke": true` all of the shop's end."""
        _only(body, "shop", "revoke")
        if body.get("revoke"):
            return {"revoked": self._town.shopify.revoke_tokens(self._domain(body["shop"]))}
        return {"access_token": self._town.shopify.static_token(self._domain(body["shop"]))}

    def _happen(self, body: Body) -> dict[str, Any]:
        """`{"shop", "deed", "customer", "secret", "other", "state", "channel"}`: something on demand."""
        _only(body, "shop", "deed", "customer", "secret", "other", "state", "channel")
        return {"topics": self._town.happen(body["shop"], body)}

    def _touch(self, body: Body) -> dict[str, Any]:
        """`{"shop", "tag", "first", "n"}`: that many customers of a store are given a tag; how many there were."""
        _only(body, "shop", "tag", "first", "n")
        return {"n": self._town.touch(body["shop"], str(body["tag"]), int(body["first"]), int(body["n"]))}

    def _fields(self, body: Body) -> dict[str, Any]:
        """`{"shop", "owner", "id", "namespace", "key", "type", "value"}` sets a custom field; `"value": null` takes it.

        Without an id, `"type"` becomes that of everybody's; `{"shop", "share", "seed"}` changes some seeded ones.
        """
        _only(body, "shop", "owner", "id", "namespace", "key", "type", "value", "share", "seed")
        return self._town.change_fields(**body)

    def _sow(self, body: Body) -> dict[str, Any]:
        """`{"seed", "each", "sorts"}`: troubles on both sides that fire no webhook; every one with its label."""
        _only(body, "seed", "each", "sorts")
        sown = self._town.sow(int(body.get("seed", 1)), int(body.get("each", 1)), body.get("sorts", ()))
        return {"items": [{"sort": t.sort, "shop": t.shop, "kind": t.kind, "ids": list(t.ids)} for t in sown]}

    def _tie(self, body: Body) -> dict[str, Any]:
        """`{"seed", "each", "sorts"}`: who has several accounts, and who only looks like it; every tie with its label.

        Who is who is also told by `truth/SHOP/customers`, as `human`.
        """
        _only(body, "seed", "each", "sorts")
        ties = self._town.tie(int(body.get("seed", 1)), int(body.get("each", 1)), body.get("sorts", ()))
        return {
            "items": [{"sort": t.sort, "is_one": t.is_one, "accounts": [list(a) for a in t.accounts]} for t in ties]
        }

    def _domain(self, shop: str) -> str:
        return self._town.store(shop).shop.domain

    def _preference_centre(self, body: Body) -> dict[str, Any]:
        """`{"email" | "profile_id", "action": "unsubscribe" | "subscribe", "type", "channel", "way", "forced"}`.

        A person decides by themselves: how they unsubscribe is `type`, with `way` it goes by a form or a file.
        """
        _only(body, "email", "profile_id", "action", "type", "channel", "way", "forced")
        return self._town.ometria.decide(**body)

    def _merge_profiles(self, body: Body) -> dict[str, Any]:
        """`{"survivor", "customers_to_merge"}`, as the API names people: staff merge them in the back office."""
        _only(body, "survivor", "customers_to_merge")
        return self._town.ometria.merge_by_hand(body["survivor"], body["customers_to_merge"])

    def _statements(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What people, and programs, said about being written to; `side`, `channel`, `address` choose, `people=1`."""
        since, limit = int(query.get("since", 0)), int(query.get("limit", 1000))
        wanted: dict[str, Any] = {name: query[name] for name in ("side", "account", "channel", "way") if name in query}
        if "address" in query:
            wanted["address"] = query["address"].strip().lower()
        if query.get("people") == "1":
            wanted["is_own_write"] = False
        return {"items": self._town.statements.read(since, limit, **wanted)}


def _listing(items: Iterable[Any], request: Request) -> Response:
    """Answer a list; with `format=ndjson` one a line, as they are read, for what is too large to hold."""
    if request.query.get("format") == "ndjson":
        return lines_response(items)
    return json_response({"items": list(items)})


def _only(body: Body, *known: str) -> None:
    for name in body:
        if name not in known:
            raise ValueError(f"unknown {name!r}; known: {', '.join(known)}")
