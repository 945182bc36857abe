"""Names of things: fixed-size bytes with a type each, and their opaque global form.

A global id is `base64url("<Type>:" ‖ raw bytes)` (Relay, Global Object Identification). It tells a client nothing
and is never trusted: what it names is decided on like any other input.
"""

import base64
import binascii
from typing import NewType

from gateway.errors import CallerError

RecordId = NewType("RecordId", bytes)
"""16 random bytes."""
SubjectId = NewType("SubjectId", bytes)
"""32 random bytes: a patient's name on chain."""
ActorId = NewType("ActorId", bytes)
"""32 bytes: an actor's name on chain; keys behind it rotate."""
ConsentId = NewType("ConsentId", bytes)
"""32 bytes: the EIP-712 digest of the signed consent."""
EmergencyId = NewType("EmergencyId", bytes)
"""32 bytes: the salted commitment of an emergency access, as it stands on chain."""
RequestId = NewType("RequestId", bytes)
"""16 random bytes: names a request for consent."""
FormId = NewType("FormId", bytes)
"""16 random bytes: names a consent form through its versions."""
ReleaseId = NewType("ReleaseId", bytes)
"""16 random bytes: names a release of data, from its request on."""
StudyId = NewType("StudyId", bytes)
"""32 bytes: a study's name on chain, a hash of its sponsor and a salt."""
SessionId = NewType("SessionId", bytes)
"""16 random bytes: names a session to its owner, and opens nothing."""
DecisionId = NewType("DecisionId", bytes)
"""16 random bytes."""
Digest = NewType("Digest", bytes)
"""32 bytes: a SHA-256 or keccak-256 value."""

SIZES = {
    "Record": 16,
    "Patient": 32,
    "Actor": 32,
    "Consent": 32,
    "Emergency": 32,
    "AccessEvent": 16,
    "Decision": 16,
    "Session": 16,
    "Identity": 16,
    "ConsentRequest": 16,
    "ConsentForm": 16,
    "Dataset": 16,
    "Study": 32,
}


def to_global(kind: str, raw: bytes) -> str:
    """`Record`, 16 bytes -> opaque ASCII."""
    return base64.urlsafe_b64encode(kind.encode() + b":" + raw).decode().rstrip("=")


def parse_global(text: str) -> tuple[str, bytes]:
    """Opaque ASCII -> kind and raw bytes. Raises CallerError for anything that we never issued."""
    if len(text) > 80 or not text.isascii():
        raise CallerError("not an id of this gateway", field=("id",))
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CallerError("not an id of this gateway", field=("id",)) from error
    kind, _, raw = decoded.partition(b":")
    name = kind.decode("ascii", "replace")
    # One name, one text: base64 would let other padding, alphabets and spare bits pass.
    if SIZES.get(name) != len(raw) or to_global(name, raw) != text:
        raise CallerError("not an id of this gateway", field=("id",))
    return name, raw


def from_global(kind: str, text: str, *, field: tuple[str, ...]) -> bytes:
    """The raw bytes of a global id that must be of `kind`. Raises CallerError naming `field`."""
    try:
        found, raw = parse_global(text)
    except CallerError as error:
        raise CallerError(f"not an id of a {kind}", field=field) from error
    if found != kind:
        raise CallerError(f"not an id of a {kind}", field=field)
    return raw
