"""Wallet signatures that are not quite: another form, another bit, another curve point. The gateway's verdict is the
contract's, and what is signed has one digest here and there."""

import asyncio
import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from anchoring.chain.abi import CONSENT, IDENTITY, SCOPE_READER, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment, deploy
from anchoring.chain.embedded.process import EmbeddedChainProcess
from anchoring.chain.signer import Signer
from anchoring.merkle import keccak256
from gateway import eip712
from gateway.consent import messages
from gateway.consent.model import NO_END, Effect, Scope, Terms
from gateway.eip712 import HALF_ORDER, recover
from gateway.ids import ActorId, RecordId, SubjectId
from tests.attacks.extent import VERDICTS
from tests.servers.http import rpc

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CHAIN_ID = 20_277
KEY = bytes.fromhex("11" * 32)
DIGEST = keccak256(b"what the patient signed")
CHANCE = random.Random(20_271)


def address_of(key: bytes) -> bytes:
    return keccak256(PrivateKey(key).public_key.format(compressed=False)[1:])[12:]


def signed(digest: bytes = DIGEST, key: bytes = KEY) -> bytes:
    raw = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return raw[:64] + bytes([raw[64] + 27])


SIGNER, SIGNATURE = address_of(KEY), signed()
R, S, V = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:64], "big"), SIGNATURE[64]


def joined(r: bytes | int, s: int, v: int) -> bytes:
    return (r if isinstance(r, bytes) else r.to_bytes(32, "big")) + s.to_bytes(32, "big") + bytes([v])


WRONG_FORMS = {
    "nothing": b"",
    "one octet short": SIGNATURE[:64],
    "one octet long": SIGNATURE + b"\x00",
    "twice": SIGNATURE * 2,
    "compact (EIP-2098)": R + (S | (V - 27) << 255).to_bytes(32, "big"),
    "DER": bytes.fromhex("3045022100") + R + b"\x02\x20" + S.to_bytes(32, "big"),
    "v of 0": joined(R, S, 0),
    "v of 1": joined(R, S, 1),
    "v of 2": joined(R, S, 2),
    "v of 26": joined(R, S, 26),
    "v of 29": joined(R, S, 29),
    "v of 30": joined(R, S, 30),
    "v of 37 (EIP-155)": joined(R, S, 37),
    "v of 255": joined(R, S, 255),
    "high s": joined(R, ORDER - S, 55 - V),
    "high s, same v": joined(R, ORDER - S, V),
    "s just past half": joined(R, HALF_ORDER + 1, V),
    "s of the order": joined(R, ORDER, V),
    "s past the order": joined(R, 2**256 - 1, V),
    "r of zero": joined(0, S, V),
    "s of zero": joined(R, 0, V),
    "r and s of zero": joined(0, 0, V),
    "r of the order": joined(ORDER, S, V),
    "r past the order": joined(2**256 - 1, S, V),
    "all zero": bytes(65),
    "all ones": b"\xff" * 65,
}
ODD = {
    "s of half the order": joined(R, HALF_ORDER, V),
    "s of one": joined(R, 1, V),
    "r of one": joined(1, S, V),
    "the other v": joined(R, S, 55 - V),
    "r and s exchanged": SIGNATURE[32:64] + SIGNATURE[:32] + SIGNATURE[64:],
}


def mutants(count: int) -> Iterator[bytes]:
    """Signatures with one to three bits changed, cut or lengthened now and then."""
    for _ in range(count):
        raw = bytearray(SIGNATURE)
        for _ in range(CHANCE.randint(1, 3)):
            raw[CHANCE.randrange(65)] ^= 1 << CHANCE.randrange(8)
        if CHANCE.random() < 0.1:
            raw = raw[: CHANCE.randrange(65)] if CHANCE.random() < 0.5 else raw + CHANCE.randbytes(CHANCE.randint(1, 3))
        if bytes(raw) != SIGNATURE:
            yield bytes(raw)


def test_a_right_signature_names_its_signer() -> None:
    assert recover(DIGEST, SIGNATURE) == SIGNER


@pytest.mark.parametrize("form", WRONG_FORMS)
def test_a_signature_of_another_form_names_nobody(form: str) -> None:
    assert recover(DIGEST, WRONG_FORMS[form]) is None


@pytest.mark.parametrize("form", ODD)
def test_a_signature_with_odd_numbers_names_somebody_else(form: str) -> None:
    assert recover(DIGEST, ODD[form]) != SIGNER


def test_no_changed_bit_names_the_signer() -> None:
    for at in range(65 * 8):
        raw = bytearray(SIGNATURE)
        raw[at // 8] ^= 1 << at % 8
        assert recover(DIGEST, bytes(raw)) != SIGNER


def test_ten_thousand_mutants_never_name_the_signer() -> None:
    assert [raw.hex() for raw in mutants(10_000) if recover(DIGEST, raw) == SIGNER] == []


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_what_is_no_digest_has_no_signer(size: int) -> None:
    assert recover(bytes(size), SIGNATURE) is None


def test_a_signature_holds_for_its_own_digest_alone() -> None:
    others = [keccak256(number.to_bytes(4, "big")) for number in range(500)]
    assert not any(recover(digest, SIGNATURE) == SIGNER for digest in others)


def strict_der(raw: bytes) -> tuple[int, int] | None:
    """(r, s) of a DER signature in its only form (X.690), each of 1 to 32 octets; None for any other."""
    numbers, at = [], 2
    if len(raw) < 8 or raw[0] != 0x30 or raw[1] != len(raw) - 2 or raw[1] > 127:
        return None
    for _ in range(2):
        if at + 2 > len(raw) or raw[at] != 2:
            return None
        part = raw[at + 2 : at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]
        if not part or part[0] & 0x80 or (len(part) > 1 and part[0] == 0 and not part[1] & 0x80):
            return None
        numbers.append(int.from_bytes(part, "big"))
    return (numbers[0], numbers[1]) if at == len(raw) and max(numbers) < 2**256 else None


def test_wycheproof_vectors_are_judged_as_they_say(shared_data: Path) -> None:
    """Project Wycheproof, ECDSA over secp256k1 as Bitcoin (and EIP-2) has it: s is low."""
    vectors = shared_data / "vectors" / "wycheproof" / "ecdsa_secp256k1_sha256_bitcoin_test.json.gz"
    groups = json.loads(gzip.decompress(vectors.read_bytes()))["testGroups"]
    judged = {"valid": 0, "invalid": 0}
    for group in groups:
        signer = keccak256(bytes.fromhex(group["publicKey"]["uncompressed"])[1:])[12:]
        for test in group["tests"]:
            numbers = strict_der(bytes.fromhex(test["sig"]))
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
            found = numbers is not None and any(recover(digest, joined(*numbers, v)) == signer for v in (27, 28))
            # A nonce point whose x is past the order has v 29 or 30, which Ethereum does not know.
            nameable = test["comment"] != "k*G has a large x-coordinate"
            assert found is (test["result"] == "valid" and nameable), (test["tcId"], test["comment"])
            judged[test["result"]] += 1
    assert min(judged.values()) > 100


@dataclass(frozen=True)
class Registries:
    """The contracts on an embedded chain, asked as anybody would."""

    url: str
    deployment: Deployment

    def ask(self, name: str, address: str, method: str, *values: object) -> Any:
        shape = contract(name).methods[method]
        call = {"to": address, "data": "0x" + shape.encode(*values).hex()}
        return shape.decode(bytes.fromhex(rpc(self.url, "eth_call", call, "latest")[2:]))[0]

    def valid(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        address = self.deployment.identity_registry
        return bool(self.ask(IDENTITY, address, "validSignature", signer, digest, signature))

    def consent(self, method: str, *values: object) -> bytes:
        return bytes(self.ask(CONSENT, self.deployment.consent_registry, method, *values))


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    owner = Signer(b"\x22" * 32, chain_id=CHAIN_ID)
    data = tmp_path_factory.mktemp("chain") / "chain.db"
    process = EmbeddedChainProcess.start(data=data, chain_id=CHAIN_ID, funded=[owner.address])

    async def deployed() -> Deployment:
        client = ChainClient(process.url)
        made = await deploy(
            client,
            owner,
            enrollers=[owner.address],
            consent_types=[messages.CONSENT_TYPE_HASH],
            salt=bytes(32),
            receipt_key=bytes(32),
            recovery_seconds=60,
        )
        await client.close()
        return made

    yield Registries(process.url, asyncio.run(deployed()))
    process.stop()


def test_gateway_and_contract_take_the_right_signature(registries: Registries) -> None:
    assert registries.valid(SIGNER, DIGEST, SIGNATURE)


@pytest.mark.parametrize("form", [*WRONG_FORMS, *ODD])
def test_gateway_and_contract_agree_on_every_odd_form(registries: Registries, form: str) -> None:
    raw = {**WRONG_FORMS, **ODD}[form]
    assert registries.valid(SIGNER, DIGEST, raw) is (recover(DIGEST, raw) == SIGNER)


def test_gateway_and_contract_agree_on_hundreds_of_mutants(registries: Registries) -> None:
    apart = [
        raw.hex()
        for raw in mutants(VERDICTS)
        if registries.valid(SIGNER, DIGEST, raw) is not (recover(DIGEST, raw) == SIGNER)
    ]
    assert apart == []


def test_gateway_and_contract_agree_on_whom_a_mutant_names(registries: Registries) -> None:
    """A mutant is a right signature of somebody: both name the same, and its high-s twin names nobody."""
    for raw in [raw for raw in mutants(60) if recover(DIGEST, raw) is not None][:20]:
        named = recover(DIGEST, raw) or b""
        twin = joined(raw[:32], ORDER - int.from_bytes(raw[32:64], "big"), 55 - raw[64])
        assert registries.valid(named, DIGEST, raw)
        assert not registries.valid(named, DIGEST, twin)
        assert recover(DIGEST, twin) is None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "0x", "0xabcd", "0x" + "11" * 32, "naïve 👩‍⚕️ 健康", "null", "1", "a" * 200]
)
lists = st.lists(texts, max_size=4).map(tuple)
numbers = st.integers(0, NO_END) | st.sampled_from([0, 1, 2**53 - 1, 2**53, 2**53 + 1, 2**63, NO_END])
names = st.binary(min_size=32, max_size=32) | st.sampled_from([bytes(32), b"\x00" * 31 + b"\x01", b"\xff" * 32])


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    scope = Scope(
        grantee=ActorId(draw(names)),
        actions=draw(lists),
        purposes=draw(lists),
        resource_types=draw(lists),
        codes=draw(lists),
        labels=draw(lists),
        authors=tuple(ActorId(name) for name in draw(st.lists(names, max_size=3))),
        records=tuple(RecordId(name[:16]) for name in draw(st.lists(names, max_size=3))),
        data_from=draw(texts),
        data_to=draw(texts),
        data_use=draw(lists),
        context=draw(texts),
        terms_hash=draw(names),
        salt=draw(names),
        statement=draw(texts),
    )
    return Terms(
        subject=SubjectId(draw(names)),
        effect=draw(st.sampled_from(Effect)),
        scope=scope,
        not_before=draw(numbers),
        not_after=draw(numbers),
        epoch=draw(numbers),
    )


def as_tuple(scope: Scope) -> tuple[Any, ...]:
    return tuple(getattr(scope, name) for name in Scope.__slots__)


@settings(max_examples=60, deadline=None)
@given(terms=some_terms())
def test_what_is_signed_has_one_digest_here_and_on_chain(registries: Registries, terms: Terms) -> None:
    domain = eip712.domain(chain_id=CHAIN_ID, contract=registries.deployment.consent_registry)
    hashed = messages.scope_hash(terms.scope, domain)
    assert hashed == bytes(
        registries.ask(SCOPE_READER, registries.deployment.scope_reader, "scopeHashOf", as_tuple(terms.scope))
    )
    given_terms = (
        messages.CONSENT_TYPE_HASH,
        terms.subject,
        int(terms.effect),
        hashed,
        terms.not_before,
        terms.not_after,
        terms.epoch,
    )
    digest = eip712.digest(messages.consent_typed_data(terms, domain))
    assert digest == registries.consent("consentIdOf", given_terms)


def test_the_scope_is_named_in_the_contracts_order() -> None:
    assert [name.replace("_", "").lower() for name in Scope.__slots__] == [
        name.lower() for name, _ in messages.SCOPE_FIELDS
    ]


def test_the_contract_takes_our_type_and_no_other(registries: Registries) -> None:
    address = registries.deployment.consent_registry
    assert registries.ask(CONSENT, address, "isConsentType", messages.CONSENT_TYPE_HASH)
    assert not registries.ask(CONSENT, address, "isConsentType", messages.CONSENT_TYPE_HASH[::-1])
