"""Typed data that came back other than it was drafted: refused by the name of a field, or read as what its digest says.

Two things must never be: an exception that is no CallerError, and a text whose digest has a second reading.
"""

import copy
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import eip712
from gateway.consent import messages
from gateway.consent.model import Effect, Terms
from gateway.errors import CallerError

T = TypeVar("T")
DOMAIN = eip712.domain(chain_id=31_337, contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
OTHER = eip712.domain(chain_id=31_338, contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
ELSEWHERE = eip712.domain(chain_id=31_337, contract="0x" + "22" * 20)


def drafted() -> dict[str, Any]:
    """A permit as a client gets it."""
    message = {
        "subject": "0x" + "01" * 32,
        "effect": 0,
        "scope": {
            "grantee": "0x" + "11" * 32,
            "actions": ["READ"],
            "purposes": ["TREAT"],
            "resourceTypes": ["Observation"],
            "codes": ["http://loinc.org|4548-4"],
            "labels": ["HIV"],
            "authors": ["0x" + "12" * 32],
            "records": ["0x" + "31" * 16],
            "dataFrom": "2026-01-01T00:00:00Z",
            "dataTo": "",
            "dataUse": [],
            "context": "",
            "termsHash": "0x" + "00" * 32,
            "salt": "0x" + "55" * 32,
            "statement": "I allow this.",
        },
        "notBefore": 1_800_000_000,
        "notAfter": 1_900_000_000,
        "epoch": 3,
    }
    return eip712.typed_data("Consent", messages.CONSENT_TYPES, message, DOMAIN)


def digest_of(terms: Terms) -> bytes:
    return eip712.digest(messages.consent_typed_data(terms, DOMAIN))


def with_value(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    full = copy.deepcopy(drafted())
    at: Any = full
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return full


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member and item of a JSON value, by its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 2**53, 2**64 - 1, 2**64, 2**256, -(2**300), 10**5000, 1.5, float("nan"),
    float("inf"), "", "0", "1", "01", "-1", "1e3", "0x", "0x01", "0X" + "11" * 32, "0x" + "11" * 32, "0x" + "1g" * 32,
    "0x" + " 1" * 32, "0x" + "11" * 31 + "  ", "11" * 33, "١", "\ud800", "\x00", "\u202e", "é" * 600, [], [None],
    [1], [[]], ["READ"], ["READ", "READ"], ["\ud800"], ["0x" + "11" * 32], ["a"] * 257, {}, {"a": 1}, {"$ref": "#"},
    b"bytes", object(), (),
)  # fmt: skip


def judged(full: Any) -> Terms | None:
    """The terms, or None for a CallerError that names a field; anything else is the test's to fail on."""
    return read(lambda: messages.read_consent(full, DOMAIN))[0]


def read(reader: Callable[[], T]) -> tuple[T | None, tuple[str, ...]]:
    """What was read, or the field that the refusal names."""
    refusal: CallerError | None = None
    try:
        return reader(), ()
    except CallerError as refused:
        refusal = refused
    assert refusal.field != ()
    return None, refusal.field


def test_what_was_drafted_is_read() -> None:
    assert messages.read_consent(drafted(), DOMAIN).effect is Effect.PERMIT


@pytest.mark.parametrize("path", list(places(drafted())), ids=lambda path: ".".join(map(str, path)))
def test_junk_in_any_place_is_refused_by_name_or_changes_the_digest(path: tuple[Any, ...]) -> None:
    plain = messages.read_consent(drafted(), DOMAIN)
    for junk in JUNK:
        terms = judged(with_value(path, junk))
        if terms is not None and terms != plain:
            assert digest_of(terms) != digest_of(plain)


@pytest.mark.parametrize("path", list(places(drafted()["message"], ("message",))), ids=lambda p: ".".join(map(str, p)))
def test_no_member_of_the_message_may_be_left_out(path: tuple[Any, ...]) -> None:
    if isinstance(path[-1], int):
        return
    full = drafted()
    at: Any = full
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    assert judged(full) is None


@pytest.mark.parametrize(
    "path",
    [("more",), ("message", "more"), ("message", "scope", "more"), ("domain", "more"), ("domain", "salt"),
     ("types", "More"), ("message", "deadline"), ("message", "scope", "breakGlass")],
)  # fmt: skip
def test_no_member_may_be_added(path: tuple[Any, ...]) -> None:
    assert judged(with_value(path, "0x01")) is None


@pytest.mark.parametrize("other", [OTHER, ELSEWHERE, {**DOMAIN, "name": "Other"}, {**DOMAIN, "version": "2"}, {}, None])
def test_another_chain_contract_or_version_is_refused(other: Any) -> None:
    full = {**drafted(), "domain": other}
    assert judged(full) is None


@pytest.mark.parametrize("primary", ["Revocation", "RevokeAll", "Membership", "Scope", "consent", "", None, 0, []])
def test_another_shape_is_not_read_as_a_consent(primary: Any) -> None:
    assert judged({**drafted(), "primaryType": primary}) is None


def test_types_in_another_order_are_refused() -> None:
    full = drafted()
    full["types"]["Consent"] = list(reversed(full["types"]["Consent"]))
    assert judged(full) is None


@pytest.mark.parametrize(("name", "at", "kind"), [("Scope", 0, "bytes16"), ("Consent", 3, "uint256")])
def test_types_of_another_kind_are_refused(name: str, at: int, kind: str) -> None:
    full = drafted()
    full["types"][name][at]["type"] = kind
    assert judged(full) is None


def test_types_without_the_domain_are_read_as_some_wallets_give_them() -> None:
    full = drafted()
    del full["types"]["EIP712Domain"]
    assert judged(full) == messages.read_consent(drafted(), DOMAIN)


@pytest.mark.parametrize("name", ["notBefore", "notAfter", "epoch"])
def test_a_number_as_text_is_the_same_number_and_digest(name: str) -> None:
    plain = messages.read_consent(drafted(), DOMAIN)
    text = judged(with_value(("message", name), str(drafted()["message"][name])))
    assert text == plain


def test_an_address_is_read_whatever_its_capitals() -> None:
    assert judged(with_value(("domain", "verifyingContract"), DOMAIN["verifyingContract"].lower())) is not None


def test_a_short_name_is_not_padded_into_another() -> None:
    full = with_value(("message", "scope", "grantee"), "0x" + "11" * 31 + "  ")
    assert judged(full) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("message", "effect"), 2),
        (("message", "notAfter"), 1_800_000_000),
        (("message", "notAfter"), 2**64 - 1),
        (("message", "scope", "grantee"), "0x" + "00" * 32),
        (("message", "scope", "actions"), []),
        (("message", "scope", "actions"), ["DELETE"]),
        (("message", "scope", "purposes"), []),
        (("message", "scope", "purposes"), ["treat"]),
        (("message", "scope", "dataTo"), "2025-01-01T00:00:00Z"),
    ],
)
def test_a_permit_that_no_patient_may_give_is_refused(path: tuple[Any, ...], value: Any) -> None:
    assert judged(with_value(path, value)) is None


def test_every_changed_value_changes_the_digest() -> None:
    plain, seen = messages.read_consent(drafted(), DOMAIN), {}
    message = drafted()["message"]
    for path in places(message):
        value: Any = message
        for step in path:
            value = value[step]
        for other in _others(value):
            terms = judged(with_value(("message", *path), other))
            if terms is not None and terms != plain:
                assert seen.setdefault(digest_of(terms), terms) == terms
    assert digest_of(plain) not in seen
    assert len(seen) > 15


def _others(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str) and value.startswith("0x"):
        return ("0x" + "77" * ((len(value) - 2) // 2),)
    if isinstance(value, str):
        return (value + "x", "2026-06-01T00:00:00Z", "WRITE", "HRESCH")
    if isinstance(value, list):
        return ([], [*value, "x"], [*value, "0x" + "88" * 32], [*value, "0x" + "88" * 16], [*value, "WRITE"])
    return (1, value + 1) if isinstance(value, int) else ()


PRINTABLE = [junk for junk in JUNK if not isinstance(junk, int) or junk < 10**99]
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=70), st.sampled_from(PRINTABLE)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@settings(max_examples=400, deadline=None)
@given(values, st.sampled_from(list(places(drafted()))))
def test_anything_anywhere_is_refused_by_name_or_read(value: Any, path: tuple[Any, ...]) -> None:
    judged(with_value(path, value))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["types", "domain", "message", "primaryType", "x"]), values))
def test_anything_at_all_is_refused_by_name(full: Any) -> None:
    assert judged(full) is None


def test_two_thousand_mutants_are_refused_by_name_or_read() -> None:
    chance = random.Random(20_271)
    every = list(places(drafted()))
    for _ in range(2_000):
        full = drafted()
        for _ in range(chance.randint(1, 3)):
            path = chance.choice(every)
            at: Any = full
            try:
                for step in path[:-1]:
                    at = at[step]
                at[path[-1]] = copy.copy(chance.choice(JUNK))
            except (KeyError, IndexError, TypeError):
                continue
        terms = judged(full)
        if terms is not None:
            digest_of(terms)


@pytest.mark.parametrize(
    "junk", JUNK, ids=lambda junk: repr(junk)[:20] if not isinstance(junk, int) else hex(junk)[:20]
)
def test_junk_in_a_revocation_is_refused_by_name(junk: Any) -> None:
    plain = messages.revocation_typed_data(b"\x01" * 32, b"\x02" * 32, DOMAIN)
    subject, consent = messages.read_revocation(plain, DOMAIN)
    assert (subject, consent) == (b"\x01" * 32, b"\x02" * 32)
    for name in ("subject", "consentId"):
        full = {**plain, "message": {**plain["message"], name: junk}}
        found, field = read(functools.partial(messages.read_revocation, full, DOMAIN))
        assert found is not None or field == ("typedData", "message", name)


@pytest.mark.parametrize(
    "junk", JUNK, ids=lambda junk: repr(junk)[:20] if not isinstance(junk, int) else hex(junk)[:20]
)
def test_junk_in_an_end_of_all_is_refused_by_name(junk: Any) -> None:
    plain = messages.revoke_all_typed_data(b"\x01" * 32, 3, DOMAIN)
    full = {**plain, "message": {**plain["message"], "epoch": junk}}
    found, field = read(lambda: messages.read_revoke_all(full, DOMAIN))
    assert (found is not None and 0 <= found[1] < 2**64) or field == ("typedData", "message", "epoch")
