"""What reads octets that anybody may have written: each gives a value or a refusal of its own kind, and nothing else.

`python -m tests.fuzz.parsers car -runs=1000000` runs one of them under atheris (`.ci/fuzz` installs it); what it finds
is an exception of another kind, or a hang (`-timeout`). Without atheris `tests/fuzz/test_parsers.py` changes the seeds
a few thousand times.
"""

import io
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchoring.verifier import verify
from gateway import eip712, jsontext
from gateway.consent import messages, rules
from gateway.consent.model import Action as ConsentAction
from gateway.consent.model import ConsentInput, Effect, Purpose
from gateway.errors import ConsentryError
from gateway.ids import ActorId, SubjectId
from gateway.records import fhir
from gateway.storage.car import CarLimits, CarReader, encode_header, encode_section
from gateway.storage.dag import build
from gateway.storage.dagpb import decode_node
from gateway.storage.model import Block, Cid
from gateway.web.ranges import UnsatisfiableError, parse_range
from tests.journeys.resources import bundle, condition, observation

LONGEST: Final = 4_096
_DOMAIN: Final = eip712.domain(chain_id=31_337, contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
_CAR: Final = CarLimits(header=1 << 16, block=1 << 16, total=1 << 20, count=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """`refuses`: what it may raise. `seeds`: what it takes, to begin from."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]


def _read_car(data: bytes) -> None:
    reader = CarReader(io.BytesIO(data), limits=_CAR)
    for _ in reader.blocks():
        pass


def _read_typed_data(data: bytes) -> None:
    """By each kind in turn: every text goes through all of them."""
    value: Any = jsontext.loads(data)
    if not isinstance(value, dict):
        return
    readers: tuple[Callable[[Mapping[str, Any], Mapping[str, Any]], object], ...] = (
        messages.read_consent,
        messages.read_revocation,
        messages.read_revoke_all,
        messages.read_erasure,
        messages.read_credential,
        messages.read_delegation,
        messages.read_delegation_end,
    )
    for reader in readers:
        try:
            reader(value, _DOMAIN)
        except ConsentryError:
            continue


def _read_fhir(data: bytes) -> None:
    value = jsontext.loads(data)
    for reader in (fhir.read_facts, fhir.bundle_resources):
        try:
            reader(value)
        except ConsentryError:
            continue


class _MuteChain(verify.Chain):
    """A chain whose node answers nothing: what a file says of itself is checked first."""

    def ask(self, method: str, *parameters: Any) -> Any:
        raise verify.Unchecked("mute")


def _read_proof(data: bytes) -> None:
    file = verify.read_json(data)
    chain = _MuteChain("http://127.0.0.1:1", _DEPLOYMENT)
    if not isinstance(file, dict):
        return
    for name, check in (("record", verify.check_record), ("period", _check_period)):
        if name in file:
            check(file[name], chain)


def _check_period(period: object, chain: verify.Chain) -> None:
    verify.check_period(period, chain, whole=True)


_CONTRACTS: Final = ("identity", "consent", "anchor", "emergency")
_DEPLOYMENT: Final = {
    "chainId": 31_337,
    "genesis": "0x" + "11" * 32,
    "gateway": "0x" + "22" * 32,
    "contracts": {
        name: "0x" + f"{at:02x}" * 20 for at, name in enumerate(("identity", "consent", "anchor", "emergency"))
    },
    "codes": {name: "0x" + f"{at:02x}" * 32 for at, name in enumerate(("identity", "consent", "anchor", "emergency"))},
}


def _car_seed() -> bytes:
    blocks = [Block(Cid.of(data), data) for data in (b"one", b"", b"x" * 200)]
    return encode_header([blocks[0].cid]) + b"".join(encode_section(block) for block in blocks)


def _dag_seed() -> bytes:
    _, blocks = build([b"a" * (1 << 20), b"b" * (1 << 20), b"c"])
    return max((block.data for block in blocks), key=lambda data: data[:1] == b"\x12")


def _consent_seed() -> bytes:
    wanted = ConsentInput(
        subject=SubjectId(b"\x01" * 32),
        effect=Effect.DENY,
        grantee=ActorId(b"\x02" * 32),
        actions=tuple(ConsentAction),
        purposes=tuple(Purpose),
        resource_types=("Observation",),
        codes=("http://loinc.org|8480-6",),
        authors=(ActorId(b"\x03" * 32),),
        records=(),
        labels=("HIV",),
        data_from=None,
        data_to=None,
        data_use=("DUO:0000042",),
        not_before=None,
        not_after=None,
        terms_hash=b"\x04" * 32,
    )
    terms = rules.draft_terms(wanted, epoch=3, now=1_700_000_000, salt=bytes(32), grantee_name="Dr Ada")
    return jsontext.dumps(messages.consent_typed_data(terms, _DOMAIN))


def _proof_seed() -> bytes:
    zero = "0x" + "00" * 32
    proof = {
        "log": zero, "leafEncoding": list(verify.RECORD_LEAF), "path": [zero], "root": zero, "chainId": 31_337,
        "leafValues": ["0x" + "00" * 16, "0x00000001", zero, zero, zero], "contract": "0x" + "02" * 20,
        "transactionHash": zero, "blockNumber": 7,
    }  # fmt: skip
    record = {
        "id": "UmVjb3JkOg", "version": 1, "content": {"resourceType": "Basic"}, "contentSalt": zero, "cid": "bafk",
        "anchor": {"proof": proof}, "receipt": dict.fromkeys(verify.RECEIPT, ""),
    }  # fmt: skip
    return json.dumps({"format": verify.FORMAT, "record": record}).encode()


PARSERS: Final[Mapping[str, Parser]] = {
    "car": Parser(read=_read_car, refuses=(ConsentryError,), seeds=(_car_seed(),)),
    "dag": Parser(read=lambda data: decode_node(data, links_max=174), refuses=(ConsentryError,), seeds=(_dag_seed(),)),
    "typed_data": Parser(read=_read_typed_data, refuses=(ConsentryError,), seeds=(_consent_seed(),)),
    "fhir": Parser(
        read=_read_fhir,
        refuses=(ConsentryError,),
        seeds=tuple(map(jsontext.dumps, (observation(), condition(), bundle(observation())))),
    ),
    "proof": Parser(read=_read_proof, refuses=(verify.Refused, verify.Unchecked), seeds=(_proof_seed(),)),
    "range": Parser(
        read=lambda data: parse_range(data, 1_000),
        refuses=(UnsatisfiableError,),
        seeds=(b"bytes=0-499", b"bytes=-5", b"bytes=9-", b"bytes=0-1,5-6"),
    ),
}


def attempt(parser: Parser, data: bytes) -> None:
    """Raises what is not a refusal of the parser's own."""
    try:
        parser.read(data[:LONGEST])
    except parser.refuses:
        return


def main() -> None:
    """`NAME [options of libFuzzer]`, or `--seeds NAME FOLDER`, which writes what to begin from."""
    if sys.argv[1] == "--seeds":
        for number, seed in enumerate(PARSERS[sys.argv[2]].seeds):
            (Path(sys.argv[3]) / f"seed-{number}").write_bytes(seed)
        return
    import atheris

    name, *options = sys.argv[1:]
    parser = PARSERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atheris.instrument_all()
    atheris.Setup([sys.argv[0], *options], lambda data: attempt(parser, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
