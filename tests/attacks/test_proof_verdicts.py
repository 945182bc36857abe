"""Gateway, contract and stand-alone verifier give one verdict on every path: OpenZeppelin's own trees, and mutants."""

import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anchoring.chain.abi import ANCHOR, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import _Sender, open_log
from anchoring.chain.signer import Signer
from anchoring.errors import ProofInvalid
from anchoring.merkle import hash_leaf
from anchoring.model import LogKind, LogName
from anchoring.proof import leads_to, log_id
from anchoring.verifier import verify as alone
from tests.attacks.extent import VERDICTS
from tests.ports.test_chain import deploy_to, embedded_url

__all__ = ["embedded_url"]  # a fixture

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "merkle" / "vectors.json").read_text())["vectors"]
Nodes = tuple[bytes, ...]
Case = tuple[bytes, bytes, Nodes]
"""(root, leaf, path)."""


def raw(kind: str, value: str) -> bytes:
    return int(value).to_bytes(int(kind[4:]) // 8, "big") if kind.startswith("uint") else bytes.fromhex(value[2:])


def cases(vector: dict[str, Any]) -> Iterator[Case]:
    """Each leaf with its own path, and what somebody might make of it."""
    root = bytes.fromhex(vector["root"][2:])
    for at, (row, proof) in enumerate(zip(vector["values"], vector["proofs"], strict=True)):
        values = [raw(kind, value) for kind, value in zip(vector["encoding"], row["value"], strict=True)]
        leaf = hash_leaf(vector["encoding"], values)
        path = tuple(bytes.fromhex(node[2:]) for node in proof)
        yield root, leaf, path
        if at < 3:
            yield from mutants(root, leaf, path)


def mutants(root: bytes, leaf: bytes, path: Nodes) -> Iterator[Case]:
    yield root, flipped(leaf), path
    yield root, leaf, (*path, bytes(32))
    yield root, leaf, (leaf, *path)
    yield root, root, ()
    yield root, leaf, (*path, root)
    if path:
        yield root, leaf, path[:-1]
        yield root, leaf, path[1:]
        yield root, leaf, tuple(reversed(path))
        yield root, path[0], (leaf, *path[1:])
        yield root, leaf, (flipped(path[0]), *path[1:])
        yield root, leaf, (*path[:-1], flipped(path[-1]))
        yield root, alone.parent(leaf, path[0]), path[1:]


def drawn(given: Sequence[Case], count: int) -> Iterator[Case]:
    """Some bits of a root, a leaf or a path changed, or nodes of it moved."""
    for _ in range(count):
        root, leaf, path = secrets.choice(given)
        nodes = list(path)
        match secrets.randbelow(4):
            case 0:
                root = flipped(root)
            case 1:
                leaf = flipped(leaf)
            case 2:
                at = secrets.randbelow(len(nodes))
                nodes[at] = flipped(nodes[at])
            case _:
                nodes.insert(secrets.randbelow(len(nodes)), nodes.pop(secrets.randbelow(len(nodes))))
        yield root, leaf, tuple(nodes)


def flipped(node: bytes) -> bytes:
    at = secrets.randbelow(32)
    return node[:at] + bytes([node[at] ^ 1 << secrets.randbelow(8)]) + node[at + 1 :]


def by_gateway(root: bytes, leaf: bytes, path: Nodes) -> bool:
    try:
        return leads_to(leaf, path, root)
    except ProofInvalid:
        return False


def by_verifier(root: bytes, leaf: bytes, path: Nodes) -> bool:
    try:
        return alone.follow(leaf, path) == root
    except alone.Refused:
        return False


async def test_three_verdicts_are_one_on_all_vectors_and_mutants(embedded_url: tuple[str, str, str]) -> None:
    url, relay, anchor = embedded_url
    deployed = await deploy_to("embedded", url=url, relay_key=relay, anchor_key=anchor)
    deployment, client = deployed.deployment, ChainClient(url)
    owner, anchorer = (
        Signer(bytes.fromhex(key.removeprefix("0x")), chain_id=deployment.chain_id) for key in (relay, anchor)
    )
    name = LogName(gateway=bytes.fromhex(deployment.gateway[2:]), writer=secrets.token_bytes(32), kind=LogKind.RECORDS)
    await open_log(client, owner, deployment, name=name, anchorer=anchorer.address)
    methods = contract(ANCHOR).methods
    everything: list[Case] = []
    for vector in VECTORS:
        root = bytes.fromhex(vector["root"][2:])
        data = methods["anchor"].encode(log_id(name), root, bytes(32), len(vector["values"]))
        await _Sender(client, anchorer).send(deployment.anchor_registry, data)
        everything += cases(vector)
    everything += drawn([one for one in everything if one[2]], VERDICTS)
    answers: list[bool] = []
    for root, leaf, path in everything:
        data = methods["verify"].encode(log_id(name), root, leaf, path)
        answers.append(bool(int.from_bytes(await client.eth_call(deployment.anchor_registry, data), "big")))
    await client.close()
    verdicts = [
        (by_gateway(*one), on_chain, by_verifier(*one)) for one, on_chain in zip(everything, answers, strict=True)
    ]
    assert [one for one in verdicts if len(set(one)) != 1] == []
    assert sum(one[0] for one in verdicts) >= sum(len(vector["values"]) for vector in VECTORS)
    assert sum(not one[0] for one in verdicts) > 300


@pytest.mark.parametrize("nodes", [64, 65])
def test_a_path_too_long_for_the_contract_is_too_long_for_all(nodes: int) -> None:
    leaf, path = secrets.token_bytes(32), tuple(secrets.token_bytes(32) for _ in range(nodes))
    root = leaf
    for node in path:
        root = alone.parent(root, node)
    assert by_gateway(root, leaf, path) == by_verifier(root, leaf, path) == (nodes <= 64)
