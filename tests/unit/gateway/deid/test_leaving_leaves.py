"""Codes, dates, places, numbers and names: what of each may leave, and in which form."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deid.codes import is_code, kept_concept, kept_money, kept_number
from gateway.deid.dates import DateRule, birth_rule, date_rule, pooled_year_of, shift_days
from gateway.deid.places import kept_address, kept_zip
from gateway.deid.profile import SHIPPED, shipped
from gateway.deid.pseudonyms import SIZE, pseudonym, reference_rule
from gateway.deid.resources import Deidentifier
from tests.unit.gateway.deid.people import TODAY, person

NOBODY = pooled_year_of(None, None, today=TODAY)
SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("system", "code", "may"),
    [
        ("http://www.cdisc.org/ns/sdtm", "SYSBP", True),
        ("http://www.cdisc.org/ns/sdtm", "C3", True),
        ("http://www.cdisc.org/ns/sdtm", "SF360101", True),
        ("http://www.cdisc.org/ns/sdtm", "A1234567", False),
        ("http://www.cdisc.org/ns/sdtm", "01701101", False),
        ("http://www.cdisc.org/ns/sdtm", "Smith", False),
        ("http://www.cdisc.org/ns/sdtm", "BLOODPRESSURE", False),
        ("http://www.whocc.no/atc", "N02BA01", True),
        ("http://www.whocc.no/atc", "N", True),
        ("http://www.whocc.no/atc", "N02BA0", False),
        ("urn:consentry:study:codes", "POSITIVE", True),
        ("urn:consentry:study:codes", "Ms Smith", False),
        (UCUM, "[in_i]", True),
        (SNOMED, "44054006", True),
        (SNOMED, "44054007", False),
        (SNOMED, "5558675309", False),
        (LOINC, "8302-2", True),
        (LOINC, "8302-3", False),
        (LOINC, "555-12-3456", False),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "310965", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E11.9", True),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB", True),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "Jane Doe", False),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "MRN-00482913", False),
        ("http://hospital.example/own", "AMB", False),
        ("https://www.meddra.org", "10019211", True),
        ("http://terminology.hl7.org/CodeSystem/mdr", "10019211", True),
        ("https://www.meddra.org", "Headache", False),
        ("https://www.meddra.org", "20019211", False),
        ("https://www.meddra.org", "100192110", False),
        ("https://www.meddra.org/of-our-own", "10019211", False),
        ("http://terminology.hl7.org/CodeSystem/v2-0360/2.7", "MD", True),
        ("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", True),
        ("http://hl7.org/fhir/17 Elm Street", "AMB", False),
        ("http://hl7.org/fhir/987-65-4329", "AMB", False),
        ("https://bluebutton.cms.gov/resources/codesystem/adjudication",
         "https://bluebutton.cms.gov/resources/variables/line_coinsrnc_amt", True),
        ("https://bluebutton.cms.gov/resources/codesystem/adjudication",
         "https://bluebutton.cms.gov/resources/variables/9987123488", False),
        (UCUM, "mm[Hg]", True),
        (UCUM, "mL/min/{1.73_m2}", True),
        (UCUM, "203.0.113.77", False),
    ],
)  # fmt: skip
def test_a_code_leaves_only_where_it_could_be_one(system: str, code: str, may: bool) -> None:
    assert is_code(system, code) is may


def test_a_concept_leaves_without_its_words() -> None:
    told: Any = {"text": "Jane's", "coding": [{"system": LOINC, "code": "8302-2", "display": "x"}, {"code": "y"}]}
    assert kept_concept(told) == {"coding": [{"system": LOINC, "code": "8302-2"}]}
    assert kept_concept({"text": "only words"}) is None


@pytest.mark.parametrize(
    ("given", "left"),
    [(120, 120), (36.6, 36.6), (1234567.89, 1234570.0), (1e7, None), (9987123488, None), (True, None), ("5", None)],
)
def test_a_number_leaves_where_it_is_no_name(given: Any, left: float | None) -> None:
    assert kept_number(given) == left


def test_money_leaves_with_its_currency() -> None:
    assert kept_money({"value": 12.5, "currency": "USD"}) == {"value": 12.5, "currency": "USD"}
    assert kept_money({"value": 12.5, "currency": "Jane"}) == {"value": 12.5}


@pytest.mark.parametrize(
    ("rule", "given", "left"),
    [
        (DateRule.YEAR, "1987-06-05", "1987"),
        (DateRule.YEAR, "1987-06-05T10:20:30+02:00", "1987"),
        (DateRule.YEAR, "1987", "1987"),
        (DateRule.YEAR, "in 1987", None),
        (DateRule.SHIFT, "1987-06-05T23:59:59Z", "1987-06-15"),
        (DateRule.SHIFT, "1987-06-28", "1987-07-08"),
        (DateRule.SHIFT, "1987-06", "1987-06"),
        (DateRule.SHIFT, "1987", "1987"),
        (DateRule.SHIFT, "1987-02-30", None),
        (DateRule.SHIFT, "9999-12-31", None),
    ],
)
def test_a_date_leaves_by_its_rule(rule: DateRule, given: str, left: str | None) -> None:
    assert date_rule(rule, days=10, pooled=NOBODY)(given) == left


@given(
    st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.binary(min_size=32)
)
def test_days_between_two_dates_of_a_patient_stay(one: date, other: date, subject: bytes) -> None:
    days = shift_days(b"z" * 32, subject)
    move = date_rule(DateRule.SHIFT, days=days, pooled=NOBODY)
    moved = [date.fromisoformat(str(move(day.isoformat()))) for day in (one, other)]
    assert moved[1] - moved[0] == other - one
    assert moved[0] != one


def test_shifts_are_of_one_release_and_within_a_year() -> None:
    drawn = [shift_days(b"z" * 32, number.to_bytes(4, "big")) for number in range(2000)]
    assert {abs(one) <= 365 and one != 0 for one in drawn} == {True}
    assert min(drawn) < -300
    assert max(drawn) > 300
    assert drawn[:20] != [shift_days(b"y" * 32, number.to_bytes(4, "big")) for number in range(20)]


@pytest.mark.parametrize("rule", list(DateRule))
@pytest.mark.parametrize(
    ("born", "died", "pooled"),
    [
        ("1936-11-28", None, "1936"),
        ("1936-11-29", None, None),
        ("1900-01-01", None, "1936"),
        ("1900", None, "1936"),
        ("1900-01-01", "1980-05-05", None),
        ("1900-01-01", "1995-05-05T10:00:00Z", "1905"),
        ("1900-01-01", "2999-01-01", "1936"),
        ("not a date", None, None),
    ],
)
def test_who_is_over_89_has_a_birth_year_in_common(
    rule: DateRule, born: str, died: str | None, pooled: str | None
) -> None:
    found = pooled_year_of(born, died, today=TODAY)
    assert found == (None if pooled is None else int(pooled))
    if pooled is not None:
        assert birth_rule(rule, days=3, pooled=found)(born) == pooled
        # Nothing before it leaves: it would say that they were older.
        assert date_rule(rule, days=3, pooled=found)(f"{int(pooled) - 1}-06-06") is None
        assert date_rule(rule, days=3, pooled=found)(f"{int(pooled) + 1}-06-06") is not None


@pytest.mark.parametrize(
    ("born", "died", "pooled"),
    [
        ("1928-02-30", None, "1936"),
        ("1928-13-40", None, "1936"),
        ("1936-12-31T00:00:00Z", None, None),
        ("1900-06-01", "1990", "1900"),
        ("1900-06-01", "1990-06", "1900"),
        ("1900-06-01", "1990-05", None),
        ("1900-06-01", "1890-01-01", "1936"),
    ],
)
def test_a_date_that_may_mean_an_age_over_89_means_it(born: str, died: str | None, pooled: str | None) -> None:
    found = pooled_year_of(born, died, today=TODAY)
    assert found == (None if pooled is None else int(pooled))


def test_a_birth_date_that_is_none_does_not_leave() -> None:
    for name in SHIPPED:
        told: Any = {"resourceType": "Patient", "birthDate": "1928-02-30"}
        left = Deidentifier(shipped(name)).apply(told, person(shipped(name), told), id="x")
        assert left is not None
        assert left["birthDate"] == "1936"


@pytest.mark.parametrize("died", ["1995-01-02", "1995-12-30", "1995-06", "1995"])
def test_the_year_that_stands_for_a_birth_tells_nothing_of_the_shift(died: str) -> None:
    """It is of the death as it leaves: of the true one, their difference would say in which half of the year that
    was."""
    profile = shipped("expert-determination")
    rules, spans = Deidentifier(profile), set()
    told: Any = {"resourceType": "Patient", "birthDate": "1900-01-01", "deceasedDateTime": died}
    for number in range(200):
        left: Any = rules.apply(told, person(profile, told, subject=number.to_bytes(32, "big")), id="x")
        spans.add(int(left["deceasedDateTime"][:4]) - int(left["birthDate"]))
    assert spans == {90}


@pytest.mark.parametrize(
    ("given", "left"),
    [("02139", "021"), ("02139-4307", "021"), ("03601", "000"), ("00099", "000"), ("Elm", "000"), (5, None)],
)
def test_three_digits_leave_where_enough_people_live(given: Any, left: str | None) -> None:
    assert kept_zip(given) == left


def test_an_address_is_a_state_three_digits_and_a_country() -> None:
    told: Any = {"line": ["17 Elm"], "city": "X", "state": "Massachusetts", "postalCode": "01770", "country": "US"}
    assert kept_address(told, few=20_000) == {"state": "MA", "postalCode": "017", "country": "US"}
    told = {"state": "BE", "postalCode": "10115", "country": "DE"}
    assert kept_address(told, few=20_000) == {"postalCode": "000", "country": "DE"}
    assert kept_address({**told, "country": "Deutschland"}, few=20_000) == {"postalCode": "000"}
    assert kept_address({**told, "country": "US"}, few=20_000) == {"postalCode": "101", "country": "US"}
    assert kept_address({"state": "Framinghamton", "country": "United States"}, few=20_000) is None


def test_pseudonyms_are_of_one_release() -> None:
    assert pseudonym(b"k" * 32, "Patient", b"a") == pseudonym(b"k" * 32, "Patient", b"a")
    others = {
        pseudonym(b"j" * 32, "Patient", b"a"),
        pseudonym(b"k" * 32, "record", b"a"),
        pseudonym(b"k" * 32, "Patient", b"b"),
    }
    assert pseudonym(b"k" * 32, "Patient", b"a") not in others
    assert {len(one) for one in others} == {SIZE}


def test_references_are_pseudonyms_of_their_targets() -> None:
    refer = reference_rule(b"k" * 32, {"Encounter/7": "Encounter/abc"})
    assert refer({"reference": "Encounter/7", "display": "x"}) == {"reference": "Encounter/abc"}
    assert refer({"reference": "#contained"}) is None
    outside: Any = refer({"reference": "Practitioner/99"})
    assert outside["reference"].startswith("Practitioner/")
    assert "99" not in outside["reference"].partition("/")[2][:2]
    planted: Any = refer({"reference": "Schwarzenegger/99"})
    assert planted["reference"].startswith("Resource/")
