"""A dataset as it is asked for, decided, opened and shown: each field maps what the service gives, and a refusal names
the member of the input."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.audit.model import AccessEvent
from gateway.deid.profile import shipped
from gateway.identity.model import Caller
from gateway.ids import ReleaseId, to_global
from gateway.ports.releases import ReleaseStage
from gateway.releases import course, gathering
from gateway.releases.model import ReleaseView, Verdict
from gateway.releases.papers import Kind
from gateway.slices import Slice
from gateway.underway import MIB
from schema import renderings
from schema.audit import to_event
from schema.datasets import DatasetState
from schema.execution import Engine
from schema.root import GatewaySchema
from tests.unit.schema.conftest import Ask
from tests.unit.schema.datasets import ASKED, FILE, OVER, PEOPLE, RELEASE, make_view
from tests.unit.schema.services import CLINICIAN, PATIENT, STRANGER_PATIENT, World, make_event

DATASET_ID = to_global("Dataset", RELEASE)
OVER_ID = to_global("Dataset", OVER)
ACTOR_ID = to_global("Actor", CLINICIAN)
REFUSAL = "... on Refusal { code message field }"
WHOLE = """
  id state edition title purpose dataUse studyId cohort tables format days askedAt progress failed expiresAt tombstones
  requester { id name } profile { name basis digest departures definition }
  decision { verdict reason departures at typedData signature steward { name } }
  papers { number kind sha256 text anchor { status } } files { name table rows size sha256 cid path }
"""
SHOWN: dict[str, Any] = {
    "id": DATASET_ID,
    "state": "RELEASED",
    "edition": 2,
    "title": "Two conditions",
    "purpose": "HRESCH",
    "dataUse": ["DUO:0000042"],
    "studyId": None,
    "cohort": {"sex": ["female"]},
    "tables": {"people": PEOPLE},
    "format": "PARQUET",
    "days": 30,
    "askedAt": "2027-01-15T08:00:00.000Z",
    "progress": 1.0,
    "failed": [],
    "expiresAt": "2030-03-17T17:46:40.000Z",
    "tombstones": ["9f3a"],
    "requester": {"id": ACTOR_ID, "name": "Dr. Ada"},
    "decision": {
        "verdict": "APPROVED",
        "reason": "As agreed with the board.",
        "departures": [],
        "at": "2027-01-15T08:01:40.000Z",
        "typedData": {"primaryType": "DatasetDecision"},
        "signature": "0x69",
        "steward": {"name": "Dr. Ada"},
    },
    "papers": [
        {"number": 0, "kind": "REQUEST", "sha256": "0x" + "6a" * 32, "text": "{}", "anchor": {"status": "PENDING"}},
        {"number": 1, "kind": "DELIVERY", "sha256": "0x" + "6b" * 32, "text": None, "anchor": {"status": "PENDING"}},
    ],
    "files": [
        {
            "name": "people/part-00000.parquet",
            "table": "people",
            "rows": 24,
            "size": 2.0**40 + 1,
            "sha256": "0x" + "67" * 32,
            "cid": FILE.cid,
            "path": f"/datasets/{DATASET_ID}/people/part-00000.parquet",
        }
    ],
}
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
REQUEST = f"""mutation ($input: RequestDatasetInput!) {{
  requestDataset(input: $input) {{ ... on Dataset {{ title cohort }} {REFUSAL} }} }}"""
DRAFT = f"""mutation ($input: DatasetDecisionInput!) {{
  draftDatasetDecision(input: $input) {{ ... on Draft {{ id typedData }} {REFUSAL} }} }}"""
DECIDE = f"mutation ($input: SignedInput!) {{ decideDataset(input: $input) {{ ... on Dataset {{ id }} {REFUSAL} }} }}"
GIVEN = {name: value for name, value in ASKED.items() if name in ("title", "purpose", "dataUse", "tables")}


async def test_a_dataset_is_shown_with_all_that_is_known_of_it(ask: Ask) -> None:
    query = f"query ($id: ID!) {{ dataset(id: $id) {{ {WHOLE} }} }}"
    shown = (await ask(query, token="clinician", id=DATASET_ID))["data"]["dataset"]
    profile = shown.pop("profile")
    assert shown == SHOWN
    assert (profile["name"], profile["departures"]) == ("safe-harbor", [])
    assert profile["digest"] == "0x" + shipped("safe-harbor").digest.hex()
    assert profile["definition"]["anonymity"]["k"] == 11


@pytest.mark.parametrize("field", ["dataset", "node"])
@pytest.mark.parametrize(
    ("token", "id"),
    [(None, DATASET_ID), ("bearer", DATASET_ID), ("clinician", to_global("Dataset", b"\x01" * 16))],
)
async def test_what_may_not_be_seen_and_what_is_not_there_are_null(
    ask: Ask, field: str, token: str | None, id: str
) -> None:
    answer = await ask(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", token=token, id=id)
    assert answer == {"data": {field: None}}


async def test_an_id_of_another_kind_names_no_dataset(ask: Ask) -> None:
    answer = await ask("query ($id: ID!) { dataset(id: $id) { id } }", token="clinician", id=ACTOR_ID)
    assert answer == {"data": {"dataset": None}}


async def test_a_dataset_is_a_node(ask: Ask) -> None:
    answer = await ask("query ($id: ID!) { node(id: $id) { __typename id } }", token="clinician", id=DATASET_ID)
    assert answer["data"]["node"] == {"__typename": "Dataset", "id": DATASET_ID}


def test_every_stage_has_its_state() -> None:
    assert [one.name for one in DatasetState] == [one.name for one in ReleaseStage]


# ---- lists


async def test_ones_own_are_asked_of_the_service_by_page(ask: Ask, world: World) -> None:
    query = f'{{ me {{ datasets(last: 3, before: "x") {{ edges {{ cursor node {{ id }} }} {PAGE} }} }} }}'
    me = (await ask(query, token="clinician"))["data"]["me"]
    assert me["datasets"] == {
        "edges": [{"cursor": "d1", "node": {"id": DATASET_ID}}],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "startCursor": "d1", "endCursor": "d1"},
    }
    assert world.received == [Slice(size=3, before="x", backwards=True)]


@pytest.mark.parametrize("waiting", [True, False])
async def test_stewards_ask_for_all_or_for_those_that_wait(ask: Ask, world: World, waiting: bool) -> None:
    query = "query ($waiting: Boolean!) { datasets(waiting: $waiting, first: 2) { edges { node { id } } } }"
    answer = await ask(query, token="patient", waiting=waiting)
    assert answer["data"]["datasets"]["edges"] == [{"node": {"id": DATASET_ID}}]
    assert world.received == [(Slice(size=2), waiting)]


@pytest.mark.parametrize("token", [None, "bearer"])
async def test_nobody_else_has_a_list(ask: Ask, world: World, token: str | None) -> None:
    answer = await ask("{ datasets { edges { cursor } pageInfo { endCursor } } me { actor { id } } }", token=token)
    assert answer["data"] == {"datasets": {"edges": [], "pageInfo": {"endCursor": None}}, "me": None}
    assert not {"asked_datasets", "my_datasets"} & {name for name, _ in world.calls}


OF_PATIENT = f"""query ($id: ID!, $first: Int! = 20) {{ patient(id: $id) {{ datasets(first: $first) {{
  edges {{ cursor node {{ datasetId title requester {{ name }} dataUse state at withdrawn }} }} {PAGE} }} }} }}"""


async def test_a_patient_sees_who_used_what_was_theirs(ask: Ask, world: World) -> None:
    patient = (await ask(OF_PATIENT, token="patient", id=to_global("Patient", PATIENT)))["data"]["patient"]
    used = {
        "datasetId": DATASET_ID,
        "title": "Two conditions",
        "requester": {"name": "Dr. Ada"},
        "dataUse": ["DUO:0000042"],
        "state": "EXPIRED",
        "at": "2027-01-15T08:00:50.000Z",
        "withdrawn": True,
    }
    assert patient["datasets"] == {
        "edges": [{"cursor": "u2", "node": used}],
        "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, "startCursor": "u1", "endCursor": "u3"},
    }
    assert Slice(size=20) in world.received


@pytest.mark.parametrize(
    ("page", "part"),
    [
        ('after: "u3"', Slice(size=50, after="u3")),
        ('last: 3, before: "u1"', Slice(size=3, before="u1", backwards=True)),
    ],
)
async def test_the_list_of_a_patient_goes_both_ways(ask: Ask, world: World, page: str, part: Slice) -> None:
    query = f"query ($id: ID!) {{ patient(id: $id) {{ datasets({page}) {{ {PAGE} }} }} }}"
    patient = (await ask(query, token="patient", id=to_global("Patient", PATIENT)))["data"]["patient"]
    assert patient["datasets"]["pageInfo"]["hasPreviousPage"] is part.backwards
    assert part in world.received


async def test_others_see_no_use_of_a_patients_records(ask: Ask) -> None:
    patient = (await ask(OF_PATIENT, token="clinician", id=to_global("Patient", PATIENT)))["data"]["patient"]
    assert patient["datasets"] == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }
    assert (await ask(OF_PATIENT, token="patient", id=to_global("Patient", STRANGER_PATIENT)))["data"] == {
        "patient": None
    }


@pytest.mark.parametrize(("first", "code"), [(0, "INVALID"), (101, "LIMIT")])
async def test_the_list_of_a_patient_is_bounded(ask: Ask, first: int, code: str) -> None:
    answer = await ask(OF_PATIENT, token="patient", id=to_global("Patient", PATIENT), first=first)
    assert answer["errors"][0]["extensions"]["code"] == code


# ---- asking


async def test_a_request_reaches_the_service_whole(ask: Ask, world: World) -> None:
    given = {
        **GIVEN,
        "cohort": {"age": {"from": 30, "to": 60}},
        "profile": "expert-determination",
        "format": "NDJSON",
        "days": 7,
    }
    answer = await ask(REQUEST, token="clinician", input=given)
    assert answer["data"]["requestDataset"] == {"title": "Two conditions", "cohort": {"age": {"from": 30, "to": 60}}}
    assert world.received == [{**given, "format": "ndjson"}]


async def test_what_is_not_given_is_the_plain_case(ask: Ask, world: World) -> None:
    await ask(REQUEST, token="clinician", input=GIVEN)
    assert world.received == [{**ASKED, "cohort": {}}]


async def test_a_study_is_named_by_its_id(ask: Ask, world: World) -> None:
    study = to_global("Study", b"\x5d" * 32)
    given = {**GIVEN, "purpose": "CLINTRCH", "studyId": study}
    query = REQUEST.replace("title cohort", "studyId")
    assert (await ask(query, token="clinician", input=given))["data"] == {"requestDataset": {"studyId": study}}
    assert world.received == [{**ASKED, "cohort": {}, "purpose": "CLINTRCH", "study": "5d" * 32}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, ["title"]),
        ({"studyId": to_global("Study", b"\x5d" * 32)}, ["purpose"]),
        ({"purpose": "CLINTRCH", "studyId": to_global("Dataset", b"\x5d" * 32)}, ["studyId"]),
        ({"purpose": "CLINTRCH", "studyId": "5d"}, ["studyId"]),
        ({"purpose": "TREAT"}, ["purpose"]),
        ({"dataUse": []}, ["dataUse"]),
        ({"cohort": {"zip": "x"}}, ["cohort", "zip"]),
        ({"cohort": []}, ["cohort"]),
        ({"tables": {}}, ["tables"]),
        ({"tables": {"people": {"resource": "Patient"}}}, ["tables", "people"]),
        ({"profile": "none"}, ["profile"]),
        ({"profile": {"profile": "mine"}}, ["profile"]),
        ({"days": 0}, ["days"]),
        ({"title": "x" * 201}, ["title"]),
    ],
)
async def test_what_is_wrong_with_a_request_is_named_by_its_member(
    ask: Ask, changes: dict[str, Any], field: list[str]
) -> None:
    refused = (await ask(REQUEST, token="clinician", input={**GIVEN, **changes}))["data"]["requestDataset"]
    assert refused["code"] == "INVALID"
    assert refused["field"][: len(field)] == field


async def test_what_is_wrong_with_the_whole_names_no_member(ask: Ask) -> None:
    view = {**PEOPLE, "description": "x" * (1 << 18)}
    refused = (await ask(REQUEST, token="clinician", input={**GIVEN, "tables": {"people": view}}))["data"]
    assert refused["requestDataset"]["code"] == "INVALID"
    assert refused["requestDataset"]["field"] is None


# ---- deciding


async def test_a_decision_is_drafted_as_it_was_asked_for(ask: Ask, world: World) -> None:
    given = {"datasetId": DATASET_ID, "verdict": "CHANGES_WANTED", "reason": "Fewer tables, please."}
    answer = await ask(DRAFT, token="patient", input=given)
    assert answer["data"]["draftDatasetDecision"] == {
        "id": "0x" + "6c" * 32,
        "typedData": {"primaryType": "DatasetDecision"},
    }
    assert world.received == [(Verdict.CHANGES_WANTED, "Fewer tables, please.", ())]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"datasetId": OVER_ID}, "CONFLICT", ["datasetId"]),
        ({"datasetId": ACTOR_ID}, "INVALID", ["datasetId"]),
        ({"departures": ["anonymity.k"]}, "INVALID", ["departures", "anonymity.k"]),
    ],
)
async def test_what_is_wrong_with_a_decision_is_named_by_its_member(
    ask: Ask, changes: dict[str, Any], code: str, field: list[str]
) -> None:
    given = {"datasetId": DATASET_ID, "verdict": "APPROVED", "reason": "As agreed.", **changes}
    refused = (await ask(DRAFT, token="patient", input=given))["data"]["draftDatasetDecision"]
    assert (refused["code"], refused["field"]) == (code, field)


async def test_a_signed_decision_is_handed_in(ask: Ask) -> None:
    given = {"typedData": {"primaryType": "DatasetDecision"}, "signature": "0x69"}
    assert (await ask(DECIDE, token="patient", input=given))["data"]["decideDataset"] == {"id": DATASET_ID}


@pytest.mark.parametrize(
    ("fails_at", "field"),
    [
        (["id"], ["typedData", "message", "release"]),
        (["profile", "anonymity.k"], ["typedData", "message", "departures", "anonymity.k"]),
        (["overrides", "anonymity.k"], ["typedData", "message", "departures", "anonymity.k"]),
        (["departures"], ["typedData", "message", "departures"]),
        (["typedData", "message", "steward"], ["typedData", "message", "steward"]),
        (["signature"], ["signature"]),
    ],
)
async def test_what_is_wrong_with_a_signed_decision_is_where_it_was_signed(
    ask: Ask, fails_at: list[str], field: list[str]
) -> None:
    given = {"typedData": {"fails at": fails_at}, "signature": "0x69"}
    refused = (await ask(DECIDE, token="patient", input=given))["data"]["decideDataset"]
    assert refused["field"] == field


async def test_signed_typed_data_is_an_object(ask: Ask) -> None:
    refused = (await ask(DECIDE, token="patient", input={"typedData": [], "signature": "0x69"}))["data"]
    assert refused["decideDataset"]["field"] == ["typedData"]


# ---- what came of it

OPEN = "openDataset", "... on OpenedDataset { dataset { id } manifest wrappedKey gatewayHalf }"
CANCEL = "cancelDataset", "... on Dataset { state decision { at } expiresAt files { name } }"
REPORT = "datasetReport", "... on DatasetReport { html }"


def call(of: tuple[str, str]) -> str:
    kind = "query" if of == REPORT else "mutation"
    return f"{kind} ($id: ID!) {{ {of[0]}(datasetId: $id) {{ {of[1]} {REFUSAL} }} }}"


@pytest.mark.parametrize(
    ("of", "given"),
    [
        (
            OPEN,
            {
                "dataset": {"id": DATASET_ID},
                "manifest": '{"kind":"dataset-manifest"}',
                "wrappedKey": "0x" + "6d" * 80,
                "gatewayHalf": "0x" + "6e" * 32,
            },
        ),
        (CANCEL, {"state": "CANCELLED", "decision": None, "expiresAt": None, "files": []}),
        (REPORT, {"html": "<!doctype html>"}),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
async def test_an_act_answers_with_what_the_service_gives(ask: Ask, of: tuple[str, str], given: dict[str, Any]) -> None:
    assert (await ask(call(of), token="clinician", id=DATASET_ID))["data"][of[0]] == given


@pytest.mark.parametrize("of", [OPEN, CANCEL, REPORT], ids=lambda one: str(one[0]))
@pytest.mark.parametrize(
    ("token", "id", "refused"),
    [
        ("clinician", OVER_ID, ("CONFLICT", ["datasetId"])),
        ("clinician", ACTOR_ID, ("INVALID", ["datasetId"])),
        ("clinician", to_global("Dataset", b"\x01" * 16), ("NOT_PERMITTED", None)),
        ("bearer", DATASET_ID, ("NOT_PERMITTED", None)),
        (None, DATASET_ID, ("UNAUTHENTICATED", None)),
    ],
)
async def test_an_act_that_is_refused_names_the_dataset(
    ask: Ask, of: tuple[str, str], token: str | None, id: str, refused: tuple[str, list[str] | None]
) -> None:
    found = (await ask(call(of), token=token, id=id))["data"][of[0]]
    assert (found["code"], found["field"]) == refused


# ---- the access log


def of_dataset(action: str) -> AccessEvent:
    return replace(make_event(), action=action, record=RELEASE)


def test_the_log_calls_a_release_and_a_withdrawal_what_the_service_does() -> None:
    assert {gathering.ACTION, course.WITHDRAWN} == renderings.OF_DATASETS


@pytest.mark.parametrize("action", ["RELEASE", "WITHDRAW_FROM_RELEASE"])
def test_an_entry_of_a_dataset_names_it_and_no_record(action: str) -> None:
    event = to_event(of_dataset(action))
    assert (event.record_id, event.dataset_id) == (None, DATASET_ID)


def test_an_entry_of_a_record_names_no_dataset() -> None:
    assert to_event(make_event()).dataset_id is None


@pytest.mark.parametrize("action", ["RELEASE", "WITHDRAW_FROM_RELEASE"])
def test_an_entry_of_a_dataset_is_one_in_fhir_too(action: str) -> None:
    entities = to_event(of_dataset(action)).as_fhir()["entity"]
    named = [one["what"]["identifier"] for one in entities]
    assert {"system": "urn:consentry:dataset", "value": DATASET_ID} in named
    assert "urn:consentry:record" not in {one["system"] for one in named}


def test_every_kind_of_paper_is_one_of_the_schema(schema: Any) -> None:
    assert set(schema._schema.type_map["DatasetPaperKind"].values) == {one.name for one in Kind}


@pytest.mark.parametrize(
    "fields", ["a: papers { text } b: papers { text }", " ".join(f"a{number}: tombstones" for number in range(25))]
)
async def test_long_papers_and_tombstones_are_measured_before_they_go_out(
    schema: GatewaySchema, world: World, fields: str
) -> None:
    """Though a document with so few fields is not, where nothing long is shown."""
    view = make_view(CLINICIAN)
    long = replace(view.papers[0], octets=b"x" * (33 * MIB))

    async def get(caller: Caller, release: ReleaseId, /) -> ReleaseView:
        return replace(view, papers=(long,), tombstones=("y" * (3 * MIB),))

    engine = Engine(schema, replace(world.services(), releases=SimpleNamespace(get=get)), most_octets=64 * MIB)
    answer = await engine.execute(
        f"query ($id: ID!) {{ dataset(id: $id) {{ {fields} }} }}",
        variables={"id": DATASET_ID},
        operation_name=None,
        caller=await world.caller("clinician"),
        token="clinician",
        correlation_id="c",
    )
    assert answer.payload["errors"][0]["extensions"] == {"code": "LIMIT"}
