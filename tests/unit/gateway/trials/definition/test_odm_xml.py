"""XML from strangers: bounded, without document types and entities, and read as it was written."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.trials.definition.bounds import BOUNDS, OWN, Bounds
from gateway.trials.definition.documents import parse
from gateway.trials.definition.elements import Element
from gateway.trials.definition.xmltext import MOST_ATTRIBUTES, MOST_DEPTH, read, write

FIELD = ("odm",)
LAUGHS = (
    b"""<?xml version="1.0"?><!DOCTYPE ODM [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><ODM>&b;</ODM>"""
)
FILE = b"""<!DOCTYPE ODM [<!ENTITY x SYSTEM "file:///etc/passwd">]><ODM>&x;</ODM>"""
OUTSIDE = b"""<!DOCTYPE ODM SYSTEM "http://127.0.0.1:1/odm.dtd"><ODM/>"""
PARAMETER = b"""<!DOCTYPE ODM [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]><ODM/>"""


@pytest.mark.parametrize("attack", [LAUGHS, FILE, OUTSIDE, PARAMETER], ids=["laughs", "file", "outside", "parameter"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_whatever_encoding(attack: bytes, encoding: str) -> None:
    with pytest.raises(CallerError, match="DOCTYPE"):
        read(attack.decode().encode(encoding), field=FIELD)


def test_an_entity_that_nobody_defined_is_refused() -> None:
    with pytest.raises(CallerError, match="undefined entity, at line 2"):
        read(b"<a>\n&x;</a>", field=FIELD)


def test_as_deep_as_allowed_is_read() -> None:
    assert read(b"<a>" * MOST_DEPTH + b"</a>" * MOST_DEPTH, field=FIELD).name == "a"


def test_one_deeper_is_refused() -> None:
    with pytest.raises(LimitError, match="nested"):
        read(b"<a>" * (MOST_DEPTH + 1) + b"</a>" * (MOST_DEPTH + 1), field=FIELD)


def test_depth_is_refused_before_the_end_is_seen() -> None:
    with pytest.raises(LimitError, match="nested"):
        read(b"<a>" * 2_000_000, field=FIELD)


def test_more_attributes_than_allowed_are_refused() -> None:
    attributes = " ".join(f'a{number}="x"' for number in range(MOST_ATTRIBUTES + 1))
    with pytest.raises(LimitError, match="attributes"):
        read(f"<a {attributes}/>".encode(), field=FIELD)


def test_more_elements_than_allowed_are_refused() -> None:
    bounds = Bounds(octets=1_000, elements=10)
    read(b"<a>" + b"<b/>" * 9 + b"</a>", field=FIELD, bounds=bounds)
    with pytest.raises(LimitError, match="more than 10 elements"):
        read(b"<a>" + b"<b/>" * 10 + b"</a>", field=FIELD, bounds=bounds)


def test_what_is_sent_to_a_gateway_is_bounded_by_less_than_a_file_of_ones_own() -> None:
    octets = b"<a>" + b"<b/>" * BOUNDS.elements + b"</a>"
    with pytest.raises(LimitError, match=f"more than {BOUNDS.elements} elements"):
        parse(octets)
    assert len(read(octets, field=FIELD, bounds=OWN).content) == BOUNDS.elements


def test_more_octets_than_allowed_are_refused_unread() -> None:
    with pytest.raises(LimitError, match="larger than 10 octets"):
        read(b"this is not XML at all", field=FIELD, bounds=Bounds(octets=10, elements=10))


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "no-such-one", "big5"])
def test_an_encoding_that_is_not_read_is_refused(encoding: str) -> None:
    with pytest.raises(CallerError, match="UTF-8"):
        read(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode(), field=FIELD)


def test_an_encoding_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(CallerError):
        read('<?xml version="1.0" encoding="big5"?><a/>'.encode("utf-16"), field=FIELD)


@pytest.mark.parametrize("text", ["é", "基准", "\N{PILE OF POO}"])
def test_utf_16_says_what_utf_8_says(text: str) -> None:
    assert read(f"<a>{text}</a>".encode("utf-16"), field=FIELD) == read(f"<a>{text}</a>".encode(), field=FIELD)


@pytest.mark.parametrize(
    "octets", [b"", b"<a>", b"<a/><b/>", b"text", b"<a b='1' b='2'/>", b"<a>\x00</a>", b"\xff\xfe<"]
)
def test_what_is_not_well_formed_is_refused_as_such(octets: bytes) -> None:
    with pytest.raises(CallerError, match="is not XML"):
        read(octets, field=FIELD)


def test_a_refusal_does_not_quote_the_document() -> None:
    with pytest.raises(CallerError) as caught:
        read(b"<a>HIV positive</b>", field=FIELD)
    assert "HIV" not in str(caught.value)


def test_layout_between_elements_is_not_kept() -> None:
    assert read(b"<a>\n  <b/>\n</a>", field=FIELD).content == (Element(name="b"),)


def test_mixed_text_is_kept_whole() -> None:
    assert read(b"<a>one <b/> two</a>", field=FIELD).content == ("one ", Element(name="b"), " two")


def test_comments_do_not_part_a_text() -> None:
    assert read(b"<a>one<!-- no --><![CDATA[<two>]]></a>", field=FIELD).content == ("one<two>",)


def test_a_character_that_xml_cannot_hold_is_not_written() -> None:
    with pytest.raises(CallerError, match="cannot hold"):
        write(Element(name="{urn:x}a", content=("\x01",)), namespace="urn:x")


NAMES = st.sampled_from(["{urn:x}a", "{urn:x}b", "{urn:y}c", "{http://www.cdisc.org/ns/odm/v2.0}Query"])
ATTRIBUTES = st.sampled_from(["OID", "Name", "{urn:y}z", "{http://www.w3.org/XML/1998/namespace}lang"])
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\t\n\r", exclude_characters="\ufffe\uffff"
)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=12)
LEAVES = st.builds(
    lambda name, attributes, text: Element(name=name, attributes=tuple(attributes.items()), content=text),
    NAMES,
    st.dictionaries(ATTRIBUTES, TEXTS, max_size=3),
    st.one_of(st.just(()), st.tuples(TEXTS)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda name, children: Element(name=name, content=tuple(children)),
        NAMES,
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=12,
)


@given(TREES)
def test_what_is_written_reads_back_the_same(element: Element) -> None:
    assert read(write(element, namespace="urn:x"), field=FIELD) == element


@given(st.binary(max_size=200))
def test_whatever_the_octets_they_are_an_element_or_a_typed_refusal(octets: bytes) -> None:
    with suppress(CallerError):
        assert isinstance(read(octets, field=FIELD), Element)
