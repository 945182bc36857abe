"""Acts come back from their text as they were, and nothing else does."""

import hashlib
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import jsontext
from gateway.errors import CallerError, IntegrityError
from gateway.trials import acts
from tests.unit.gateway.trials.deeds import STUDY, any_of, drawn

KINDS = get_args(acts.Act)


@given(act=any_of(acts.Act), signature=st.binary(max_size=80))
def test_an_entry_gives_back_the_act_and_its_signature(act: acts.Act, signature: bytes) -> None:
    done = acts.Done(act=act, signature=signature)
    octets = acts.octets_of(done)
    assert acts.read_entry(octets) == done
    assert octets == jsontext.canonical(jsontext.loads(octets))


@given(act=any_of(acts.Act))
def test_what_a_client_gives_back_is_the_act(act: acts.Act) -> None:
    assert acts.read_act(acts.tree_of(act)) == act


def test_every_act_has_a_kind_and_every_signed_one_is_an_act() -> None:
    assert set(acts.KINDS) == set(KINDS)
    assert set(acts.SIGNED) < set(KINDS)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"[]",
        b'{"act":{"act":"site"},"signature":""}',
        b'{"act":{"act":"none"},"signature":""}',
        acts.octets_of(acts.Done(act=drawn(acts.Site))).replace(b'"signature":""', b'"signature":"zz"'),
        acts.octets_of(acts.Done(act=drawn(acts.Site))).replace(b'"signature":""', b'"signature":"","more":1'),
        acts.octets_of(acts.Done(act=drawn(acts.Site))).replace(b'"name":', b'"nome":'),
        acts.octets_of(acts.Done(act=drawn(acts.Site)))[:-1],
    ],
)
def test_another_text_is_no_entry(octets: bytes) -> None:
    with pytest.raises(IntegrityError):
        acts.read_entry(octets)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"at": "now"}, ("act", "at")),
        ({"site": 701}, ("act", "site")),
        ({"sites": ["701"]}, ("act",)),
        ({"act": "lock-all"}, ("act", "act")),
        ({"name": None}, ("act", "name")),
    ],
)
def test_a_member_that_is_wrong_is_named(changed: dict[str, Any], field: tuple[str, ...]) -> None:
    tree = {**acts.tree_of(drawn(acts.Site)), **changed}
    with pytest.raises(CallerError) as refused:
        acts.read_act(tree)
    assert refused.value.field in (field, ("act",))


def test_a_digest_binds_every_member() -> None:
    digests = {acts.content_of(drawn(acts.Site))}
    for name, value in (("study", "11" * 32), ("by", "11" * 32), ("salt", "11" * 32), ("site", "9"), ("name", "y")):
        digests.add(acts.content_of(acts.read_act({**acts.tree_of(drawn(acts.Site)), name: value})))
    digests.add(acts.content_of(acts.read_act({**acts.tree_of(drawn(acts.Site)), "at": 1})))
    assert len(digests) == 7
    assert (
        acts.content_of(drawn(acts.Site))
        == hashlib.sha256(
            json.dumps(acts.tree_of(drawn(acts.Site)), sort_keys=True, separators=(",", ":")).encode()
        ).digest()
    )


def test_a_subject_has_another_name_in_every_study_and_assignment() -> None:
    names = {acts.chain_name(bytes([salt]) * 32, bytes([who]) * 32) for salt in range(4) for who in range(4)}
    assert len(names) == 16


@pytest.mark.parametrize("kind", list(acts.SIGNED), ids=lambda kind: kind.__name__)
def test_what_is_signed_names_the_study_or_makes_its_name(kind: type) -> None:
    act = drawn(kind)
    signed = acts.signed_values(act)
    if signed is None:
        assert STUDY.hex()[:8] in acts.statement(act, names={})
        return
    _, values = signed
    assert values.get("study") == STUDY or {"sponsor", "salt"} <= values.keys()
