"""Checking a study's file: item values a second on one core, beside a bare loop that only hashes the same lines; and
what the check takes of memory as the file grows.

The file is made here, form after form, as a gateway would tell it: one actor, subjects of twenty forms each, forms of
fifty items, roots of data, anchors in batches. Each figure is of a process of its own, by its own CPU time.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO

from coincurve import PrivateKey

from anchoring.chain.trials import next_head, study_id
from anchoring.merkle import MerkleTree, hash_leaf, keccak256
from anchoring.verifier.study import signed
from anchoring.verifier.study.acts import read_act
from gateway import jsontext
from gateway.trials import acts
from gateway.trials.links import digest_of, leaf_values

ITEMS = 50
FORMS = 20
"""Of a subject."""
BATCH = 1_024
ROOT = 20_000
"""Entries under a root of data."""
KEY = PrivateKey(b"\x42" * 32)
ACTOR = b"\x41" * 32
SALT, GATEWAY = b"\x43" * 32, b"\x44" * 32
STUDY = study_id(ACTOR, SALT)
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CHAIN_ID = 20_264
AT = 1_790_000_000
LEAF = ("bytes32", "uint32", "bytes32", "bytes32")


class Making:
    """Writes a file of so many item values."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._number = 0
        self._entry = bytes(32)
        self._leaves: list[bytes] = []
        self._batch: list[tuple[dict[str, Any], bytes, list[dict[str, Any]]]] = []
        self._head = bytes(32)
        self._recorded = 0
        self._domain = signed.domain_of(CHAIN_ID, bytes.fromhex(CONTRACT[2:]))

    def line(self, name: str, members: dict[str, Any]) -> None:
        octets = jsontext.dumps({"line": name, **members}) + b"\n"
        self._hash.update(octets)
        self._file.write(octets)

    def act(self, tag: str, shown: Sequence[dict[str, Any]] = (), **members: Any) -> None:
        tree = {"act": tag, "study": STUDY.hex(), "by": ACTOR.hex(), "at": AT, "salt": SALT.hex(), **members}
        act = acts.read_act(tree)
        done = acts.Done(act=act)
        if isinstance(act, acts.SIGNED):
            read = read_act(acts.octets_of(done))
            digest = signed.digest_of(read, domain=self._domain, gateway=GATEWAY)
            found = KEY.sign_recoverable(digest, hasher=None)
            done = acts.Done(act=act, signature=found[:64] + bytes([27 + found[64]]))
        text = acts.octets_of(done)
        sha256, previous = digest_of(text), self._entry
        leaf = hash_leaf(LEAF, leaf_values(STUDY, self._number, sha256, previous))
        entry = {
            "number": self._number,
            "kind": acts.KINDS[type(act)].name,
            "sha256": "0x" + sha256.hex(),
            "previous": "0x" + previous.hex(),
            "text": text.decode(),
        }
        self._batch.append((entry, leaf, [{"entry": self._number, **form} for form in shown]))
        self._leaves.append(leaf)
        self._number, self._entry = self._number + 1, sha256
        if len(self._batch) == BATCH:
            self.flush()
        if tag != "record-data" and len(self._leaves) >= ROOT:
            self.record()

    def record(self) -> None:
        """A root of data over all entries that have none."""
        root, count = MerkleTree(self._leaves).root, len(self._leaves)
        self._leaves.clear()
        self.act("record-data", first=self._recorded, count=count, root=root.hex())
        self._recorded += count
        self._head = next_head(self._head, root, count)

    def flush(self) -> None:
        tree = MerkleTree([leaf for _, leaf, _ in self._batch])
        for entry, leaf, forms in self._batch:
            path = ["0x" + node.hex() for node in tree.path(leaf)]
            zeros = "0x" + bytes(32).hex()
            anchor = {"log": zeros, "path": path, "root": "0x" + tree.root.hex()}
            self.line("entry", {**entry, "anchor": {**anchor, "blockNumber": 1, "transactionHash": zeros}})
            for form in forms:
                self.line("form", form)
        self._batch.clear()

    def write(self, values: int) -> None:
        contracts = dict.fromkeys(("identity", "anchor", "trial"), CONTRACT)
        zeros = "0x" + bytes(32).hex()
        deployment = {
            "chainId": CHAIN_ID,
            "genesis": zeros,
            "gateway": "0x" + GATEWAY.hex(),
            "contracts": contracts,
            "codes": dict.fromkeys(contracts, zeros),
        }
        header = {"format": "consentry-study/1", "study": "0x" + STUDY.hex(), "deployment": deployment}
        self.line("header", {**header, "madeAt": AT, "madeBy": "0x" + ACTOR.hex()})
        address = keccak256(KEY.public_key.format(compressed=False)[1:])[12:]
        self.line("signer", {"actor": "0x" + ACTOR.hex(), "keys": ["0x" + address.hex()]})
        self._begin()
        for number in range(-(-values // ITEMS)):
            if number % FORMS == 0:
                self._enrol(number // FORMS)
            self._capture(number)
        self.act("freeze", frozen=True, seq=1, reason="Cleaning.")
        self.record()
        self.act("lock", head=self._head.hex(), records=self._recorded, assigned=0, seq=2)
        self.flush()
        last = {"entries": self._number, "head": "0x" + self._entry.hex()}
        self.line("end", {**last, "sha256": "0x" + self._hash.hexdigest()})

    def _begin(self) -> None:
        self.act("register", title="Synthetic")
        self.act("protocol", number=1, registration={"title": "Synthetic"})
        self.act("define", number=1, name="d.xml", sha256="00" * 32, document="")
        self.act("terms", number=1, terms="45" * 32, keeps=True)
        self.act("site", site="701", name="City hospital")
        for role in ("INVESTIGATOR", "COORDINATOR"):
            self.act("delegate", actor=ACTOR.hex(), role=role, sites=["701"], until=AT * 2)
        self.act("open", version=1, allocation="00" * 32)

    def _enrol(self, number: int) -> None:
        self.act("enrol", subject=_name(b"subject", number).hex(), key=f"701-{number}", site="701", consent="46" * 32)

    def _capture(self, number: int) -> None:
        content, salt = _content(number), _name(b"salt", number)
        record, version = _name(b"record", number)[:16].hex(), 1
        committed = hashlib.sha256(b"\x01" + salt + content).hexdigest()
        told = {"record": record, "version": version, "digest": "47" * 32, "content": committed}
        place = {"event": "SE.BASE", "form": "F.VS", "formRepeatKey": str(number % FORMS)}
        shown = {"record": "0x" + record, "version": version, "content": content.decode(), "salt": "0x" + salt.hex()}
        self.act(
            "capture",
            [shown],
            subject=_name(b"subject", number // FORMS).hex(),
            definition=1,
            forms=[{**told, **place}],
        )


def _name(what: bytes, number: int) -> bytes:
    return hashlib.sha256(what + number.to_bytes(8, "big")).digest()


def _content(number: int) -> bytes:
    """A form of `ITEMS` items, in the shape of a captured one."""
    items = [
        {"answer": [{"valueInteger": (number * ITEMS + at) % 997}], "linkId": f"IG.VS/I.ITEM{at:02}"}
        for at in range(ITEMS)
    ]
    places = {"study": "S.1", "version": "MDV.1", "event": "SE.BASE", "form": "F.VS", "form-repeat-key": str(number)}
    extension = [{"url": url, "valueString": value} for url, value in places.items()]
    return jsontext.canonical(
        {
            "extension": [{"extension": extension, "url": "urn:consentry:odm:form"}],
            "item": [{"item": items, "linkId": "IG.VS"}],
            "questionnaire": "urn:consentry:odm:S.1:MDV.1:form:F.VS",
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
        }
    )


# ---- measuring


def measure(folder: Path, *, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Of files of so many item values, the largest one last."""
    found: dict[str, Any] = {}
    for values in sizes:
        path = folder / f"study-{values}.ndjson"
        with path.open("wb") as file:
            Making(file).write(values)
        checks, bares = [], []
        for _ in range(rounds):
            bares.append(_in_a_child("hash", path))
            checks.append(_in_a_child("check", path))
        if any(one["values"] < values or one["faults"] for one in checks):
            raise AssertionError("a sound file was not found to be so")
        seconds, bare = median(one["seconds"] for one in checks), median(one["seconds"] for one in bares)
        found[f"{values:,} values"] = {
            "MiB": round(path.stat().st_size / 2**20),
            "values/s of CPU": round(values / seconds),
            "MiB/s of CPU": round(path.stat().st_size / 2**20 / seconds, 1),
            "times a bare hash of the lines": round(seconds / bare, 1),
            "peak MiB": round(max(one["peak"] for one in checks), 1),
        }
        path.unlink()
    return found


def _in_a_child(what: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.study_child", what, str(path)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=1800).stdout)
    return told
