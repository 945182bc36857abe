"""A study and its subjects as FHIR: valid R4, and no more said than is known."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from gateway.adapters.fhir_validator import FhirValidator
from gateway.consent.model import StudyState
from gateway.ids import StudyId, to_global
from gateway.ports.study_registry import StudyOnChain
from gateway.trials.registration import declared
from gateway.trials.renderings import research_study, research_subject
from gateway.trials.standing import Enrolled, Study

pytestmark = pytest.mark.asyncio(loop_scope="module")
STUDY = StudyId(b"\x01" * 32)
ALL: Any = {
    "identifiers": [{"kind": "NCT", "value": "NCT00000001"}, {"kind": "ORG x", "value": "X-1"}],
    "title": "Xanomeline <b> & placebo",
    "officialTitle": "Safety and efficacy of xanomeline",
    "sponsor": "Lilly",
    "studyType": "INTERVENTIONAL",
    "phases": ["PHASE2", "PHASE3"],
    "conditions": ["Alzheimer's disease"],
    "arms": [{"label": "High dose", "kind": "EXPERIMENTAL", "description": "81 mg"}, {"label": "Placebo"}],
    "enrolment": {"planned": 300},
    "dates": {"start": {"day": "2026-01"}, "completion": {"day": "2027-06-30", "actual": False}},
    "outcomes": [
        {"kind": "PRIMARY", "measure": "ADAS-Cog", "timeFrame": "week 24"},
        {"kind": "SECONDARY", "measure": "NPI-X"},
        {"kind": "OTHER", "measure": "Weight"},
    ],
}
LEAST: Any = {"title": "Least"}
SUBJECT = Enrolled(
    subject=b"\x02" * 32, key="701-1001", site="701", consent=b"\x03" * 32, entry=9, at=1_800_000_000, withdrawn_at=0
)
GONE = Enrolled(
    subject=b"\x02" * 32, key="701-1001", site="701", consent=b"\x03" * 32, entry=9, at=1_800_000_000,
    withdrawn_at=1_800_086_400,
)  # fmt: skip


def study(state: StudyState = StudyState.OPEN, *, sites: bool = True) -> Study:
    chain = StudyOnChain(
        sponsor=b"\x04" * 32, statistician=bytes(32), allocation=bytes(32), size=0, assigned=0,
        is_open=state is not StudyState.PLANNED, is_frozen=state is StudyState.FROZEN,
        is_locked=state is StudyState.LOCKED, head=bytes(32), records=0, versions=1, results=0, seq=0,
    )  # fmt: skip
    made = Study(study=STUDY, sponsor=b"\x04" * 32, title="Pilot", noted=state, chain=chain)
    if sites:
        made.sites = {"702": "Country hospital", "701": "City hospital"}
    assert made.state is state
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator() -> AsyncIterator[FhirValidator]:
    made = FhirValidator()
    await made.start()
    yield made
    await made.close()


@pytest.mark.parametrize("state", list(StudyState))
@pytest.mark.parametrize("registration", [ALL, LEAST, None], ids=["all", "least", "none"])
async def test_a_study_is_valid_fhir(validator: FhirValidator, state: StudyState, registration: Any) -> None:
    promised = None if registration is None else declared.read(registration)
    for sponsor, sites in (("Lilly", True), (None, False)):
        found = research_study(study(state, sites=sites), promised, sponsor=sponsor)
        assert await validator.check([orjson.dumps(found)]) == ()


@pytest.mark.parametrize("state", list(StudyState))
async def test_a_subject_is_valid_fhir(validator: FhirValidator, state: StudyState) -> None:
    for one in (SUBJECT, GONE):
        for arm in (None, "Placebo"):
            assert await validator.check([orjson.dumps(research_subject(STUDY, state, one, arm=arm))]) == ()


async def test_the_validator_would_see_what_is_wrong(validator: FhirValidator) -> None:
    for wrong in ({"status": "approved-by-nobody"}, {"arm": [{"type": {"text": "no name"}}]}, {"title": ""}):
        assert await validator.check([orjson.dumps(research_study(study(), None, sponsor=None) | wrong)]) != ()


async def test_a_study_says_what_was_promised() -> None:
    found = research_study(study(), declared.read(ALL), sponsor="Lilly & Co")
    assert (found["status"], found["title"]) == ("active", "Xanomeline <b> & placebo")
    assert [one["value"] for one in found["identifier"]] == [to_global("Study", STUDY), "NCT00000001", "X-1"]
    assert [one["system"] for one in found["identifier"]] == [
        "urn:consentry:study", "https://clinicaltrials.gov", "urn:consentry:registration:org%20x",
    ]  # fmt: skip
    assert found["phase"]["coding"][0]["code"] == "phase-2-phase-3"
    assert found["period"] == {"start": "2026-01", "end": "2027-06-30"}
    assert [one["name"] for one in found["arm"]] == ["High dose", "Placebo"]
    assert [one["name"] for one in found["objective"]] == ["ADAS-Cog [week 24]", "NPI-X", "Weight"]
    assert found["objective"][0]["type"]["coding"][0]["code"] == "primary"
    assert found["objective"][2]["type"] == {"text": "OTHER"}
    assert [one["display"] for one in found["site"]] == ["City hospital", "Country hospital"]
    assert found["sponsor"]["display"] == "Lilly & Co"
    assert "enrollment" not in found
    assert "primaryPurposeType" not in found


async def test_what_is_not_known_is_not_said() -> None:
    found = research_study(study(sites=False), declared.read(LEAST), sponsor=None)
    assert set(found) == {"resourceType", "identifier", "title", "status", "sponsor"}
    assert "display" not in found["sponsor"]


async def test_how_a_study_stands_is_its_status() -> None:
    assert [research_study(study(one), None, sponsor=None)["status"] for one in StudyState] == [
        "in-review", "active", "temporarily-closed-to-accrual", "completed",
    ]  # fmt: skip


async def test_a_subject_is_who_they_are_here_and_nothing_is_said_of_an_arm() -> None:
    found = research_subject(STUDY, StudyState.OPEN, SUBJECT, arm=None)
    assert found["identifier"][0]["value"] == "701-1001"
    assert found["individual"]["identifier"]["value"] == "0x" + "02" * 32
    assert found["consent"]["identifier"]["value"] == "0x" + "03" * 32
    assert found["study"]["identifier"]["value"] == to_global("Study", STUDY)
    assert found["period"] == {"start": "2027-01-15T08:00:00Z"}
    assert "assignedArm" not in found


async def test_the_status_of_a_subject() -> None:
    rows = (
        (StudyState.OPEN, SUBJECT),
        (StudyState.FROZEN, SUBJECT),
        (StudyState.LOCKED, SUBJECT),
        (StudyState.LOCKED, GONE),
    )
    assert [research_subject(STUDY, state, one, arm=None)["status"] for state, one in rows] == [
        "on-study", "on-study", "off-study", "withdrawn",
    ]  # fmt: skip
    assert research_subject(STUDY, StudyState.OPEN, GONE, arm=None)["period"]["end"] == "2027-01-16T08:00:00Z"
