"""A record passes only if content, path, chain and receipt all say the same; each lie is named for what it is."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import jsontext
from gateway.demo.answers import Proof, ReadRecord
from gateway.demo.checking import check_record, digest_of_cid, same_json
from gateway.demo.model import StepFailedError
from gateway.demo.rpc import Chain
from tests.unit.gateway.demo import anchored_world as world
from tests.unit.gateway.demo.anchored_world import HandMadeChain
from tests.unit.gateway.demo.local_http import serving

Check = Callable[..., HandMadeChain]


@pytest.fixture
def check() -> Check:
    """Checks a record against a chain; gives the chain, to see what it was asked."""

    def run(record: ReadRecord, proof: Proof | None, chain: HandMadeChain | None = None) -> HandMadeChain:
        return _check(record, proof, chain or HandMadeChain())

    return run


def _check(record: ReadRecord, proof: Proof | None, made: HandMadeChain) -> HandMadeChain:
    with serving(made) as url:
        check_record(record, proof, chain=Chain(url), deployment=world.DEPLOYMENT, expected=world.EXPECTED)
    return made


def test_an_anchored_record_passes(check: Check) -> None:
    check(world.record(), world.proof())


def test_the_chain_is_asked_for_root_transaction_log_key_and_block(check: Check) -> None:
    asked = check(world.record(), world.proof()).asked
    assert set(asked) == {"eth_call", "eth_getLogs", "eth_getTransactionReceipt", "eth_getBlockByNumber"}


def test_a_root_is_asked_for_once() -> None:
    made = HandMadeChain()
    with serving(made) as url:
        chain = Chain(url)
        for _ in range(3):
            check_record(
                world.record(), world.proof(), chain=chain, deployment=world.DEPLOYMENT, expected=world.EXPECTED
            )
    assert made.asked.count("eth_getTransactionReceipt") == 1


OTHER_CONTENT = jsontext.loads(b'{"resourceType":"Observation","valueQuantity":{"value":1.11}}')
OTHER_CID = "b" + "a" * 58
LIES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("other content", {"content": OTHER_CONTENT}, {}, "content is not what was anchored"),
    ("another salt", {"content_salt": "0x" + "00" * 32}, {}, "content is not what was anchored"),
    ("no salt", {"content_salt": None}, {}, "without its salt"),
    ("another version", {"version": 2}, {}, "version is not the anchored one"),
    ("a CID of another form", {"cid": OTHER_CID}, {}, "no CIDv1"),
    ("a path without its first node", {}, {"path": []}, "does not lead to the root"),
    ("a short node", {}, {"path": ["0x00"]}, "has no form"),
    ("another encoding", {}, {"leaf_encoding": ["bytes32"]}, "not of a record's leaf"),
    ("another chain", {}, {"chain_id": 1}, "another chain or contract"),
    ("another contract", {}, {"contract": "0x" + "00" * 20}, "another chain or contract"),
    ("another block", {}, {"block_number": 8}, "does not stand in the log"),
    ("block zero", {}, {"block_number": 0}, "does not stand in the log"),
    ("another log", {}, {"log": "0x" + "00" * 32}, "does not stand in the log"),
    ("another transaction", {}, {"transaction_hash": "0x" + "00" * 32}, "did not anchor this root"),
    ("no hexadecimal", {}, {"root": "0xzz"}, "no hexadecimal"),
]


@pytest.mark.parametrize(("record", "proof", "words"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_of_the_gateway_is_found(check: Check, record: dict[str, Any], proof: dict[str, Any], words: str) -> None:
    with pytest.raises(StepFailedError, match=words):
        check(world.record(**record), world.proof(**proof))


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (HandMadeChain(anchored_at=0), "does not stand in the log"),
        (HandMadeChain(log_gateway=b"\0" * 32), "log is not this gateway's"),
        (HandMadeChain(log_kind=b"audit"), "log is not this gateway's"),
        (HandMadeChain(event_root=b"\0" * 32), "did not anchor this root"),
        (HandMadeChain(status="0x0"), "did not anchor this root"),
        (HandMadeChain(key_since=0), "not registered on chain"),
        (HandMadeChain(key_until=4), "not registered on chain"),
        (HandMadeChain(block_hash=b"\0" * 32), "a block that the chain does not have"),
    ],
)
def test_what_the_chain_does_not_have_is_not_proven(check: Check, chain: HandMadeChain, words: str) -> None:
    with pytest.raises(StepFailedError, match=words):
        check(world.record(), world.proof(), chain)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actor", "0x" + "00" * 32),
        ("chainId", 1),
        ("cid", OTHER_CID),
        ("consents", []),
        ("contentCommitment", "0x" + "00" * 32),
        ("factsCommitment", "0x" + "00" * 32),
        ("gateway", "0x" + "00" * 32),
        ("obligations", ["/valueQuantity"]),
        ("purpose", "HRESCH"),
        ("record", "0x" + "00" * 16),
        ("registry", "0x" + "00" * 20),
        ("subject", "0x" + "00" * 32),
        ("version", 2),
    ],
)
def test_a_signed_receipt_of_another_answer_does_not_count(check: Check, name: str, value: jsontext.JsonValue) -> None:
    signed = world.receipt(world.payload(**{name: value}))
    with pytest.raises(StepFailedError, match=f"receipt's {name} is not of this answer"):
        check(world.record(receipt=signed), world.proof())


def test_a_receipt_with_a_broken_signature_does_not_count(check: Check) -> None:
    good = world.receipt()
    broken = type(good)(
        **{name: getattr(good, name) for name in good.__struct_fields__} | {"signature": "0x" + "00" * 64}
    )
    with pytest.raises(StepFailedError, match="signature does not hold"):
        check(world.record(receipt=broken), world.proof())


def test_a_receipt_by_a_key_that_nobody_registered_does_not_count(check: Check) -> None:
    foreign = world.receipt(key=Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
    with pytest.raises(StepFailedError, match="not registered on chain"):
        check(world.record(receipt=foreign), world.proof())


def test_a_receipt_that_is_not_in_its_rfc_8785_form_does_not_count(check: Check) -> None:
    with pytest.raises(StepFailedError, match="RFC 8785"):
        check(world.record(receipt=world.receipt(" " + world.payload())), world.proof())


def test_a_record_without_a_proof_is_not_proven(check: Check) -> None:
    with pytest.raises(StepFailedError, match="no proof"):
        check(world.record(), None)


def test_the_digest_inside_a_cid_is_read() -> None:
    # The CID of the empty raw block, as every IPFS client prints it.
    empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert digest_of_cid(empty).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("cid", ["", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "b!!", "bafy"])
def test_what_is_no_cid_of_ours_is_refused(cid: str) -> None:
    with pytest.raises(StepFailedError):
        digest_of_cid(cid)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1.10}', b'{"a":1.10}', True),
        (b'{"a":1.10}', b'{"a":1.1}', False),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}', True),
        (b"[1,2]", b"[2,1]", False),
        (b"[1]", b"[true]", False),
        (b"[1]", b"[1.0]", False),
        (b'{"a":null}', b"{}", False),
        (b'["a"]', b'["b"]', False),
    ],
)
def test_json_is_the_same_only_with_the_same_number_text(one: bytes, other: bytes, same: bool) -> None:
    assert same_json(jsontext.loads(one), jsontext.loads(other)) is same
