"""Names, heads and leaves as the contract makes them; what is signed hashes as eth-account hashes it."""

import dataclasses
import json
import re
from collections.abc import Mapping
from importlib.resources import files

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from anchoring.chain.abi import TRIAL, contract
from anchoring.chain.trials import FIELDS, Meaning, Place, Signed, Study, digest, next_head, study_id, typed_data
from anchoring.errors import ProofInvalid
from anchoring.merkle import keccak256

SPONSOR, SALT, ROOT = (bytes([number]) * 32 for number in (1, 2, 3))
CHAIN_ID, ADDRESS = 20_264, "0x5FbDB2315678afecb367f032d93F642f64180aa3"
VALUES_OF: Mapping[str, st.SearchStrategy[bytes | int]] = {
    "bytes32": st.binary(min_size=32, max_size=32),
    "bool": st.booleans(),
    "uint8": st.integers(0, 2**8 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**64 - 1),
}
FREEZE: Mapping[str, bytes | int] = {"study": bytes(32), "frozen": True, "seq": 1}


def values_of(signed: Signed) -> st.SearchStrategy[dict[str, bytes | int]]:
    return st.fixed_dictionaries({name: VALUES_OF[kind] for name, kind in FIELDS[signed]})


def test_a_study_is_named_by_sponsor_and_salt() -> None:
    assert study_id(SPONSOR, SALT) == keccak256(encode(["bytes32", "bytes32"], [SPONSOR, SALT]))


@pytest.mark.parametrize("words", [(b"", SALT), (SPONSOR, SALT[:31])])
def test_a_shorter_word_names_no_study(words: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        study_id(*words)


def test_a_head_is_of_all_roots_in_their_order() -> None:
    first = keccak256(bytes(32) + ROOT + (7).to_bytes(32, "big"))
    assert next_head(bytes(32), ROOT, 7) == first
    assert next_head(first, SALT, 9) == keccak256(first + SALT + (9).to_bytes(32, "big"))


def test_a_place_is_a_double_hashed_leaf_of_stratum_position_and_arm() -> None:
    place = Place(stratum=2**32 - 1, position=5, arm=ROOT)
    words = encode(["uint32", "uint32", "bytes32"], [2**32 - 1, 5, ROOT])
    assert place.leaf == keccak256(keccak256(words))


@pytest.mark.parametrize(
    "place",
    [
        Place(stratum=2**32, position=0, arm=ROOT),
        Place(stratum=0, position=2**32, arm=ROOT),
        Place(stratum=0, position=0, arm=ROOT[:31]),
    ],
)
def test_what_is_no_place_has_no_leaf(place: Place) -> None:
    with pytest.raises(ProofInvalid):
        _ = place.leaf


@pytest.mark.parametrize("signed", Signed)
@given(data=st.data())
def test_a_digest_is_that_of_its_typed_data(signed: Signed, data: st.DataObject) -> None:
    values = data.draw(values_of(signed))
    full = json.loads(json.dumps(typed_data(signed, values, chain_id=CHAIN_ID, contract=ADDRESS)))
    signable = encode_typed_data(full_message=full)
    expected = keccak256(b"\x19" + signable.version + signable.header + signable.body)
    assert digest(signed, values, chain_id=CHAIN_ID, contract=ADDRESS) == expected


def test_what_javascript_would_round_is_text() -> None:
    full = typed_data(Signed.FREEZE, {**FREEZE, "seq": 2**53}, chain_id=CHAIN_ID, contract=ADDRESS)
    assert full["message"] == {"study": "0x" + "00" * 32, "frozen": True, "seq": "9007199254740992"}


def test_another_chain_or_contract_is_another_digest() -> None:
    other = "0x" + "11" * 20
    found = {digest(Signed.FREEZE, FREEZE, chain_id=one, contract=at) for one in (1, 2) for at in (ADDRESS, other)}
    assert len(found) == 4


@pytest.mark.parametrize("name", ["study", "frozen", "seq"])
def test_a_missing_field_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"Freeze: {name} is missing"):
        digest(Signed.FREEZE, {one: FREEZE[one] for one in FREEZE if one != name}, chain_id=1, contract=ADDRESS)


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Freeze: reason is unknown"):
        digest(Signed.FREEZE, {**FREEZE, "reason": ROOT}, chain_id=1, contract=ADDRESS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("study", bytes(31)), ("study", 0), ("frozen", 1), ("seq", True), ("seq", -1), ("seq", 2**64), ("seq", b"1")],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: bytes | int) -> None:
    with pytest.raises(ValueError, match=f"Freeze: {name} is no "):
        typed_data(Signed.FREEZE, {**FREEZE, name: value}, chain_id=1, contract=ADDRESS)


def test_a_study_has_the_fields_of_the_contracts_in_their_order() -> None:
    document = json.loads((files("anchoring") / "contracts" / "abi" / "TrialRegistry.json").read_text())
    (method,) = (one for one in document["abi"] if one.get("name") == "studyOf")
    named = [
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", one["name"]) for one in method["outputs"][0]["components"]
    ]
    assert [field.name for field in dataclasses.fields(Study)] == named


def test_meanings_are_numbers_that_the_contract_takes() -> None:
    assert [int(one) for one in Meaning] == list(range(5))
    assert contract(TRIAL).methods["recordSignature"].inputs[2] == "uint8"
