"""Transport files that are broken, or were made to break the reader: each is refused with the place."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.trials.tabulation.model import Row
from gateway.trials.tabulation.xpt import Encoding, read_xpt
from gateway.trials.tabulation.xpt.layout import LIBRARY, MEMBER
from tests.unit.gateway.trials.tabulation.studies import number, refusal, table, text, written

ROWS: list[Row] = [(float(each), "headache") for each in range(40)]
SOUND = written(table(number(), text()), ROWS)
WIDE = written(table(text(length=170)), [("headache",)])
HEAD = 8 * 80
FIRST_ROW = len(SOUND) - 40 * 16


def put(at: int, octets: bytes) -> bytes:
    return SOUND[:at] + octets + SOUND[at + len(octets) :]


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "is no SAS transport file of version 5"),
        (b"\x00" * 800, "is no SAS transport file of version 5"),
        (b"HEADER RECORD*******LIBV8   HEADER RECORD!!!!!!!" + b"0" * 30, "version 8; save it as version 5"),
        (SOUND[:100], "ends within its head"),
        (SOUND[:240], "has no header of a data set"),
        (SOUND[:400], "ends within its head"),
        (SOUND[:700], "ends within its variables"),
        (SOUND[:FIRST_ROW - 80], "has no header of rows"),
        (SOUND[:-1], "ends within"),
        (SOUND[:-80] + SOUND[-80:-3], "ends within"),
        (SOUND + b"\0", "ends within a row"),
        (WIDE + b" " * 80, "goes on after its last row"),
        (SOUND + b" " * 8, "ends within a"),
        (put(7 * 80 + 54, b"0000"), "has none"),
        (put(7 * 80 + 54, b"9999"), "ends within its variables"),
        (put(7 * 80 + 54, b"-001"), "has no header of variables"),
        (put(240, MEMBER.replace(b"140", b"136")), "has no header of a data set"),
        (put(400 + 8, b"1AE     "), "has a data set whose name is no SAS name"),
        (put(HEAD, b"\0\x03"), "AESEQ: is neither number nor text"),
        (put(HEAD + 4, b"\0\x09"), "AESEQ: has an impossible width: 2 to 8"),
        (put(HEAD + 4, b"\0\0"), "AESEQ: has an impossible width"),
        (put(HEAD + 140 + 4, b"\xff\xff"), "AETERM: has an impossible width: 1 to 32767"),
        (put(HEAD + 84, b"\0\0\0\x01"), "AESEQ: does not lie where the one before it ends"),
        (put(HEAD + 140 + 84, b"\xff\xff\xff\xff"), "AETERM: does not lie where the one before it ends"),
        (put(HEAD + 140 + 8, b"AESEQ   "), "AESEQ: is there twice"),
        (put(HEAD + 8, b"A'; DROP"), "variable 1 has a name that is no SAS name"),
        (put(HEAD + 16, b"\xff"), "AESEQ: its label is not utf-8"),
        (put(FIRST_ROW, b"\x40" + b"\0" * 7), "row 1, AESEQ: neither a number nor a missing value"),
        (put(FIRST_ROW + 16 * 7 + 8, b"\xff"), "row 8, AETERM: is not utf-8"),
        (SOUND + SOUND[240:], "holds more than one data set"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_the_place(octets: bytes, told: str) -> None:
    assert told in refusal(octets).message


def test_a_second_data_set_is_seen_wherever_the_groups_of_octets_end() -> None:
    rows: list[Row] = [(float(each), "headache") for each in range(5 * 819)]  # 65,520 octets of rows
    octets = written(table(number(), text()), rows)
    assert "more than one data set" in refusal(octets + SOUND[240:]).message


def test_the_words_of_a_header_within_a_text_are_no_header() -> None:
    said = MEMBER[:48].decode()
    rows: list[Row] = [("x", said)] * 3
    octets = written(table(text("A", length=1), text("B", length=50)), rows)
    assert list(read_xpt([octets], file="ae.xpt")[1]) == rows


def test_a_refusal_never_holds_the_value() -> None:
    octets = SOUND.replace(b"headache", b"secr\xe9t  ", 1)
    assert "secr" not in refusal(octets).message


def test_octets_that_an_encoding_does_not_have_are_refused() -> None:
    octets = SOUND.replace(b"headache", b"head\x81che", 1)
    assert "is not windows-1252" in refusal(octets, Encoding.WINDOWS_1252).message


def test_half_of_a_character_is_refused() -> None:
    octets = SOUND.replace(b"headache", "頭痛".encode()[:5].ljust(8), 1)
    assert "row 1, AETERM: is not utf-8" in refusal(octets).message


MUTATION: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(
        lambda at, octet: lambda data: data[:at] + bytes([octet]) + data[at + 1 :],
        st.integers(0, len(SOUND) - 1), st.integers(0, 255),
    ),
    st.builds(lambda at: lambda data: data[:at], st.integers(0, len(SOUND))),
    st.builds(lambda at, more: lambda data: data[:at] + more + data[at:], st.integers(0, len(SOUND)), st.binary()),
)  # fmt: skip


@given(st.lists(MUTATION, min_size=1, max_size=3))
def test_a_spoiled_file_reads_or_is_refused(
    mutations: list[Callable[[bytes], bytes]],
) -> None:
    octets = SOUND
    for mutate in mutations:
        octets = mutate(octets)
    try:
        one, rows = read_xpt([octets], file="ae.xpt", encoding=Encoding.LATIN_1)
        read = list(rows)
    except CallerError:
        return
    assert octets.startswith(LIBRARY)
    assert all(len(row) == len(one.variables) for row in read)
