"""Checks a saved proof file against any RPC endpoint of the chain. This one file needs no gateway and none of its code.

    python -m anchoring.verifier.verify PROOF.json --rpc URL [--deployment KNOWN.json] [--whole]
    python verify.py …                     the same, from a copy; needs Python 3.11 and pycryptodome, nothing else

Exit code 0: all that the file says holds; 1: refused, with the reason; 2: it could not be checked (file, RPC).
A file is refused as a whole for one fault, and for one member that nothing proves. What it holds (all hex is 0x, lower
case; addresses EIP-55), as GraphQL and /.well-known/consentry gave it:

    format      "consentry-proof/1"
    deployment  chainId, genesis, gateway, contracts {identity, consent, anchor}, codes {…: keccak-256 of the code}
    record      id, version, content, contentSalt, cid, anchor {proof}, receipt {payload, signer, signature}
    auditEntry  writer, seq, decision, previous, public, private, subjectToken, receiptDigest, anchor {proof}
    period      log, instance, headBefore, batches [{index, blockNumber, root, manifestDigest, count, head, entries}]

1. Deployment: chain id, genesis block, code at each address, each contract's identity registry; `--deployment` compares
   it with what you know. Without that, compare the addresses that are printed with those the gateway publishes.
2. Record: sha-256(0x01, salt, RFC 8785 form of the content) is in the leaf; leaf, path, root; the root stands in a log
   of this gateway, in that block, by that transaction.
3. Receipt: Ed25519 by a key that the chain registers for this gateway at the block it names, over RFC 8785 text that
   names this record. Given `auditEntry`: that receipt's entry is anchored.
4. Period: batches without a gap between two heads of the log, each root made of the entries given, each entry naming
   the one before it: nothing was left out between. `--whole`: from the log's first batch to its present head.
Source: ARCHITECTURE section 3; OpenZeppelin StandardMerkleTree; RFC 8032, RFC 8785; EIP-55.
"""

import argparse
import base64
import binascii
import hashlib
import http.client
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from Crypto.Hash import keccak
from Crypto.Signature import eddsa

FORMAT: Final = "consentry-proof/1"
RECORD_LEAF: Final = ("bytes16", "uint32", "bytes32", "bytes32", "bytes32")
AUDIT_LEAF: Final = ("bytes32", "uint64", "bytes32")
CONTRACTS: Final = ("identity", "consent", "anchor")
ENTRY: Final = ("writer", "seq", "decision", "previous", "public", "private", "subjectToken", "receiptDigest")
RECEIPT: Final = ("payload", "signer", "signature")
MOST: Final = 64 << 20
SECONDS: Final = 20.0


class Refused(Exception):
    """The file says something that does not hold."""


class Unchecked(Exception):
    """The file cannot be read, or the RPC endpoint gives no answer: nothing is known."""


# ---- words


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def members(value: object, *names: str) -> dict[str, Any]:
    """An object of exactly these members."""
    if not isinstance(value, dict):
        raise Refused(f"no object with {', '.join(names)}")
    if unknown := sorted(value.keys() - set(names)):
        raise Refused(f"nothing proves `{unknown[0]}`: leave it out")
    if missing := [name for name in names if name not in value]:
        raise Refused(f"`{missing[0]}` is missing")
    return value


def octets(value: object, size: int | None = None) -> bytes:
    """0x and lower-case hexadecimal, of `size` octets."""
    digits = value[2:] if isinstance(value, str) and value[:2] == "0x" else "?"
    if len(digits) % 2 or set(digits) - set("0123456789abcdef"):
        raise Refused("not octets: 0x and lower-case hexadecimal digits")
    if size is not None and len(digits) != 2 * size:
        raise Refused(f"{len(digits) // 2} octets where {size} belong")
    return bytes.fromhex(digits)


def integer(value: object) -> int:
    if type(value) is not int or value < 0:
        raise Refused("not a whole number")
    return value


def address(value: object) -> bytes:
    """20 octets, spelled as EIP-55 spells them."""
    raw = octets(value.lower() if isinstance(value, str) else value, 20)
    hashed = keccak256(raw.hex().encode()).hex()
    spelled = "".join(c.upper() if int(h, 16) > 7 else c for c, h in zip(raw.hex(), hashed[:40], strict=True))
    if value != "0x" + spelled:
        raise Refused("an address is not spelled as EIP-55 has it")
    return raw


def listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("not a list")
    return value


def unframed(kind: str, value: str) -> bytes:
    """The octets of a global id of this kind."""
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError) as error:
        raise Refused("not an id of the gateway") from error
    named, _, rest = raw.partition(b":")
    if named != kind.encode() or base64.urlsafe_b64encode(raw).decode().rstrip("=") != value:
        raise Refused(f"not the id of a {kind}")
    return rest


# ---- JSON


def read_json(text: bytes | str) -> Any:
    """Strict: no repeated key, no NaN, no half of a surrogate pair."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise Refused("a key is there twice")
        return dict(pairs)

    def constant(name: str) -> NoReturn:
        raise Refused(f"{name} is no JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {type(error).__name__}") from error
    return value


def canonical(value: Any) -> bytes:
    """RFC 8785: keys by UTF-16 code units, numbers as ECMAScript writes doubles."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(_text(key) + b":" + canonical(value[key]) for key in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value).encode()
    try:
        return _number(float(value)).encode()
    except (OverflowError, ValueError) as error:
        raise Refused("a number too large for exchange") from error


def _text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        raise Refused("a number too large for exchange")
    sign, found, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, found)).rstrip("0")
    if not digits:
        return "0"
    point = len(found) + int(exponent)
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + text


# ---- trees and chains of hashes


def leaf_of(encoding: Sequence[str], values: Sequence[bytes]) -> bytes:
    """keccak-256 twice over abi.encode of `bytesN` (padded right) and `uintN` (padded left), each of its exact size."""
    if len(encoding) != len(values):
        raise Refused("not as many values as types")
    words: list[bytes] = []
    for kind, value in zip(encoding, values, strict=True):
        exact = kind.startswith("bytes")
        if len(value) != (int(kind[5:]) if exact else int(kind[4:]) // 8):
            raise Refused(f"{len(value)} octets for a {kind}")
        words.append(value.ljust(32, b"\0") if exact else value.rjust(32, b"\0"))
    return keccak256(keccak256(b"".join(words)))


def parent(one: bytes, other: bytes) -> bytes:
    return keccak256(min(one, other) + max(one, other))


def follow(leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to."""
    if len(path) > 64:
        raise Refused("a path of more than 64 nodes")
    for sibling in path:
        leaf = parent(leaf, sibling)
    return leaf


def root_of(leaves: Iterable[bytes]) -> bytes:
    """OpenZeppelin's tree over these leaves. No node is kept longer than its parent needs it."""
    nodes = sorted(leaves, reverse=True)
    inner = len(nodes) - 1
    nodes[:0] = [b""] * inner
    for at in range(inner - 1, -1, -1):
        right, left = nodes.pop(), nodes.pop()
        nodes[at] = parent(left, right)
    return nodes[0]


def entry_hash(entry: dict[str, Any]) -> bytes:
    """SHA-256 of a version mark, previous, writer, seq, and each other member after its length."""
    parts = [octets(entry["decision"], 16), *(octets(entry[name]) for name in ("public", "private", "subjectToken"))]
    parts.append(octets(entry["receiptDigest"], 32))
    seq = integer(entry["seq"])
    if not 0 < seq < 1 << 64:
        raise Refused("entries count from 1")
    head = b"consentry.audit.entry/1\0" + octets(entry["previous"], 32) + octets(entry["writer"], 32)
    return hashlib.sha256(
        head + seq.to_bytes(8, "big") + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    ).digest()


# ---- the chain


def topic(signature: str) -> str:
    return "0x" + keccak256(signature.encode()).hex()


ANCHORED: Final = topic("Anchored(bytes32,uint64,bytes32,bytes32,uint64,bytes32)")
LOG_OPENED: Final = topic("LogOpened(bytes32,bytes32,bytes32,bytes32,address)")


class Chain:
    """Reads through one RPC endpoint, of the deployment that a file names."""

    def __init__(self, url: str, deployment: object, contracts: Sequence[str] = CONTRACTS) -> None:
        self._url = url
        self._kept: dict[str, Any] = {}
        found = members(deployment, "chainId", "genesis", "gateway", "contracts", "codes")
        self.chain_id = integer(found["chainId"])
        self.genesis = octets(found["genesis"], 32)
        self.gateway = octets(found["gateway"], 32)
        self.addresses = {name: address(members(found["contracts"], *contracts)[name]) for name in contracts}
        self._codes = {name: octets(members(found["codes"], *contracts)[name], 32) for name in contracts}

    def check_deployment(self) -> None:
        """This chain, and these contracts on it."""
        if int(str(self.ask("eth_chainId")), 16) != self.chain_id:
            raise Refused("the RPC endpoint serves another chain")
        if self.block_hash(0) != self.genesis:
            raise Refused("the chain has another genesis block")
        for name in self.addresses:
            if keccak256(octets(self.ask("eth_getCode", _hex(self.addresses[name]), "latest"))) != self._codes[name]:
                raise Refused(f"other code, or none, at the {name} registry's address")
        for name in self.addresses.keys() - {"identity"}:
            if self.call(name, "identity()")[0] != bytes(12) + self.addresses["identity"]:
                raise Refused(f"the {name} registry asks another identity registry")

    def call(self, contract: str, signature: str, *arguments: bytes) -> list[bytes]:
        data = _hex(keccak256(signature.encode())[:4] + b"".join(arguments))
        answer = octets(self.ask("eth_call", {"to": _hex(self.addresses[contract]), "data": data}, "latest"))
        return [answer[at : at + 32] for at in range(0, len(answer), 32)] or [b""]

    def logs(
        self, *topics: str, first: int = 0, last: int | None = None, contract: str = "anchor"
    ) -> list[dict[str, Any]]:
        wanted = {
            "address": _hex(self.addresses[contract]),
            "topics": list(topics),
            "fromBlock": hex(first),
            "toBlock": "latest" if last is None else hex(last),
        }
        return [dict(log) for log in listed(self.ask("eth_getLogs", wanted))]

    def block_hash(self, number: int) -> bytes:
        block = self.ask("eth_getBlockByNumber", hex(number), False)
        if not isinstance(block, dict):
            raise Refused(f"the chain has no block {number}")
        return octets(block.get("hash"), 32)

    def check_log(self, log: bytes, kind: str, instance: bytes | None = None) -> None:
        """The log is this gateway's, for leaves of this kind, of this instance if named."""
        opened = self.logs(LOG_OPENED, _hex(log), _hex(self.gateway))
        if not any(
            octets(one["data"])[:32] == kind.encode().ljust(32, b"\0")
            and (instance is None or octets(one["topics"][3]) == instance)
            for one in opened
        ):
            raise Refused(f"the log is not this gateway's log of {kind}")

    def check_anchor(self, log: bytes, root: bytes, *, block: int, transaction: bytes) -> None:
        """The root stands in the log at that block, by that transaction."""
        since = int.from_bytes(self.call("anchor", "anchoredAt(bytes32,bytes32)", log, root)[0], "big")
        if not since or since != block:
            raise Refused("the root does not stand in the log at that block")
        found = self.ask("eth_getTransactionReceipt", _hex(transaction))
        logs = listed(found.get("logs")) if isinstance(found, dict) else []
        if not any(
            octets(one["address"], 20) == self.addresses["anchor"]
            and one["topics"][:2] == [ANCHORED, _hex(log)]
            and octets(one["data"])[:32] == root
            and int(one["blockNumber"], 16) == block
            for one in logs
        ):
            raise Refused("the transaction did not anchor this root in that block")

    def ask(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC result. Unchecked where there is none."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        if body.decode() not in self._kept:
            parts = urlsplit(self._url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            try:
                link = kind(parts.netloc, timeout=SECONDS)
                link.request("POST", parts.path or "/", body, {"content-type": "application/json"})
                answer = json.loads(link.getresponse().read(MOST))
                link.close()
            except (http.client.HTTPException, OSError, ValueError) as error:
                raise Unchecked(f"the RPC endpoint does not answer ({type(error).__name__})") from error
            if not isinstance(answer, dict) or "result" not in answer:
                raise Unchecked(f"the RPC endpoint refuses {method}")
            self._kept[body.decode()] = answer["result"]
        return self._kept[body.decode()]


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


# ---- what a file says


def check_proof(anchor: object, chain: Chain, *, kind: str, encoding: Sequence[str]) -> list[bytes]:
    """The leaf's values, once path, root, log, block and transaction hold."""
    names = ("log", "leafEncoding", "leafValues", "path", "root", "chainId", "contract", "transactionHash")
    proof = members(members(anchor, "proof")["proof"], *names, "blockNumber")
    if tuple(listed(proof["leafEncoding"])) != tuple(encoding):
        raise Refused(f"not a leaf of {kind}")
    values = [octets(value) for value in listed(proof["leafValues"])]
    log, root = octets(proof["log"], 32), octets(proof["root"], 32)
    if follow(leaf_of(encoding, values), [octets(node, 32) for node in listed(proof["path"])]) != root:
        raise Refused("the path does not lead from the leaf to the root")
    if integer(proof["chainId"]) != chain.chain_id or address(proof["contract"]) != chain.addresses["anchor"]:
        raise Refused("the proof names another chain or contract")
    chain.check_log(log, kind)
    block, transaction = integer(proof["blockNumber"]), octets(proof["transactionHash"], 32)
    chain.check_anchor(log, root, block=block, transaction=transaction)
    return values


def check_record(record: object, chain: Chain) -> dict[str, Any]:
    """Content, leaf, path, root, chain; then the receipt, whose text is returned."""
    found = members(record, "id", "version", "content", "contentSalt", "cid", "anchor", "receipt")
    values = check_proof(found["anchor"], chain, kind="records", encoding=RECORD_LEAF)
    salt = octets(found["contentSalt"], 32)
    if hashlib.sha256(b"\x01" + salt + canonical(found["content"])).digest() != values[3]:
        raise Refused("the content is not what was anchored")
    if unframed("Record", str(found["id"])) != values[0] or integer(found["version"]) != int.from_bytes(values[1]):
        raise Refused("another record or version than the anchored one")
    cid = str(found["cid"])
    named = {"b" + base64.b32encode(bytes((1, codec, 18, 32)) + values[2]).decode().lower() for codec in (0x55, 0x70)}
    if cid not in {one.rstrip("=") for one in named}:
        raise Refused("the CID is not the anchored one")
    said = check_receipt(found["receipt"], chain)
    for name, value in (
        ("record", _hex(values[0])),
        ("version", int.from_bytes(values[1])),
        ("cid", cid),
        ("contentCommitment", _hex(values[3])),
        ("factsCommitment", _hex(values[4])),
    ):
        if said.get(name) != value:
            raise Refused(f"the receipt's {name} is not this record's")
    return said


def check_receipt(receipt: object, chain: Chain) -> dict[str, Any]:
    """Signed by a receipt key of this gateway, for this chain, at a block that it has. Returns what it says."""
    found = members(receipt, *RECEIPT)
    payload, signer = str(found["payload"]), octets(found["signer"], 32)
    try:
        eddsa.new(eddsa.import_public_key(signer), "rfc8032").verify(payload.encode(), octets(found["signature"], 64))
    except ValueError as error:
        raise Refused("the receipt's signature does not hold") from error
    said = read_json(payload)
    if not isinstance(said, dict) or canonical(said) != payload.encode():
        raise Refused("the receipt's text is not in RFC 8785 form")
    registry = str(said.get("registry")).lower()
    if (said.get("chainId"), said.get("gateway")) != (chain.chain_id, _hex(chain.gateway)):
        raise Refused("the receipt is of another chain or gateway")
    if registry != _hex(chain.addresses["consent"]):
        raise Refused("the receipt is of another consent registry")
    block, key = integer(said.get("asOfBlock")), keccak256(signer)
    since, until = (
        int.from_bytes(chain.call("identity", f"receiptKey{end}(bytes32,bytes32)", chain.gateway, key)[0], "big")
        for end in ("Since", "Until")
    )
    if not since or block < since or (until and block > until):
        raise Refused("the chain does not register the receipt's signer for this gateway at that block")
    if octets(said.get("blockHash"), 32) != chain.block_hash(block):
        raise Refused("the receipt names a block that the chain does not have")
    return said


def check_entry(entry: object, chain: Chain, said: dict[str, Any], payload: str) -> None:
    """The anchored audit entry of a receipt."""
    found = members(entry, *ENTRY, "anchor")
    values = check_proof(found["anchor"], chain, kind="audit", encoding=AUDIT_LEAF)
    hashed = entry_hash(found)
    if values != [octets(found["writer"], 32), integer(found["seq"]).to_bytes(8, "big"), hashed]:
        raise Refused("the audit entry is not what was anchored")
    if octets(found["receiptDigest"]) != hashlib.sha256(payload.encode()).digest():
        raise Refused("the audit entry is of another receipt")
    if (said.get("writer"), said.get("writerSeq"), said.get("decision")) != (
        found["writer"],
        found["seq"],
        found["decision"],
    ):
        raise Refused("the audit entry is of another decision")


def check_period(period: object, chain: Chain, *, whole: bool) -> str:
    """Nothing was left out between two heads of a log. Returns what that covers, in words."""
    found = members(period, "log", "instance", "headBefore", "batches")
    log, instance = octets(found["log"], 32), octets(found["instance"], 32)
    if keccak256(chain.gateway + instance + b"audit".ljust(32, b"\0")) != log:
        raise Refused("the log is not that of this gateway's instance")
    chain.check_log(log, "audit", instance)
    names = ("index", "blockNumber", "root", "manifestDigest", "count", "head", "entries")
    batches = [members(one, *names) for one in listed(found["batches"])]
    if not batches:
        raise Refused("a period of no batch")
    entries, head, words = [], octets(found["headBefore"], 32), []
    for batch in batches:
        inside = [members(one, *ENTRY) for one in listed(batch["entries"])]
        head = _check_batch(batch, inside, head)
        entries += inside
        body = b"".join((octets(batch["root"]), octets(batch["manifestDigest"]), word(len(inside)), head))
        words.append((integer(batch["blockNumber"]), integer(batch["index"]), body))
    first, last = words[0][1], words[-1][1]
    events = chain.logs(ANCHORED, _hex(log), first=words[0][0], last=words[-1][0])
    told = [(int(one["blockNumber"], 16), int(one["topics"][2], 16), octets(one["data"])) for one in events]
    if [one for one in told if first <= one[1] <= last] != words or [one[1] for one in words] != [
        *range(first, last + 1)
    ]:
        raise Refused("the batches are not those that the chain has, one after the other")
    check_lineage(entries, from_start=first == 0)
    stands = int.from_bytes(chain.call("anchor", "logState(bytes32)", log)[1], "big")
    if whole and (first != 0 or last != stands - 1):
        raise Refused(f"batches {first} to {last} of {stands}: not the whole log")
    return f"{len(entries)} entries in batches {first} to {last} of {stands}, nothing left out between"


def _check_batch(batch: dict[str, Any], entries: list[dict[str, Any]], head: bytes) -> bytes:
    """The log's head after it."""
    if not entries or integer(batch["count"]) != len(entries):
        raise Refused("a batch has not as many entries as it says")
    leaves = [
        leaf_of(AUDIT_LEAF, (octets(one["writer"]), integer(one["seq"]).to_bytes(8, "big"), entry_hash(one)))
        for one in entries
    ]
    root = octets(batch["root"], 32)
    if root_of(leaves) != root:
        raise Refused("a batch's entries are not those that were anchored")
    folded = keccak256(head + root + octets(batch["manifestDigest"], 32) + word(len(entries)))
    if folded != octets(batch["head"], 32):
        raise Refused("a batch does not follow the head before it")
    return folded


def check_lineage(entries: Sequence[dict[str, Any]], *, from_start: bool) -> None:
    """One chain of hashes: each entry names the one before it, each writer counts up by one, and only one begins."""
    by_hash = {entry_hash(entry): entry for entry in entries}
    begins = [one for one in by_hash.values() if octets(one["previous"]) not in by_hash]
    if len(by_hash) != len(entries) or len({one["previous"] for one in entries}) != len(entries) or len(begins) != 1:
        raise Refused("the entries are no single chain: one is missing, doubled or changed")
    if from_start and (octets(begins[0]["previous"]) != bytes(32) or begins[0]["seq"] != 1):
        raise Refused("the log does not begin with its first entry")
    for entry in entries:
        before = by_hash.get(octets(entry["previous"]))
        same = before is not None and before["writer"] == entry["writer"]
        expected = before["seq"] + 1 if before is not None and same else 1
        if before is not None and entry["seq"] != expected:
            raise Refused("an entry's number does not follow the one before it")


def check_file(file: object, rpc: str, *, known: object = None, whole: bool = False) -> list[str]:
    """What holds, a line each. Raises Refused, Unchecked."""
    if not isinstance(file, dict):
        raise Refused("no object")
    parts = [name for name in ("record", "auditEntry", "period") if name in file]
    members(file, "format", "deployment", *parts)
    if file["format"] != FORMAT or not parts or parts == ["auditEntry"]:
        raise Refused(f"not a file of {FORMAT} with a record or a period")
    if known is not None and known != file["deployment"]:
        raise Refused("the file names another deployment than the one that you know")
    chain = Chain(rpc, file["deployment"])
    chain.check_deployment()
    holds = [f"deployment: chain {chain.chain_id}, " + ", ".join(f"{n} {_hex(a)}" for n, a in chain.addresses.items())]
    if "record" in file:
        said = check_record(file["record"], chain)
        holds.append(f"record: {said['record']} version {said['version']} is what was anchored")
        holds.append(f"receipt: {said.get('purpose')} for actor {said.get('actor')} at block {said['asOfBlock']}")
        if "auditEntry" in file:
            check_entry(file["auditEntry"], chain, said, file["record"]["receipt"]["payload"])
            holds.append(f"audit entry: {said['writerSeq']} of writer {said['writer']} is anchored")
    if "period" in file:
        holds.append("period: " + check_period(file["period"], chain, whole=whole))
    return holds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n\n")[0])
    parser.add_argument("file", help="the proof file")
    parser.add_argument("--rpc", required=True, help="any JSON-RPC endpoint of the chain")
    parser.add_argument("--deployment", help="a JSON file of the `deployment` that you know to be the gateway's")
    parser.add_argument("--whole", action="store_true", help="a period must reach from the log's start to its head")
    given = parser.parse_args(arguments)
    try:
        known = None if given.deployment is None else read_json(Path(given.deployment).read_bytes())
        holds = check_file(read_json(Path(given.file).read_bytes()), given.rpc, known=known, whole=given.whole)
    except Refused as error:
        sys.stderr.write(f"REFUSED: {error}\n")
        return 1
    except (Unchecked, OSError) as error:
        sys.stderr.write(f"NOT CHECKED: {error}\n")
        return 2
    sys.stdout.write("\n".join([*holds, "ALL HOLDS"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
