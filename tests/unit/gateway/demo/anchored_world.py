"""A record that was anchored, made by hand: its leaf among others, a root, a chain that has it, a signed receipt."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchoring.merkle import MerkleTree, hash_leaf, keccak256
from gateway import jsontext
from gateway.demo.answers import Anchor, Named, Proof, ReadRecord, Receipt
from gateway.demo.checking import LEAF, Expected
from gateway.demo.model import Deployment
from gateway.demo.rpc import ANCHORED, ANCHORED_AT, LOG_OPENED, RECEIPT_KEY_SINCE, RECEIPT_KEY_UNTIL

DEPLOYMENT = Deployment(
    chain_id=2026112,
    rpc=None,
    identity="0x" + "11" * 20,
    consent="0x" + "22" * 20,
    anchor="0x" + "33" * 20,
    gateway=b"\x44" * 32,
)
LOG, SALT, RECORD_ID = b"\x55" * 32, b"\x66" * 32, b"\x77" * 16
FACTS, BLOCK_HASH = b"\x88" * 32, b"\x99" * 32
CONTENT = jsontext.loads(b'{"resourceType":"Observation","valueQuantity":{"value":1.10}}')
CID_DIGEST = hashlib.sha256(b"ciphertext").digest()
CID = "b" + base64.b32encode(bytes((1, 0x55, 0x12, 0x20)) + CID_DIGEST).decode().lower().rstrip("=")
TRANSACTION, BLOCK, AS_OF = "0x" + "aa" * 32, 7, 9
EXPECTED = Expected(subject="0x" + "bb" * 32, actor="0x" + "cc" * 32, consent="0x" + "dd" * 32, purpose="TREAT")
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


COMMITMENT = hashlib.sha256(b"\x01" + SALT + jsontext.canonical(CONTENT)).digest()
VALUES = (RECORD_ID, (1).to_bytes(4, "big"), CID_DIGEST, COMMITMENT, FACTS)
TREE = MerkleTree([hash_leaf(LEAF, VALUES), keccak256(b"another leaf"), keccak256(b"a third")])


def payload(**changes: jsontext.JsonValue) -> str:
    said: dict[str, jsontext.JsonValue] = {
        "actor": EXPECTED.actor,
        "asOfBlock": AS_OF,
        "blockHash": hexed(BLOCK_HASH),
        "chainId": DEPLOYMENT.chain_id,
        "cid": CID,
        "consents": [EXPECTED.consent],
        "contentCommitment": hexed(COMMITMENT),
        "factsCommitment": hexed(FACTS),
        "gateway": hexed(DEPLOYMENT.gateway),
        "obligations": [],
        "purpose": "TREAT",
        "record": hexed(RECORD_ID),
        "registry": DEPLOYMENT.consent,
        "subject": EXPECTED.subject,
        "version": 1,
    }
    return jsontext.canonical({**said, **changes}).decode()


def receipt(text: str | None = None, *, key: Ed25519PrivateKey = KEY) -> Receipt:
    signed = payload() if text is None else text
    return Receipt(
        consent_id=EXPECTED.consent,
        purpose="TREAT",
        as_of_block=AS_OF,
        obligations=[],
        payload=signed,
        signer=hexed(key.public_key().public_bytes_raw()),
        signature=hexed(key.sign(signed.encode())),
    )


def proof(**changes: Any) -> Proof:
    fields: dict[str, Any] = {
        "log": hexed(LOG),
        "leaf_encoding": list(LEAF),
        "leaf_values": [hexed(value) for value in VALUES],
        "path": [hexed(node) for node in TREE.path(hash_leaf(LEAF, VALUES))],
        "root": hexed(TREE.root),
        "chain_id": DEPLOYMENT.chain_id,
        "contract": DEPLOYMENT.anchor,
        "transaction_hash": TRANSACTION,
        "block_number": BLOCK,
    }
    return Proof(**{**fields, **changes})


def record(**changes: Any) -> ReadRecord:
    fields: dict[str, Any] = {
        "id": "opaque",
        "version": 1,
        "resource_type": "Observation",
        "labels": [],
        "content": CONTENT,
        "content_salt": hexed(SALT),
        "cid": CID,
        "author": Named(id="patient"),
        "anchor": Anchor(status="ANCHORED"),
        "receipt": receipt(),
    }
    return ReadRecord(**{**fields, **changes})


@dataclass(slots=True, kw_only=True)
class HandMadeChain:
    """Answers JSON-RPC from what it holds."""

    anchored_at: int = BLOCK
    key_since: int = 3
    key_until: int = 0
    log_gateway: bytes = DEPLOYMENT.gateway
    log_kind: bytes = b"records"
    root: bytes = TREE.root
    event_root: bytes = TREE.root
    status: str = "0x1"
    block_hash: bytes = BLOCK_HASH
    asked: list[str] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.asked.append(body["method"])
        found = getattr(self, body["method"])(*body["params"])
        return 200, {}, {"jsonrpc": "2.0", "id": body["id"], "result": found}

    def eth_chainId(self) -> str:
        return hex(DEPLOYMENT.chain_id)

    def eth_call(self, call: Mapping[str, str], at: str) -> str:
        data = bytes.fromhex(call["data"][2:])
        if data == ANCHORED_AT + LOG + self.root and call["to"] == DEPLOYMENT.anchor:
            return hexed(word(self.anchored_at) + word(0))
        named = DEPLOYMENT.gateway + keccak256(KEY.public_key().public_bytes_raw())
        if data == RECEIPT_KEY_SINCE + named and call["to"] == DEPLOYMENT.identity:
            return hexed(word(self.key_since))
        if data == RECEIPT_KEY_UNTIL + named and call["to"] == DEPLOYMENT.identity:
            return hexed(word(self.key_until))
        return hexed(word(0) * (2 if data.startswith(ANCHORED_AT) else 1))

    def eth_getTransactionReceipt(self, transaction: str) -> Any:
        if transaction != TRANSACTION:
            return None
        data = self.event_root + word(5) + word(3) + word(6)
        log = self._log([ANCHORED, LOG, word(0)], data)
        return {"status": self.status, "logs": [log]}

    def eth_getLogs(self, wanted: Mapping[str, Any]) -> Any:
        asked = [bytes.fromhex(topic[2:]) for topic in wanted["topics"]]
        if asked != [LOG_OPENED, LOG, self.log_gateway]:
            return []
        return [self._log([*asked, word(1)], self.log_kind.ljust(32, b"\0") + word(2))]

    def eth_getBlockByNumber(self, number: str, full: bool) -> Any:
        return {"hash": hexed(self.block_hash)} if number == hex(AS_OF) else None

    def _log(self, topics: list[bytes], data: bytes) -> dict[str, Any]:
        return {
            "address": DEPLOYMENT.anchor,
            "topics": [hexed(topic) for topic in topics],
            "data": hexed(data),
            "blockNumber": hex(BLOCK),
        }
