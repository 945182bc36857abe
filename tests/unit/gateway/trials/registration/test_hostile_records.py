"""Records that were made to read files, to fill memory or to overflow the stack."""

import gzip
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.trials.registration import elements
from gateway.trials.registration.registry import read_record

BODY = "<id_info><nct_id>NCT00000001</nct_id></id_info><brief_title>A study</brief_title>"


def study(body: str = BODY, *, before: str = "") -> bytes:
    return f"{before}<clinical_study>{body}</clinical_study>".encode()


def refused(octets: bytes) -> str:
    with pytest.raises(CallerError) as refusal:
        read_record(octets)
    assert len(refusal.value.message) < 100
    return refusal.value.message


def test_the_sound_record_that_the_others_are_made_of_is_read() -> None:
    assert read_record(study(before='<?xml version="1.0" encoding="UTF-8"?>')).registration.title == "A study"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE clinical_study SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE clinical_study [<!ENTITY a "b">]>',
        '<!DOCTYPE clinical_study [<!ENTITY % a SYSTEM "http://127.0.0.1/a"> %a;]>',
        '<!DOCTYPE clinical_study [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
        "<!DOCTYPE clinical_study>",
    ],
)
def test_a_document_type_is_refused(doctype: str) -> None:
    assert refused(study(before=doctype)) == "must have no document type"


def test_an_entity_that_nobody_declared_is_no_xml() -> None:
    assert refused(study("&a;")) == "is no XML, at line 1"


def test_xmls_own_entities_are_characters() -> None:
    assert read_record(study(BODY.replace("A study", "&lt;7 &amp; &#955;"))).registration.title == "<7 & λ"


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "idna", "UTF-7"])
def test_another_encoding_is_refused(encoding: str) -> None:
    assert refused(study(before=f'<?xml version="1.0" encoding="{encoding}"?>')) == "must be UTF-8"


def test_utf_16_is_refused() -> None:
    refused(study().decode().encode("utf-16"))


@pytest.mark.parametrize("inside", ["location", "arm_group"])
def test_depth_is_bounded_in_what_is_passed_over_too(inside: str) -> None:
    deep = f"<{inside}>" * 40 + f"</{inside}>" * 40
    with pytest.raises(LimitError, match="nested more than 32 deep"):
        read_record(study(deep))


def test_elements_are_bounded() -> None:
    with pytest.raises(LimitError, match="elements that count"):
        read_record(study("<a/>" * (elements.MOST_KEPT + 1)))


def test_elements_that_are_passed_over_are_bounded() -> None:
    with pytest.raises(LimitError, match="more than 1000000 elements"):
        read_record(study("<location>" + "<a/>" * elements.MOST_ELEMENTS + "</location>"))


def test_octets_are_bounded() -> None:
    with pytest.raises(LimitError, match="octets"):
        read_record(b" " * (elements.MOST_OCTETS + 1))


def test_a_gzip_bomb_is_given_up() -> None:
    with pytest.raises(LimitError, match="unpacks to more"):
        read_record(gzip.compress(b" " * (elements.MOST_OCTETS + 1)))


@pytest.mark.parametrize("spoil", [lambda z: z[:-1], lambda z: z + z, lambda z: z + b"x", lambda z: z[:20] + z[:20]])
def test_a_spoilt_gzip_is_refused(spoil: object) -> None:
    assert callable(spoil)
    refused(spoil(gzip.compress(study())))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x1f\x8b", b"NCT00000001", b"[]", b"{", b"<", b"<clinical_study>", b"<other/>", b"{}", b"\xef\xbb\xbf"],
)
def test_what_is_no_record_is_refused(octets: bytes) -> None:
    refused(octets)


def test_brackets_without_end_are_refused() -> None:
    refused(b'{"protocolSection":' + b"[" * 100_000)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60).map(lambda octets: study().replace(b"A study", octets)) | st.binary(max_size=80))
def test_no_octets_make_anything_but_a_record_or_a_refusal(octets: bytes) -> None:
    with suppress(CallerError):
        read_record(octets)
