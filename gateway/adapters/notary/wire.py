"""What parent and notary say to each other: frames of at most 64 MiB, 4 bytes of length (big-endian) and MessagePack.

The first frame each way is `Start` and `Started` or `Refused`; then lists of `Append` and `Probe`, answered in order.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

MOST = 64 << 20
"""Octets of a frame."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """All that the child needs; over the socket, because arguments are seen by every process of the machine."""

    url: str
    key_path: str
    passphrase_path: str
    instance: bytes
    audit_log: bytes
    patience: float


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    writer: bytes
    public: bytes


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """`setting`: the operator must change something; else the outside is down and it may be tried again."""

    message: str
    setting: bool


class Append(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=0):
    """One entry, the guards it stands on and the plan of its rows (`gateway.adapters.sql.statements`)."""

    decision: bytes
    public: bytes
    private: bytes
    subject_token: bytes
    receipt: bytes
    guards: tuple[tuple[bytes, int], ...]
    plan: tuple[tuple[int, tuple[tuple[Any, ...], ...]], ...]  # bytes, int or str, which msgspec cannot say


class Probe(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """Can anything be appended?"""


class Written(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=0):
    seq: int
    hash: bytes
    signature: bytes


class Outdated(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    name: bytes


class KeyTaken(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=2):
    table: str


class Failed(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=3):
    """In doubt. The message names the kind of failure, never a value."""

    message: str


class Able(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=4):
    """The probe's good answer: a change was just made durable."""


Request = Append | Probe
Answer = Written | Outdated | KeyTaken | Failed | Able

_encoder = msgspec.msgpack.Encoder()
decode_start = msgspec.msgpack.Decoder(Start).decode
decode_started = msgspec.msgpack.Decoder(Started | Refused).decode
decode_requests = msgspec.msgpack.Decoder(list[Request]).decode
decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode


def frame(message: Start | Started | Refused | Sequence[Request] | Sequence[Answer]) -> bytes:
    """The message with its length before it. Raises ValueError past `MOST`."""
    body = _encoder.encode(message)
    if len(body) > MOST:
        raise ValueError("a frame is too long")
    return len(body).to_bytes(4, "big") + body


class Buffer:
    """Octets as they come in, frames as they come out."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._at = 0

    def feed(self, octets: bytes) -> None:
        """Takes what was received."""
        if self._at:
            del self._octets[: self._at]
            self._at = 0
        self._octets += octets

    def take(self) -> bytes | None:
        """The next frame's body, if it is whole. Raises ValueError when its length is past `MOST`."""
        start = self._at + 4
        if len(self._octets) < start:
            return None
        size = int.from_bytes(self._octets[self._at : start], "big")
        if size > MOST:
            raise ValueError("a frame is too long")
        if len(self._octets) < start + size:
            return None
        self._at = start + size
        return bytes(self._octets[start : self._at])
