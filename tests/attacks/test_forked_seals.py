"""No key and nonce meet twice, whatever was copied: processes forked after their keys were open seal under data keys
and nonces of their own, as one that a snapshot put back would.

`FORKED_SEALS=1000000` is the release form.
"""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection

from gateway.consent.model import Action
from gateway.crypto import envelope, hazmat
from gateway.ids import RecordId
from gateway.ports.clock import SystemEntropy
from tests.unit.gateway.consent.cases import RECORD
from tests.unit.gateway.crypto.blocks import KEY, LOG, allowed, record_facts

SEALS = int(os.environ.get("FORKED_SEALS", "8000"))
PROCESSES = 4
HEADER = 84
WRAPPED, NONCE = 40, hazmat.NONCE_SIZE
PAIR = hazmat.KEY_SIZE + NONCE


def pairs(count: int, entropy: SystemEntropy) -> Iterator[bytes]:
    """(key, nonce) of all that is sealed for so many versions of one record under one domain key: locator, facts,
    content. The facts' key and the log's are the same in every process, so their nonces are what differs."""
    facts = record_facts(content_size=1)
    for version in range(1, count + 1):
        block = envelope.seal_record(
            allowed(Action.WRITE), facts=facts, content=b"x", record=RecordId(RECORD), version=version,
            key=KEY, log=LOG, entropy=entropy,
        ).block  # fmt: skip
        located = envelope.locate(block, LOG)
        data_key = hazmat.unwrap(KEY.wrapping, block[HEADER : HEADER + WRAPPED])
        after = HEADER + WRAPPED
        content = after + located.facts_size
        yield data_key + block[content : content + NONCE]
        yield b"facts".ljust(hazmat.KEY_SIZE) + block[after : after + NONCE]
        yield b"locator".ljust(hazmat.KEY_SIZE) + located.locator[:NONCE]


def work(entropy: SystemEntropy, pipe: Connection) -> None:
    pipe.send_bytes(b"".join(pairs(SEALS // PROCESSES, entropy)))
    pipe.close()


def test_forked_processes_repeat_no_key_and_nonce() -> None:
    entropy = SystemEntropy()
    entropy.bytes(32)  # whatever a generator would hold is there before the fork, and copied
    context = multiprocessing.get_context("fork")
    ends, children = [], []
    for _ in range(PROCESSES):
        mine, theirs = context.Pipe(duplex=False)
        child = context.Process(target=work, args=(entropy, theirs))
        child.start()
        theirs.close()
        ends.append(mine)
        children.append(child)
    seen: set[bytes] = set()
    count = 0
    for end in ends:
        raw = end.recv_bytes()
        found = [raw[at : at + PAIR] for at in range(0, len(raw), PAIR)]
        count += len(found)
        seen.update(found)
    for child in children:
        child.join()
    assert count == SEALS // PROCESSES * PROCESSES * 3
    assert len(seen) == count
