"""Which consents to research cover which declared use, and that a release stands on nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.data_use import check_declared, covers
from gateway.consent.model import Basis, Permit, Purpose, Requester
from gateway.consent.policy import decide
from gateway.errors import CallerError
from gateway.identity.model import Role
from tests.unit.gateway.consent.cases import (
    DOCTOR,
    NOW,
    as_of,
    deny,
    doctor,
    emergency,
    epochs,
    facts,
    outcome,
    owner,
    permit,
    request,
    told,
)

GENERAL, HEALTH, ORIGINS, ANY = "DUO:0000042", "DUO:0000006", "DUO:0000011", "DUO:0000004"
DIABETES, ASTHMA = "DUO:0000007=MONDO:0005148", "DUO:0000007=MONDO:0004979"
METHODS, NO_METHODS, ANCESTRY, NO_ORIGINS = "DUO:0000031", "DUO:0000015", "DUO:0000033", "DUO:0000044"
NPUNCU, NPU, NCU, IRB = "DUO:0000018", "DUO:0000045", "DUO:0000046", "DUO:0000021"
UNTIL, AFTER = "DUO:0000025", "DUO:0000024"
TERMS = (
    GENERAL,
    HEALTH,
    ORIGINS,
    ANY,
    DIABETES,
    ASTHMA,
    METHODS,
    NO_METHODS,
    ANCESTRY,
    NO_ORIGINS,
    NPUNCU,
    NPU,
    NCU,
    IRB,
)


@pytest.mark.parametrize(
    ("consented", "declared", "covered"),
    [
        ([GENERAL], [GENERAL], True),
        ([GENERAL], [HEALTH], True),
        ([GENERAL], [DIABETES], True),
        ([GENERAL], [ORIGINS, ANCESTRY], True),
        ([ANY], [GENERAL, METHODS], True),
        ([HEALTH], [HEALTH], True),
        ([HEALTH], [DIABETES], True),
        ([HEALTH], [GENERAL], False),
        ([HEALTH], [ORIGINS], False),
        ([HEALTH], [HEALTH, ANCESTRY], False),
        ([DIABETES], [DIABETES], True),
        ([DIABETES], [ASTHMA], False),
        ([DIABETES], [HEALTH], False),
        ([DIABETES], [DIABETES, ASTHMA], False),
        ([DIABETES, ASTHMA], [DIABETES, ASTHMA], True),
        (["DUO:0000007"], ["DUO:0000007"], False),
        ([ORIGINS], [ORIGINS], True),
        ([ORIGINS], [HEALTH], False),
        ([], [GENERAL], False),
        ([GENERAL], [], False),
        ([GENERAL], [METHODS], False),
        ([IRB], [GENERAL, IRB], False),
        ([HEALTH, NO_METHODS], [HEALTH], True),
        ([HEALTH, NO_METHODS], [HEALTH, METHODS], False),
        ([GENERAL, NO_ORIGINS], [HEALTH], True),
        ([GENERAL, NO_ORIGINS], [ORIGINS], False),
        ([HEALTH, IRB], [HEALTH], False),
        ([HEALTH, IRB], [HEALTH, IRB], True),
        ([HEALTH, NPUNCU], [HEALTH, NPU], False),
        ([HEALTH, NPUNCU], [HEALTH, NPU, NCU], True),
        ([HEALTH, NPUNCU], [HEALTH, NPUNCU], True),
        ([HEALTH, NPU], [HEALTH, NPUNCU], False),
        ([HEALTH, "DUO:0000043"], [HEALTH], True),
        ([HEALTH, f"{UNTIL}=2027-01-01"], [HEALTH], False),
        ([HEALTH, f"{UNTIL}=2027-01-01"], [HEALTH, f"{UNTIL}=2026-12-31"], True),
        ([HEALTH, f"{UNTIL}=2027-01-01"], [HEALTH, f"{UNTIL}=2027-01-02"], False),
        ([HEALTH, f"{UNTIL}=2027-01-01"], [HEALTH, UNTIL], False),
        ([HEALTH, f"{AFTER}=2027-01-01"], [HEALTH, f"{AFTER}=2027-01-01"], True),
        ([HEALTH, f"{AFTER}=2027-01-01"], [HEALTH, f"{AFTER}=2026-12-31"], False),
        ([HEALTH, f"{AFTER}=2027-01-01"], [HEALTH, AFTER], False),
        ([HEALTH, UNTIL], [HEALTH, f"{UNTIL}=2026-01-01"], False),
        ([HEALTH, "DUO:0000022=DE"], [HEALTH, "DUO:0000022=FR"], False),
        ([HEALTH, "DUO:9999999"], [HEALTH], False),
        ([HEALTH, "no term at all"], [HEALTH], False),
    ],
)
def test_a_use_is_covered_as_the_ontology_says(consented: list[str], declared: list[str], covered: bool) -> None:
    assert covers(consented, declared) is covered


@given(st.sets(st.sampled_from(TERMS)), st.sets(st.sampled_from(TERMS)), st.sampled_from((NO_METHODS, NO_ORIGINS, IRB)))
def test_a_condition_more_never_covers_more(consented: set[str], declared: set[str], condition: str) -> None:
    assert covers(consented, declared) or not covers(consented | {condition}, declared)


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ([], ("dataUse",)),
        (["DUO:0000004"], ("dataUse",)),
        ([IRB], ("dataUse",)),
        (["DUO:0000007"], ("dataUse", "DUO:0000007")),
        ([HEALTH, NO_METHODS], ("dataUse", NO_METHODS)),
        ([HEALTH, "DUO:1"], ("dataUse", "DUO:1")),
        ([HEALTH] * 65, ("dataUse",)),
    ],
)
def test_what_cannot_be_declared_is_refused_by_name(terms: list[str], named: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refused:
        check_declared(terms, field=("dataUse",))
    assert refused.value.field == named


def test_a_use_that_can_be_declared_is_not_refused() -> None:
    check_declared([DIABETES, METHODS, IRB, f"{UNTIL}=2027-01-01"], field=("dataUse",))
    check_declared([f"DUO:0000007=MONDO:{number}" for number in range(64)], field=("dataUse",))


RESEARCHER = doctor(roles=frozenset({Role.RESEARCHER}))
WANTED = frozenset({DIABETES, IRB})


def asked(
    data_use: frozenset[str] = WANTED, requester: Requester = RESEARCHER, purpose: Purpose = Purpose.HRESCH
) -> str:
    return told(outcome(STANDING, asked=request(requester, purpose=purpose, data_use=data_use)))


STANDING = [permit(purposes=("HRESCH", "TREAT"), data_use=(HEALTH, IRB))]


def test_a_release_stands_on_a_consent_whose_terms_cover_it() -> None:
    assert asked() == "yes"
    assert asked(frozenset({DIABETES})) == "no: no consent covers this"


@pytest.mark.parametrize("data_use", [(), (ASTHMA,)])
def test_a_consent_without_terms_or_with_others_releases_nothing(data_use: tuple[str, ...]) -> None:
    standing = [permit(purposes=("HRESCH",), data_use=data_use)]
    found = outcome(standing, asked=request(RESEARCHER, purpose=Purpose.HRESCH, data_use=WANTED))
    assert told(found) == "no: no consent covers this"


def test_a_consent_with_terms_is_no_consent_to_read() -> None:
    standing = [permit(purposes=("HRESCH",), data_use=(HEALTH,))]
    assert told(outcome(standing, asked=request(RESEARCHER, purpose=Purpose.HRESCH))) == "no: no consent covers this"


def test_care_releases_nothing() -> None:
    standing = [permit(data_use=(HEALTH, IRB))]
    found = outcome(standing, asked=request(doctor(), purpose=Purpose.TREAT, data_use=WANTED))
    assert told(found) == "no: data are released for research alone"


def test_no_emergency_releases_anything() -> None:
    found = outcome([], asked=request(doctor(), purpose=Purpose.ETREAT, data_use=WANTED), broken=emergency())
    assert told(found) == "no: data are released for research alone"


def test_a_researcher_who_is_the_patient_needs_the_consent_too() -> None:
    alone = owner(roles=frozenset({Role.PATIENT, Role.RESEARCHER}))
    found = outcome([], asked=request(alone, purpose=Purpose.HRESCH, data_use=WANTED))
    assert told(found) == "no: no consent covers this"
    given = permit(grantee=alone.actor, purposes=("HRESCH",), data_use=(HEALTH, IRB))
    decided = decide(request(alone, purpose=Purpose.HRESCH, data_use=WANTED), facts(), [given], epochs(), as_of(), NOW)
    assert isinstance(decided, Permit)
    assert decided.basis is Basis.CONSENT


def test_a_deny_for_research_stops_a_release() -> None:
    standing = [*STANDING, deny(grantee=DOCTOR, purposes=("HRESCH",))]
    found = outcome(standing, asked=request(RESEARCHER, purpose=Purpose.HRESCH, data_use=WANTED))
    assert told(found).startswith("no: ")
