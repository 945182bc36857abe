"""A canary is found in each encoding, wherever it stands in octets; and nothing is found where none is."""

import base64
import gzip
import json
import struct
import urllib.parse
import zlib
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.campaigns.canaries import Canaries, hits

Write = Callable[[str], bytes]
ENCODINGS: dict[str, Write] = {
    "UTF-8": lambda text: text.encode(),
    "UTF-8 in capitals": lambda text: text.upper().encode(),
    "UTF-16LE": lambda text: text.encode("utf-16-le"),
    "UTF-16BE": lambda text: text.encode("utf-16-be"),
    "hex": lambda text: text.encode().hex().encode(),
    "hex in capitals": lambda text: text.encode().hex().upper().encode(),
    "base64 at 0": lambda text: base64.b64encode(text.encode()),
    "base64 at 1": lambda text: base64.b64encode(b"?" + text.encode()),
    "base64 at 2": lambda text: base64.urlsafe_b64encode(b"??" + text.encode()),
    "percent-encoding": lambda text: urllib.parse.quote(text).encode(),
    "percent-encoding of all": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()).encode(),
    "JSON": lambda text: json.dumps({"text": text}).encode(),
    "JSON escapes of all": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
    "reversed": lambda text: text.encode()[::-1],
    "gzip": lambda text: gzip.compress(b"before " + text.encode()),
    "zlib": lambda text: zlib.compress(text.encode() + b" after"),
    "hex in gzip": lambda text: gzip.compress(text.encode().hex().encode()),
}
AROUND = bytes(range(256)) * 5


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries.new()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("what", ["text", "date", "number"])
def test_a_canary_is_found_in_each_encoding(canaries: Canaries, encoding: str, what: str) -> None:
    text = {"text": canaries.text("here"), "date": canaries.date, "number": canaries.quantity}[what]
    for before in range(4):
        octets = AROUND[before:] + ENCODINGS[encoding](text) + AROUND
        assert any(hit.startswith(what) for hit in hits(octets, canaries.forms()))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_number_and_a_date_are_found_as_a_machine_writes_them(canaries: Canaries, order: str) -> None:
    seconds = int(datetime.fromisoformat(canaries.date[:19] + "+00:00").timestamp())
    for octets in (struct.pack(order + "d", float(canaries.quantity)), struct.pack(order + "q", seconds * 1000)):
        assert hits(AROUND + octets + AROUND, canaries.forms())


def test_nothing_is_found_where_another_runs_canaries_are(canaries: Canaries) -> None:
    other = Canaries.new()
    for write in ENCODINGS.values():
        for text in (other.text("here"), other.date, other.quantity):
            assert hits(AROUND + write(text) + AROUND, canaries.forms()) == []
