"""How an answer reaches its caller when a server or the line is at fault: late, a byte at a time, nested without end.

The same for Shopify and Ometria, each with knobs of its own side. What is inside the answer has happened all the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sims.faults import Faults
from sims.wire import JSON, Response

DEEP = 100_000
"""Brackets around nothing: more than any reader's stack takes."""


def knobs(side: str) -> dict[str, Any]:
    """The knobs of one side, all off.

    p_late: chance that an answer is right and comes only after late_by seconds · p_drip: chance that its body comes
    at drip_rate bytes a second · p_deep_json: chance of an answer that is JSON nested 100,000 deep.
    """
    return {
        f"{side}.p_late": 0.0,
        f"{side}.late_by": 12.5,
        f"{side}.p_drip": 0.0,
        f"{side}.drip_rate": 1.0,
        f"{side}.p_deep_json": 0.0,
    }


def carried(faults: Faults, side: str, answer: Response) -> Response:
    """An answer as it is to be sent, with what strikes it."""
    if faults.strikes(f"{side}.p_deep_json"):
        answer = Response(200, {"Content-Type": JSON}, b"[" * DEEP + b"]" * DEEP)
    if faults.strikes(f"{side}.p_late"):
        answer = replace(answer, late=float(faults.get(f"{side}.late_by")))
    if faults.strikes(f"{side}.p_drip"):
        answer = replace(answer, drip=float(faults.get(f"{side}.drip_rate")))
    return answer
