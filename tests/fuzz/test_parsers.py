"""Each parser takes its seeds, and refuses in its own words what is changed in them (bar B9)."""

import random

import pytest

from tests.fuzz.parsers import PARSERS, Parser, attempt

CHANGES = 2_000


def changed(chance: random.Random, seed: bytes) -> bytes:
    """A few octets, or whole runs of them, set, moved, doubled or left out."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 1, 1, 2, 8, 64))
        match chance.randrange(5):
            case 0:
                data[at : at + size] = chance.randbytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[: chance.randrange(len(data) + 1)][-size:]
            case 3:
                data[at:at] = chance.choice((b"{", b"[", b'"', b"\x00", b"\xff", b"1e9", b"null", b"\\u0000"))
            case _:
                data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ (1 << chance.randrange(8))])
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_changed_is_taken_or_refused_and_nothing_else(name: str) -> None:
    parser: Parser = PARSERS[name]
    chance = random.Random(name)
    for number in range(CHANGES):
        attempt(parser, changed(chance, parser.seeds[number % len(parser.seeds)]))


@pytest.mark.parametrize("name", [name for name in PARSERS if name != "proof"])
def test_a_seed_is_taken(name: str) -> None:
    """So the changes begin from what goes all the way through; a proof of no chain is refused at its path."""
    PARSERS[name].read(PARSERS[name].seeds[0])
