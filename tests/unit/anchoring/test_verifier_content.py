"""The checker of large content takes what was committed to, whole or by chunks, and nothing else."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from anchoring.verifier.content import Refused, Told, check_part, check_whole, main, told_by
from gateway.crypto.chunks import CHUNK_SIZE
from gateway.crypto.chunktree import commit_chunk, path_of, root_of
from gateway.crypto.model import LargeFacts
from gateway.records.large import binary_of

SALT = b"s" * 32
OCTETS = os.urandom(2 * CHUNK_SIZE + 100)
LEAVES = [commit_chunk(SALT, at, OCTETS[at * CHUNK_SIZE : (at + 1) * CHUNK_SIZE]) for at in range(3)]
LARGE = LargeFacts(root=b"", size=len(OCTETS), key_id=b"", wrapped=b"", salt=SALT, commitment=root_of(LEAVES))
RECORD: Any = binary_of("application/dicom", LARGE)


def proof(*numbers: int) -> dict[str, Any]:
    chunks = [{"number": one, "path": ["0x" + step.hex() for step in path_of(LEAVES, one)]} for one in numbers]
    return {"chunks": chunks}


def told() -> Told:
    return told_by(RECORD)


def test_the_whole_holds() -> None:
    check_whole(told(), io.BytesIO(OCTETS))


@pytest.mark.parametrize("at", [0, CHUNK_SIZE - 1, CHUNK_SIZE, len(OCTETS) - 1])
def test_no_changed_octet_holds(at: int) -> None:
    changed = OCTETS[:at] + bytes([OCTETS[at] ^ 1]) + OCTETS[at + 1 :]
    with pytest.raises(Refused):
        check_whole(told(), io.BytesIO(changed))


@pytest.mark.parametrize("octets", [b"", OCTETS[:-1], OCTETS + b"x", OCTETS[:CHUNK_SIZE]])
def test_neither_less_nor_more_holds(octets: bytes) -> None:
    with pytest.raises(Refused):
        check_whole(told(), io.BytesIO(octets))


def test_a_part_holds_in_its_own_place_alone() -> None:
    part = OCTETS[CHUNK_SIZE:]
    check_part(told(), io.BytesIO(part), at=CHUNK_SIZE, proof=proof(1, 2))
    check_part(told(), io.BytesIO(OCTETS[:CHUNK_SIZE]), at=0, proof=proof(0))
    for at, octets, given in (
        (0, part[:CHUNK_SIZE], proof(0)),
        (0, part[:CHUNK_SIZE], proof(1)),
        (2 * CHUNK_SIZE, part[:CHUNK_SIZE], proof(2)),
        (CHUNK_SIZE + 1, part, proof(1, 2)),
        (CHUNK_SIZE, part[:-1], proof(1, 2)),
        (CHUNK_SIZE, part + b"x", proof(1, 2)),
        (CHUNK_SIZE, part, proof(1)),
        (CHUNK_SIZE, b"", proof(1)),
        (-CHUNK_SIZE, part, proof(1, 2)),
        (CHUNK_SIZE, part, {"chunks": [{"number": 1, "path": ["0x00"]}]}),
        (CHUNK_SIZE, part, {}),
    ):
        with pytest.raises(Refused):
            check_part(told(), io.BytesIO(octets), at=at, proof=given)


@pytest.mark.parametrize("record", [{}, [], {"meta": {}}, {"meta": {"extension": []}}, {"meta": {"extension": [{}]}}])
def test_a_record_that_tells_nothing_holds_nothing(record: Any) -> None:
    with pytest.raises(Refused):
        told_by(record)


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    record, file = tmp_path / "content.json", tmp_path / "file"
    record.write_text(json.dumps(RECORD))
    file.write_bytes(OCTETS)
    assert main([str(record), str(file)]) == 0
    file.write_bytes(OCTETS[1:])
    assert main([str(record), str(file)]) == 1
    assert main([str(record), str(tmp_path / "none")]) == 2
