"""Studies as their schema maps them: what is asked goes to the service as it was given, what it answers comes whole."""

from typing import Any

import pytest

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import CallerError, ConflictError, DeniedError, LimitError
from gateway.ids import to_global
from gateway.ports.study_registry import Meaning
from gateway.ports.trials import StudyEntryKind as EntryKind
from gateway.slices import Slice
from gateway.trials import acts
from gateway.trials.documents import unpacked
from gateway.trials.registration.outcomes import Change
from schema.context import MOST_FORMS
from schema.execution import Engine
from schema.study_asking import _ACTS
from schema.study_inputs import SignatureMeaning, StudyActInput
from schema.study_trail import StudyEntryKind
from tests.unit.schema.conftest import Ask
from tests.unit.schema.recruitment import CRITERIA
from tests.unit.schema.services import CLINICIAN, PATIENT, STRANGER_PATIENT, World, make_caller
from tests.unit.schema.studies import DEFINITION, FORM, OVER, RAISED, REGISTRATION, REPORTED, STUDY

ID, SUBJECT, RECORD = to_global("Study", STUDY), to_global("Patient", PATIENT), to_global("Record", FORM)
ACTOR = to_global("Actor", CLINICIAN)
REFUSAL = "... on Refusal { code message field }"


async def shown(ask: Ask, fields: str, **variables: Any) -> Any:
    payload = await ask(f"query ($id: ID!) {{ study(id: $id) {{ {fields} }} }}", token="clinician", id=ID, **variables)
    assert "errors" not in payload, payload
    return payload["data"]["study"]


async def test_enums_are_those_of_the_domain() -> None:
    assert [one.name for one in StudyEntryKind] == [one.name for one in EntryKind]
    assert [one.name for one in SignatureMeaning] == [one.name for one in Meaning]
    assert [int(Meaning[one.name]) for one in SignatureMeaning] == list(range(len(SignatureMeaning)))


async def test_what_a_study_is(ask: Ask) -> None:
    found = await shown(ask, "id title state registeredAt sponsor { id } statistician { id } myRoles")
    assert found == {
        "id": ID,
        "title": "Pilot",
        "state": StudyState.LOCKED.value,
        "registeredAt": "2027-01-15T08:00:00.000Z",
        "sponsor": {"id": ACTOR},
        "statistician": {"id": ACTOR},
        "myRoles": [StudyRole.INSPECTOR.value, StudyRole.SPONSOR.value],
    }


async def test_what_was_promised_and_reported(ask: Ask) -> None:
    found = await shown(
        ask,
        "protocols { number digest at reason registration salt anchor { status } }"
        " results { number digest at outcomes summary }"
        " compareOutcomes { promised reported changes differing likeness } terms { number formHash keeps }",
    )
    first, second = found["protocols"]
    assert (first["number"], first["reason"], first["registration"]) == (1, None, REGISTRATION)
    assert (second["number"], second["reason"], second["digest"]) == (2, "Fewer visits.", "0x" + "02" * 32)
    assert first["salt"] == "0x" + "75" * 32
    assert first["anchor"] == {"status": "PENDING"}
    assert found["results"][0]["outcomes"] == REPORTED
    assert [one["changes"] for one in found["compareOutcomes"]] == [["TIME_FRAME_CHANGED"], ["DROPPED"]]
    assert found["compareOutcomes"][0]["differing"] == ["timeFrame"]
    assert found["compareOutcomes"][1]["reported"] is None
    assert found["terms"] == [{"number": 1, "formHash": "0x" + "08" * 32, "keeps": True}]


async def test_every_change_of_an_outcome_has_a_name(ask: Ask) -> None:
    payload = await ask('{ __type(name: "OutcomeChange") { enumValues { name } } }')
    assert [one["name"] for one in payload["data"]["__type"]["enumValues"]] == [one.value for one in Change]


async def test_in_which_forms_it_measures(ask: Ask) -> None:
    found = await shown(
        ask,
        'definitions { number name sha256 document } tables { name description rows } questionnaire(form: "F")'
        ' none: questionnaire(form: "G")',
    )
    assert [(one["number"], one["name"], one["document"]) for one in found["definitions"]] == [
        (1, "odm.xml", DEFINITION),
        (2, "latin.xml", None),
    ]
    assert found["tables"] == [
        {"name": "TA", "description": {"label": "Arms", "records": 1.5}, "rows": [["P", None]]},
        {"name": "VS", "description": {"label": "Vital signs"}, "rows": None},
    ]
    assert found["questionnaire"]["item"][0]["item"][0]["linkId"] == "G/I"
    assert found["none"] is None


async def test_who_does_what_where_and_what_the_chain_says(ask: Ask) -> None:
    found = await shown(
        ask,
        "sites { site name } delegations { role sites until actor { id name } } allocation { root size assigned }"
        " chain { contract allocation assigned isOpen isFrozen isLocked head records seq } asFhir",
    )
    assert [one["site"] for one in found["sites"]] == ["701", "702"]
    assert found["delegations"][0]["sites"] == ["701", "702"]
    assert found["allocation"] == {"root": "0x" + "78" * 32, "size": 40, "assigned": 1}
    assert found["chain"]["contract"] == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert (found["chain"]["head"], found["chain"]["records"], found["chain"]["seq"]) == ("0x" + "79" * 32, 12, 2)
    assert (found["chain"]["isOpen"], found["chain"]["isFrozen"], found["chain"]["isLocked"]) == (True, False, True)
    assert (found["asFhir"]["title"], found["asFhir"]["status"]) == ("Pilot of two arms", "completed")


ONE = """key patientId site enrolledAt withdrawnAt consentId asFhir assignment { name stratum position commitment }
  queries { query patientId recordId version item rule isOpen words { act at text by { id } } }
  forms { recordId version event eventRepeatKey form formRepeatKey definition at reason digest by { id }
    versions { version reason digest content by { id } } record { __typename } }"""


async def test_a_subject_and_all_that_was_captured(ask: Ask, world: World) -> None:
    found = (await shown(ask, f'subject(patientId: "{SUBJECT}") {{ {ONE} }}'))["subject"]
    assert (found["key"], found["patientId"], found["site"], found["withdrawnAt"]) == ("701-1", SUBJECT, "701", None)
    assert found["assignment"] == {
        "name": "0x" + "7a" * 32,
        "stratum": 0,
        "position": 0,
        "commitment": "0x" + "7b" * 32,
    }
    assert found["asFhir"]["assignedArm"] == "Placebo"
    form, other = found["forms"]
    assert (form["recordId"], form["version"], form["reason"]) == (RECORD, 2, "Typing error.")
    assert [(one["version"], one["content"]) for one in form["versions"]] == [
        (1, "0x" + "11" * 32),
        (2, "0x" + "12" * 32),
    ]
    assert (form["eventRepeatKey"], form["formRepeatKey"], form["record"]) == (None, "1", {"__typename": "Record"})
    assert len(other["versions"]) == 1
    (query,) = found["queries"]
    assert (query["query"], query["rule"], query["isOpen"]) == ("0x" + RAISED.hex(), "RANGE", True)
    assert world.calls.count(("kept_forms", make_caller(CLINICIAN))) == 1
    assert world.calls.count(("read_form", make_caller(CLINICIAN))) == 2


async def test_one_form_of_a_subject(ask: Ask) -> None:
    other = to_global("Record", b"\x01" * 16)
    fields = f'form(recordId: "{RECORD}") {{ version }} none: form(recordId: "{other}") {{ version }}'
    found = await shown(ask, f'subject(patientId: "{SUBJECT}") {{ {fields} }}')
    assert found["subject"] == {"form": {"version": 2}, "none": None}


@pytest.mark.parametrize(
    ("method", "field", "expected"),
    [
        ("kept_forms", "forms { version }", {"forms": []}),
        ("queries", "queries { rule }", {"queries": []}),
        ("arm", "asFhir", None),
    ],
)
async def test_what_is_refused_of_a_subject_is_not_there(
    ask: Ask, world: World, method: str, field: str, expected: Any
) -> None:
    world.refusals[method] = DeniedError("no role any more")
    found = (await shown(ask, f'subject(patientId: "{SUBJECT}") {{ {field} }}'))["subject"]
    assert found == expected if expected else "assignedArm" not in found["asFhir"]


async def test_a_form_that_is_refused_says_so_alone(ask: Ask, world: World) -> None:
    world.refusals["read_form"] = DeniedError("no consent")
    found = await shown(ask, f'subject(patientId: "{SUBJECT}") {{ forms {{ record {{ __typename {REFUSAL} }} }} }}')
    refused = {"__typename": "Refusal", "code": "NOT_PERMITTED", "message": "not permitted", "field": None}
    assert [one["record"] for one in found["subject"]["forms"]] == [refused, refused]


async def test_what_reads_more_forms_than_a_request_may_is_refused(engine: Engine, world: World) -> None:
    context = engine._context(make_caller(CLINICIAN), "clinician", "c0ffee")
    for _ in range(MOST_FORMS):
        await context.form(STUDY, PATIENT, FORM)
    with pytest.raises(LimitError):
        await context.form(STUDY, PATIENT, FORM)
    context.begin_item(0)
    await context.form(STUDY, PATIENT, FORM)


async def test_subjects_come_in_pages(ask: Ask, world: World) -> None:
    fields = "{ edges { cursor node { key } } pageInfo { hasNextPage hasPreviousPage endCursor } }"
    found = await shown(ask, f'subjects(first: 1, after: "701-0") {fields}')
    assert world.received == [Slice(size=1, after="701-0")]
    assert found["subjects"]["edges"] == [{"cursor": "701-1", "node": {"key": "701-1"}}]
    assert found["subjects"]["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True, "endCursor": "701-1"}
    await shown(ask, "subjects { edges { cursor } }")
    assert world.received[-1] == Slice(size=50)
    world.refusals["study_subjects"] = DeniedError("no role")
    found = await shown(ask, f"subjects {fields}")
    assert found["subjects"]["edges"] == []


async def test_a_subject_whom_nobody_reaches_is_null(ask: Ask) -> None:
    stranger = to_global("Patient", STRANGER_PATIENT)
    assert await shown(ask, f'subject(patientId: "{stranger}") {{ key }}') == {"subject": None}
    assert await shown(ask, f'subject(patientId: "{ID}") {{ key }}') == {"subject": None}


async def test_the_journal_tells_of_nobody_whose_text_is_hidden(ask: Ask, world: World) -> None:
    node = "number kind sha256 previous text patientId anchor { status }"
    fields = f"{{ edges {{ cursor node {{ {node} }} }} pageInfo {{ hasNextPage }} }}"
    found = (await shown(ask, f"trail(first: 3) {fields}"))["trail"]
    assert [(one["node"]["kind"], one["node"]["text"], one["node"]["patientId"]) for one in found["edges"]] == [
        ("REGISTRATION", "{}", None),
        ("CAPTURE", '{"a":1}', SUBJECT),
        ("CAPTURE", None, None),
    ]
    assert found["pageInfo"]["hasNextPage"] is True
    found = (await shown(ask, f'trail(after: "1") {fields}'))["trail"]
    assert world.received[-1] == (1, 50)
    assert [one["cursor"] for one in found["edges"]] == ["2"]
    assert found["pageInfo"]["hasNextPage"] is False
    for wrong in ("-1", "x", "１", "9" * 19):
        payload = await ask(
            f'query ($id: ID!) {{ study(id: $id) {{ trail(after: "{wrong}") {fields} }} }}', token="clinician", id=ID
        )
        assert payload["errors"][0]["extensions"]["field"] == ["after"]
    world.refusals["trail"] = DeniedError("no role")
    assert (await shown(ask, f"trail {fields}"))["trail"]["edges"] == []


async def test_ones_own_studies(ask: Ask, world: World) -> None:
    fields = "{ edges { cursor node { id } } pageInfo { hasNextPage endCursor hasPreviousPage } }"
    payload = await ask(f"{{ myStudies(first: 1) {fields} }}", token="clinician")
    page = payload["data"]["myStudies"]
    assert page["edges"] == [{"cursor": ID, "node": {"id": ID}}]
    assert page["pageInfo"] == {"hasNextPage": True, "endCursor": ID, "hasPreviousPage": False}
    payload = await ask(f'{{ myStudies(first: 2, after: "{ID}") {fields} }}', token="clinician")
    assert world.received == [(b"", 1), (STUDY, 2)]
    assert payload["data"]["myStudies"]["pageInfo"]["hasNextPage"] is False
    payload = await ask(f'{{ myStudies(after: "{SUBJECT}") {fields} }}', token="clinician")
    assert payload["errors"][0]["extensions"]["field"] == ["after"]
    assert (await ask(f"{{ myStudies {fields} }}"))["data"]["myStudies"]["edges"] == []


async def test_an_identity_providers_token_does_nothing_in_a_study(ask: Ask, world: World) -> None:
    payload = await ask("query ($id: ID!) { study(id: $id) { title } }", token="bearer", id=ID)
    assert payload["data"] == {"study": None}
    payload = await ask(DRAFT, token="bearer", input={"opening": {"studyId": ID}})
    assert payload["data"]["draftStudyAct"]["code"] == "NOT_PERMITTED"
    assert world.calls == []


# ---- acts

DRAFT = f"""mutation ($input: StudyActInput!) {{ draftStudyAct(input: $input) {{
  __typename ... on StudyActDraft {{ id act typedData statement }} {REFUSAL} }} }}"""
OF = {"studyId": ID}
WHOM = {**OF, "patientId": SUBJECT}
STUDIED, ABOUT = {"study": STUDY.hex()}, {"study": STUDY.hex(), "subject": PATIENT.hex()}
DRAFTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"register": {"title": "T"}}, {"act": "register", "title": "T", "statistician": ""}),
    (
        {"register": {"title": "T", "statisticianId": ACTOR}},
        {"act": "register", "title": "T", "statistician": CLINICIAN.hex()},
    ),
    (
        {"protocol": {**OF, "registration": REGISTRATION}},
        {"act": "protocol", **STUDIED, "registration": REGISTRATION, "reason": ""},
    ),
    (
        {"table": {**OF, "table": "TA", "description": {}, "rows": [["a", None]]}},
        {"act": "describe", **STUDIED, "table": "TA", "description": {}, "rows": [["a", None]]},
    ),
    (
        {"table": {**OF, "table": "VS", "description": {}}},
        {"act": "describe", **STUDIED, "table": "VS", "description": {}, "rows": None},
    ),
    (
        {"terms": {**OF, "formHash": "0x" + "0a" * 32, "keeps": False}},
        {"act": "terms", **STUDIED, "terms": "0a" * 32, "keeps": False},
    ),
    ({"site": {**OF, "site": "1", "name": "N"}}, {"act": "site", **STUDIED, "site": "1", "name": "N"}),
    (
        {"delegation": {**OF, "actorId": ACTOR, "role": "MONITOR", "sites": ["1"], "until": "2027-01-15T08:00:00.9Z"}},
        {
            "act": "delegate",
            **STUDIED,
            "actor": CLINICIAN.hex(),
            "role": "MONITOR",
            "sites": ["1"],
            "until": 1_800_000_000,
        },
    ),
    (
        {"enrolment": {**WHOM, "key": "701-1", "site": "701"}},
        {"act": "enrol", **ABOUT, "key": "701-1", "site": "701"},
    ),
    ({"withdrawal": {**WHOM, "reason": "R"}}, {"act": "withdraw", **ABOUT, "reason": "R"}),
    ({"allocation": {**OF, "scheme": {"arms": []}}}, {"act": "allocate", **STUDIED, "scheme": {"arms": []}}),
    ({"opening": OF}, {"act": "open", **STUDIED}),
    ({"freeze": {**OF, "frozen": False, "reason": "R"}}, {"act": "freeze", **STUDIED, "frozen": False, "reason": "R"}),
    ({"lock": OF}, {"act": "lock", **STUDIED}),
    (
        {"results": {**OF, "outcomes": REPORTED, "summary": "S"}},
        {"act": "publish", **STUDIED, "outcomes": REPORTED, "summary": "S"},
    ),
    (
        {"signature": {**WHOM, "meaning": "RESPONSIBLE", "forms": [{"recordId": RECORD, "version": 2}]}},
        {"act": "sign", **ABOUT, "meaning": 3, "forms": [{"record": FORM.hex(), "version": 2}]},
    ),
    ({"unblinding": {**WHOM, "reason": "R"}}, {"act": "unblind", **ABOUT, "reason": "R"}),
    (
        {"recruitment": {**OF, "criteria": {"inclusion": []}, "summary": "S"}},
        {"act": "recruit", **STUDIED, "criteria": {"inclusion": []}, "summary": "S", "open": True},
    ),
]


@pytest.mark.parametrize(("given", "asked"), DRAFTED, ids=lambda one: next(iter(one)) if len(one) == 1 else "")
async def test_an_act_is_drafted_as_it_was_given(ask: Ask, world: World, given: Any, asked: Any) -> None:
    found = (await ask(DRAFT, token="clinician", input=given))["data"]["draftStudyAct"]
    assert world.received == [asked]
    assert found == {
        "__typename": "StudyActDraft",
        "id": "0x" + "7c" * 32,
        "act": {"act": asked["act"]},
        "typedData": {"primaryType": "StudyAct"},
        "statement": "So.",
    }


async def test_a_document_goes_as_its_very_octets(ask: Ask, world: World) -> None:
    given = {"definition": {**OF, "name": "odm.xml", "document": "<ODM>é</ODM>"}}
    await ask(DRAFT, token="clinician", input=given)
    (asked,) = world.received
    assert unpacked(asked["document"]) == "<ODM>é</ODM>".encode()
    assert (asked["act"], asked["name"]) == ("define", "odm.xml")


async def test_every_act_that_is_signed_can_be_asked_for() -> None:
    named = {act for act, _ in _ACTS.values()}
    assert named == {str(kind.__struct_config__.tag) for kind in acts.SIGNED}
    assert set(_ACTS) == set(StudyActInput.__annotations__)


@pytest.mark.parametrize(
    ("raised", "place"),
    [
        (("act", "key"), ["enrolment", "key"]),
        (("act", "subject"), ["enrolment", "patientId"]),
        (("act", "consent"), ["enrolment", "patientId"]),
        (("act", "study"), ["enrolment", "studyId"]),
        (("act", "site", "deep"), ["enrolment", "site", "deep"]),
        (("act", "at"), ["enrolment"]),
        (("act",), ["enrolment"]),
        (("study",), ["enrolment", "studyId"]),
        ((), None),
    ],
)
async def test_a_refusal_is_at_its_place_in_the_act(ask: Ask, world: World, raised: Any, place: Any) -> None:
    world.refusals["draft_act"] = ConflictError("not so", field=raised)
    given = {"enrolment": {**WHOM, "key": "701-1", "site": "701"}}
    found = (await ask(DRAFT, token="clinician", input=given))["data"]["draftStudyAct"]
    assert (found["code"], found["field"]) == ("CONFLICT", place)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"opening": {"studyId": SUBJECT}}, ["opening", "studyId"]),
        ({"unblinding": {**OF, "patientId": ID, "reason": "R"}}, ["unblinding", "patientId"]),
        ({"register": {"title": "T", "statisticianId": ID}}, ["register", "statisticianId"]),
        ({"definition": {**OF, "name": "n", "document": "é" * 9_000_000}}, ["definition", "document"]),
    ],
    ids=["study", "patient", "statistician", "document"],
)
async def test_an_id_of_something_else_is_refused_at_its_place(ask: Ask, world: World, given: Any, place: Any) -> None:
    found = (await ask(DRAFT, token="clinician", input=given))["data"]["draftStudyAct"]
    assert found["field"] == place
    assert world.received == []


@pytest.mark.parametrize("given", [{}, {"opening": OF, "lock": OF}, {"opening": None}, {"opening": OF, "lock": None}])
async def test_of_acts_exactly_one_is_given(ask: Ask, world: World, given: Any) -> None:
    payload = await ask(DRAFT, token="clinician", input=given)
    assert payload["errors"][0]["extensions"]["code"] == "INVALID"
    assert world.calls == []


async def test_of_literal_acts_exactly_one_is_given(ask: Ask) -> None:
    for given in ("{}", "{opening: {studyId: 1}, lock: {studyId: 1}}", "{opening: null}"):
        payload = await ask(f"mutation {{ draftStudyAct(input: {given}) {{ __typename }} }}", token="clinician")
        assert payload["errors"][0]["extensions"]["code"] == "INVALID"


async def test_a_signed_act_goes_as_it_was_drafted(ask: Ask, world: World) -> None:
    query = f"""mutation ($act: JSON!, $signature: Hex!) {{ submitStudyAct(act: $act, signature: $signature) {{
      __typename ... on Study {{ title }} {REFUSAL} }} }}"""
    payload = await ask(query, token="clinician", act={"act": "site"}, signature="0x0102")
    assert payload["data"]["submitStudyAct"] == {"__typename": "Study", "title": "Pilot"}
    assert world.received == [({"act": "site"}, b"\x01\x02")]
    world.refusals["submit_act"] = CallerError("not signed", field=("act", "by"))
    payload = await ask(query, token="clinician", act={}, signature="0x")
    assert payload["data"]["submitStudyAct"]["field"] == ["act", "by"]


# ---- data, queries, arms


async def test_forms_go_as_they_were_given(ask: Ask, world: World) -> None:
    query = f"""mutation ($input: CaptureFormsInput!) {{ captureForms(input: $input) {{
      __typename ... on CapturedForms {{ records {{ id version anchor {{ status }} }} queries }} {REFUSAL} }} }}"""
    given = {**WHOM, "forms": [{"a": 1}, {"b": 2}], "asFound": True, "idempotencyKey": "k"}
    found = (await ask(query, token="clinician", input=given))["data"]["captureForms"]
    assert found["records"] == [{"id": RECORD, "version": 1, "anchor": {"status": "PENDING"}}]
    assert found["queries"] == ["0x" + RAISED.hex()]
    assert world.received == [([{"a": 1}, {"b": 2}], {"as_found": True, "idempotency_key": "k"})]
    for raised, place in (
        (("forms", "1", "G", "I"), ["forms", "1", "G", "I"]),
        (("bundle", "entry", "1", "resource", "status"), ["forms", "1", "status"]),
        (("study",), ["studyId"]),
        (("subject",), ["patientId"]),
        (("idempotencyKey",), ["idempotencyKey"]),
    ):
        world.refusals["capture"] = CallerError("wrong", field=raised)
        found = (await ask(query, token="clinician", input={**WHOM, "forms": [{}]}))["data"]["captureForms"]
        assert found["field"] == place


async def test_a_change_goes_as_it_was_given(ask: Ask, world: World) -> None:
    query = f"""mutation ($input: ChangeFormInput!) {{ changeForm(input: $input) {{
      __typename ... on CapturedForms {{ records {{ version }} queries }} {REFUSAL} }} }}"""
    given = {**WHOM, "recordId": RECORD, "form": {"a": 1}, "expectedVersion": 1, "reason": "R"}
    found = (await ask(query, token="clinician", input=given))["data"]["changeForm"]
    assert found == {"__typename": "CapturedForms", "records": [{"version": 2}], "queries": []}
    assert world.received == [(FORM, {"a": 1}, {"expected_version": 1, "reason": "R", "as_found": False})]
    for raised, place in (
        (("forms", "0", "G"), ["form", "G"]),
        (("resource", "status"), ["form", "status"]),
        (("form", "extension"), ["form", "extension"]),
        (("expectedVersion",), ["expectedVersion"]),
        (("record",), ["recordId"]),
    ):
        world.refusals["change"] = CallerError("wrong", field=raised)
        assert (await ask(query, token="clinician", input=given))["data"]["changeForm"]["field"] == place


async def test_what_is_asked_and_answered_about_a_form(ask: Ask, world: World) -> None:
    said = f"__typename ... on StudyQuery {{ isOpen words {{ act text }} }} {REFUSAL}"
    query = f"mutation ($input: RaiseStudyQueryInput!) {{ raiseStudyQuery(input: $input) {{ {said} }} }}"
    found = (await ask(query, token="clinician", input={**WHOM, "recordId": RECORD, "text": "Is it right?"}))["data"]
    assert found["raiseStudyQuery"]["words"] == [{"act": "raise-query", "text": "Is it right?"}]
    wrong = {**WHOM, "recordId": to_global("Record", b"\x01" * 16), "text": "x"}
    assert (await ask(query, token="clinician", input=wrong))["data"]["raiseStudyQuery"]["field"] == ["recordId"]
    named = "studyId: $study, patientId: $patient, query: $name"
    heading = "mutation ($study: ID!, $patient: ID!, $name: Hex!)"
    about = {"study": ID, "patient": SUBJECT, "name": "0x" + RAISED.hex()}
    found = await ask(
        f'{heading} {{ answerStudyQuery({named}, text: "Yes.") {{ {said} }} }}', token="clinician", **about
    )
    assert found["data"]["answerStudyQuery"]["isOpen"] is True
    found = await ask(f"{heading} {{ closeStudyQuery({named}) {{ {said} }} }}", token="clinician", **about)
    assert found["data"]["closeStudyQuery"]["isOpen"] is False
    assert world.received == [(FORM, "", "Is it right?"), (RAISED, "Yes."), (RAISED, "")]


ASSIGN = f"""mutation ($study: ID!, $patient: ID!, $levels: JSON) {{
  assignSubject(studyId: $study, patientId: $patient, levels: $levels) {{ __typename {REFUSAL} }} }}"""


async def test_levels_are_texts_by_factor(ask: Ask, world: World) -> None:
    about = {"study": ID, "patient": SUBJECT}
    for given in ({}, {"levels": None}, {"levels": {"sex": "F"}}):
        assert (await ask(ASSIGN, token="clinician", **about, **given))["data"]["assignSubject"] == {
            "__typename": "Study"
        }
    assert world.received == [{}, {}, {"sex": "F"}]
    for wrong in ([], "F", 1, {"sex": 1}, {"sex": None}):
        found = (await ask(ASSIGN, token="clinician", **about, levels=wrong))["data"]["assignSubject"]
        assert (found["code"], found["field"]) == ("INVALID", ["levels"])


async def test_an_arm_is_told_with_its_proof(ask: Ask) -> None:
    query = f"""mutation ($study: ID!, $patient: ID!) {{ tellArm(studyId: $study, patientId: $patient) {{
      __typename ... on ToldArm {{ arm stratum position salt commitment path root }} {REFUSAL} }} }}"""
    found = (await ask(query, token="clinician", study=ID, patient=SUBJECT))["data"]["tellArm"]
    assert (found["arm"], found["path"], found["root"]) == ("Placebo", ["0x" + "7e" * 32], "0x" + "78" * 32)
    assert len(found["commitment"]) == 66
    found = (await ask(query, token="clinician", study=to_global("Study", OVER), patient=SUBJECT))["data"]["tellArm"]
    assert (found["code"], found["field"]) == ("CONFLICT", ["studyId"])


async def test_data_are_recorded(ask: Ask) -> None:
    query = f"mutation ($study: ID!) {{ recordStudyData(studyId: $study) {{ __typename {REFUSAL} }} }}"
    found = (await ask(query, token="clinician", study=ID))["data"]["recordStudyData"]
    assert found["__typename"] == "Study"
    found = (await ask(query, token="clinician", study=to_global("Study", OVER)))["data"]["recordStudyData"]
    assert found["field"] == ["studyId"]


# ---- recruitment


async def test_a_study_says_whom_it_looks_for(ask: Ask, world: World) -> None:
    fields = "{ edges { cursor node { studyId title summary criteria sponsor { id } } } pageInfo { hasNextPage } }"
    page = (await ask(f"{{ recruitingStudies(first: 1) {fields} }}", token="patient"))["data"]["recruitingStudies"]
    told = {
        "studyId": ID,
        "title": "Pilot",
        "summary": "A study of sugar.",
        "criteria": CRITERIA,
        "sponsor": {"id": ACTOR},
    }
    assert page == {"edges": [{"cursor": ID, "node": told}], "pageInfo": {"hasNextPage": True}}
    await ask(f'{{ recruitingStudies(after: "{ID}") {fields} }}', token="patient")
    assert world.received == [(b"", 1), (STUDY, 50)]
    payload = await ask(f'{{ recruitingStudies(after: "{SUBJECT}") {fields} }}', token="patient")
    assert payload["errors"][0]["extensions"]["field"] == ["after"]
    assert (await ask(f"{{ recruitingStudies {fields} }}"))["data"]["recruitingStudies"]["edges"] == []


async def test_a_match_says_why(ask: Ask) -> None:
    query = f"""query ($study: ID!, $patient: ID!) {{ studyMatch(studyId: $study, patientId: $patient) {{
      __typename ... on StudyMatch {{ fit criteria {{ text excludes verdict favours why }} }} {REFUSAL} }} }}"""
    found = (await ask(query, token="patient", study=ID, patient=SUBJECT))["data"]["studyMatch"]
    assert found["fit"] == "FITS"
    assert [(one["text"], one["excludes"], one["verdict"], one["favours"]) for one in found["criteria"]] == [
        ("You are 18 or older.", False, "MET", True),
        ("You are a man.", True, "NOT_MET", True),
    ]
    assert all(one["why"] for one in found["criteria"])
    over = (await ask(query, token="patient", study=to_global("Study", OVER), patient=SUBJECT))["data"]["studyMatch"]
    assert over["field"] == ["studyId"]


async def test_a_patients_word_and_who_hears_of_it(ask: Ask, world: World) -> None:
    query = f"""mutation ($study: ID!, $patient: ID!, $yes: Boolean!) {{
      answerStudy(studyId: $study, patientId: $patient, yes: $yes) {{
      __typename ... on StudyAnswer {{ yes }} {REFUSAL} }} }}"""
    for yes in (True, False):
        found = await ask(query, token="patient", study=ID, patient=SUBJECT, yes=yes)
        assert found["data"]["answerStudy"] == {"__typename": "StudyAnswer", "yes": yes}
    assert world.received == [True, False]
    assert (await shown(ask, "willing { patientId at }"))["willing"] == [
        {"patientId": SUBJECT, "at": "2027-01-15T08:00:00.000Z"}
    ]
    world.refusals["willing"] = DeniedError("no role that recruits")
    assert await shown(ask, "willing { patientId }") == {"willing": []}


async def test_how_many_there_might_be_is_a_noised_number(ask: Ask) -> None:
    query = f"""mutation ($input: StudyCountInput!) {{ countForStudy(input: $input) {{
      __typename ... on StudyCount {{ count {{ value epsilon }} leftOut }} {REFUSAL} }} }}"""
    asked = {**OF, "dataUse": ["DUO:0000042"], "epsilon": 0.5}
    found = (await ask(query, token="clinician", input=asked))["data"]["countForStudy"]
    assert (found["count"]["value"], found["leftOut"]) == (24.0, ["You are a man."])
    found = (await ask(query, token="clinician", input={**asked, "epsilon": 2.0}))["data"]["countForStudy"]
    assert (found["code"], found["field"]) == ("CONFLICT", ["epsilon"])


# ---- while somebody listens


async def heard(engine: Engine, world: World, query: str, token: str | None, study: str = ID) -> list[Any]:
    stream = engine.stream(
        query,
        variables={"id": study},
        operation_name=None,
        caller=await world.caller(token),
        token=token,
        correlation_id="c0ffee",
    )
    return [answer.payload async for answer in stream]


QUERIES = "subscription ($id: ID!) { studyQueryChanged(studyId: $id) { rule } }"
ENROLLED = "subscription ($id: ID!) { subjectEnrolled(studyId: $id) { key } }"


async def test_queries_and_subjects_are_told_as_they_come(engine: Engine, world: World) -> None:
    assert await heard(engine, world, QUERIES, "clinician") == [{"data": {"studyQueryChanged": {"rule": "RANGE"}}}] * 2
    assert await heard(engine, world, ENROLLED, "clinician") == [{"data": {"subjectEnrolled": {"key": "701-1"}}}] * 2


@pytest.mark.parametrize("query", [QUERIES, ENROLLED])
async def test_who_may_not_listen_hears_the_end_alone(engine: Engine, world: World, query: str) -> None:
    assert await heard(engine, world, query, None) == []
    assert await heard(engine, world, query, "clinician", study=SUBJECT) == []
    world.refusals |= dict.fromkeys(("enrolments", "query_changes"), DeniedError("no role"))
    assert await heard(engine, world, query, "clinician") == []


@pytest.mark.parametrize(("query", "method"), [(QUERIES, "queries"), (ENROLLED, "study_subject")])
async def test_a_stream_ends_where_an_item_is_refused(engine: Engine, world: World, query: str, method: str) -> None:
    world.refusals[method] = DeniedError("no role any more")
    assert await heard(engine, world, query, "clinician") == []


@pytest.mark.parametrize("query", [QUERIES, ENROLLED])
async def test_a_stream_ends_with_its_session(engine: Engine, world: World, query: str) -> None:
    world.signed_out.add("clinician")
    stream = engine.stream(
        query,
        variables={"id": ID},
        operation_name=None,
        caller=make_caller(CLINICIAN),
        token="clinician",
        correlation_id="c0ffee",
    )
    assert [answer async for answer in stream] == []
