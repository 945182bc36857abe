"""Texts, a date and a number that nothing else in the world holds, and how to find them in octets, however written.

True here: all canaries of one run begin with one random root, so octets are looked through for a few forms and not for
thousands; a date and a number stand in every note too. Nine encodings are known: UTF-8, UTF-16 either way, hex, base64
at each alignment, percent-encoding, JSON escapes, reversed, and packed by gzip or zlib.
"""

import base64
import contextlib
import re
import secrets
import struct
import urllib.parse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

UNPACKED_MOST = 8 << 20
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """`root`: the first 16 characters of each text; `date`: an instant in every note; `number`: the digits of one."""

    root: str
    date: str
    number: str
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def new(cls) -> "Canaries":
        day = f"{1840 + secrets.randbelow(50)}-{1 + secrets.randbelow(12):02}-{1 + secrets.randbelow(28):02}"
        time = f"{secrets.randbelow(24):02}:{secrets.randbelow(60):02}:{secrets.randbelow(60):02}"
        return cls(
            root="kanary" + secrets.token_hex(5),
            date=f"{day}T{time}.{_nine_digits()}Z",
            number=_nine_digits(),
        )

    def text(self, what: str) -> str:
        """A new one, with what it stands for, and letters that JSON and URLs write otherwise."""
        return f"{self.root}-{what}-{next(self._numbers)} Ünal/é"

    def word(self, what: str) -> str:
        """As `text`, of letters, digits and hyphens alone."""
        return f"{self.root}-{what}-{next(self._numbers)}"

    @property
    def quantity(self) -> str:
        return f"73.{self.number}"

    def forms(self) -> dict[bytes, str]:
        """What to look for, and what it is."""
        found: dict[bytes, str] = {}
        for name, text in (("text", self.root), ("date", self.date[:19]), ("number", self.number)):
            found |= {octets: f"{name} as {form}" for form, octets in written(text)}
        instant = datetime.fromisoformat(self.date[:19] + "+00:00").timestamp()
        for seconds in (int(instant), int(instant * 1000)):
            found |= {struct.pack(order + "q", seconds): "date as eight octets" for order in "<>"}
        value = float(self.quantity)
        return found | {struct.pack(order + "d", value): "number as eight octets" for order in "<>"}


def _nine_digits() -> str:
    return str(100_000_000 + secrets.randbelow(899_999_999))


def written(text: str) -> Iterator[tuple[str, bytes]]:
    """(encoding, octets) of a text in every encoding but the packed ones."""
    raw = text.encode()
    yield "UTF-8", raw
    if raw.upper() != raw:
        yield "UTF-8, capitals", raw.upper()
    yield "UTF-16LE", text.encode("utf-16-le")
    yield "UTF-16BE", text.encode("utf-16-be")
    yield "hex", raw.hex().encode()
    yield "hex, capitals", raw.hex().upper().encode()
    for shift in range(3):
        # Less the characters at either end that neighbours share.
        inner = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :]
        inner = inner[: len(inner) - 4] if (shift + len(raw)) % 3 else inner
        yield f"base64 at {shift}", inner
    yield "percent-encoding", urllib.parse.quote(text, safe="").encode()
    yield "percent-encoding of all", "".join(f"%{octet:02x}" for octet in raw).encode()
    yield "percent-encoding of all, capitals", "".join(f"%{octet:02X}" for octet in raw).encode()
    yield "JSON escapes", "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
    yield "reversed", raw[::-1]


def hits(octets: bytes, forms: dict[bytes, str], *, packed: bool = True) -> list[str]:
    """The forms that the octets hold, those inside packed parts too."""
    found = [name for form, name in forms.items() if form in octets]
    if packed:
        for part in unpacked(octets):
            found += [f"{name}, packed" for name in hits(part, forms, packed=False)]
    return found


def unpacked(octets: bytes) -> Iterator[bytes]:
    """Every part that unpacks, as far as it does."""
    for match in _PACKED.finditer(octets):
        opening = zlib.decompressobj(47)  # either kind, told by its head
        part = b""
        with contextlib.suppress(zlib.error):
            part = opening.decompress(octets[match.start() : match.start() + UNPACKED_MOST], UNPACKED_MOST)
        if part:
            yield part
