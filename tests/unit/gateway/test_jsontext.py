"""What goes in comes out; what is not strict JSON is refused with its place; canonical form is RFC 8785's."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.jsontext import MAX_DEPTH, MAX_NUMBER_LENGTH, JsonValue, Num, canonical, dumps, loads

VECTORS = Path(__file__).parents[2] / "vectors" / "jcs"

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
SAFE = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | SAFE | DOUBLES.map(lambda value: Num(repr(value))) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def refusal(data: bytes | str) -> CallerError:
    with pytest.raises(CallerError) as caught:
        loads(data)
    return caught.value


@pytest.mark.parametrize(
    "number",
    ["1.10", "1E2", "1e+2", "-0", "-0.0", "0.00", "1E400", "5e-324", "1.000000000000000000000001", "0", "7"],
)
def test_a_number_is_written_as_it_was_read(number: str) -> None:
    assert dumps(loads(f'{{"value":{number},"more":[{number}]}}')) == f'{{"value":{number},"more":[{number}]}}'.encode()


@pytest.mark.parametrize(
    "number",
    [str(2**53), str(2**63), str(2**64), str(-(2**63) - 1), "9" * MAX_NUMBER_LENGTH],
)
def test_a_large_integer_is_kept_exactly(number: str) -> None:
    assert dumps(loads(number)) == number.encode()


def test_a_number_computes_as_its_double() -> None:
    assert Num("1.10") * 2 == 2.2


def test_a_number_keeps_its_text_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Num("1.10"))).text == "1.10"


@given(VALUES)
def test_what_was_written_reads_back_the_same(value: JsonValue) -> None:
    assert dumps(loads(dumps(value))) == dumps(value)


@given(VALUES)
def test_indented_and_escaped_text_reads_the_same_as_compact_text(value: JsonValue) -> None:
    plain = json.loads(dumps(value))
    assert loads(json.dumps(plain, indent=3, ensure_ascii=True)) == loads(dumps(value))


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"a":1,"a":1}', "/a"),
        ('{"a":[{"b":1},{"b":1,"c":2,"b":3}]}', "/a/1/b"),
        (r'{"a":1,"\u0061":1}', "/a"),
        (r'{"a":":","a":"\u003a:::"}', "/a"),
        ('{"a":{"x":1},"a":"-:-:"}', "/a"),
        ('{"":1,"":2}', "/"),
        ('{"p/q~":{"":1},"p/q~":{}}', "/p~1q~0"),
    ],
)
def test_a_repeated_key_is_refused_with_its_place(text: str, pointer: str) -> None:
    assert refusal(text).message == f"repeated key at {pointer}"


def test_a_repeated_key_is_named_in_the_field_path() -> None:
    assert refusal('{"a":[{"b":1,"b":1}]}').field == ("a", "0", "b")


@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=5), st.data())
def test_any_repeated_key_is_refused(members: dict[str, str], data: st.DataObject) -> None:
    twin = data.draw(st.sampled_from(sorted(members)))
    written = [*members.items(), (twin, data.draw(TEXT))]
    escaped = data.draw(st.booleans())
    parts = (f"{json.dumps(k, ensure_ascii=escaped)}:{json.dumps(v, ensure_ascii=escaped)}" for k, v in written)
    assert "repeated key" in refusal("[{" + ",".join(parts) + "}]").message


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"NaN", b"[NaN]", b"-Infinity", b'{"a":Infinity}', b"{} {}", b"1 2", b"[1,]", b'{"a":1,}', b"01",
        b"1.", b".5", b"+1", b"'a'", b"{a:1}", b"// x\n1", b'"\x01"', b'"\t"', b'"a', b'"\\x"', b"tru",
        b"\xef\xbb\xbf1",
        b'"\xff"', b'"\xed\xa0\x80"', b'{"a\xc3":1}', b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\ud800":1}', 
        b"\x00", b"[1\x0c]",
    ],
)  # fmt: skip
def test_text_that_is_not_strict_json_is_refused(text: bytes) -> None:
    assert refusal(text).code == "INVALID"


def test_half_of_a_surrogate_pair_is_refused_in_text_too() -> None:
    assert "surrogate" in refusal('"\ud800"').message


@pytest.mark.parametrize("depth", [1, MAX_DEPTH])
def test_nesting_up_to_the_ceiling_is_read(depth: int) -> None:
    assert dumps(loads(nested(depth))) == nested(depth)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, 2_000, 1_000_000])
def test_nesting_beyond_the_ceiling_is_refused(depth: int) -> None:
    assert refusal(nested(depth)).message == f"nested deeper than {MAX_DEPTH}"


def test_nested_objects_beyond_the_ceiling_are_refused() -> None:
    assert "nested" in refusal(b'{"a":' * 65 + b"1" + b"}" * 65).message


@pytest.mark.parametrize(
    "text", ["1" * 65, "0." + "1" * 63, "-" + "9" * 64, "1" * 1_000_000, "[1," + "9" * 5_000 + "]"]
)
def test_an_overlong_number_is_refused(text: str) -> None:
    assert "number" in refusal(text).message


def test_messages_carry_no_value() -> None:
    assert "secret" not in refusal('{"a":"secret","b":"secret" oops}').message


@pytest.mark.parametrize("name", ["arrays", "french", "unicode", "values"])
def test_canonical_form_matches_the_published_vectors(name: str) -> None:
    form = canonical(loads((VECTORS / "input" / f"{name}.json").read_bytes()))
    assert form == bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text())


@given(VALUES)
def test_canonical_form_equals_the_reference_package(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(json.loads(dumps(value)))


@given(st.dictionaries(st.text("a\uffff\ue000\U0001f600\U00010000é", max_size=3), SAFE, max_size=8))
def test_keys_are_ordered_by_utf16_units(value: dict[str, JsonValue]) -> None:
    assert canonical([value]) == rfc8785.dumps([value])


@given(st.binary(min_size=8, max_size=8))
def test_every_double_is_written_as_ecmascript_writes_it(raw: bytes) -> None:
    number: float = struct.unpack("<d", raw)[0]
    if number - number == 0.0:
        assert canonical(Num(repr(number))) == rfc8785.dumps(number)


@pytest.mark.parametrize(
    ("number", "form"),
    [("1.10", b"1.1"), ("1E2", b"100"), ("-0", b"0"), ("-0.0", b"0"), ("1e21", b"1e+21"), ("1e20", b"1" + b"0" * 20),
     ("0.000001", b"0.000001"), ("1e-7", b"1e-7"), ("9007199254740991", b"9007199254740991"),
     ("9007199254740993", b"9007199254740992"), ("1000000000000000000", b"1000000000000000000"),
     (str(2**64), b"18446744073709552000"), ("9" * 30, b"1e+30")],
)  # fmt: skip
def test_canonical_form_fixes_numbers_as_doubles(number: str, form: bytes) -> None:
    assert canonical(loads(number)) == form


@pytest.mark.parametrize("number", ["1E400", "-1E400"])
def test_a_number_that_no_double_holds_has_no_canonical_form(number: str) -> None:
    value = loads(f'{{"value":{number}}}')
    with pytest.raises(CallerError):
        canonical(value)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2} x', '[{"a":1,"a":2},', '[{"a":1,"a":2},{"b" 1}]', '[{"a":{"b":1,"b":2}},tru]']
)
def test_a_repeated_key_before_what_is_no_json_is_refused(text: str) -> None:
    """Found by `tests/fuzz`: the place of the key was looked for in text that had not been read to its end."""
    with pytest.raises(CallerError, match="not JSON"):
        loads(text)
