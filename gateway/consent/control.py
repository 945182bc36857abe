"""What is signed about who controls a patient, in EIP-712 shapes: guardians, a recovery and what goes with it, a change
of controller, the end of custody. Pure; as `messages`, and read with its readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import eip712
from gateway.consent.messages import Types, bytes_in, hex_of, integer_in, number_of, octets_in, read_message
from gateway.ids import SubjectId

LONGEST_CONTROLLER = 1024
"""Octets of a signer that the registry takes."""
_SUBJECT = ("subject", "bytes32")
_CONTROLLER = ("controller", "bytes")
TYPES: Types = {
    "Guardians": {"Guardians": (_SUBJECT, ("guardians", "bytes32"), ("nonce", "uint64"))},
    "Recovery": {"Recovery": (_SUBJECT, _CONTROLLER, ("attempt", "uint64"), ("notAfter", "uint64"))},
    "Attestation": {"Attestation": (_SUBJECT, _CONTROLLER, ("attempt", "uint64"))},
    "Objection": {"Objection": (_SUBJECT, ("attempt", "uint64"))},
    "ControllerChange": {"ControllerChange": (_SUBJECT, _CONTROLLER, ("control", "uint64"))},
    "Custody": {"Custody": (_SUBJECT, _CONTROLLER)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What guardians and the next controller sign. `attempt`: the proposal's number, from 0; `not_after`: seconds since
    1970, the signatures are good before it."""

    subject: SubjectId
    controller: bytes
    attempt: int
    not_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What a registrar signs who saw the patient in person."""

    subject: SubjectId
    controller: bytes
    attempt: int


def guardians_typed_data(subject: bytes, guardians: bytes, *, nonce: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    """`guardians`: the hash of a guardianship, 32 zero bytes for none."""
    return _full(
        "Guardians", {"subject": hex_of(subject), "guardians": hex_of(guardians), "nonce": number_of(nonce)}, domain
    )


def recovery_typed_data(proposed: Proposed, domain: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "subject": hex_of(proposed.subject),
        "controller": hex_of(proposed.controller),
        "attempt": number_of(proposed.attempt),
        "notAfter": number_of(proposed.not_after),
    }
    return _full("Recovery", said, domain)


def attestation_typed_data(attested: Attested, domain: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "subject": hex_of(attested.subject),
        "controller": hex_of(attested.controller),
        "attempt": number_of(attested.attempt),
    }
    return _full("Attestation", said, domain)


def objection_typed_data(subject: bytes, attempt: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    return _full("Objection", {"subject": hex_of(subject), "attempt": number_of(attempt)}, domain)


def change_typed_data(subject: bytes, controller: bytes, *, control: int, domain: Mapping[str, Any]) -> dict[str, Any]:
    """`control`: how often control changed so far."""
    said = {"subject": hex_of(subject), "controller": hex_of(controller), "control": number_of(control)}
    return _full("ControllerChange", said, domain)


def custody_typed_data(subject: bytes, controller: bytes, domain: Mapping[str, Any]) -> dict[str, Any]:
    return _full("Custody", {"subject": hex_of(subject), "controller": hex_of(controller)}, domain)


def read_guardians(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, bytes, int]:
    """(subject, hash, nonce). These raise CallerError naming the field."""
    message = _message(typed_data, "Guardians", domain)
    return _subject(message), bytes_in(message, "guardians", 32), integer_in(message, "nonce")


def read_recovery(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> Proposed:
    message = _message(typed_data, "Recovery", domain)
    return Proposed(
        subject=_subject(message),
        controller=_controller(message),
        attempt=integer_in(message, "attempt"),
        not_after=integer_in(message, "notAfter"),
    )


def read_attestation(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> Attested:
    message = _message(typed_data, "Attestation", domain)
    return Attested(subject=_subject(message), controller=_controller(message), attempt=integer_in(message, "attempt"))


def read_objection(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, int]:
    message = _message(typed_data, "Objection", domain)
    return _subject(message), integer_in(message, "attempt")


def read_change(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, bytes, int]:
    """(subject, controller, control)."""
    message = _message(typed_data, "ControllerChange", domain)
    return _subject(message), _controller(message), integer_in(message, "control")


def read_custody(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> tuple[SubjectId, bytes]:
    message = _message(typed_data, "Custody", domain)
    return _subject(message), _controller(message)


def _full(primary: str, message: Mapping[str, Any], domain: Mapping[str, Any]) -> dict[str, Any]:
    return eip712.typed_data(primary, TYPES[primary], message, domain)


def _message(typed_data: Mapping[str, Any], primary: str, domain: Mapping[str, Any]) -> Mapping[str, Any]:
    return read_message(typed_data, primary, domain, types=TYPES)


def _subject(message: Mapping[str, Any]) -> SubjectId:
    return SubjectId(bytes_in(message, "subject", 32))


def _controller(message: Mapping[str, Any]) -> bytes:
    return octets_in(message, "controller", longest=LONGEST_CONTROLLER)
