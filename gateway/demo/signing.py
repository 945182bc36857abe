"""What a careful wallet looks at before it signs: the text says who, where and what, and that is what was asked. Pure.

A gateway drafts; a patient or a data steward signs. A draft that says more than was asked, for another chain or
contract, or of a shape that we do not know, is not signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.demo.model import LOOPBACK, Deployment, StepFailedError

CLOCK_SECONDS = 3600
"""How far the gateway's clock may be from ours for a beginning that was left to it."""

_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
_CONSENT = (("subject", "bytes32"), ("effect", "uint8"), ("scope", "Scope"), ("notBefore", "uint64"),
            ("notAfter", "uint64"), ("epoch", "uint64"))  # fmt: skip
_SCOPE = (("grantee", "bytes32"), ("actions", "string[]"), ("purposes", "string[]"), ("resourceTypes", "string[]"),
          ("codes", "string[]"), ("labels", "string[]"), ("authors", "bytes32[]"), ("records", "bytes16[]"),
          ("dataFrom", "string"), ("dataTo", "string"), ("dataUse", "string[]"), ("context", "string"),
          ("termsHash", "bytes32"), ("salt", "bytes32"), ("statement", "string"))  # fmt: skip
_REVOCATION = (("subject", "bytes32"), ("consentId", "bytes32"))
_DECISION = (("release", "bytes16"), ("request", "bytes32"), ("verdict", "string"), ("reason", "string"),
             ("departures", "string[]"), ("steward", "bytes32"), ("at", "uint64"))  # fmt: skip
_ENCRYPTION_KEY = (("key", "bytes"), ("encryptionKey", "bytes32"))
_PERMIT = 0
_ZERO = "0x" + "00" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedConsent:
    """What the patient means to sign. `subject`, `grantee`: 32 bytes as 0x hex; `terms_hash`, of a consent form, too.
    `now`, `not_after`: seconds. `context`: what alone it is for, as the scope says it."""

    subject: str
    grantee: str
    grantee_name: str
    actions: tuple[str, ...]
    purposes: tuple[str, ...]
    labels: tuple[str, ...]
    now: int
    not_after: int
    data_use: tuple[str, ...] = ()
    context: str = ""
    terms_hash: str = _ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDecision:
    """What a data steward means to sign. `release`: 16 bytes, `request` (SHA-256 of its paper) and `steward`: 32 bytes,
    as 0x hex. `now`: seconds."""

    release: str
    request: str
    verdict: str
    reason: str
    departures: tuple[str, ...]
    steward: str
    now: int


def check_sign_in(message: str, *, base: str, address: str, chain_id: int) -> None:
    """EIP-4361: our host, our address, our chain. Raises StepFailedError."""
    lines = message.split("\n")
    domain, _, rest = lines[0].partition(" ")
    if rest != "wants you to sign in with your Ethereum account:" or len(lines) < 2 or lines[1] != address:
        raise StepFailedError("the sign-in message is not EIP-4361 for this address; not signed")
    ours = urlsplit(base)
    # On one machine its names and ports stand for each other (a tunnel, a container).
    both_local = ours.hostname in LOOPBACK and urlsplit(f"//{domain}").hostname in LOOPBACK
    if domain != ours.netloc and not both_local:
        raise StepFailedError(f"the sign-in message is for {domain}, not for {ours.netloc}; not signed")
    if f"Chain ID: {chain_id}" not in lines:
        raise StepFailedError("the sign-in message names another chain; not signed")


def check_consent(full: Mapping[str, Any], asked: AskedConsent, *, deployment: Deployment) -> str:
    """Returns the statement, in plain words. Raises StepFailedError for a draft that is not what was asked."""
    message = _message(full, {"Consent": _CONSENT, "Scope": _SCOPE}, primary="Consent", deployment=deployment)
    scope = message.get("scope")
    if not isinstance(scope, Mapping):
        raise StepFailedError("the drafted consent has no scope; not signed")
    said: tuple[tuple[str, Mapping[str, Any], str | int | tuple[str, ...]], ...] = (
        ("subject", message, asked.subject),
        ("effect", message, _PERMIT),
        ("notAfter", message, asked.not_after),
        ("grantee", scope, asked.grantee),
        ("actions", scope, asked.actions),
        ("purposes", scope, asked.purposes),
        ("labels", scope, asked.labels),
        ("dataUse", scope, asked.data_use),
        *((name, scope, ()) for name in ("resourceTypes", "codes", "authors", "records")),
        *((name, scope, "") for name in ("dataFrom", "dataTo")),
        ("context", scope, asked.context),
        ("termsHash", scope, asked.terms_hash),
    )
    for name, holder, wanted in said:
        if not _same(holder.get(name), wanted):
            raise StepFailedError(f"the drafted consent's {name} is not what was asked; not signed")
    if not 0 <= _number(message.get("notBefore")) <= asked.now + CLOCK_SECONDS:
        raise StepFailedError("the drafted consent would begin at another time; not signed")
    statement = scope.get("statement")
    if not isinstance(statement, str) or asked.grantee_name not in statement:
        raise StepFailedError("the drafted consent's statement does not name its grantee; not signed")
    return statement


def check_revocation(full: Mapping[str, Any], *, subject: str, consent: str, deployment: Deployment) -> None:
    """Raises StepFailedError for a draft that would end anything but this consent."""
    message = _message(full, {"Revocation": _REVOCATION}, primary="Revocation", deployment=deployment)
    if not _same(message.get("subject"), subject) or not _same(message.get("consentId"), consent):
        raise StepFailedError("the drafted revocation is of another consent; not signed")


def check_decision(full: Mapping[str, Any], asked: AskedDecision, *, deployment: Deployment) -> None:
    """Raises StepFailedError for a draft that decides anything else, on another request or in another's name."""
    message = _message(full, {"DatasetDecision": _DECISION}, primary="DatasetDecision", deployment=deployment)
    said: tuple[tuple[str, str | tuple[str, ...]], ...] = (
        ("release", asked.release),
        ("request", asked.request),
        ("verdict", asked.verdict),
        ("reason", asked.reason),
        ("departures", asked.departures),
        ("steward", asked.steward),
    )
    for name, wanted in said:
        if not _same(message.get(name), wanted):
            raise StepFailedError(f"the drafted decision's {name} is not what was decided; not signed")
    if abs(_number(message.get("at")) - asked.now) > CLOCK_SECONDS:
        raise StepFailedError("the drafted decision is of another time; not signed")


def encryption_key_text(*, signer: str, encryption_key: bytes, deployment: Deployment) -> dict[str, Any]:
    """What binds an X25519 key to its owner's signer: EIP-712 JSON of our own making, so there is nothing to look at.
    `signer`: ERC-7913, 0x hex; `encryption_key`: 32 bytes."""
    fields = {"EIP712Domain": _DOMAIN, "EncryptionKey": _ENCRYPTION_KEY}
    return {
        "types": {name: [{"name": field, "type": kind} for field, kind in listed] for name, listed in fields.items()},
        "primaryType": "EncryptionKey",
        "domain": {
            "name": "Consentry",
            "version": "1",
            "chainId": deployment.chain_id,
            "verifyingContract": deployment.identity,
        },
        "message": {"key": signer, "encryptionKey": "0x" + encryption_key.hex()},
    }


def _message(
    full: Mapping[str, Any],
    types: Mapping[str, Sequence[tuple[str, str]]],
    *,
    primary: str,
    deployment: Deployment,
) -> Mapping[str, Any]:
    """The message, once its types are those we know and its domain is the consent registry of this chain."""
    expected = {
        name: [{"name": field, "type": kind} for field, kind in fields]
        for name, fields in (("EIP712Domain", _DOMAIN), *types.items())
    }
    if full.get("primaryType") != primary or full.get("types") != expected:
        raise StepFailedError(f"the draft is no {primary} as we know it; not signed")
    domain, message = full.get("domain"), full.get("message")
    ours = {
        "name": "Consentry",
        "version": "1",
        "chainId": deployment.chain_id,
        "verifyingContract": deployment.consent,
    }
    if not isinstance(domain, Mapping) or {name: _plain(value) for name, value in domain.items()} != {
        name: _plain(value) for name, value in ours.items()
    }:
        raise StepFailedError("the draft is for another chain or contract; not signed")
    if not isinstance(message, Mapping):
        raise StepFailedError("the draft has no message; not signed")
    return message


def _plain(value: Any) -> str:
    return str(value).lower()


def _number(value: Any) -> int:
    """uint64 as a number, or as decimal text where it passes 2^53; -1 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if type(value) is int else -1


def _same(value: Any, wanted: str | int | tuple[str, ...]) -> bool:
    if isinstance(wanted, tuple):
        return isinstance(value, list) and len(value) == len(wanted) and set(value) == set(wanted)
    return _number(value) == wanted if isinstance(wanted, int) else value == wanted
