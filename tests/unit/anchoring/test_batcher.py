"""When batches close and what their manifests say."""

import hashlib
from dataclasses import replace

import dag_cbor
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchoring.batcher import RAW_SHA256, BatchPolicy, cut, is_due, manifest_of, read_manifest
from anchoring.errors import ProofInvalid
from anchoring.merkle import MerkleTree
from anchoring.model import Ticket

POLICY = BatchPolicy(size=4, age=2.0)


def ticket(seq: int, *, log: bytes = b"\7" * 32, digest: bytes = b"\1" * 32) -> Ticket:
    return Ticket(seq=seq, log=log, leaf=bytes([seq]) * 32, values=(), cid_digest=digest, locator=b"locator")


@pytest.mark.parametrize(
    ("waiting", "age", "due"),
    [(0, 99.0, False), (1, 1.9, False), (1, 2.0, True), (3, 0.0, False), (4, 0.0, True), (5, 0.0, True)],
)
def test_a_batch_closes_when_full_or_old(waiting: int, age: float, due: bool) -> None:
    assert is_due(POLICY, waiting=waiting, oldest_age=age) is due


def test_a_cut_commits_to_its_leaves_and_its_manifest() -> None:
    tickets = [ticket(1), ticket(2), ticket(3)]
    batch = cut(tickets)
    assert batch.root == MerkleTree([one.leaf for one in tickets]).root
    assert batch.manifest_digest == hashlib.sha256(batch.manifest).digest()


def test_the_same_tickets_give_the_same_bytes_in_any_order() -> None:
    tickets = [ticket(1), ticket(2), ticket(3)]
    assert cut(tickets) == cut(list(reversed(tickets)))


def test_a_manifest_holds_leaf_cid_and_locator_and_nothing_more() -> None:
    decoded = dag_cbor.decode(manifest_of([ticket(1), ticket(2, digest=b"")]))
    assert decoded == {
        "version": 1,
        "log": b"\7" * 32,
        "entries": [
            [b"\1" * 32, RAW_SHA256 + b"\1" * 32, b"locator"],
            [b"\2" * 32, b"", b"locator"],
        ],
    }


@pytest.mark.parametrize("count", [1, 23, 24, 255, 256, 1024, 65_536])
@pytest.mark.parametrize("locator", [b"", b"x" * 23, b"x" * 256])
def test_a_manifest_is_what_dag_cbor_writes(count: int, locator: bytes) -> None:
    tickets = [replace(ticket(1), locator=locator)] * count
    entries = [[one.leaf, RAW_SHA256 + b"\1" * 32, locator] for one in tickets]
    assert manifest_of(tickets) == dag_cbor.encode({"version": 1, "log": b"\7" * 32, "entries": entries})


def test_a_manifest_reads_back() -> None:
    log, entries = read_manifest(manifest_of([ticket(1)]))
    assert (log, entries) == (b"\7" * 32, ((b"\1" * 32, b"\1" * 32, b"locator"),))


@given(st.integers(1, 40))
def test_manifests_of_any_size_read_back(count: int) -> None:
    tickets = [ticket(seq % 256) for seq in range(count)]
    _, entries = read_manifest(manifest_of(tickets))
    assert entries == tuple((one.leaf, one.cid_digest, one.locator) for one in tickets)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_manifest_with_one_octet_changed_reads_otherwise_or_not_at_all(at: int, value: int) -> None:
    whole = manifest_of([ticket(1), ticket(2)])
    at %= len(whole)
    changed = whole[:at] + bytes([value]) + whole[at + 1 :]
    try:
        same = read_manifest(changed) == read_manifest(whole)
    except ProofInvalid:
        same = False
    assert same is (changed == whole)


@given(st.integers(0, 10_000))
def test_a_manifest_that_is_cut_short_is_refused(at: int) -> None:
    whole = manifest_of([ticket(1), ticket(2)])
    with pytest.raises(ProofInvalid):
        read_manifest(whole[: at % len(whole)])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_manifest_are_refused(junk: bytes) -> None:
    with pytest.raises(ProofInvalid):
        read_manifest(junk)


@pytest.mark.parametrize(
    "junk", [b"\x81" * 5000, bytes.fromhex("5b8725b9a8e3e5dedb87"), b"\xd8\x2a\x41\x00", b"\x81\xc0"]
)
def test_hostile_lengths_and_depths_are_refused(junk: bytes) -> None:
    with pytest.raises(ProofInvalid):
        read_manifest(junk)


@pytest.mark.parametrize(
    "document",
    [
        {"version": 2, "log": b"", "entries": []},
        {"version": 1, "log": "text", "entries": []},
        {"version": 1, "log": b"", "entries": [[b"\1" * 32, b""]]},
        {"version": 1, "log": b"", "entries": [[b"\1" * 31, b"", b""]]},
        {"version": 1, "log": b"", "entries": [], "more": 1},
        [],
    ],
)
def test_manifests_of_another_shape_are_refused(document: object) -> None:
    with pytest.raises(ProofInvalid):
        read_manifest(dag_cbor.encode(document))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tickets", [[], [ticket(1), ticket(2, log=b"\6" * 32)], [ticket(1), ticket(1)]], ids=["none", "two logs", "twice"]
)
def test_what_is_no_batch_is_not_cut(tickets: list[Ticket]) -> None:
    with pytest.raises(ProofInvalid):
        cut(tickets)
