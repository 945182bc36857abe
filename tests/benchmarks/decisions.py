"""Warm decisions on one core, without I/O, against what the same core hashes: SHA-256 of 64 octets, one call each.

The bar: at least 50,000 a second. A patient with one consent, with ten and with a hundred, of which the last covers.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

from gateway.consent.model import Grant, Permit
from gateway.consent.policy import decide
from gateway.ids import ActorId, ConsentId
from tests.unit.gateway.consent import cases

CONSENTS = (1, 10, 100)
_BURST = 1_000


def decide_warm(*, seconds: float) -> dict[str, object]:
    """Decisions a second by the number of consents, and their ratio to hashes a second."""
    octets = bytes(64)
    hashes = _rate(lambda: hashlib.sha256(octets).digest(), seconds)
    rates = {count: _rate(_asked(count), seconds) for count in CONSENTS}
    return {
        "sha256OfABlockPerSecond": round(hashes),
        **{f"decisionsPerSecondOf{count}": round(rate) for count, rate in rates.items()},
        **{f"ratioOf{count}": round(rate / hashes, 3) for count, rate in rates.items()},
    }


def _asked(count: int) -> Callable[[], object]:
    request, facts, epochs, as_of = cases.request(), cases.facts(), cases.epochs(), cases.as_of()
    grants = (*(_other(number) for number in range(count - 1)), cases.permit())
    if type(decide(request, facts, grants, epochs, as_of, cases.NOW)) is not Permit:
        raise RuntimeError("the decision is not the one that is to be measured")
    return lambda: decide(request, facts, grants, epochs, as_of, cases.NOW)


def _other(number: int) -> Grant:
    """Somebody else's."""
    name = number.to_bytes(32, "big")
    return replace(cases.permit(grantee=ActorId(name)), consent=ConsentId(name))


def _rate(once: Callable[[], object], seconds: float) -> float:
    for _ in range(_BURST):
        once()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(_BURST):
            once()
        count += _BURST
    return count / (time.perf_counter() - began)
