"""Whether an answer of the gateway is what was anchored: content, path, root, receipt. The gateway is not asked.

Steps, each of which raises StepFailedError:
1. content: sha-256(0x01 ‖ salt ‖ RFC 8785 form) is the anchored content commitment; the CID's digest is the leaf's.
2. path: the leaf (double keccak-256 of the ABI-encoded values) leads to the root by the path.
3. chain: the root stands in the log, at that block, by that transaction, and the log is this gateway's.
4. receipt: signed by a key that the chain registers for this gateway, over a text that binds all of the above.
Source: ARCHITECTURE section 3; OpenZeppelin StandardMerkleTree; RFC 8032, RFC 8785.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from Crypto.Signature import eddsa

from anchoring.errors import ProofInvalid
from anchoring.merkle import hash_leaf
from anchoring.proof import leads_to
from gateway import jsontext
from gateway.demo.answers import Proof, ReadRecord, Receipt
from gateway.demo.model import Deployment, StepFailedError, octets
from gateway.demo.rpc import ANCHORED, Chain
from gateway.errors import CallerError

LEAF = ["bytes16", "uint32", "bytes32", "bytes32", "bytes32"]
_SHA256 = (0x12, 0x20)
_CODECS = (0x55, 0x70)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the reader knows without the answer. `subject`, `actor`, `consent`: 32 bytes as 0x hex."""

    subject: str
    actor: str
    consent: str
    purpose: str
    version: int = 1


def check_record(
    record: ReadRecord, proof: Proof | None, *, chain: Chain, deployment: Deployment, expected: Expected
) -> None:
    """All four steps on one record as it was read. `proof`: of its anchor, fetched since."""
    if proof is None:
        raise StepFailedError("it is said to be anchored and has no proof")
    values = leaf_values(proof)
    check_content(record, values)
    check_path(proof, values)
    check_chain(proof, chain=chain, deployment=deployment)
    check_receipt(record, values, chain=chain, deployment=deployment, expected=expected)


def leaf_values(proof: Proof) -> list[bytes]:
    """Record id, version, digest inside the CID, content commitment, facts commitment."""
    if proof.leaf_encoding != LEAF or len(proof.leaf_values) != len(LEAF):
        raise StepFailedError("the proof is not of a record's leaf")
    return [octets(value) for value in proof.leaf_values]


def check_content(record: ReadRecord, values: list[bytes]) -> None:
    if record.content_salt is None:
        raise StepFailedError("the content comes without its salt: something was left out of it")
    salt = octets(record.content_salt)
    try:
        form = jsontext.canonical(record.content)
    except CallerError as error:
        raise StepFailedError("the content has no RFC 8785 form") from error
    if len(salt) != 32 or hashlib.sha256(b"\x01" + salt + form).digest() != values[3]:
        raise StepFailedError("the content is not what was anchored")
    if digest_of_cid(record.cid) != values[2]:
        raise StepFailedError("the CID is not the anchored one")
    if int.from_bytes(values[1], "big") != record.version:
        raise StepFailedError("the version is not the anchored one")


def check_path(proof: Proof, values: list[bytes]) -> None:
    try:
        leaf = hash_leaf(proof.leaf_encoding, values)
        holds = leads_to(leaf, [octets(node) for node in proof.path], octets(proof.root))
    except ProofInvalid as error:
        raise StepFailedError(f"the proof has no form: {error}") from error
    if not holds:
        raise StepFailedError("the path does not lead to the root")


def check_chain(proof: Proof, *, chain: Chain, deployment: Deployment, kind: str = "records") -> None:
    """`kind`: of the leaves for which this gateway opened the log."""
    log, root = octets(proof.log), octets(proof.root)
    if proof.chain_id != deployment.chain_id or proof.contract.lower() != deployment.anchor:
        raise StepFailedError("the proof names another chain or contract")
    if proof.block_number < 1 or chain.anchored_at(deployment.anchor, log, root) != proof.block_number:
        raise StepFailedError("the root does not stand in the log at that block")
    if not chain.is_log_of(deployment.anchor, log, gateway=deployment.gateway, kind=kind):
        raise StepFailedError("the log is not this gateway's")
    # Anchored(bytes32 indexed log, uint64 indexed index, bytes32 root, …)
    events = chain.events_of(proof.transaction_hash)
    if not any(
        event.contract == deployment.anchor
        and event.topics[:2] == (ANCHORED, log)
        and event.data[:32] == root
        and event.block == proof.block_number
        for event in events
    ):
        raise StepFailedError("the transaction did not anchor this root")


def check_receipt(
    record: ReadRecord, values: list[bytes], *, chain: Chain, deployment: Deployment, expected: Expected
) -> None:
    receipt = record.receipt
    signer = check_signature(receipt)
    said = read_payload(receipt.payload)
    since, until = chain.receipt_key_term(deployment.identity, deployment.gateway, signer)
    block = said.get("asOfBlock")
    if not since or (until and isinstance(block, int) and block > until):
        raise StepFailedError("the receipt's signer is not registered on chain for this gateway")
    wanted: Mapping[str, jsontext.JsonValue] = {
        "chainId": deployment.chain_id,
        "registry": deployment.consent,
        "gateway": _hex(deployment.gateway),
        "actor": expected.actor,
        "subject": expected.subject,
        "record": _hex(values[0]),
        "version": expected.version,
        "cid": record.cid,
        "contentCommitment": _hex(values[3]),
        "factsCommitment": _hex(values[4]),
        "consents": [expected.consent],
        "purpose": expected.purpose,
        "obligations": list(receipt.obligations),
        "asOfBlock": receipt.as_of_block,
    }
    for name, value in wanted.items():
        found = said.get(name)
        if (found.lower() if name == "registry" and isinstance(found, str) else found) != value:
            raise StepFailedError(f"the receipt's {name} is not of this answer")
    if (receipt.purpose, receipt.consent_id) != (expected.purpose, expected.consent):
        raise StepFailedError("the receipt's fields do not agree with its text")
    if said.get("blockHash") != _hex(chain.block_hash(receipt.as_of_block)):
        raise StepFailedError("the receipt names a block that the chain does not have")


def check_signature(receipt: Receipt) -> bytes:
    """The raw Ed25519 key that signed the payload, 32 bytes."""
    signer = octets(receipt.signer)
    try:
        # pycryptodome, not the library that signed: a fault of one is not hidden by the same fault of the other.
        key = eddsa.import_public_key(signer)
        eddsa.new(key, "rfc8032").verify(receipt.payload.encode(), octets(receipt.signature))
    except ValueError as error:
        raise StepFailedError("the receipt's signature does not hold") from error
    return signer


def read_payload(payload: str) -> dict[str, Any]:
    """The members of a receipt's text, which must be its own RFC 8785 form."""
    try:
        said = jsontext.loads(payload)
        exact = jsontext.canonical(said) == payload.encode()
    except CallerError as error:
        raise StepFailedError("the receipt's text is no JSON") from error
    if not isinstance(said, dict) or not exact:
        raise StepFailedError("the receipt's text is not in RFC 8785 form")
    return said


def digest_of_cid(cid: str) -> bytes:
    """The SHA-256 inside a CIDv1 in base32 (raw or dag-pb). Source: multiformats/cid."""
    try:
        raw = base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
    except binascii.Error as error:
        raise StepFailedError("the CID is not base32") from error
    if cid[:1] != "b" or len(raw) != 36 or raw[0] != 1 or raw[1] not in _CODECS or tuple(raw[2:4]) != _SHA256:
        raise StepFailedError("the CID is no CIDv1 of a SHA-256")
    return raw[4:]


def same_json(one: jsontext.JsonValue, other: jsontext.JsonValue) -> bool:
    """Equal, and every number with the same text; the order of an object's members says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if type(one) is not type(other):
        return False
    return one.text == other.text if isinstance(one, jsontext.Num) and isinstance(other, jsontext.Num) else one == other


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
