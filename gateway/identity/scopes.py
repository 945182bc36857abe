"""SMART on FHIR scopes to what they leave of an actor's rights. Pure.

True here: a scope never adds anything; what is not understood adds nothing. Reading wants both `r` and `s`, because a
record that is read can also be listed here; writing wants both `c` and `u`. `d` is nothing: nothing is deleted here.
`patient/` is the patient's own request; `user/` is treatment unless the token names purposes; `system/` is what the
token names alone. A scope with a query (`?category=…`) is left out, because it would be honoured too widely.
Source: SMART App Launch 2.2, scopes and launch context (v2 syntax, and v1's read, write and *).
"""

import re
from collections.abc import Iterable

from gateway.identity.model import Reach

_SCOPE = re.compile(
    r"\A(?P<context>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\.(?P<may>(?=.)c?r?u?d?s?|read|write|\*)\Z",
    re.ASCII,
)
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_ACTIONS = {"READ": frozenset("rs"), "WRITE": frozenset("cu")}
PURPOSES = frozenset({"TREAT", "ETREAT", "HPAYMT", "HOPERAT", "HRESCH", "CLINTRCH", "PATRQT", "PUBHLTH"})
"""HL7 PurposeOfUse, as consents name it."""


def reach_of(scopes: Iterable[str], purposes: Iterable[str]) -> Reach:
    """`purposes`: what the token says that it is for; none where it does not say."""
    named = frozenset(purposes) & PURPOSES
    parts: set[tuple[str, str, str]] = set()
    for scope in scopes:
        found = _SCOPE.match(scope)
        if found is None:
            continue
        letters = frozenset(_V1.get(found["may"], found["may"]))
        for action, wanted in _ACTIONS.items():
            if wanted <= letters:
                parts |= {(action, purpose, found["type"]) for purpose in _purposes(found["context"], named, purposes)}
    return Reach(parts=frozenset(parts))


def _purposes(context: str, named: frozenset[str], given: Iterable[str]) -> frozenset[str]:
    """A token that says what it is for is for nothing else, understood or not."""
    said = any(True for _ in given)
    if context == "patient":
        return frozenset({"PATRQT"}) & named if said else frozenset({"PATRQT"})
    if context == "user":
        return named if said else frozenset({"TREAT"})
    return named
