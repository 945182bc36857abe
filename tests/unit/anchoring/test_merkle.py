"""Trees and proofs, against OpenZeppelin's own library and against eth-abi."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from anchoring.errors import ProofInvalid
from anchoring.merkle import MerkleTree, encode_values, hash_leaf, hash_pair, keccak256
from anchoring.model import LEAF_ENCODING, LogKind, LogName, Proof, kind_of
from anchoring.proof import fold, gateway_id, leads_to, log_id, verify

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle" / "vectors.json").read_text())["vectors"]
NAMES = [f"{vector['log']}-{len(vector['values'])}" for vector in VECTORS]
RECORDS = LEAF_ENCODING[LogKind.RECORDS]


def octets(kind: str, value: str) -> bytes:
    return bytes.fromhex(value[2:]) if kind.startswith("bytes") else int(value).to_bytes(32, "big")


def leaves_of(vector: dict[str, Any]) -> list[bytes]:
    rows = [[octets(*pair) for pair in zip(vector["encoding"], one["value"], strict=True)] for one in vector["values"]]
    return [hash_leaf(vector["encoding"], row) for row in rows]


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_the_tree_is_node_for_node_openzeppelins(vector: dict[str, Any]) -> None:
    assert ["0x" + node.hex() for node in MerkleTree(leaves_of(vector)).nodes] == vector["tree"]


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_leaves_lie_where_openzeppelins_dump_says(vector: dict[str, Any]) -> None:
    leaves = leaves_of(vector)
    tree = MerkleTree(leaves)
    assert [tree.place(leaf) for leaf in leaves] == [one["treeIndex"] for one in vector["values"]]


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_paths_are_openzeppelins(vector: dict[str, Any]) -> None:
    leaves = leaves_of(vector)
    tree = MerkleTree(leaves)
    assert [["0x" + node.hex() for node in tree.path(leaf)] for leaf in leaves] == vector["proofs"]


@pytest.mark.parametrize("kind", list(LogKind))
@given(data=st.data())
def test_values_are_packed_as_abi_encode_packs_them(kind: LogKind, data: st.DataObject) -> None:
    encoding = LEAF_ENCODING[kind]
    values: list[bytes] = []
    expected: list[object] = []
    for one in encoding:
        size = int(one[5:]) if one.startswith("bytes") else int(one[4:]) // 8
        value = data.draw(st.binary(min_size=size, max_size=size))
        values.append(value)
        expected.append(value if one.startswith("bytes") else int.from_bytes(value, "big"))
    assert encode_values(encoding, values) == encode(encoding, expected)


@pytest.mark.parametrize("kind", list(LogKind))
def test_the_sizes_of_a_leafs_values_tell_its_log_from_every_other(kind: LogKind) -> None:
    sizes = [int(one[5:]) if one.startswith("bytes") else int(one[4:]) // 8 for one in LEAF_ENCODING[kind]]
    assert kind_of([bytes(size) for size in sizes]) is kind
    assert kind_of([bytes(size) for size in (*sizes[:-1], 33)]) is None


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True))
def test_every_leaf_has_a_path_to_the_root(leaves: list[bytes]) -> None:
    tree = MerkleTree(leaves)
    assert all(leads_to(leaf, tree.path(leaf), tree.root) for leaf in leaves)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=20, unique=True), st.randoms())
def test_the_order_of_leaves_does_not_matter(leaves: list[bytes], random: Any) -> None:
    shuffled = list(leaves)
    random.shuffle(shuffled)
    assert MerkleTree(shuffled).nodes == MerkleTree(leaves).nodes


def test_a_number_may_have_leading_zeros_but_must_fit() -> None:
    assert encode_values(["uint32"], [b"\0" * 40 + b"\x07"]) == (7).to_bytes(32, "big")
    assert encode_values(["uint32"], [b"\0\1\0\0\0"]) == (2**24).to_bytes(32, "big")
    with pytest.raises(ProofInvalid):
        encode_values(["uint32"], [b"\1\0\0\0\0"])


@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        (["bytes16"], [b"short"]),
        (["bytes32"], [b""]),
        (["string"], [b"text"]),
        (["uint7"], [b"\1"]),
        (["bytes33"], [bytes(33)]),
        (["bytes"], [b""]),
        ([], []),
        (["bytes32"], []),
    ],
)
def test_values_that_do_not_fit_are_refused(encoding: list[str], values: list[bytes]) -> None:
    with pytest.raises(ProofInvalid):
        encode_values(encoding, values)


def test_a_tree_of_nothing_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        MerkleTree([])


def test_a_strange_leaf_has_no_path() -> None:
    with pytest.raises(ProofInvalid):
        MerkleTree([bytes(32)]).path(b"\1" * 32)


def proof_of_two() -> tuple[Proof, MerkleTree]:
    rows = [(bytes([n]) * 16, b"\1", *(bytes([n]) * 32 for _ in range(3))) for n in (1, 2)]
    tree = MerkleTree([hash_leaf(RECORDS, row) for row in rows])
    proof = Proof(
        log=bytes(32),
        leaf_encoding=RECORDS,
        leaf_values=rows[0],
        path=tree.path(hash_leaf(RECORDS, rows[0])),
        root=tree.root,
        chain_id=1,
        contract="0x" + "00" * 20,
        transaction=bytes(32),
        block_number=1,
    )
    return proof, tree


def changed(proof: Proof, **fields: Any) -> Proof:
    return Proof(**{**{name: getattr(proof, name) for name in Proof.__slots__}, **fields})


def test_a_whole_proof_verifies() -> None:
    verify(proof_of_two()[0])


def test_a_proof_fails_when_any_of_its_octets_changes() -> None:
    proof, _ = proof_of_two()
    for at, value in enumerate(proof.leaf_values):
        flipped = (*proof.leaf_values[:at], value[:-1] + bytes([value[-1] ^ 1]), *proof.leaf_values[at + 1 :])
        with pytest.raises(ProofInvalid):
            verify(changed(proof, leaf_values=flipped))
    with pytest.raises(ProofInvalid):
        verify(changed(proof, root=bytes(32)))
    with pytest.raises(ProofInvalid):
        verify(changed(proof, path=()))


def test_an_inner_node_does_not_pose_as_a_leaf() -> None:
    # 64 octets that hash to the root under one keccak are no leaf values of any log's encoding.
    proof, tree = proof_of_two()
    with pytest.raises(ProofInvalid):
        verify(changed(proof, leaf_encoding=("bytes32", "bytes32"), leaf_values=tree.nodes[1:3], path=()))


@pytest.mark.parametrize("path", [(b"\0" * 31,), (b"\0" * 33,), (bytes(32),) * 65])
def test_malformed_paths_are_refused(path: tuple[bytes, ...]) -> None:
    with pytest.raises(ProofInvalid):
        fold(bytes(32), path)


def test_a_path_of_64_nodes_is_folded() -> None:
    leaf = bytes(32)
    for _ in range(64):
        leaf = hash_pair(leaf, b"\1" * 32)
    assert fold(bytes(32), (b"\1" * 32,) * 64) == leaf


def test_a_pair_hashes_in_sorted_order() -> None:
    one, other = b"\1" * 32, b"\2" * 32
    assert hash_pair(one, other) == hash_pair(other, one) == keccak256(one + other)


def test_a_log_is_named_as_the_registry_names_it() -> None:
    name = LogName(gateway=b"\1" * 32, writer=b"\2" * 32, kind=LogKind.RECORDS)
    words = encode(["bytes32", "bytes32", "bytes32"], [b"\1" * 32, b"\2" * 32, b"records".ljust(32, b"\0")])
    assert log_id(name) == keccak256(words)


def test_a_gateway_is_named_as_the_registry_names_it() -> None:
    owner = "0x" + "ab" * 20
    assert gateway_id(b"\xab" * 20, b"\7" * 32) == keccak256(encode(["address", "bytes32"], [owner, b"\7" * 32]))


@pytest.mark.parametrize(("gateway", "writer"), [(b"", bytes(32)), (bytes(32), bytes(16))])
def test_a_log_of_short_names_is_refused(gateway: bytes, writer: bytes) -> None:
    with pytest.raises(ProofInvalid):
        log_id(LogName(gateway=gateway, writer=writer, kind=LogKind.AUDIT))


@pytest.mark.parametrize(("owner", "salt"), [(bytes(19), bytes(32)), (bytes(20), bytes(31)), (b"", b"")])
def test_a_gateway_of_short_names_is_refused(owner: bytes, salt: bytes) -> None:
    with pytest.raises(ProofInvalid):
        gateway_id(owner, salt)
