"""Documents that acts carry: as they were, or refused."""

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.trials import acts
from gateway.trials.documents import LARGEST, MOST_PACKED, check_document, packed, unpacked
from tests.attacks.study import DEFINITION
from tests.unit.gateway.trials.deeds import drawn


def define(octets: bytes, *, sha256: str = "") -> acts.Define:
    made: acts.Define = drawn(acts.Define, document=packed(octets), sha256=sha256 or hashlib.sha256(octets).hexdigest())
    return made


@given(st.binary(max_size=4_096))
def test_a_document_comes_back_to_the_octet(octets: bytes) -> None:
    assert unpacked(packed(octets)) == octets


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(LARGEST + 1), 9)).decode()
    assert len(bomb) < MOST_PACKED
    with pytest.raises(LimitError):
        unpacked(bomb)
    with pytest.raises(LimitError):
        packed(bytes(LARGEST + 1))
    with pytest.raises(LimitError):
        unpacked("A" * (MOST_PACKED + 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        base64.b64encode(b"no stream").decode(),
        base64.b64encode(zlib.compress(DEFINITION)[:-1]).decode(),
        base64.b64encode(zlib.compress(DEFINITION) + b"x").decode(),
        base64.b64encode(zlib.compress(DEFINITION)).decode() + "\n",
        "\u00e9" * 8,
    ],
)
def test_what_is_no_whole_stream_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(CallerError) as refused:
        unpacked(text)
    assert refused.value.field == ("act", "document")


def test_a_definition_is_the_one_of_its_digest() -> None:
    assert check_document(define(DEFINITION)).definition.oid == "S.1"
    with pytest.raises(CallerError) as refused:
        check_document(define(DEFINITION, sha256="00" * 32))
    assert refused.value.field == ("act", "sha256")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<ODM/>",
        b"{}",
        DEFINITION.replace(b'ItemOID="I.NOTE"', b'ItemOID="I.GONE"'),
        DEFINITION.replace(b'FormOID="F.VS" Order', b'FormOID="F.NO" Order'),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + DEFINITION,
    ],
    ids=["nothing", "empty", "json", "no item", "no form", "entity"],
)
def test_what_no_study_can_take_is_refused(octets: bytes) -> None:
    with pytest.raises(CallerError) as refused:
        check_document(define(octets))
    assert refused.value.field[:2] == ("act", "document")
