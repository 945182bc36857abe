"""A study over GraphQL, from its registration to its results; who is told what of it, and who is not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.identity.model import Role
from gateway.ids import to_global
from tests.attacks.inside import Somebody, inside
from tests.attacks.study import DEFINITION, REGISTRATION, Subject, site
from tests.attacks.study_asked import (
    ANSWER,
    ASSIGN,
    CAPTURE,
    CHANGE,
    CLOSE,
    MINE,
    ONE,
    RAISE,
    RECORD,
    STUDY,
    SUBJECTS,
    TELL,
    TRAIL,
    Asked,
    asked,
    patient,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """A study that is open, with a subject at each of two sites; all of the roles here are of the first."""
    async with inside(Path(tmp_path_factory.mktemp("study"))) as running:
        made = asked(await site(running))
        await made.prepare()
        await made.delegate(made.site.sponsor, made.site.investigator, "INVESTIGATOR", sites=("701", "702"))
        await made.enrol("701-1001")
        await made.enrol("702-1001", site="702")
        await made.delegate(made.site.sponsor, made.site.investigator, "INVESTIGATOR")
        yield made


def here(world: Asked) -> Subject:
    return world.site.subjects[0]


def elsewhere(world: Asked) -> Subject:
    return world.site.subjects[1]


def named(world: Asked, subject: Subject) -> dict[str, str]:
    return {"study": world.study, "patient": patient(subject)}


async def test_what_was_promised_is_shown_and_stands_on_chain(world: Asked) -> None:
    study = await world.ask(world.site.monitor, STUDY, id=world.study)
    assert (study["title"], study["state"], study["myRoles"]) == ("Pilot", "OPEN", ["MONITOR"])
    assert study["sponsor"]["id"] == to_global("Actor", world.site.sponsor.actor)
    (protocol,) = study["protocols"]
    salted = b"\x08" + bytes.fromhex(protocol["salt"][2:]) + jsontext.canonical(protocol["registration"])
    assert protocol["digest"] == "0x" + hashlib.sha256(salted).hexdigest()
    assert (protocol["registration"], protocol["reason"]) == (REGISTRATION, None)
    (definition,) = study["definitions"]
    assert definition["document"] == DEFINITION.decode()
    assert definition["sha256"] == "0x" + hashlib.sha256(DEFINITION).hexdigest()
    assert study["terms"][0]["formHash"] == "0x" + world.site.terms.hex()
    assert [one["site"] for one in study["sites"]] == ["701", "702"]
    assert sorted(one["role"] for one in study["delegations"]) == ["COORDINATOR", "INVESTIGATOR", "MONITOR"]
    assert study["chain"]["allocation"] == study["allocation"]["root"]
    assert (study["chain"]["isOpen"], study["chain"]["isLocked"]) == (True, False)
    assert study["chain"]["contract"].startswith("0x")
    assert (study["results"], study["compareOutcomes"], study["tables"]) == ([], None, [])
    assert study["questionnaire"]["resourceType"] == "Questionnaire"
    assert study["asFhir"]["status"] == "active"
    again = await world.ask(
        world.site.monitor, "query ($id: ID!) { node(id: $id) { ... on Study { title } } }", id=world.study
    )
    assert again == {"title": "Pilot"}


async def test_a_form_that_nobody_defined_has_no_questionnaire(world: Asked) -> None:
    document = 'query ($id: ID!) { study(id: $id) { questionnaire(form: "F.OTHER") } }'
    assert await world.ask(world.site.monitor, document, id=world.study) == {"questionnaire": None}


async def test_forms_are_captured_asked_about_changed_and_read(world: Asked) -> None:
    """The whole of it: each version with who, when and why; each word of a query."""
    people, subject = world.site, here(world)
    made = await world.capture(subject, "190", idempotencyKey="first")
    assert made == await world.capture(subject, "190", idempotencyKey="first")
    assert (await world.capture(subject, "191", idempotencyKey="first"))["field"] == ["idempotencyKey"]
    for key in (None, "second"):
        assert (await world.capture(subject, "190", idempotencyKey=key))["field"] == ["forms", "0"]
    (record,), (raised,) = made["records"], made["queries"]
    about = {**named(world, subject), "query": raised}
    answered = await world.ask(people.coordinator, ANSWER, **about, text="A typing error.")
    assert [(one["act"], one["text"]) for one in answered["words"]][1:] == [("answer-query", "A typing error.")]
    changed = {
        "studyId": world.study,
        "patientId": patient(subject),
        "recordId": record["id"],
        "form": await people.response("119"),
        "expectedVersion": 1,
        "reason": "Typing error.",
    }
    assert (await world.ask(people.coordinator, CHANGE, input=changed))["records"][0]["version"] == 2
    assert (await world.ask(people.monitor, CLOSE, **about))["isOpen"] is False
    wanted = {"studyId": world.study, "patientId": patient(subject), "recordId": record["id"], "text": "Which arm?"}
    assert (await world.ask(people.monitor, RAISE, input=wanted))["isOpen"] is True
    shown = (await world.ask(people.monitor, ONE, id=world.study, patient=patient(subject)))["subject"]
    (form,) = shown["forms"]
    assert (form["recordId"], form["version"], form["reason"]) == (record["id"], 2, "Typing error.")
    assert [(one["version"], one["by"]["id"]) for one in form["versions"]] == [
        (number, to_global("Actor", people.coordinator.actor)) for number in (1, 2)
    ]
    content, salt = form["record"]["content"], bytes.fromhex(form["record"]["contentSalt"][2:])
    assert (
        form["versions"][1]["content"]
        == "0x" + hashlib.sha256(b"\x01" + salt + jsontext.canonical(content)).hexdigest()
    )
    assert content["item"][0]["item"][0]["answer"] == [{"valueInteger": 119}]
    assert [(one["rule"], one["isOpen"], len(one["words"])) for one in shown["queries"]] == [
        ("RANGE", False, 3),
        ("", True, 1),
    ]


async def test_a_refusal_names_its_place_in_the_input(world: Asked) -> None:
    people, subject = world.site, here(world)

    async def field(who: Somebody, **member: Any) -> Any:
        return (await world.act(who, **member))["field"]

    study = {"studyId": world.study}
    until = "2100-01-01T00:00:00Z"
    somebody = to_global("Actor", b"\x07" * 32)
    assert await field(
        people.sponsor, protocol={**study, "registration": {"title": "T", "outcomes": [{"kind": "X"}]}, "reason": "So."}
    ) == ["protocol", "registration", "outcomes", "0", "kind"]
    assert await field(
        people.sponsor, delegation={**study, "actorId": somebody, "role": "MONITOR", "until": until}
    ) == ["delegation", "actorId"]
    assert await field(
        people.sponsor, delegation={**study, "actorId": somebody, "role": "MONITOR", "until": until, "sites": ["9"]}
    ) == ["delegation", "sites", "0"]
    assert await field(people.sponsor, terms={**study, "formHash": "0x" + "00" * 32, "keeps": True}) == [
        "terms",
        "formHash",
    ]
    assert await field(people.sponsor, definition={**study, "name": "x", "document": "<ODM/>"}) == [
        "definition",
        "document",
        "ODM",
    ]
    assert await field(people.sponsor, site={"studyId": "x", "site": "1", "name": "n"}) == ["site", "studyId"]
    assert await field(people.sponsor, lock=study) == ["lock"]
    assert await field(
        people.investigator,
        enrolment={**study, "patientId": to_global("Patient", b"\x01" * 32), "key": "k", "site": "701"},
    ) == ["enrolment", "patientId"]
    forms = [{"recordId": to_global("Record", b"\x02" * 16), "version": 1}]
    signature = {**study, "patientId": patient(subject), "meaning": "REVIEWED", "forms": forms}
    assert await field(people.investigator, signature=signature) == ["signature", "forms", "0"]
    given = {**study, "patientId": patient(subject)}
    wrong = await people.response("500", repeat="9")
    refused = await world.ask(people.coordinator, CAPTURE, input={**given, "forms": [wrong]})
    assert (refused["code"], refused["field"]) == ("INVALID", ["forms", "0", "IG.VS", "I.SYSBP"])
    broken = {**(await people.response("120", repeat="9")), "status": "nonsense"}
    refused = await world.ask(people.coordinator, CAPTURE, input={**given, "forms": [broken]})
    assert refused["field"][:2] == ["forms", "0"]
    refused = await world.ask(people.coordinator, ASSIGN, **named(world, subject), levels={"age": "old"})
    assert refused["field"] == ["levels", "age"]
    refused = await world.ask(people.coordinator, ASSIGN, **named(world, subject), levels=["old"])
    assert refused["field"] == ["levels"]


async def test_one_act_is_given_and_no_other(world: Asked) -> None:
    study = {"studyId": world.study}
    document = "mutation ($input: StudyActInput!) { draftStudyAct(input: $input) { __typename } }"
    for wrong in ({}, {"opening": study, "lock": study}, {"opening": None}):
        payload = await world.whole(world.site.sponsor, document, input=wrong)
        assert payload["errors"][0]["extensions"]["code"] == "INVALID"


async def test_an_act_counts_with_its_signers_own_signature_alone(world: Asked) -> None:
    from tests.attacks.study import sign
    from tests.attacks.study_asked import DRAFT, SUBMIT

    people = world.site
    draft = await world.ask(people.sponsor, DRAFT, input={"site": {"studyId": world.study, "site": "703", "name": "N"}})
    assert "703" in draft["statement"]
    for signer, submitter in ((people.monitor, people.sponsor), (people.sponsor, people.monitor)):
        signature = "0x" + sign(signer, draft["typedData"]).hex()
        refused = await world.ask(submitter, SUBMIT, act=draft["act"], signature=signature)
        assert refused["__typename"] == "Refusal"
    other = {**draft["act"], "name": "Another"}
    mine = "0x" + sign(people.sponsor, draft["typedData"]).hex()
    assert (await world.ask(people.sponsor, SUBMIT, act=other, signature=mine))["field"] == ["signature"]
    for broken in (None, [], "x", {"act": "site"}, {**draft["act"], "site": 1}):
        payload = await world.whole(people.sponsor, SUBMIT, act=broken, signature=mine)
        assert "errors" in payload or payload["data"]["submitStudyAct"]["code"] == "INVALID"
    for _ in range(2):
        assert (await world.ask(people.sponsor, SUBMIT, act=draft["act"], signature=mine))["__typename"] == "Study"


async def test_a_role_reaches_the_subjects_of_its_sites_and_no_others(world: Asked) -> None:
    people, far = world.site, elsewhere(world)
    for who, keys in (
        (people.monitor, ["701-1001"]),
        (people.coordinator, ["701-1001"]),
        (people.sponsor, ["701-1001", "702-1001"]),
    ):
        page = (await world.ask(who, SUBJECTS, id=world.study))["subjects"]
        assert [edge["node"]["key"] for edge in page["edges"]] == keys
        assert page["pageInfo"]["hasNextPage"] is False
    page = (await world.ask(people.monitor, SUBJECTS, id=world.study, first=1))["subjects"]
    assert page["pageInfo"] == {"hasNextPage": False, "endCursor": "701-1001", "hasPreviousPage": False}
    page = (await world.ask(people.sponsor, SUBJECTS, id=world.study, first=1))["subjects"]
    assert page["pageInfo"]["hasNextPage"] is True
    page = await world.ask(people.sponsor, SUBJECTS, id=world.study, first=1, after=page["pageInfo"]["endCursor"])
    assert [edge["node"]["key"] for edge in page["subjects"]["edges"]] == ["702-1001"]
    assert (await world.ask(people.monitor, ONE, id=world.study, patient=patient(far))) == {"subject": None}
    nobody = to_global("Patient", b"\x09" * 32)
    assert (await world.ask(people.monitor, ONE, id=world.study, patient=nobody)) == {"subject": None}
    refused = await world.capture(far)
    assert refused["code"] == "NOT_PERMITTED"
    assert (await world.ask(people.monitor, TELL, **named(world, far)))["code"] == "NOT_PERMITTED"


async def test_who_is_shown_a_subject_stands_in_their_log(world: Asked) -> None:
    subject = here(world)
    await world.ask(world.site.sponsor, ONE, id=world.study, patient=patient(subject))
    await world.ask(world.site.monitor, ONE, id=world.study, patient=patient(elsewhere(world)))
    log = """query ($patient: ID!) { patient(id: $patient) { accessLog(first: 100) {
      edges { node { action outcome purpose actor { id } } } } } }"""
    found = (await world.ask(subject.who, log, patient=patient(subject)))["accessLog"]["edges"]
    sponsor = to_global("Actor", world.site.sponsor.actor)
    mine = {one["node"]["action"] for one in found if one["node"]["actor"] == {"id": sponsor}}
    assert {"STUDY_SUBJECT", "STUDY_FORMS", "STUDY_QUERIES"} <= mine
    theirs = (await world.ask(elsewhere(world).who, log, patient=patient(elsewhere(world))))["accessLog"]["edges"]
    refused = {"action": "STUDY_SUBJECT", "outcome": "DENIED", "purpose": "CLINTRCH"}
    monitor = {"actor": {"id": to_global("Actor", world.site.monitor.actor)}}
    assert {**refused, **monitor} in [one["node"] for one in theirs]


async def test_a_stranger_is_told_nothing_of_any_of_it(world: Asked) -> None:
    stranger = await world.site.inside.person(Role.RESEARCHER)
    subject = here(world)
    for who in (stranger, None):
        assert await world.ask(who, STUDY, id=world.study) is None
        assert (await world.ask(who, MINE))["edges"] == []
        code = "UNAUTHENTICATED" if who is None else "NOT_PERMITTED"
        for document, given in (
            (TELL, named(world, subject)),
            (ASSIGN, {**named(world, subject), "levels": {}}),
            (RECORD, {"study": world.study}),
            (ANSWER, {**named(world, subject), "query": "0x" + "00" * 16, "text": "x"}),
            (CLOSE, {**named(world, subject), "query": "0x" + "00" * 16}),
        ):
            assert (await world.ask(who, document, **given))["code"] == code
    other = {"studyId": world.study, "patientId": patient(subject)}
    raised = {**other, "recordId": to_global("Record", b"\x01" * 16), "text": "x"}
    assert (await world.ask(stranger, RAISE, input=raised))["code"] == "NOT_PERMITTED"
    changed = {**other, "recordId": raised["recordId"], "form": {}, "expectedVersion": 1, "reason": "x"}
    assert (await world.ask(stranger, CHANGE, input=changed))["code"] == "NOT_PERMITTED"
    assert (await world.act(stranger, freeze={"studyId": world.study, "frozen": True, "reason": "x"}))[
        "code"
    ] == "NOT_PERMITTED"


async def test_a_subject_is_shown_the_study_they_are_in_and_nobody_else_in_it(world: Asked) -> None:
    subject = here(world)
    study = await world.ask(subject.who, STUDY, id=world.study)
    assert (study["title"], study["state"], study["myRoles"]) == ("Pilot", "OPEN", [])
    assert study["protocols"][0]["registration"] == REGISTRATION
    assert study["terms"][0]["keeps"] is True
    assert (study["delegations"], study["definitions"], study["questionnaire"]) == ([], [], None)
    assert (await world.ask(subject.who, SUBJECTS, id=world.study))["subjects"]["edges"] == []
    assert (await world.ask(subject.who, TRAIL, id=world.study))["trail"]["edges"] == []
    for one in world.site.subjects:
        assert (await world.ask(subject.who, ONE, id=world.study, patient=patient(one))) == {"subject": None}
    mine = (await world.ask(subject.who, MINE))["edges"]
    assert [edge["node"] for edge in mine] == [{"id": world.study, "title": "Pilot", "myRoles": []}]


async def test_the_journal_is_followed_as_far_as_a_role_reaches(world: Asked) -> None:
    people = world.site

    async def all_of(who: Somebody) -> list[Any]:
        page = (await world.ask(who, TRAIL, id=world.study))["trail"]
        assert page["pageInfo"]["hasNextPage"] is False
        return [edge["node"] for edge in page["edges"]]

    whole, near = await all_of(people.sponsor), await all_of(people.monitor)
    assert [one["number"] for one in whole] == list(range(len(whole)))
    previous = "0x" + "00" * 32
    for one in whole:
        assert one["previous"] == previous
        assert one["sha256"] == "0x" + hashlib.sha256(one["text"].encode()).hexdigest()
        previous = one["sha256"]
    far = patient(elsewhere(world))
    hidden = [one["number"] for one in whole if one["patientId"] == far]
    assert hidden
    assert [one["number"] for one in near if one["text"] is None] == hidden
    assert all(one["patientId"] != far for one in near)
    assert await all_of(people.coordinator) == []
    after = (await world.ask(people.sponsor, TRAIL, id=world.study, first=2, after="3"))["trail"]["edges"]
    assert [edge["node"]["number"] for edge in after] == [4, 5]
    payload = await world.whole(people.sponsor, TRAIL, id=world.study, after="x")
    assert payload["errors"][0]["extensions"]["code"] == "INVALID"


async def test_queries_and_enrolment_are_told_to_whom_they_reach_while_they_listen(world: Asked) -> None:
    people = world.site
    queries = "subscription ($id: ID!) { studyQueryChanged(studyId: $id) { rule isOpen patientId words { act } } }"
    enrolled = "subscription ($id: ID!) { subjectEnrolled(studyId: $id) { key withdrawnAt forms { form } } }"
    stranger = await people.inside.person(Role.RESEARCHER)
    heard: dict[str, list[Any]] = {name: [] for name in ("queries", "enrolled", "far", "stranger", "nobody")}
    who = {"queries": people.monitor, "enrolled": people.monitor, "far": people.sponsor, "stranger": stranger}

    async def listen(name: str, document: str) -> None:
        listener = who.get(name)
        stream = world.engine.stream(
            document,
            variables={"id": world.study},
            operation_name=None,
            caller=None if listener is None else await people.inside.caller(listener),
            token=None if listener is None else listener.token,
            correlation_id="study",
        )
        async for answer in stream:
            (value,) = answer.payload["data"].values()
            heard[name].append(value)

    listening = {
        name: asyncio.create_task(listen(name, document))
        for name, document in (
            ("queries", queries),
            ("enrolled", enrolled),
            ("far", enrolled),
            ("stranger", queries),
            ("nobody", enrolled),
        )
    }
    await asyncio.wait((listening["stranger"], listening["nobody"]), timeout=PATIENCE)
    assert listening["stranger"].done()
    assert listening["nobody"].done()
    await asyncio.sleep(1.5)  # longer than a look for lost hints: none of the streams may have ended of it
    made = await world.enrol("701-1002")
    raised = (await world.capture(made, "200"))["queries"]
    await world.delegate(people.sponsor, people.investigator, "INVESTIGATOR", sites=("701", "702"))
    await world.enrol("702-1002", site="702")
    await world.done(
        people.investigator, withdrawal={"studyId": world.study, "patientId": patient(made), "reason": "Moved."}
    )
    async with asyncio.timeout(PATIENCE):
        while len(heard["far"]) < 3 or len(heard["enrolled"]) < 2 or not heard["queries"]:
            await asyncio.sleep(0.05)
    for task in listening.values():
        task.cancel()
    await asyncio.gather(*listening.values(), return_exceptions=True)
    assert len(raised) == 1
    assert [one["key"] for one in heard["far"]] == ["701-1002", "702-1002", "701-1002"]
    assert [(one["key"], one["withdrawnAt"] is None) for one in heard["enrolled"]] == [
        ("701-1002", True),
        ("701-1002", False),
    ]
    assert [(one["rule"], one["isOpen"], one["patientId"]) for one in heard["queries"]] == [
        ("RANGE", True, patient(made))
    ]
    assert (heard["stranger"], heard["nobody"]) == ([], [])


async def test_arms_are_blind_until_the_lock_and_results_stand_beside_promises(world: Asked) -> None:
    """The last: it locks the study."""
    people, subject = world.site, here(world)
    study = {"studyId": world.study}
    assigned = await world.ask(people.coordinator, ASSIGN, **named(world, subject), levels=None)
    assert assigned["allocation"]["assigned"] == 1
    for who in (people.sponsor, people.investigator, people.coordinator, people.monitor):
        assert (await world.ask(who, TELL, **named(world, subject)))["code"] == "NOT_PERMITTED"
        shown = (await world.ask(who, ONE, id=world.study, patient=patient(subject)))["subject"]
        assert "assignedArm" not in shown["asFhir"]
        assert "Placebo" not in str(shown)
        assert "Active" not in str(shown)
    await world.done(people.investigator, unblinding={**study, "patientId": patient(subject), "reason": "Anaphylaxis."})
    told = await world.ask(people.investigator, TELL, **named(world, subject))
    shown = (await world.ask(people.investigator, ONE, id=world.study, patient=patient(subject)))["subject"]
    assert "assignedArm" not in shown["asFhir"]
    assert told["commitment"] == shown["assignment"]["commitment"]
    (form,) = shown["forms"]
    signed = [{"recordId": form["recordId"], "version": form["version"]}]
    await world.done(
        people.investigator,
        signature={**study, "patientId": patient(subject), "meaning": "RESPONSIBLE", "forms": signed},
    )
    recorded = await world.ask(people.sponsor, RECORD, study=world.study)
    assert recorded["chain"]["records"] > 0
    assert (await world.done(people.sponsor, freeze={**study, "frozen": True, "reason": "Cleaning."}))[
        "state"
    ] == "FROZEN"
    assert (await world.capture(subject, repeat="7"))["code"] == "CONFLICT"
    assert (await world.done(people.sponsor, lock=study))["state"] == "LOCKED"
    outcomes = [{"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 24"}]
    assert (await world.act(people.sponsor, results={**study, "outcomes": [{}], "summary": "x"}))["field"] == [
        "results",
        "outcomes",
        "0",
        "kind",
    ]
    await world.done(people.sponsor, results={**study, "outcomes": outcomes, "summary": "As promised, but for weight."})
    for who in (people.monitor, subject.who):
        shown = await world.ask(who, STUDY, id=world.study)
        assert [(one["changes"], one["reported"] is None) for one in shown["compareOutcomes"]] == [
            (["KEPT"], False),
            (["DROPPED"], True),
        ]
        assert shown["results"][0]["outcomes"] == outcomes
        assert shown["asFhir"]["status"] == "completed"
    after = (await world.ask(people.monitor, ONE, id=world.study, patient=patient(subject)))["subject"]["asFhir"]
    assert (after["assignedArm"], after["status"]) == (told["arm"], "off-study")
