"""The sign-in message has one form; a membership's typed data has one reading."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import eip712
from gateway.errors import CallerError
from gateway.identity.rules import (
    LONGEST_MESSAGE,
    membership_typed_data,
    read_membership,
    read_sign_in,
    sign_in_message,
)
from gateway.ids import ActorId

ADDRESS = bytes.fromhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf")
DOMAIN = eip712.domain(chain_id=1, contract="0x" + "11" * 20)
ORG, MEMBER = ActorId(b"o" * 32), ActorId(b"m" * 32)


def message(**changes: Any) -> str:
    plain: dict[str, Any] = {
        "domain": "records.example",
        "uri": "https://records.example",
        "address": ADDRESS,
        "chain_id": 1,
        "nonce": "0f" * 16,
        "issued": datetime(2027, 1, 1, tzinfo=UTC),
        "expires": datetime(2027, 1, 1, 0, 5, tzinfo=UTC),
    }
    return sign_in_message(**{**plain, **changes})


def membership(**changes: Any) -> dict[str, Any]:
    full = membership_typed_data(org=ORG, member=MEMBER, not_after=9, seq=1, domain=DOMAIN)
    return {**full, "message": {**full["message"], **changes}}


def test_our_own_message_is_read() -> None:
    address, nonce, ends = read_sign_in(message())
    assert (address, nonce) == (ADDRESS, "0f" * 16)
    assert message().endswith(f"Expiration Time: {ends:%Y-%m-%dT%H:%M:%S}.000Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        message() + "\n",
        "\n" + message(),
        message() + "\nResources:\n- https://elsewhere.example",
        message().replace("\n", "\r\n"),
        message().replace("Version: 1", "Version: 2"),
        message().replace("Sign in to Consentry.", "Sign in to something else."),
        message(nonce="0F" * 16),
        message(nonce="0f" * 15),
        message(domain="a b"),
        message(uri="x" * LONGEST_MESSAGE),
    ],
)
def test_any_other_message_is_refused(text: str) -> None:
    with pytest.raises(CallerError):
        read_sign_in(text)


def test_a_membership_is_read_as_it_was_drafted() -> None:
    assert read_membership(membership()) == (ORG, MEMBER, 9, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"org": "0x" + "ab" * 31},
        {"org": "0x" + "ab" * 31 + "  "},
        {"member": None},
        {"role": 1},
        {"role": "x"},
        {"notAfter": -1},
        {"notAfter": 2**64},
        {"notAfter": True},
        {"notAfter": 1.0},
        {"seq": "1e3"},
        {"seq": "٣"},
        {"more": 1},
    ],
)
def test_a_membership_that_says_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        read_membership(membership(**changes))


@pytest.mark.parametrize("name", ["org", "member", "role", "notAfter", "seq"])
def test_a_membership_that_leaves_something_out_is_refused(name: str) -> None:
    full = membership()
    del full["message"][name]
    with pytest.raises(CallerError):
        read_membership(full)
