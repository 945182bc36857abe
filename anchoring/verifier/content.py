"""Checks large content, or a part of it, against what its record commits to. This one file needs Python 3.11 alone.

    python -m anchoring.verifier.content RECORD.json FILE                             the whole content
    python -m anchoring.verifier.content RECORD.json PART --at OCTET --proof PROOF.json   whole chunks, from OCTET on

RECORD.json is the record's `content`, as GraphQL gave it: check first, with `verify.py`, that it is what was anchored.
PROOF.json is the answer of /content/{record}/proof for the same Range; nothing of it is believed. Exit code 0: these
are the octets; 1: refused, with the reason; 2: a file cannot be read. PART begins where a chunk begins, and ends where
one ends or the content does. The file is read chunk by chunk, however large.

A chunk's leaf is sha-256(0x06, chunk salt, octets); chunk n's salt is HMAC-SHA-256(salt, n as 4 octets); a node is
sha-256(0x07, left, right), the left side the largest power of two that leaves something (RFC 9162, section 2.1.1).
"""

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

EXTENSION: Final = "urn:consentry:large-content"
MOST: Final = 64 << 20


class Refused(Exception):
    """These are not the octets that the record commits to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a record says of its large content."""

    size: int
    chunk_size: int
    salt: bytes
    commitment: bytes

    @property
    def count(self) -> int:
        return -(-self.size // self.chunk_size)


def told_by(record: Any) -> Told:
    """From a record's content. Raises Refused."""
    try:
        (extension,) = [one for one in record["meta"]["extension"] if one["url"] == EXTENSION]
        said = {one["url"]: one["valueString"] for one in extension["extension"]}
        told = Told(
            size=int(said["size"]),
            chunk_size=int(said["chunkSize"]),
            salt=_octets(said["salt"]),
            commitment=_octets(said["commitment"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("the record says nothing of large content") from error
    if told.size < 1 or not 1 <= told.chunk_size <= MOST or len(told.commitment) != 32:
        raise Refused("what the record says of large content cannot be")
    return told


def check_whole(told: Told, file: BinaryIO) -> None:
    """Raises Refused."""
    stack: list[tuple[int, bytes]] = []
    left = told.size
    for number in range(told.count):
        octets = file.read(min(told.chunk_size, left))
        if len(octets) != min(told.chunk_size, left):
            raise Refused("the file is shorter than the content")
        left -= len(octets)
        height, digest = 0, _leaf(told, number, octets)
        while stack and stack[-1][0] == height:
            digest = _node(stack.pop()[1], digest)
            height += 1
        stack.append((height, digest))
    if file.read(1):
        raise Refused("the file is longer than the content")
    digest = stack.pop()[1]
    while stack:
        digest = _node(stack.pop()[1], digest)
    if digest != told.commitment:
        raise Refused("the file is not what the record commits to")


def check_part(told: Told, file: BinaryIO, *, at: int, proof: Any) -> None:
    """Raises Refused."""
    if at % told.chunk_size or not 0 <= at < told.size:
        raise Refused("a part begins where a chunk begins")
    try:
        paths = {int(one["number"]): [_octets(step) for step in one["path"]] for one in proof["chunks"]}
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("the proof is not in its form") from error
    number = at // told.chunk_size
    while octets := file.read(told.chunk_size):
        if number >= told.count or len(octets) != min(told.chunk_size, told.size - number * told.chunk_size):
            raise Refused("a part ends where a chunk ends")
        if number not in paths:
            raise Refused(f"the proof says nothing of chunk {number}")
        if _root(_leaf(told, number, octets), number, told.count, paths[number]) != told.commitment:
            raise Refused(f"chunk {number} is not what the record commits to")
        number += 1
    if number == at // told.chunk_size:
        raise Refused("the part is empty")


def _leaf(told: Told, number: int, octets: bytes) -> bytes:
    salt = hmac.digest(told.salt, number.to_bytes(4, "big"), "sha256")
    return hashlib.sha256(b"\x06" + salt + octets).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x07" + left + right).digest()


def _root(leaf: bytes, number: int, count: int, path: Sequence[bytes]) -> bytes | None:
    sides: list[bool] = []
    while count > 1:
        half = 1 << (count - 1).bit_length() - 1
        sides.append(number < half)
        number, count = (number, half) if number < half else (number - half, count - half)
    if len(path) != len(sides):
        return None
    for beside, is_left in zip(path, reversed(sides), strict=True):
        leaf = _node(leaf, beside) if is_left else _node(beside, leaf)
    return leaf


def _octets(value: object) -> bytes:
    if not isinstance(value, str) or value[:2] != "0x" or len(value) != 66:
        raise ValueError("not 32 octets")
    return bytes.fromhex(value[2:])


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        return json.loads(file.read(MOST))


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Checks large content against what its record commits to.")
    parser.add_argument("record", type=Path, help="the record's content, as JSON")
    parser.add_argument("file", type=Path, help="the content, or whole chunks of it")
    parser.add_argument("--at", type=int, help="where a part begins, in octets")
    parser.add_argument("--proof", type=Path, help="the answer of /content/{record}/proof")
    asked = parser.parse_args(words)
    if (asked.at is None) != (asked.proof is None):
        parser.error("--at and --proof go together")
    try:
        told = told_by(_read(asked.record))
        with asked.file.open("rb") as file:
            if asked.proof is None:
                check_whole(told, file)
            else:
                check_part(told, file, at=asked.at, proof=_read(asked.proof))
    except Refused as reason:
        sys.stdout.write(f"REFUSED: {reason}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stdout.write(f"UNCHECKED: {type(error).__name__}\n")
        return 2
    sys.stdout.write("HOLDS: these are the octets that the record commits to\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
