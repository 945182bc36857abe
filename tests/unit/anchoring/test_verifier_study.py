"""The verifier of studies' files has nothing of the gateway's code, and says the same: forms of acts, what is signed,
who signed, lists of arms, roots."""

import hashlib
import hmac
import io
import json
import secrets
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from anchoring.chain import trials
from anchoring.merkle import MerkleTree, hash_leaf, hash_pair
from anchoring.verifier.study import signed
from anchoring.verifier.study.acts import FORMS, KINDS, UNSIGNED, read_act
from anchoring.verifier.study.check import check_file
from anchoring.verifier.study.curve import N, recover
from anchoring.verifier.study.lines import FORMAT, LARGEST_ENTRY, EntryLine, Header, Lines
from anchoring.verifier.study.lists import Drawn
from anchoring.verifier.study.people import BREAKS_BLIND, CAPTURES, REVIEWS, People
from anchoring.verifier.study.report import MOST_TOLD, Flaw
from anchoring.verifier.verify import Refused, canonical
from gateway import eip712, jsontext
from gateway.consent.model import StudyRole
from gateway.ports.study_registry import SignedKind
from gateway.trials import acts, rules
from gateway.trials.randomization.commitments import Merkle, commit
from gateway.trials.randomization.lists import draw_list
from gateway.trials.randomization.scheme import parse_scheme
from gateway.wiring.trials import ACT, ACT_TYPES

CONTRACT, CHAIN_ID, GATEWAY = "0x5FbDB2315678afecb367f032d93F642f64180aa3", 20_264, b"g" * 32
MINE: dict[str, Any] = {"study": "01" * 32, "by": "02" * 32, "at": 1_790_000_000, "salt": "03" * 32}
FORM = {"record": "05" * 16, "version": 1, "digest": "06" * 32, "content": "07" * 32}
SAID: dict[str, dict[str, Any]] = {
    "register": {"title": "Pilot “one”", "statistician": ""},
    "protocol": {"number": 2, "registration": {"z": [1, 1.5, 1e21], "é": "ß"}, "reason": "Longer."},
    "define": {"number": 1, "name": "a.xml", "sha256": "08" * 32, "document": "eJw="},
    "describe": {"table": "VS", "description": {}, "rows": [["1", None]]},
    "terms": {"number": 1, "terms": "09" * 32, "keeps": True},
    "site": {"site": "701", "name": "Hospital \u00e0 la mer"},
    "delegate": {"actor": "0a" * 32, "role": "MONITOR", "sites": ["701", "702"], "until": 5},
    "enrol": {"subject": "0b" * 32, "key": "701-1", "site": "701", "consent": "0c" * 32},
    "withdraw": {"subject": "0b" * 32, "reason": "Moved\taway.", "goes": True},
    "recruit": {"criteria": {"inclusion": []}, "summary": "Sugar.", "open": True},
    "interest": {"subject": "0b" * 32, "yes": False},
    "allocate": {"scheme": {}, "root": "0d" * 32, "size": 20, "seed": "00"},
    "open": {"version": 1, "allocation": "0d" * 32},
    "freeze": {"frozen": True, "seq": 3, "reason": "Cleaning."},
    "lock": {"head": "0e" * 32, "records": 9, "assigned": 4, "seq": 4},
    "publish": {"number": 1, "outcomes": [{}], "summary": "As expected."},
    "sign": {"subject": "0b" * 32, "meaning": 1, "forms": [FORM]},
    "unblind": {"subject": "0b" * 32, "name": "0f" * 32, "reason": "An emergency."},
    "capture": {
        "subject": "0b" * 32,
        "definition": 1,
        "forms": [{**FORM, "event": "E", "form": "F", "eventRepeatKey": None, "formRepeatKey": "1"}],
        "reason": "",
    },
    "raise-query": {
        "subject": "0b" * 32,
        "query": "10" * 16,
        "record": "05" * 16,
        "version": 1,
        "item": "",
        "text": "Why?",
        "rule": "",
    },
    "answer-query": {"subject": "0b" * 32, "query": "10" * 16, "text": "So."},
    "close-query": {"subject": "0b" * 32, "query": "10" * 16, "text": ""},
    "assign": {"subject": "0b" * 32, "name": "0f" * 32, "stratum": 0, "position": 1, "arm": "11" * 32, "path": []},
    "record-data": {"first": 0, "count": 2, "root": "12" * 32},
}
MERKLE = Merkle(hash_leaf=hash_leaf, hash_pair=hash_pair, grow=MerkleTree)
SCHEMES = [
    {"arms": [{"arm": "A", "share": 1}, {"arm": "B", "share": 2}], "method": {"name": "simple"}, "positions": 40},
    {
        "arms": [{"arm": "Active", "share": 1}, {"arm": "Plazebo ü", "share": 1}],
        "method": {"name": "permuted blocks", "sizes": [2, 4]},
        "factors": [{"name": "sex", "levels": ["f", "m"]}, {"name": "site", "levels": ["1", "2", "3"]}],
        "positions": 7,
    },
]


def done(tag: str, signature: bytes = b"") -> acts.Done:
    return acts.Done(act=acts.read_act({"act": tag, **MINE, **SAID[tag]}), signature=signature)


def tag_of(kind: type) -> str:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return str(info.tag)


# ---- forms of acts


def test_every_act_is_known_with_its_kind() -> None:
    assert {tag_of(kind): told.name for kind, told in acts.KINDS.items()} == KINDS
    assert FORMS.keys() == KINDS.keys() == SAID.keys()
    assert {tag_of(kind) for kind in acts.KINDS if kind not in acts.SIGNED} == UNSIGNED


def test_every_member_of_an_act_is_known() -> None:
    for kind in acts.KINDS:
        info = msgspec.inspect.type_info(kind)
        assert isinstance(info, msgspec.inspect.StructType)
        named = {one.encode_name for one in info.fields} - MINE.keys()
        assert FORMS[str(info.tag)].keys() == named


@pytest.mark.parametrize("tag", SAID)
def test_an_entry_of_the_gateways_is_read(tag: str) -> None:
    one = done(tag, b"\x01" * 65)
    read = read_act(acts.octets_of(one))
    assert (read.tag, read.signature, read.at) == (tag, b"\x01" * 65, MINE["at"])
    assert read.content == acts.content_of(one.act)


@pytest.mark.parametrize("tag", SAID)
def test_what_is_signed_of_an_act_is_what_the_gateway_asks_for(tag: str) -> None:
    if tag in UNSIGNED:
        return
    act = done(tag).act
    values = acts.signed_values(act)
    if values is None:
        message = {
            "study": "0x" + act.study,
            "statement": acts.statement(act, names={}),
            "content": "0x" + acts.content_of(act).hex(),
            "by": "0x" + act.by,
            "at": act.at,
        }
        expected = eip712.digest(
            eip712.typed_data(ACT, ACT_TYPES, message, eip712.domain(chain_id=CHAIN_ID, contract=CONTRACT))
        )
    else:
        kind, told = values
        given_ = {"gateway": GATEWAY, **told} if kind is SignedKind.STUDY else told
        expected = trials.digest(trials.Signed(kind.value), given_, chain_id=CHAIN_ID, contract=CONTRACT)
    domain = signed.domain_of(CHAIN_ID, bytes.fromhex(CONTRACT[2:]))
    assert signed.digest_of(read_act(acts.octets_of(done(tag))), domain=domain, gateway=GATEWAY) == expected


@pytest.mark.parametrize("tag", SAID)
def test_no_member_is_missing_or_of_another_form(tag: str) -> None:
    tree: Any = jsontext.loads(acts.octets_of(done(tag)))
    for name in list(tree["act"]):
        for other in (None, -1, 1.5, [3], {"a": 1}, "x" * 63, False):
            if name in (
                "title",
                "reason",
                "name",
                "text",
                "rule",
                "item",
                "summary",
                "document",
                "seed",
                "table",
                "site",
            ):
                continue
            if name in ("key", "act", "registration", "scheme", "description", "rows", "outcomes", "criteria"):
                continue
            if name in ("frozen", "keeps", "goes", "open", "yes"):
                continue
            spoilt = {"act": {**tree["act"], name: other}, "signature": ""}
            with pytest.raises(Refused):
                read_act(canonical(spoilt))
        without = {key: one for key, one in tree["act"].items() if key != name}
        with pytest.raises(Refused):
            read_act(jsontext.canonical({"act": without, "signature": ""}))
    with pytest.raises(Refused):
        read_act(jsontext.canonical({"act": {**tree["act"], "more": 1}, "signature": ""}))


@pytest.mark.parametrize("change", [b" ", b"\n"])
def test_another_spelling_of_an_entry_is_none(change: bytes) -> None:
    text = acts.octets_of(done("site"))
    with pytest.raises(Refused):
        read_act(text.replace(b":", b":" + change, 1))
    with pytest.raises(Refused):
        read_act(text + change)


def test_roles_are_the_gateways() -> None:
    assert {one.value for one in rules.CAPTURES} == CAPTURES
    assert {one.value for one in rules.REVIEWS} == REVIEWS
    assert {one.value for one in rules.BREAKS_BLIND} == BREAKS_BLIND
    people = People()
    for role in StudyRole:
        people.delegate(b"a" * 32, role.value, ["701"], 100)
        assert people.behalf(b"a" * 32, 50, frozenset({role.value}), ["701"]) is None
    assert people.behalf(b"a" * 32, 50, CAPTURES, ["702"]) is not None
    assert people.behalf(b"a" * 32, 200, CAPTURES, ["701"]) is not None


# ---- who signed


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=25, deadline=None)
def test_a_signature_tells_its_signer(digest: bytes) -> None:
    key = PrivateKey(secrets.token_bytes(32))
    found = key.sign_recoverable(digest, hasher=None)
    signature = found[:64] + bytes([27 + found[64]])
    assert recover(digest, signature) == eip712.recover(digest, signature) is not None


@given(st.binary(min_size=65, max_size=65), st.binary(min_size=32, max_size=32))
@settings(max_examples=25, deadline=None)
def test_any_octets_are_judged_as_the_gateway_judges_them(signature: bytes, digest: bytes) -> None:
    for last in (27, 28, signature[64]):
        one = signature[:64] + bytes([last])
        assert recover(digest, one) == eip712.recover(digest, one)


def test_a_high_s_is_refused() -> None:
    digest = hashlib.sha256(b"one").digest()
    found = PrivateKey(b"\x07" * 32).sign_recoverable(digest, hasher=None)
    high = (N - int.from_bytes(found[32:64], "big")).to_bytes(32, "big")
    assert recover(digest, found[:32] + high + bytes([27 + (1 - found[64])])) is None


# ---- lists of arms


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_list_is_drawn_as_the_gateway_draws_it(scheme: Any) -> None:
    seed, study = hmac.digest(b"seed", b"1", "sha256"), b"s" * 32
    made = commit(draw_list(seed, study=study, scheme=parse_scheme(scheme)), merkle=MERKLE)
    drawn = Drawn(seed, study, scheme)
    assert (drawn.root, drawn.size) == (made.root, made.size)
    for stratum in made.allocation.strata:
        for place in stratum:
            assert drawn.commitment(place.stratum, place.position) == place.commitment
    assert drawn.commitment(0, scheme["positions"]) is None
    assert drawn.commitment(len(made.allocation.strata), 0) is None


@pytest.mark.parametrize(
    "change",
    [
        {"positions": 1 << 40},
        {"positions": 0},
        {"arms": []},
        {"arms": [{"arm": "A", "share": 0}]},
        {"arms": [{"arm": "A", "share": 1 << 40}]},
        {"method": {"name": "permuted blocks", "sizes": []}},
        {"method": {"name": "permuted blocks", "sizes": [0]}},
        {"method": {"name": "permuted blocks", "sizes": [4]}},
        {"method": None},
        {"factors": [{"name": "x", "levels": ["a"] * 1000}] * 3},
    ],
)
def test_a_scheme_that_is_none_is_refused_before_it_is_drawn(change: Any) -> None:
    with pytest.raises(Refused):
        Drawn(bytes(32), bytes(32), {**SCHEMES[0], **change})


# ---- bounds


def header_line() -> bytes:
    contracts = dict.fromkeys(("identity", "anchor", "trial"), CONTRACT)
    zeros = "0x" + "00" * 32
    deployment = {"chainId": 1, "genesis": zeros, "gateway": zeros, "contracts": contracts, "codes": {}}
    header = {"line": "header", "format": FORMAT, "study": zeros, "deployment": deployment, "madeAt": 1}
    return json.dumps({**header, "madeBy": zeros}).encode() + b"\n"


def entry_line(**members: Any) -> bytes:
    zeros = "0x" + "00" * 32
    plain = {"number": 0, "kind": "SITE", "sha256": zeros, "previous": zeros, "text": None, "anchor": None}
    return json.dumps({"line": "entry", **plain, **members}).encode() + b"\n"


def read_lines(*lines: bytes) -> list[Any]:
    return list(Lines(io.BytesIO(b"".join(lines))))


def test_nothing_is_read_behind_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anchoring.verifier.study.lines.LONGEST", 2_000)
    file = io.BytesIO(header_line() + entry_line(text="x" * 3_000) + entry_line())
    lines = list(Lines(file))
    assert [type(one) for one in lines] == [Header, Refused]
    assert file.tell() < len(file.getvalue())


def test_an_entry_and_a_path_have_ends() -> None:
    zeros = "0x" + "00" * 32
    anchor = {"log": zeros, "root": zeros, "blockNumber": 1, "transactionHash": zeros}
    (one, other, third, fourth) = read_lines(
        entry_line(text="x" * LARGEST_ENTRY),
        entry_line(text="x" * (LARGEST_ENTRY + 1)),
        entry_line(anchor={**anchor, "path": [zeros] * 64}),
        entry_line(anchor={**anchor, "path": [zeros] * 65}),
    )
    assert (type(one), type(other), type(third), type(fourth)) == (EntryLine, Refused, EntryLine, Refused)


def test_a_number_past_all_entries_is_a_fault() -> None:
    found = check_file(io.BytesIO(header_line() + entry_line(number=1 << 40)))
    assert {one.flaw for one in found.faults} == {Flaw.NUMBER, Flaw.END}


def test_no_more_faults_are_told_than_anybody_reads() -> None:
    found = check_file(io.BytesIO(header_line() + entry_line() * 2_000))
    assert len(found.faults) == MOST_TOLD < found.found
    assert list(found.lines())[-1] == f"REFUSED: {found.found} faults"
    assert found.as_json()["found"] == found.found
