"""What a patient signs, in EIP-712 shapes: consents, revocations, an erasure, credentials. Pure.

The JSON that a client sends back is read for its message, and holds nothing besides what these shapes have; the digest
that must be signed is computed from what was understood, so nothing unread can be in force. The chain takes `scopeHash`
in place of the scope.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway import eip712
from gateway.consent.model import NO_END, Delegation, Effect, Scope, Terms
from gateway.consent.rules import LONGEST_TEXT, MOST_ITEMS, bounded, check_terms
from gateway.errors import CallerError
from gateway.ids import ActorId, RecordId, SubjectId

SCOPE_FIELDS = (
    ("grantee", "bytes32"),
    ("actions", "string[]"),
    ("purposes", "string[]"),
    ("resourceTypes", "string[]"),
    ("codes", "string[]"),
    ("labels", "string[]"),
    ("authors", "bytes32[]"),
    ("records", "bytes16[]"),
    ("dataFrom", "string"),
    ("dataTo", "string"),
    ("dataUse", "string[]"),
    ("context", "string"),
    ("termsHash", "bytes32"),
    ("salt", "bytes32"),
    ("statement", "string"),
)
CONSENT_FIELDS = (
    ("subject", "bytes32"),
    ("effect", "uint8"),
    ("scope", "Scope"),
    ("notBefore", "uint64"),
    ("notAfter", "uint64"),
    ("epoch", "uint64"),
)
CONSENT_TYPES = {"Consent": CONSENT_FIELDS, "Scope": SCOPE_FIELDS}
REVOCATION_TYPES = {"Revocation": (("subject", "bytes32"), ("consentId", "bytes32"))}
_CREDENTIAL = (("subject", "bytes32"), ("actor", "bytes32"), ("linked", "bool"), ("nonce", "uint64"))
CREDENTIAL_TYPES = {"Credential": _CREDENTIAL}
_DELEGATION = (
    ("subject", "bytes32"),
    ("delegate", "bytes"),
    ("limits", "bytes32"),
    ("notAfter", "uint64"),
    ("nonce", "uint64"),
)
DELEGATION_TYPES = {"Delegation": _DELEGATION}
DELEGATION_END_TYPES = {"DelegationEnd": (("subject", "bytes32"), ("number", "uint32"))}
REVOKE_ALL_TYPES = {"RevokeAll": (("subject", "bytes32"), ("epoch", "uint64"))}
ERASURE_TYPES = {"Erasure": (("subject", "bytes32"), ("epoch", "uint64"))}
CONSENT_TYPE_HASH = eip712.type_hash("Consent", CONSENT_TYPES)
MOST_DELEGATES = 2**32 - 1
LONGEST_SIGNER = 20 + 1024
_SAFE_INTEGER = 2**53 - 1
Types = Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]
"""By primary type: its structs, field by field."""
_TYPES: Types = {
    "Consent": CONSENT_TYPES,
    "Revocation": REVOCATION_TYPES,
    "RevokeAll": REVOKE_ALL_TYPES,
    "Erasure": ERASURE_TYPES,
    "Credential": CREDENTIAL_TYPES,
    "Delegation": DELEGATION_TYPES,
    "DelegationEnd": DELEGATION_END_TYPES,
}
_SCOPE_NAMES = frozenset(name for name, _ in SCOPE_FIELDS)
_PARTS = frozenset({"types", "primaryType", "domain", "message"})


def consent_typed_data(terms: Terms, domain: Mapping[str, Any]) -> dict[str, Any]:
    """EIP-712 JSON of a consent. Integers past 2^53 are decimal text, so that JavaScript keeps them."""
    return eip712.typed_data(
        "Consent",
        CONSENT_TYPES,
        {
            "subject": hex_of(terms.subject),
            "effect": int(terms.effect),
            "scope": _scope_message(terms.scope),
            "notBefore": number_of(terms.not_before),
            "notAfter": number_of(terms.not_after),
            "epoch": number_of(terms.epoch),
        },
        domain,
    )


def revocation_typed_data(subject: bytes, consent: bytes, domain: Mapping[str, Any]) -> dict[str, Any]:
    return eip712.typed_data(
        "Revocation", REVOCATION_TYPES, {"subject": hex_of(subject), "consentId": hex_of(consent)}, domain
    )


def revoke_all_typed_data(subject: bytes, epoch: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    return eip712.typed_data(
        "RevokeAll", REVOKE_ALL_TYPES, {"subject": hex_of(subject), "epoch": number_of(epoch)}, domain
    )


def erasure_typed_data(subject: bytes, epoch: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    return eip712.typed_data("Erasure", ERASURE_TYPES, {"subject": hex_of(subject), "epoch": number_of(epoch)}, domain)


def credential_typed_data(
    subject: bytes, actor: bytes, *, linked: bool, nonce: int, domain: Mapping[str, Any]
) -> dict[str, Any]:
    """What controller and actor both sign, so that the actor is the patient when it signs in; or no longer."""
    said = {"subject": hex_of(subject), "actor": hex_of(actor), "linked": linked, "nonce": number_of(nonce)}
    return eip712.typed_data("Credential", CREDENTIAL_TYPES, said, domain)


def delegation_typed_data(delegation: Delegation, domain: Mapping[str, Any]) -> dict[str, Any]:
    """What the controller signs, so that a key may consent in the patient's name within what `limits` commits to."""
    said = {
        "subject": hex_of(delegation.subject),
        "delegate": hex_of(delegation.signer),
        "limits": hex_of(delegation.limits),
        "notAfter": number_of(delegation.not_after),
        "nonce": number_of(delegation.nonce),
    }
    return eip712.typed_data("Delegation", DELEGATION_TYPES, said, domain)


def delegation_end_typed_data(subject: bytes, number: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    said = {"subject": hex_of(subject), "number": number}
    return eip712.typed_data("DelegationEnd", DELEGATION_END_TYPES, said, domain)


def scope_hash(scope: Scope, domain: Mapping[str, Any]) -> bytes:
    """hashStruct(Scope), 32 bytes: all that the chain learns of a scope."""
    return eip712.struct_hash(eip712.typed_data("Scope", {"Scope": SCOPE_FIELDS}, _scope_message(scope), domain))


def read_consent(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> Terms:
    """The terms in a client's typed data. Raises CallerError naming the field for anything else."""
    message = read_message(typed_data, "Consent", domain)
    scope = message.get("scope")
    if not isinstance(scope, Mapping):
        raise CallerError("not an object", field=("typedData", "message", "scope"))
    _require_members(scope, SCOPE_FIELDS, ("typedData", "message", "scope"))
    effect = integer_in(message, "effect")
    if effect not in (Effect.PERMIT, Effect.DENY):
        raise CallerError("no such effect", field=("typedData", "message", "effect"))
    terms = Terms(
        subject=SubjectId(bytes_in(message, "subject", 32)),
        effect=Effect(effect),
        scope=_read_scope(scope),
        not_before=integer_in(message, "notBefore"),
        not_after=integer_in(message, "notAfter"),
        epoch=integer_in(message, "epoch"),
    )
    check_terms(terms)
    return terms


def read_revocation(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, bytes]:
    message = read_message(typed_data, "Revocation", domain)
    return SubjectId(bytes_in(message, "subject", 32)), bytes_in(message, "consentId", 32)


def read_revoke_all(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, int]:
    message = read_message(typed_data, "RevokeAll", domain)
    return SubjectId(bytes_in(message, "subject", 32)), integer_in(message, "epoch")


def read_erasure(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, int]:
    message = read_message(typed_data, "Erasure", domain)
    return SubjectId(bytes_in(message, "subject", 32)), integer_in(message, "epoch")


def read_credential(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, ActorId, bool, int]:
    message = read_message(typed_data, "Credential", domain)
    if type(linked := message.get("linked")) is not bool:
        raise CallerError("not a boolean", field=_at("linked"))
    actor, nonce = ActorId(bytes_in(message, "actor", 32)), integer_in(message, "nonce")
    return SubjectId(bytes_in(message, "subject", 32)), actor, linked, nonce


def read_delegation(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> Delegation:
    message = read_message(typed_data, "Delegation", domain)
    return Delegation(
        subject=SubjectId(bytes_in(message, "subject", 32)),
        signer=octets_in(message, "delegate", longest=LONGEST_SIGNER),
        limits=bytes_in(message, "limits", 32),
        not_after=integer_in(message, "notAfter"),
        nonce=integer_in(message, "nonce"),
    )


def read_delegation_end(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, int]:
    message = read_message(typed_data, "DelegationEnd", domain)
    number = integer_in(message, "number")
    if number > MOST_DELEGATES:
        raise CallerError("not a number of 32 bits", field=_at("number"))
    return SubjectId(bytes_in(message, "subject", 32)), number


def read_message(
    typed_data: Mapping[str, Any], primary: str, domain: Mapping[str, Any], *, types: Types = _TYPES
) -> Mapping[str, Any]:
    """The message, if it is of this type and for this chain and contract, and has its members and no others."""
    if not typed_data.keys() <= _PARTS:
        raise CallerError("has members that EIP-712 does not know", field=("typedData",))
    if typed_data.get("primaryType") != primary:
        raise CallerError(f"primaryType must be {primary}", field=("typedData", "primaryType"))
    theirs = typed_data.get("domain")
    if not isinstance(theirs, Mapping):
        raise CallerError("not an object", field=("typedData", "domain"))
    if set(theirs) != set(domain):
        raise CallerError("not this gateway's domain", field=("typedData", "domain"))
    for name, ours in domain.items():
        said = theirs[name]
        same = said.lower() == str(ours).lower() if isinstance(said, str) else type(said) is int and said == ours
        if not same:
            raise CallerError("signed for another chain or contract", field=("typedData", "domain", name))
    _require_types(typed_data.get("types"), primary, types[primary])
    message = typed_data.get("message")
    if not isinstance(message, Mapping):
        raise CallerError("not an object", field=("typedData", "message"))
    _require_members(message, types[primary][primary], ("typedData", "message"))
    return message


def _require_types(theirs: object, primary: str, structs: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
    """Types may be left out; those that are there are ours, field by field, as a wallet would hash them."""
    if theirs is None:
        return
    ours = eip712.typed_data(primary, structs, {}, {})["types"]
    if not isinstance(theirs, Mapping) or any(ours.get(name) != fields for name, fields in theirs.items()):
        raise CallerError("not this gateway's types", field=("typedData", "types"))


def _require_members(message: Mapping[str, Any], fields: Sequence[tuple[str, str]], at: tuple[str, ...]) -> None:
    if message.keys() != {name for name, _ in fields}:
        raise CallerError("members are missing, or there are others", field=at)


def _scope_message(scope: Scope) -> dict[str, Any]:
    return {
        "grantee": hex_of(scope.grantee),
        "actions": list(scope.actions),
        "purposes": list(scope.purposes),
        "resourceTypes": list(scope.resource_types),
        "codes": list(scope.codes),
        "labels": list(scope.labels),
        "authors": [hex_of(author) for author in scope.authors],
        "records": [hex_of(record) for record in scope.records],
        "dataFrom": scope.data_from,
        "dataTo": scope.data_to,
        "dataUse": list(scope.data_use),
        "context": scope.context,
        "termsHash": hex_of(scope.terms_hash),
        "salt": hex_of(scope.salt),
        "statement": scope.statement,
    }


def _read_scope(message: Mapping[str, Any]) -> Scope:
    return Scope(
        grantee=ActorId(bytes_in(message, "grantee", 32)),
        actions=_texts(message, "actions"),
        purposes=_texts(message, "purposes"),
        resource_types=_texts(message, "resourceTypes"),
        codes=_texts(message, "codes"),
        labels=_texts(message, "labels"),
        authors=tuple(ActorId(raw) for raw in _byte_list(message, "authors", 32)),
        records=tuple(RecordId(raw) for raw in _byte_list(message, "records", 16)),
        data_from=_one_text(message, "dataFrom"),
        data_to=_one_text(message, "dataTo"),
        data_use=_texts(message, "dataUse"),
        context=_one_text(message, "context"),
        terms_hash=bytes_in(message, "termsHash", 32),
        salt=bytes_in(message, "salt", 32),
        statement=_one_text(message, "statement", longest=65_536),
    )


def hex_of(raw: bytes) -> str:
    return "0x" + raw.hex()


def number_of(value: int) -> int | str:
    return value if value <= _SAFE_INTEGER else str(value)


def _at(name: str) -> tuple[str, ...]:
    inside = ("scope",) if name in _SCOPE_NAMES else ()
    return ("typedData", "message", *inside, name)


def integer_in(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        value = int(value)
    if type(value) is not int or not 0 <= value <= NO_END:
        raise CallerError("not an unsigned integer", field=_at(name))
    return value


def _raw(value: Any, size: int, name: str) -> bytes:
    # `bytes.fromhex` alone would skip spaces and give fewer octets, which EIP-712 pads: two readings of one digest.
    if isinstance(value, str) and re.fullmatch(f"0x[0-9a-fA-F]{{{2 * size}}}", value):
        return bytes.fromhex(value[2:])
    raise CallerError(f"not {size} bytes of hexadecimal", field=_at(name))


def bytes_in(message: Mapping[str, Any], name: str, size: int) -> bytes:
    return _raw(message.get(name), size, name)


def octets_in(message: Mapping[str, Any], name: str, *, longest: int) -> bytes:
    """Of any length up to `longest` and from 1 on."""
    value = message.get(name)
    size = (len(value) - 2) // 2 if isinstance(value, str) else 0
    if not 1 <= size <= longest:
        raise CallerError(f"not 1 to {longest} bytes of hexadecimal", field=_at(name))
    return _raw(value, size, name)


def _list(message: Mapping[str, Any], name: str) -> list[Any]:
    value = message.get(name)
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise CallerError(f"not a list of at most {MOST_ITEMS} items", field=_at(name))
    return value


def _byte_list(message: Mapping[str, Any], name: str, size: int) -> tuple[bytes, ...]:
    return tuple(_raw(item, size, name) for item in _list(message, name))


def _texts(message: Mapping[str, Any], name: str) -> tuple[str, ...]:
    items = _list(message, name)
    for item in items:
        if not isinstance(item, str):
            raise CallerError("not a list of text", field=_at(name))
    try:
        bounded(items, name)
    except CallerError as error:
        raise CallerError(error.message, field=_at(name)) from error
    return tuple(items)


def _one_text(message: Mapping[str, Any], name: str, *, longest: int = LONGEST_TEXT) -> str:
    value = message.get(name)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise CallerError("not printable text, or too long", field=_at(name))
    return value
