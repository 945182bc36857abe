"""What version 5 of a transport file cannot say is refused by file, row and variable, and nothing is cut or rounded."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.errors import CallerError
from gateway.trials.tabulation.model import Cell, DataType, Table, Variable
from gateway.trials.tabulation.xpt import Encoding
from tests.unit.gateway.trials.tabulation.studies import number, table, text, written


@pytest.mark.parametrize(
    ("variable", "cell", "told"),
    [
        (text(length=2), "abc", "is longer than the 2 octets"),
        (text(), "ab ", "ends in blanks"),
        (text(), 1, "is no text"),
        (number(), "1", "not a number"),
        (number(), True, "not a number"),
        (number(), math.inf, "not a finite number"),
        (number(), 1e76, "beyond the numbers"),
        (number(), 1e-80, "beyond the numbers"),
        (number(), Decimal("0.1234567890123456789"), "has more digits"),
        (number(), 2**60 + 1, "has more digits"),
        (number(), Decimal("1E999999999"), "beyond the numbers"),
        (text(type_=DataType.BOOLEAN), True, "is boolean, which a transport file cannot say"),
    ],
)
def test_what_a_transport_file_cannot_say_is_refused(variable: Variable, cell: Cell, told: str) -> None:
    with pytest.raises(CallerError, match=f"{variable.name}: {told}"):
        written(table(variable), [(cell,)])


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        (text("TOOLONGNAME"), "is no SAS name"),
        (text(length=None), "has no length; fit the table first"),
        (text(length=201), "outside 1 to 200"),
        (replace(text(), label="x" * 41), "its label is longer than the 40 octets"),
        (replace(number(), display_format="VERYLONGNAME8."), "display format"),
    ],
)
def test_a_variable_that_a_transport_file_cannot_say_is_refused(variable: Variable, told: str) -> None:
    with pytest.raises(CallerError, match=told):
        written(table(variable), [])


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (table(), "has 0 variables; 1 to 9999 may be"),
        (table(*(number(f"V{at}") for at in range(10_000))), "has 10000 variables"),
        (table(number("AESEQ"), number("aeseq")), "has two variables of one name"),
        (replace(table(number()), name="ADVERSE EVENTS"), "has a name that is no SAS name"),
        (replace(table(number()), created=None), "say when the table was made"),
        (table(*(text(f"V{at}", length=200) for at in range(5_300))), "has rows of more than 1048576 octets"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_table_that_a_transport_file_cannot_say_is_refused(one: Table, told: str) -> None:
    with pytest.raises(CallerError, match=told):
        written(one, [])


@pytest.mark.parametrize(("said", "encoding"), [("頭", Encoding.LATIN_1), ("\ud800", Encoding.UTF_8)])
def test_a_character_that_the_encoding_does_not_have_is_refused(said: str, encoding: Encoding) -> None:
    with pytest.raises(CallerError, match="row 1, AETERM: has characters that"):
        written(table(text()), [(said,)], encoding)


def test_a_refusal_on_writing_names_the_row_and_not_the_value() -> None:
    with pytest.raises(CallerError) as caught:
        written(table(text(length=4)), [("ab",), ("secret",)])
    assert (caught.value.field, "secret" in caught.value.message) == (("ae.xpt", "rows", "2", "AETERM"), False)


def test_a_row_of_the_wrong_length_is_refused_by_number() -> None:
    with pytest.raises(CallerError, match="row 2: has 2 values for 1 variables"):
        written(table(text()), [("a",), ("b", "c")])
