"""Keys that sign, and what is looked at first: a gateway drafts, its user signs, so a draft that says something else
than what was asked for is not signed.

Not done here: knowing that an id means the person whom its user means; the statement in the draft says it in words.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import isawaitable
from typing import Any
from urllib.parse import urlsplit

from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from .errors import NotSignedError
from .generated.enums import ConsentEffect
from .generated.fragments import DraftFields
from .generated.input_types import ConsentInput

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key, wherever it lies. `address`: EIP-55. `text`: EIP-191 `personal_sign`. `typed_data`:
    `eth_signTypedData_v4`. Both give 0x hex, at once or awaited."""

    address: str
    text: Callable[[str], str | Awaitable[str]]
    typed_data: Callable[[Mapping[str, Any]], str | Awaitable[str]]

    @classmethod
    def of(cls, key: "Signer | LocalAccount") -> "Signer":
        if isinstance(key, Signer):
            return key
        account = key
        return cls(
            address=str(account.address),
            text=lambda message: _hex(account.sign_message(encode_defunct(text=message)).signature),
            typed_data=lambda full: _hex(account.sign_message(encode_typed_data(full_message=dict(full))).signature),
        )

    async def sign_text(self, message: str) -> str:
        signature = self.text(message)
        return await signature if isawaitable(signature) else signature

    async def sign_typed_data(self, full: Mapping[str, Any]) -> str:
        signature = self.typed_data(full)
        return await signature if isawaitable(signature) else signature


def check_sign_in(message: str, *, url: str, address: str) -> None:
    """EIP-4361, for the host that is asked and for this address. Raises NotSignedError."""
    lines = message.split("\n")
    domain, _, rest = lines[0].partition(" ")
    if rest != "wants you to sign in with your Ethereum account:" or lines[1:2] != [address]:
        raise NotSignedError("the sign-in message is not EIP-4361 for this address")
    asked, named = urlsplit(url), urlsplit(f"//{domain}")
    if domain != asked.netloc and not (asked.hostname in _LOOPBACK and named.hostname in _LOOPBACK):
        raise NotSignedError(f"the sign-in message is for {domain}, not for {asked.netloc}")


def check_draft(draft: DraftFields, *, primary: str) -> Mapping[str, Any]:
    """The message of a draft that is of this kind, and whose id is its EIP-712 digest. Raises NotSignedError."""
    full = draft.typed_data
    if not isinstance(full, dict) or full.get("primaryType") != primary or not isinstance(full.get("message"), dict):
        raise NotSignedError(f"the draft is no {primary}")
    try:
        signable = encode_typed_data(full_message=full)
    except Exception as error:
        raise NotSignedError("the draft is not EIP-712") from error
    if _hex(keccak(b"\x19" + signable.version + signable.header + signable.body)) != draft.id:
        raise NotSignedError("the draft's id is not its digest")
    message: Mapping[str, Any] = full["message"]
    return message


def check_consent(draft: DraftFields, asked: ConsentInput) -> None:
    """Effect, actions, purposes, criteria and end are those that were asked for. Raises NotSignedError."""
    message = check_draft(draft, primary="Consent")
    scope = message.get("scope")
    if not isinstance(scope, Mapping):
        raise NotSignedError("the draft has no scope")
    said = {
        "effect": (message, int(asked.effect is ConsentEffect.DENY)),
        "actions": (scope, [one.value for one in asked.actions]),
        "purposes": (scope, [one.value for one in asked.purposes]),
        "resourceTypes": (scope, asked.resource_types),
        "codes": (scope, asked.codes),
        "labels": (scope, asked.labels),
        "dataUse": (scope, asked.data_use),
    }
    for name, (holder, wanted) in said.items():
        found = holder.get(name)
        alike = found == wanted if not isinstance(wanted, list) else _set(found) == set(wanted)
        if not alike:
            raise NotSignedError(f"the draft's {name} is not what was asked for")
    for name, moment in (("notBefore", asked.not_before), ("notAfter", asked.not_after)):
        if moment is not None and _seconds(message.get(name)) != int(moment.timestamp()):
            raise NotSignedError(f"the draft's {name} is not what was asked for")
    for name, few in (("authors", asked.author_ids), ("records", asked.record_ids)):
        if len(_set(scope.get(name))) != len(set(few)):
            raise NotSignedError(f"the draft's {name} are not what was asked for")
    _check_data_period(scope, asked)


def _check_data_period(scope: Mapping[str, Any], asked: ConsentInput) -> None:
    for name, moment in (("dataFrom", asked.data_from), ("dataTo", asked.data_to)):
        found = scope.get(name) or None
        if (None if found is None else datetime.fromisoformat(str(found))) != moment:
            raise NotSignedError(f"the draft's {name} is not what was asked for")


def _seconds(value: object) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else None


def _set(value: object) -> set[str]:
    return set(map(str, value)) if isinstance(value, list) else {"no list"}


def _hex(octets: bytes) -> str:
    return "0x" + bytes(octets).hex()
