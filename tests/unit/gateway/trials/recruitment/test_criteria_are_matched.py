"""What records say to criteria, and what they do not say."""

import time
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.deid.dates import whole_years
from gateway.errors import CallerError, LimitError
from gateway.trials.recruitment.matching import Fit, Verdict, match, screening
from gateway.trials.recruitment.wording import Reason
from tests.unit.gateway.trials.recruitment.asked import (
    GOUT,
    GOUT_OF_LATE,
    HBA1C,
    HBA1C_OF_LATE,
    LOINC,
    NO_GOUT,
    SNOMED,
    TODAY,
    WARFARIN_OF_LATE,
    concept,
    condition,
    criteria,
    judged,
    matched,
    medication,
    observation,
    patient,
    status,
    value,
)

MET, NOT_MET, UNKNOWN = Verdict
OTHER = condition("38341003")


@given(st.dates(date(1900, 1, 1), date(2024, 1, 1)), st.dates(date(2024, 1, 1), date(2030, 12, 31)))
@settings(max_examples=300, deadline=None)
def test_ages_are_whole_years(born: date, today: date) -> None:
    age = whole_years(born, today)
    told = patient(birthDate=born.isoformat())
    ends = [{"from": age}, {"to": age}, {"from": age, "to": age}]
    assert [judged({"age": one}, told, today=today).verdict for one in ends] == [MET] * 3
    beside = [{"from": age + 1}] + ([{"to": age - 1}] if age else [])
    assert {judged({"age": one}, told, today=today).verdict for one in beside} == {NOT_MET}


@pytest.mark.parametrize(
    ("today", "verdict"), [(date(2024, 2, 29), NOT_MET), (date(2024, 3, 1), MET), (date(2025, 2, 28), MET)]
)
def test_who_was_born_in_march_is_not_older_on_a_leap_day(today: date, verdict: Verdict) -> None:
    assert judged({"age": {"from": 18}}, patient(birthDate="2006-03-01"), today=today).verdict is verdict


@pytest.mark.parametrize(
    ("born", "verdict"), [("2005", MET), ("2006", UNKNOWN), ("2006-06", UNKNOWN), ("2006-05", MET), ("2007", NOT_MET)]
)
def test_a_birth_date_in_part_tells_what_it_can(born: str, verdict: Verdict) -> None:
    assert judged({"age": {"from": 18}}, patient(birthDate=born)).verdict is verdict


@pytest.mark.parametrize("records", [[], [patient()], [patient(birthDate="x")], [patient(birthDate="1990")] * 2])
def test_an_age_that_is_not_told_is_unknown(records: list[Any]) -> None:
    assert judged({"age": {"from": 18}}, *records).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("gender", "verdict"), [("female", MET), ("other", MET), ("male", NOT_MET), ("unknown", UNKNOWN), (None, UNKNOWN)]
)
def test_sex_is_as_the_records_say(gender: str | None, verdict: Verdict) -> None:
    assert judged({"sex": ["female", "other"]}, patient(gender=gender)).verdict is verdict


def test_a_code_among_conditions_is_found() -> None:
    one = judged(GOUT, OTHER, condition())
    assert (one.verdict, one.reason, one.evidence) == (MET, Reason.TOLD, ("Condition/c90560007",))


def test_conditions_without_the_code_deny_it() -> None:
    assert judged(GOUT, OTHER).verdict is NOT_MET


def test_records_without_conditions_do_not_tell() -> None:
    one = judged(GOUT, patient(), medication("90560007"))
    assert (one.verdict, one.reason) == (UNKNOWN, Reason.SILENT)


def test_silence_is_unknown_where_the_study_says_so() -> None:
    assert judged({"has": GOUT["has"] | {"silence": "unknown"}}, OTHER).verdict is UNKNOWN


@pytest.mark.parametrize("state", ["refuted", "entered-in-error"])
def test_what_was_refuted_does_not_count(state: str) -> None:
    assert judged(GOUT, OTHER, condition(verificationStatus=status("ver-status", state))).verdict is NOT_MET


@pytest.mark.parametrize(
    "unread",
    [
        {"resourceType": "Condition", "code": {"text": "gout"}},
        {"resourceType": "Condition"},
        condition() | {"code": concept("M10", "http://hl7.org/fhir/sid/icd-10")},
    ],
)
def test_a_condition_that_cannot_be_read_may_be_the_one(unread: dict[str, Any]) -> None:
    one = judged(GOUT, OTHER, unread | {"resourceType": "Condition"})
    assert (one.verdict, one.reason) == (UNKNOWN, Reason.UNCLEAR)


def test_a_condition_that_is_not_wanted_is_judged_the_other_way_round() -> None:
    asked = [judged(NO_GOUT, *records).verdict for records in ([OTHER, condition()], [OTHER], [])]
    assert asked == [NOT_MET, MET, UNKNOWN]


ACTIVE = {"clinicalStatus": status("clinical", "active")}


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"onsetDateTime": "1991-05-26"} | ACTIVE, MET),
        ({"onsetDateTime": "2024-01-01"}, MET),
        ({"onsetDateTime": "1991", "abatementDateTime": "2024-02-01T10:00:00Z"}, MET),
        ({"onsetPeriod": {"start": "2023-12", "end": "2024-01"}}, MET),
        ({"onsetDateTime": "1991", "abatementDateTime": "1992"}, NOT_MET),
        ({"onsetDateTime": "1991", "abatementDateTime": "1992"} | ACTIVE, NOT_MET),
        ({"abatementPeriod": {"start": "1991", "end": "1992"}}, NOT_MET),
        ({"onsetDateTime": "1991"}, UNKNOWN),
        ({"abatementDateTime": "2023"}, UNKNOWN),
        ({"abatementString": "a while ago"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_a_condition_of_late_is_active_or_begins_or_ends_in_that_time(told: dict[str, Any], verdict: Verdict) -> None:
    assert judged(GOUT_OF_LATE, condition(**told)).verdict is verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"authoredOn": "2024-06-01T08:00:00+02:00"}, MET),
        ({"authoredOn": "2024-03-17T00:00:00Z"}, MET),
        ({"authoredOn": "2024-03-16T23:59:59Z"}, NOT_MET),
        ({"authoredOn": "2024-03-17"}, UNKNOWN),
        ({"authoredOn": "2023"}, NOT_MET),
        ({"authoredOn": "2023", "status": "active"}, MET),
        ({"authoredOn": "2024-06-01", "status": "cancelled"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_a_medicine_of_late_is_active_or_was_prescribed_in_that_time(told: dict[str, Any], verdict: Verdict) -> None:
    assert judged(WARFARIN_OF_LATE, medication(**told)).verdict is verdict


def test_a_medicine_that_is_told_by_reference_may_be_the_one() -> None:
    by_reference = {"resourceType": "MedicationRequest", "medicationReference": {"reference": "Medication/1"}}
    assert judged({"has": {"in": "medications", "codes": ["s|c"]}}, by_reference).verdict is UNKNOWN


def test_a_medicine_in_another_code_system_may_be_the_one_while_it_is_active() -> None:
    other = medication(authoredOn="2020") | {"medicationCodeableConcept": concept("B01AA03", "http://www.whocc.no/atc")}
    found = [judged(WARFARIN_OF_LATE, other | {"status": state}).verdict for state in ("active", "completed")]
    assert found == [UNKNOWN, NOT_MET]


def test_any_of_many_codes_is_enough() -> None:
    many = [f"{SNOMED}|{number}" for number in range(63)]
    assert judged({"has": {"in": "conditions", "codes": [*many, f"{SNOMED}|90560007"]}}, condition()).verdict is MET


@pytest.mark.parametrize(
    ("number", "verdict"), [(5.7, MET), (6.4, MET), (6, MET), (5.69, NOT_MET), (6.41, NOT_MET), (6.400000001, NOT_MET)]
)
def test_both_ends_of_a_range_are_in_it(number: float, verdict: Verdict) -> None:
    assert judged(HBA1C, observation("2024-06-01", value(number))).verdict is verdict


def test_the_newest_value_counts_however_records_are_ordered() -> None:
    times = ["2024-06-01T23:00:00-05:00", "2024-06-02T03:00:00Z", "2023", None]
    records = [observation(day, value(6.0 if number == 0 else 9)) for number, day in enumerate(times)]
    for turn in range(4):
        one = judged(HBA1C, *records[turn:], *records[:turn])
        assert (one.verdict, one.evidence) == (MET, (f"Observation/o{times[0]}",))


@pytest.mark.parametrize(
    "quantity",
    [value(6, "mmol/mol"), value(6, comparator="<"), value(6, system="http://local"), {"unit": "%"}, {"value": 6}],
)
def test_a_value_in_another_unit_is_not_judged(quantity: dict[str, Any]) -> None:
    one = judged(HBA1C, observation("2024-06-01", quantity))
    assert (one.verdict, one.reason) == (UNKNOWN, Reason.UNCLEAR)


def test_a_unit_that_is_shown_alone_is_heeded() -> None:
    assert judged(HBA1C, observation("2024-06-01", {"value": 6, "unit": "%"})).verdict is MET


@pytest.mark.parametrize("records", [[], [observation("2023-06-01", value(6))], [observation(None, value(6))]])
def test_without_a_value_of_late_it_is_unknown(records: list[Any]) -> None:
    one = judged(HBA1C_OF_LATE, *records)
    assert (one.verdict, one.reason) == (UNKNOWN, Reason.SILENT)


def test_a_value_that_was_entered_in_error_does_not_count() -> None:
    wrong = observation("2024-06-02", value(9), status="entered-in-error")
    assert judged(HBA1C, wrong, observation("2024-06-01", value(6))).verdict is MET


def test_a_part_of_an_observation_counts() -> None:
    parts = [
        {"code": concept("8480-6", LOINC), "valueQuantity": value(150, "mm[Hg]")},
        {"code": concept("8462-4", LOINC), "valueQuantity": value(80, "mm[Hg]")},
    ]
    pressure = observation("2024-06-01", None, "55284-4", component=parts)
    asked = {"code": f"{LOINC}|8462-4", "to": 90, "unit": "mm[Hg]"}
    assert judged({"lab": asked}, pressure).verdict is MET
    assert judged({"lab": asked | {"code": f"{LOINC}|8480-6"}}, pressure).verdict is NOT_MET


BORN = "Bundle.entry.resource.where(resourceType = 'Patient').birthDate"


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        (f"{BORN} < @1990", MET),
        (f"{BORN} > @1990", NOT_MET),
        (f"{BORN} < @1980-05", UNKNOWN),
        (f"{BORN} < %today", MET),
        (f"{BORN}.exists() and {BORN} = 7", NOT_MET),
        ("Bundle.entry.resource.id", UNKNOWN),
        (f"{BORN} < 7", UNKNOWN),
        ("Bundle.entry.absent = 1", UNKNOWN),
    ],
)
def test_an_expression_is_true_false_or_neither(expression: str, verdict: Verdict) -> None:
    assert judged({"fhirpath": expression}, patient(birthDate="1980-05-01")).verdict is verdict


@pytest.mark.parametrize("expression", ["today()", "1 + 1 + 'x'.absent", "(", "'text'", "%tomorrow", "1", BORN])
def test_what_is_no_expression_is_refused_by_name(expression: str) -> None:
    with pytest.raises(CallerError) as refusal:
        screening(criteria(GOUT, {"fhirpath": expression}), today=TODAY)
    assert refusal.value.field == ("criteria", "inclusion", "1", "fhirpath")


def test_one_that_speaks_against_it_is_enough() -> None:
    found = matched(criteria({"sex": ["female"]}, {"age": {"from": 18}}), patient(gender="male"))
    assert (found.fit, [one.favours for one in found.judged]) == (Fit.DOES_NOT_FIT, [False, None])


def test_what_is_not_known_leaves_it_unclear() -> None:
    assert matched(criteria({"sex": ["female"]}, {"age": {"from": 18}}), patient(gender="female")).fit is Fit.UNCLEAR


def test_who_meets_all_and_nothing_that_excludes_fits() -> None:
    found = matched(criteria({"sex": ["female"]}, exclusion=(GOUT,)), patient(gender="female"), OTHER)
    assert (found.fit, [one.verdict for one in found.judged]) == (Fit.FITS, [MET, NOT_MET])


def test_what_excludes_speaks_against_it_when_it_is_met() -> None:
    found = matched(criteria({"sex": ["female"]}, exclusion=(GOUT,)), patient(gender="female"), condition())
    assert (found.fit, [one.favours for one in found.judged]) == (Fit.DOES_NOT_FIT, [True, False])


def test_reasons_tell_no_value() -> None:
    records = [patient(birthDate="1980-05-01", gender="female"), condition(), observation("2024-06-01", value(8.25))]
    asked = criteria({"age": {"from": 18}}, {"sex": ["female"]}, GOUT_OF_LATE, HBA1C, HBA1C_OF_LATE, WARFARIN_OF_LATE)
    told = " ".join(one.why for one in matched(asked, *records).judged)
    assert not any(told_of in told for told_of in ("1980", "8.25", "female", "gout", "90560007"))
    assert [one.why for one in matched(asked, *records).judged][3] == (
        "The newest such value in your records is not in this range."
    )


TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["x", "active", "2024-06-01", SNOMED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["coding", "system", "code", "value", "unit", "start", "end", "valueQuantity", "component"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
MEMBERS = (
    "id birthDate gender code status clinicalStatus verificationStatus onsetDateTime abatementPeriod authoredOn "
    "medicationCodeableConcept effectiveDateTime effectivePeriod valueQuantity component"
)
TYPES = st.sampled_from(["Patient", "Condition", "MedicationRequest", "Observation"])
RECORDS = st.lists(
    st.builds(
        lambda kind, told: told | {"resourceType": kind},
        TYPES,
        st.dictionaries(st.sampled_from(MEMBERS.split()), TREES, max_size=6),
    ),
    max_size=4,
)
EVERY = screening(
    criteria({"age": {"from": 18}}, {"sex": ["male"]}, GOUT_OF_LATE, NO_GOUT, WARFARIN_OF_LATE, HBA1C_OF_LATE),
    today=TODAY,
)


@given(RECORDS)
@settings(max_examples=300, deadline=None)
def test_no_records_make_anything_but_verdicts(records: list[Any]) -> None:
    assert len(EVERY.match(records).judged) == 6


@pytest.mark.parametrize("records", [[7], [{}], [[]], [{"resourceType": 7}]])
def test_what_is_no_resource_is_refused(records: list[Any]) -> None:
    with pytest.raises(CallerError) as refusal:
        match(criteria(GOUT), records, today=TODAY)
    assert refusal.value.field == ("resources", "0")


def test_more_resources_than_there_may_be_are_refused() -> None:
    with pytest.raises(LimitError):
        match(criteria(GOUT), ({"resourceType": "Basic"} for _ in range(50_001)), today=TODAY)


def test_more_work_than_there_may_be_is_refused_before_it_is_done() -> None:
    many = {"has": GOUT["has"] | {"codes": [f"{SNOMED}|{number}" for number in range(64)]}}
    started = time.process_time()
    with pytest.raises(LimitError, match="too many for these criteria"):
        match(criteria(*[many] * 60), (condition() for _ in range(20_000)), today=TODAY)
    assert time.process_time() - started < 20
