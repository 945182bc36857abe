"""What outlives an erased entry of a study: its line, sealed for the gateway behind the locator in its leaf's ticket.

A journal is one hash chain of many people's entries, and an erasure destroys the key of one person's. A batch's
manifest, which is anchored, then still names the erased block, its leaf, and

    locator 76 ‖ nonce 12 ‖ AES-256-GCM(study 32, number 4, kind 1, subject's token 16, SHA-256, the one before's)

so that chain and proofs are there again after a fire, without a word of what was said. True here: a line opens under
the log key and behind the locator of its own block alone; all lines are of one size, so whether an entry is about
somebody is not seen. Not done here: hashing the values to the leaf, which whoever relies on a line must do.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

from gateway.crypto.envelope import LOCATOR_SIZE
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import StudyFacts
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy

_LINE: Final = struct.Struct(">32sIB16s32s32s")
_CONTEXT: Final = b"study/line"
_NOBODY: Final = bytes(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyLine:
    """`about`: 16-byte keyed token of the subject, empty: nobody; `entry` and `previous`: SHA-256, zeros: none."""

    study: bytes
    number: int
    kind: int
    about: bytes
    entry: bytes
    previous: bytes

    @classmethod
    def of(cls, facts: StudyFacts, *, about: bytes) -> Self:
        return cls(
            study=facts.study,
            number=facts.number,
            kind=facts.kind,
            about=about,
            entry=hashlib.sha256(facts.octets).digest(),
            previous=facts.previous,
        )


def extended(locator: bytes, line: StudyLine, *, digest: bytes, log: DomainKey, entropy: Entropy) -> bytes:
    """A block's locator with its line behind it. `digest`: the SHA-256 in the block's CID."""
    packed = _LINE.pack(line.study, line.number, line.kind, line.about or _NOBODY, line.entry, line.previous)
    return locator + log.seal(packed, context=_CONTEXT + digest + locator, entropy=entropy)


def plain(locator: bytes) -> bytes:
    """The block's own locator."""
    return locator[:LOCATOR_SIZE]


def line_behind(locator: bytes, *, digest: bytes, log: DomainKey) -> StudyLine:
    """Raises IntegrityError where there is none, or another block's."""
    packed = log.open(locator[LOCATOR_SIZE:], context=_CONTEXT + digest + plain(locator))
    if len(packed) != _LINE.size:
        raise IntegrityError("a sealed line is not of this format")
    study, number, kind, about, entry, previous = _LINE.unpack(packed)
    return StudyLine(
        study=study,
        number=number,
        kind=kind,
        about=b"" if about == _NOBODY else about,
        entry=entry,
        previous=previous,
    )
