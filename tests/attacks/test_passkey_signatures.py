"""P-256 and passkey signatures that are not quite. The gateway judges without the chain, and exactly as the contracts
do: by OpenZeppelin's verifiers on every chain that we run on."""

import asyncio
import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from anchoring.chain.abi import IDENTITY, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment, deploy
from anchoring.chain.embedded.process import EmbeddedChainProcess
from anchoring.chain.signer import Signer
from anchoring.merkle import keccak256
from gateway import erc7913
from gateway.erc7913 import HALF_ORDER, ORDER, PRIME, Assertion, Verifiers, judge
from tests.attacks.extent import VERDICTS
from tests.journeys.keys import P256Key, SoftPasskey
from tests.servers.chain import Chain
from tests.servers.http import rpc

CHAIN_ID = 20_278
OWNER = b"\x23" * 32
DIGEST = keccak256(b"what the patient signed with a passkey")
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "p256" / "verify.json.gz"
HERE = Verifiers(p256=b"\x01" * 20, webauthn=b"\x02" * 20)
SECRET = 20_272
EDGE = 2**256


def plain() -> P256Key:
    return P256Key(HERE.p256, secret=SECRET)


def passkey() -> SoftPasskey:
    return SoftPasskey(HERE.webauthn, secret=SECRET)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def numbers(raw: bytes) -> tuple[int, int]:
    return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")


def wrapped_type() -> Assertion:
    """A text of 34 octets that begins within the member's name; the octet before it, its length, is the quote."""
    client = b'type":"webauthn.get"' + b" " * 14
    padded = b'type":"webauthn.get","challenge":"' + passkey().client_data(DIGEST)[36:79] + b'"}'
    client = padded + b" " * ((34 - len(padded)) % 256)
    assert len(client) % 256 == 0x22
    return passkey().assertion(
        client, passkey().authenticator_data(), type_index=EDGE - 1, challenge_index=client.find(b'"challenge"')
    )


def with_numbers(change: Callable[[int, int], tuple[int, int]]) -> bytes:
    r, s = change(*numbers(plain().raw(DIGEST)))
    return word(r % EDGE) + word(s % EDGE)


P256_FORMS: dict[str, bytes] = {
    "right": plain().raw(DIGEST),
    "with an octet more": plain().raw(DIGEST) + b"\x1b",
    "with many octets more": plain().raw(DIGEST) + b"\xaa" * 500,
    "an octet short": plain().raw(DIGEST)[:63],
    "nothing": b"",
    "high s": with_numbers(lambda r, s: (r, ORDER - s)),
    "s of half the order": with_numbers(lambda r, s: (r, HALF_ORDER)),
    "s just past half": with_numbers(lambda r, s: (r, HALF_ORDER + 1)),
    "s of zero": with_numbers(lambda r, s: (r, 0)),
    "r of zero": with_numbers(lambda r, s: (0, s)),
    "r and s of zero": bytes(64),
    "r of the order": with_numbers(lambda r, s: (ORDER, s)),
    "r plus the order": with_numbers(lambda r, s: (r + ORDER, s)),
    "s plus the order": with_numbers(lambda r, s: (r, s + ORDER)),
    "all ones": b"\xff" * 64,
    "r and s exchanged": with_numbers(lambda r, s: (s, r)),
    "a signature of another digest": plain().raw(DIGEST[::-1]),
    "a passkey's": passkey().sign_digest(DIGEST),
}


def bent(**changes: Any) -> Assertion:
    right = passkey().assertion(passkey().client_data(DIGEST), passkey().authenticator_data())
    return replace(right, **changes)


def signed_over(client: bytes | None = None, data: bytes | None = None, **indices: int) -> Assertion:
    """A right signature over another text or other authenticator data."""
    key = passkey()
    return key.assertion(
        key.client_data(DIGEST) if client is None else client,
        key.authenticator_data() if data is None else data,
        **indices,
    )


CLIENT = passkey().client_data(DIGEST)
R, S = bent().r, bent().s
ASSERTIONS: dict[str, Assertion] = {
    "right": bent(),
    "high s": bent(s=ORDER - S),
    "r of zero": bent(r=0),
    "s of zero": bent(s=0),
    "r past the order": bent(r=R + ORDER if R + ORDER < EDGE else EDGE - 1),
    "the challenge an octet on": bent(challenge_index=bent().challenge_index + 1),
    "the challenge an octet before": bent(challenge_index=bent().challenge_index - 1),
    "the challenge past the end": bent(challenge_index=len(CLIENT)),
    "the challenge at the end of numbers": bent(challenge_index=EDGE - 1),
    "the type an octet on": bent(type_index=2),
    "the type an octet before": bent(type_index=0),
    "the type past the end": bent(type_index=len(CLIENT)),
    "the type at the end of numbers": bent(type_index=EDGE - 1),
    "the type where it wraps to the text": bent(type_index=EDGE - 31),
    "a length that reads as a quote": wrapped_type(),
    "a registration": signed_over(CLIENT.replace(b"webauthn.get", b"webauthn.create")),
    "another type": signed_over(CLIENT.replace(b"webauthn.get", b"webauthn.got")),
    "spaces in the text": signed_over(CLIENT.replace(b'":"', b'": "')),
    "another challenge": signed_over(passkey().client_data(DIGEST[::-1])),
    "a padded challenge": signed_over(passkey().client_data(DIGEST).replace(b'","origin', b'=","origin')),
    "a challenge with an octet more": signed_over(passkey().client_data(DIGEST + b"\0")),
    "a challenge cut short": signed_over(passkey().client_data(DIGEST[:31])),
    "an empty text": signed_over(b"", challenge_index=0, type_index=0),
    "a text cut after the challenge": signed_over(CLIENT[: CLIENT.find(b',"origin')]),
    "a text cut within the challenge": signed_over(CLIENT[: CLIENT.find(b',"origin') - 1]),
    "the type twice": signed_over(b'{"type":"webauthn.create",' + CLIENT[1:], type_index=26),
    "the challenge twice": signed_over(b'{"challenge":"x",' + CLIENT[1:], challenge_index=40),
    "text that is no UTF-8": signed_over(CLIENT[:-1] + b',"\xff\xfe":0}'),
    "another origin": signed_over(CLIENT.replace(b"https://localhost", b"https://elsewhere")),
    "authenticator data an octet short": signed_over(data=passkey().authenticator_data()[:36]),
    "authenticator data with extensions": signed_over(data=passkey().authenticator_data() + b"\xa0" * 60),
    "no authenticator data": signed_over(data=b""),
    "other authenticator data than was signed": bent(authenticator_data=passkey().authenticator_data(0x1D)),
    **{f"flags {flags:#04x}": signed_over(data=passkey().authenticator_data(flags)) for flags in range(32)},
    "every flag": signed_over(data=passkey().authenticator_data(0xFF)),
}


def encodings() -> dict[str, bytes]:
    """ABI forms of one right assertion, and forms that are none."""
    raw = erc7913.encode(bent())
    at_data, at_client = int.from_bytes(raw[128:160], "big"), int.from_bytes(raw[160:192], "big")
    head = raw[:128]

    def placed(data: int, client: int, rest: bytes = raw[192:]) -> bytes:
        return head + word(data % EDGE) + word(client % EDGE) + rest

    data_part, client_part = raw[at_data:at_client], raw[at_client:]
    return {
        "plain": raw,
        "octets after it": raw + b"\x11" * 77,
        "the padding cut off": raw[: at_client + 32 + len(CLIENT)],
        "the text an octet short": raw[: at_client + 31 + len(CLIENT)],
        "the text before the data": placed(192 + len(client_part), 192, client_part + data_part),
        "a gap of an odd number of octets": placed(at_data + 7, at_client + 7, b"\x99" * 7 + raw[192:]),
        "the two exchanged": placed(at_client, at_data),
        "both the same": placed(at_client, at_client),
        "an offset into the head": placed(0, at_client),
        "an offset at the end": placed(len(raw), at_client),
        "an offset a word before the end": placed(len(raw) - 32, at_client),
        "an offset far past the end": placed(EDGE - 1, at_client),
        "a text offset far past the end": placed(at_data, EDGE - 32),
        "a length far past the end": placed(at_data, at_client, data_part + word(EDGE - 1) + client_part[32:]),
        "a length of 2^64": placed(at_data, at_client, data_part + word(2**64) + client_part[32:]),
        "a length an octet more": placed(at_data, at_client, data_part + word(len(CLIENT) + 1) + client_part[32:]),
        "an octet short of a head": raw[:191],
        "a bare head": raw[:192],
        "nothing": b"",
        "r and s alone": raw[:64],
        "wrapped as a struct of its own": word(32) + raw,
    }


def mutants(right: bytes, count: int, seed: int) -> Iterator[bytes]:
    """One to three bits changed; cut or lengthened now and then."""
    chance = random.Random(seed)
    for _ in range(count):
        raw = bytearray(right)
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.15:
            cut = chance.randrange(len(raw))
            raw = raw[:cut] if chance.random() < 0.7 else raw + chance.randbytes(chance.randint(1, 40))
        yield bytes(raw)


# ---- here alone


def test_right_signatures_are_taken_without_a_chain() -> None:
    assert judge(plain().octets, DIGEST, plain().sign_digest(DIGEST), HERE) is True
    assert judge(passkey().octets, DIGEST, passkey().sign_digest(DIGEST), HERE) is True


def test_what_only_the_chain_can_judge_is_left_to_it() -> None:
    assert judge(b"\x07" * 20 + plain().key, DIGEST, plain().sign_digest(DIGEST), HERE) is None
    assert judge(b"\x07" * 20, DIGEST, bytes(65), HERE) is None


@pytest.mark.parametrize("signer", [b"", b"\x01" * 19, HERE.p256 + b"\x01" * 1005])
def test_what_is_no_signer_has_signed_nothing(signer: bytes) -> None:
    assert judge(signer, DIGEST, plain().sign_digest(DIGEST), HERE) is False


def test_a_signature_holds_for_its_own_digest_and_key_alone() -> None:
    others = [keccak256(number.to_bytes(4, "big")) for number in range(200)]
    right = plain().sign_digest(DIGEST)
    assert not any(judge(plain().octets, digest, right, HERE) for digest in others)
    assert not any(judge(P256Key(HERE.p256, secret=key).octets, DIGEST, right, HERE) for key in range(1, 100))


def test_ten_thousand_mutants_of_a_passkeys_signature_are_no_signature() -> None:
    """But for octets that the decoder never reads: padding, and what comes after."""
    right = passkey().sign_digest(DIGEST)
    for raw in mutants(right, 10_000, seed=1):
        if judge(passkey().octets, DIGEST, raw, HERE):
            assert erc7913.decode(raw) == erc7913.decode(right)


def test_vectors_of_wycheproof_and_eip_7951_are_judged_as_they_say() -> None:
    """The precompile that they were made for takes a high s, which OpenZeppelin's P256 refuses."""
    judged = {True: 0, False: 0}
    for vector in json.loads(gzip.decompress(VECTORS.read_bytes())):
        raw = bytes.fromhex(vector["input"])
        found = erc7913.verify_p256(raw[96:160], raw[:32], raw[32:96])
        low = int.from_bytes(raw[64:96], "big") <= HALF_ORDER
        assert found is (vector["valid"] and low), vector["name"]
        judged[found] += 1
    assert min(judged.values()) > 100


# ---- gateway and contract


@dataclass(frozen=True)
class Judge:
    """The contracts on a chain, asked as anybody would."""

    url: str
    deployment: Deployment

    @property
    def verifiers(self) -> Verifiers:
        return Verifiers(
            p256=bytes.fromhex(self.deployment.p256_verifier[2:]),
            webauthn=bytes.fromhex(self.deployment.webauthn_verifier[2:]),
        )

    def says(self, signer: bytes, signature: bytes, digest: bytes = DIGEST) -> bool:
        shape = contract(IDENTITY).methods["validSignature"]
        data = "0x" + shape.encode(signer, digest, signature).hex()
        call = {"to": self.deployment.identity_registry, "data": data}
        return bool(shape.decode(bytes.fromhex(rpc(self.url, "eth_call", call, "latest")[2:]))[0])

    def apart(self, signer: bytes, signatures: Iterator[bytes] | list[bytes], digest: bytes = DIGEST) -> list[str]:
        """Those of which gateway and contract have two opinions."""
        return [
            raw.hex()
            for raw in signatures
            if self.says(signer, raw, digest) is not judge(signer, digest, raw, self.verifiers)
        ]


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    owner = Signer(OWNER, chain_id=CHAIN_ID)
    process = EmbeddedChainProcess.start(data=folder / "chain.db", chain_id=CHAIN_ID, funded=[owner.address])
    yield process.url
    process.stop()


def deployed(url: str, chain_id: int) -> Deployment:
    owner = Signer(OWNER, chain_id=chain_id)

    async def steps() -> Deployment:
        client = ChainClient(url)
        try:
            return await deploy(
                client,
                owner,
                enrollers=[owner.address],
                consent_types=[bytes(31) + b"\1"],
                salt=bytes(32),
                receipt_key=bytes(32),
                recovery_seconds=60,
            )
        finally:
            await client.close()

    return asyncio.run(steps())


CHAINS = [
    "embedded",
    pytest.param("anvil", marks=pytest.mark.services),
    pytest.param("geth", marks=pytest.mark.services),
]


@pytest.fixture(scope="module", params=CHAINS)
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    if request.param == "embedded":
        with embedded(tmp_path_factory.mktemp("chain")) as url:
            yield Judge(url, deployed(url, CHAIN_ID))
        return
    real: Chain = request.getfixturevalue(request.param)
    real.fund(Signer(OWNER, chain_id=real.chain_id).address, 10**19)
    yield Judge(real.url, deployed(real.url, real.chain_id))


def test_gateway_and_contract_agree_on_every_form_of_a_p256_signature(chain: Judge) -> None:
    signer = chain.verifiers.p256 + plain().key
    assert {form: chain.says(signer, raw) for form, raw in P256_FORMS.items()} == {
        form: judge(signer, DIGEST, raw, chain.verifiers) for form, raw in P256_FORMS.items()
    }


def test_gateway_and_contract_agree_on_every_form_of_a_key(chain: Judge) -> None:
    x, y = plain().key[:32], int.from_bytes(plain().key[32:], "big")
    keys = [
        plain().key,
        x + word(PRIME - y),
        x + word(y ^ 1),
        bytes(64),
        word(PRIME) + word(y),
        b"\xff" * 64,
        plain().key[:63],
        plain().key + b"\0",
        b"",
    ]
    right = plain().raw(DIGEST)
    for verifier, raw in ((chain.verifiers.p256, right), (chain.verifiers.webauthn, passkey().sign_digest(DIGEST))):
        judged = [
            (chain.says(verifier + key, raw), judge(verifier + key, DIGEST, raw, chain.verifiers)) for key in keys
        ]
        # A bare verifier is 20 bytes: a contract, asked as a wallet, which the chain alone can say.
        assert judged.pop() == (False, None)
        assert [one for one, _ in judged] == [other for _, other in judged] == [True] + [False] * (len(keys) - 2)


def test_gateway_and_contract_agree_on_every_form_of_an_assertion(chain: Judge) -> None:
    signer = chain.verifiers.webauthn + passkey().key
    forms = {form: erc7913.encode(assertion) for form, assertion in ASSERTIONS.items()}
    judged = {form: chain.says(signer, raw) for form, raw in forms.items()}
    assert judged == {form: judge(signer, DIGEST, raw, chain.verifiers) for form, raw in forms.items()}
    taken = {form for form, valid in judged.items() if valid}
    assert {"right", "a length that reads as a quote", "flags 0x05"} <= taken
    assert not taken & {"high s", "flags 0x01", "a registration", "another challenge"}


def test_gateway_and_contract_agree_on_every_encoding_of_an_assertion(chain: Judge) -> None:
    signer = chain.verifiers.webauthn + passkey().key
    judged = {form: chain.says(signer, raw) for form, raw in encodings().items()}
    assert judged == {form: judge(signer, DIGEST, raw, chain.verifiers) for form, raw in encodings().items()}
    assert {"plain", "a gap of an odd number of octets"} <= {form for form, valid in judged.items() if valid}


def test_gateway_and_contract_agree_on_hundreds_of_mutants(chain: Judge) -> None:
    signer = chain.verifiers.webauthn + passkey().key
    assert chain.apart(signer, mutants(passkey().sign_digest(DIGEST), VERDICTS, seed=2)) == []
    signer = chain.verifiers.p256 + plain().key
    assert chain.apart(signer, mutants(plain().sign_digest(DIGEST), max(60, VERDICTS // 5), seed=3)) == []


def test_a_signer_of_one_kind_is_none_of_another(chain: Judge) -> None:
    """One key and one digest under the two verifiers: neither takes what was signed for the other."""
    p256, webauthn = chain.verifiers.p256 + plain().key, chain.verifiers.webauthn + plain().key
    assert chain.apart(p256, [passkey().sign_digest(DIGEST)]) == chain.apart(webauthn, [plain().raw(DIGEST)]) == []
    assert judge(p256, DIGEST, passkey().sign_digest(DIGEST), chain.verifiers) is False
    assert judge(webauthn, DIGEST, plain().raw(DIGEST), chain.verifiers) is False


@pytest.mark.services
def test_gateway_and_contract_agree_on_every_vector(anvil: Chain) -> None:
    """All of Wycheproof's P-256 vectors, asked of the deployed verifier."""
    anvil.fund(Signer(OWNER, chain_id=anvil.chain_id).address, 10**19)
    chain = Judge(anvil.url, deployed(anvil.url, anvil.chain_id))
    for vector in json.loads(gzip.decompress(VECTORS.read_bytes())):
        raw = bytes.fromhex(vector["input"])
        signer = chain.verifiers.p256 + raw[96:160]
        found = judge(signer, raw[:32], raw[32:96], chain.verifiers)
        assert chain.says(signer, raw[32:96], raw[:32]) is found, vector["name"]
