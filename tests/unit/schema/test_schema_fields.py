"""Each field maps what its service gives, and refuses as the contract says."""

from datetime import UTC, datetime

import pytest

from gateway import jsontext
from gateway.audit.model import EVERYTHING, AccessFilter, Outcome
from gateway.consent.model import Action, Effect, Purpose
from gateway.errors import ConflictError, UpstreamError
from gateway.identity.model import Role
from gateway.ids import to_global
from gateway.records.model import RecordOrder
from gateway.slices import Slice
from schema.execution import Engine
from schema.root import GatewaySchema
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import (
    CID,
    CLINICIAN,
    CONSENT,
    DECISION,
    HIDDEN_RECORD,
    PATIENT,
    RECORD,
    STRANGER_PATIENT,
    World,
    failures,
)

RECORD_ID = to_global("Record", RECORD)
PATIENT_ID = to_global("Patient", PATIENT)
ACTOR_ID = to_global("Actor", CLINICIAN)
FULL_RECORD = """
  id version resourceType labels recordedAt content contentSalt cid
  patient { id subject } author { id name address organizations { name } }
  anchor { status proof { log leafEncoding leafValues path root chainId contract transactionHash blockNumber } }
  receipt { decisionId consentId purpose asOfBlock decidedAt obligations payload signer signature anchor { status } }
"""
REFUSAL = "... on Refusal { code message field decisionId }"
RECORD_QUERY = f"query($id: ID!) {{ record(id: $id) {{ __typename ... on Record {{ {FULL_RECORD} }} {REFUSAL} }} }}"
CREATE = f"""mutation($input: CreateRecordInput!) {{
  createRecord(input: $input) {{
    __typename ... on StoredRecord {{ id version cid anchor {{ status }} }} {REFUSAL} }} }}"""


async def test_record_is_released_with_everything_that_proves_it(ask: Ask) -> None:
    record = (await ask(RECORD_QUERY, token="clinician", id=RECORD_ID))["data"]["record"]
    assert record["id"] == RECORD_ID
    assert record["recordedAt"] == "2026-01-31T08:00:00.123Z"
    assert record["cid"] == CID
    assert record["author"]["organizations"] == [{"name": "Clinic"}]
    assert record["anchor"]["proof"]["contract"] == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert record["anchor"]["proof"]["leafValues"][0] == "0x" + RECORD.hex()
    assert record["receipt"]["decisionId"] == to_global("Decision", DECISION)
    assert record["receipt"]["anchor"] == {"status": "PENDING"}


async def test_content_leaves_as_the_octets_that_were_released(engine: Engine, world: World) -> None:
    answer = await engine.execute(
        RECORD_QUERY,
        variables={"id": RECORD_ID},
        operation_name=None,
        caller=await world.caller("clinician"),
        token="clinician",
        correlation_id="c",
    )
    assert b'"value":1.10}' in jsontext.dumps(answer.payload)


async def test_record_without_a_token_is_refused_as_unauthenticated(ask: Ask) -> None:
    record = (await ask(RECORD_QUERY, id=RECORD_ID))["data"]["record"]
    assert (record["__typename"], record["code"]) == ("Refusal", "UNAUTHENTICATED")


async def test_denied_record_is_refused_with_its_decision(ask: Ask) -> None:
    record = (await ask(RECORD_QUERY, token="clinician", id=to_global("Record", HIDDEN_RECORD)))["data"]["record"]
    assert record == {
        "__typename": "Refusal",
        "code": "NOT_PERMITTED",
        "message": "not permitted",
        "field": None,
        "decisionId": to_global("Decision", DECISION),
    }


@pytest.mark.parametrize("id", ["", "nonsense", PATIENT_ID, "x" * 10_000, "é"])
async def test_id_that_names_no_record_is_invalid(ask: Ask, id: str) -> None:
    record = (await ask(RECORD_QUERY, token="clinician", id=id))["data"]["record"]
    assert (record["code"], record["field"]) == ("INVALID", ["id"])


@pytest.mark.parametrize("failure", failures())
async def test_failing_system_is_a_refusal_that_repeats_none_of_its_words(
    ask: Ask, world: World, failure: type[Exception]
) -> None:
    world.fail = failure("postgres://10.0.0.1/secret")
    record = (await ask(RECORD_QUERY, token="clinician", id=RECORD_ID))["data"]["record"]
    assert record["code"] == failure.code  # type: ignore[attr-defined]
    assert "postgres" not in str(record)


NODES = [
    ("Patient", PATIENT, "clinician", True),
    ("Patient", STRANGER_PATIENT, "clinician", False),
    ("Patient", PATIENT, None, False),
    ("Record", RECORD, "clinician", True),
    ("Record", RECORD, "patient", True),
    ("Record", HIDDEN_RECORD, "clinician", False),
    ("Record", RECORD, None, False),
    ("Actor", CLINICIAN, "patient", True),
    ("Actor", CLINICIAN, None, False),
    ("Consent", CONSENT, "patient", True),
    ("Consent", CONSENT, "clinician", False),
    ("AccessEvent", DECISION, "patient", True),
    ("AccessEvent", DECISION, "clinician", False),
    ("Decision", DECISION, "patient", True),
    ("Decision", DECISION, "clinician", True),
    ("Decision", DECISION, "registrar", False),
    ("Decision", b"\x42" * 16, "clinician", False),
    ("Decision", DECISION, None, False),
]


@pytest.mark.parametrize(("kind", "raw", "token", "seen"), NODES)
async def test_node_is_found_or_null(ask: Ask, kind: str, raw: bytes, token: str | None, seen: bool) -> None:
    id = to_global(kind, raw)
    payload = await ask("query($id: ID!) { node(id: $id) { __typename id } }", token=token, id=id)
    assert payload == {
        "data": {"node": {"__typename": "AuditEntry" if kind == "Decision" else kind, "id": id} if seen else None}
    }


async def test_node_reads_the_patients_record_as_patrqt(ask: Ask, world: World) -> None:
    await ask("query($id: ID!) { node(id: $id) { id } }", token="patient", id=RECORD_ID)
    assert world.received == [Purpose.PATRQT]


@pytest.mark.parametrize("failure", failures())
async def test_node_of_a_failing_system_is_an_error_not_null_alone(
    ask: Ask, world: World, failure: type[Exception]
) -> None:
    world.fail = failure("host")
    payload = await ask("query($id: ID!) { node(id: $id) { id } }", token="clinician", id=RECORD_ID)
    assert payload["errors"][0]["extensions"] == {
        "code": failure.code,  # type: ignore[attr-defined]
        "correlationId": "c0ffee",
    }


async def test_viewer_is_null_without_a_token(ask: Ask) -> None:
    assert await ask("{ viewer { id } }") == {"data": {"viewer": None}}


async def test_viewer_is_the_caller(ask: Ask) -> None:
    payload = await ask("{ viewer { id actor roles name address } }", token="clinician")
    assert payload["data"]["viewer"] == {
        "id": ACTOR_ID,
        "actor": "0x" + "01" * 32,
        "roles": ["CLINICIAN"],
        "name": "Dr. Ada",
        "address": "0x0101010101010101010101010101010101010101",
    }


PAGE = """query($id: ID!, $first: Int! = 2, $after: String, $filter: RecordFilter) { patient(id: $id) {
  records(first: $first, after: $after, filter: $filter) { edges { cursor node { id author { name } } }
    pageInfo { hasNextPage endCursor hasPreviousPage startCursor } }
  consents { edges { cursor node { consentId status effect grantee { name } notBefore notAfter dataFrom dataTo
    termsHash study statement german: statementIn(language: DE) transactionHash purposes actions } } }
  accessLog { edges { node { at actor { name } outcome purpose recordId decisionId } } pageInfo { endCursor } } } }"""


async def test_patients_own_page_shows_records_consents_and_log(ask: Ask) -> None:
    patient = (await ask(PAGE, token="patient", id=PATIENT_ID))["data"]["patient"]
    assert len(patient["records"]["edges"]) == 2
    assert patient["records"]["pageInfo"] == {
        "hasNextPage": True,
        "endCursor": "c1",
        "hasPreviousPage": False,
        "startCursor": "c0",
    }
    consent = patient["consents"]["edges"][0]["node"]
    assert consent["grantee"] == {"name": "Dr. Ada"}
    assert (consent["notAfter"], consent["dataTo"], consent["termsHash"]) == (None, None, None)
    assert consent["study"] is None
    assert consent["german"] == f"de: {consent['statement']}"
    assert consent["dataFrom"] == "2020-01-01T00:00:00.000Z"
    assert patient["accessLog"]["edges"][0]["node"]["recordId"] == RECORD_ID
    assert patient["accessLog"]["pageInfo"] == {"endCursor": "e1"}


async def test_others_get_empty_consents_and_log(ask: Ask) -> None:
    payload = await ask(PAGE, token="clinician", id=PATIENT_ID)
    assert "errors" not in payload
    assert payload["data"]["patient"]["consents"]["edges"] == []
    assert payload["data"]["patient"]["accessLog"]["edges"] == []


async def test_authors_of_a_page_are_looked_up_once(ask: Ask, world: World) -> None:
    await ask(PAGE, token="clinician", id=PATIENT_ID)
    assert world.calls.count(("actor", None)) == 1


async def test_filter_and_cursor_reach_the_service(ask: Ask, world: World) -> None:
    filter = {"resourceTypes": ["Observation"], "code": "s|c", "from": "2020-01-01T00:00:00Z", "labels": ["HIV"]}
    await ask(PAGE, token="clinician", id=PATIENT_ID, filter={**filter, "to": None}, after="c1", first=3)
    found, order, part = world.received[0]
    assert (found.resource_types, found.code, found.end, found.labels) == (("Observation",), "s|c", None, {"HIV"})
    assert found.start == datetime(2020, 1, 1, tzinfo=UTC)
    assert (order, part) == (RecordOrder.ARRIVAL, Slice(size=3, after="c1"))


async def test_each_order_and_direction_reaches_the_service(ask: Ask, world: World) -> None:
    query = """query($id: ID!) { patient(id: $id) {
      timeline(last: 7, before: "b", after: "a") { pageInfo { startCursor } }
      latest(first: 2) { edges { cursor } } } }"""
    await ask(query, token="clinician", id=PATIENT_ID)
    assert [asked[1:] for asked in world.received] == [
        (RecordOrder.CLINICAL, Slice(size=7, after="a", before="b", backwards=True)),
        (RecordOrder.LATEST, Slice(size=2)),
    ]


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"last": 0}, "last", "INVALID"),
        ({"last": 101}, "last", "LIMIT"),
        ({"last": 5, "before": "b" * 513}, "before", "INVALID"),
        ({"filter": {"labels": []}}, "filter", "INVALID"),
        ({"filter": {"labels": ["L"] * 65}}, "filter", "INVALID"),
    ],
)
async def test_wrong_arguments_of_a_page_are_refused_by_name(
    ask: Ask, given: dict[str, object], field: str, code: str
) -> None:
    query = """query($id: ID!, $last: Int, $before: String, $filter: RecordFilter) { patient(id: $id) {
      timeline(last: $last, before: $before, filter: $filter) { edges { cursor } } } }"""
    payload = await ask(query, token="clinician", id=PATIENT_ID, **given)
    extensions = payload["errors"][0]["extensions"]
    assert (extensions["code"], extensions["field"][0]) == (code, field)


@pytest.mark.parametrize(("first", "code"), [(0, "INVALID"), (-1, "INVALID"), (101, "LIMIT"), (2**31 - 1, "LIMIT")])
async def test_page_size_is_bounded_where_it_is_a_variable(ask: Ask, first: int, code: str) -> None:
    payload = await ask(PAGE, token="clinician", id=PATIENT_ID, first=first)
    assert payload["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("failure", failures())
async def test_page_of_a_failing_system_does_not_look_empty(ask: Ask, world: World, failure: type[Exception]) -> None:
    query = "query($id: ID!) { node(id: $id) { ... on Record { patient { records { edges { cursor } } } } } }"
    world.fail = None
    original = world.page

    async def fails(*_: object, **__: object) -> object:
        raise failure("host")

    world.page = fails  # type: ignore[method-assign, assignment]
    payload = await ask(query, token="clinician", id=RECORD_ID)
    world.page = original  # type: ignore[method-assign]
    assert payload["errors"][0]["extensions"]["code"] == failure.code  # type: ignore[attr-defined]


async def test_created_record_keeps_the_text_of_its_numbers(ask: Ask, world: World) -> None:
    resource = jsontext.loads(b'{"resourceType":"Observation","value":1.10}')
    payload = await ask(CREATE, token="clinician", input={"patientId": PATIENT_ID, "resource": resource})
    assert payload["data"]["createRecord"]["id"] == RECORD_ID
    assert jsontext.dumps(world.received[0].resource) == b'{"resourceType":"Observation","value":1.10}'
    assert (world.received[0].labels, world.received[0].idempotency_key) == (None, None)


async def test_record_created_from_a_literal_keeps_the_text_of_its_numbers(ask: Ask, world: World) -> None:
    query = """mutation($id: ID!, $inner: JSON!) { createRecord(input: {patientId: $id, labels: ["HIV"],
      idempotencyKey: "k", resource: {value: 1.10, list: [1E2, $inner]}}) { __typename } }"""
    payload = await ask(query, token="clinician", id=PATIENT_ID, inner=jsontext.loads(b"[2.50]"))
    assert payload == {"data": {"createRecord": {"__typename": "StoredRecord"}}}
    assert jsontext.dumps(world.received[0].resource) == b'{"value":1.10,"list":[1E2,[2.50]]}'
    assert (world.received[0].labels, world.received[0].idempotency_key) == (("HIV",), "k")


async def test_refused_input_names_its_field(ask: Ask) -> None:
    payload = await ask(CREATE, token="clinician", input={"patientId": PATIENT_ID, "resource": []})
    assert payload["data"]["createRecord"]["field"] == ["resource"]


async def test_empty_idempotency_key_is_invalid(ask: Ask) -> None:
    given = {"patientId": PATIENT_ID, "resource": {}, "idempotencyKey": ""}
    payload = await ask(CREATE, token="clinician", input=given)
    assert payload["data"]["createRecord"]["field"] == ["idempotencyKey"]


@pytest.mark.parametrize(
    ("failure", "code"), [(ConflictError("other content"), "CONFLICT"), (UpstreamError("x"), "UNAVAILABLE")]
)
async def test_failed_write_is_a_typed_refusal(ask: Ask, world: World, failure: Exception, code: str) -> None:
    world.fail = failure
    payload = await ask(CREATE, token="clinician", input={"patientId": PATIENT_ID, "resource": {}})
    assert payload["data"]["createRecord"]["code"] == code


async def test_drafted_consent_reaches_the_service_whole(ask: Ask, world: World) -> None:
    query = f"""mutation($input: ConsentInput!) {{
      draftConsent(input: $input) {{ ... on Draft {{ id typedData }} {REFUSAL} }} }}"""
    given = {
        "patientId": PATIENT_ID,
        "granteeId": ACTOR_ID,
        "purposes": ["TREAT"],
        "authorIds": [ACTOR_ID],
        "recordIds": [RECORD_ID],
        "notAfter": "2030-01-01T00:00:00Z",
        "termsHash": "0x" + "ab" * 32,
    }
    payload = await ask(query, token="patient", input=given)
    assert payload["data"]["draftConsent"] == {"id": "0x" + CONSENT.hex(), "typedData": {"primaryType": "Consent"}}
    consent = world.received[0]
    assert (consent.subject, consent.grantee, consent.effect) == (PATIENT, CLINICIAN, Effect.PERMIT)
    assert (consent.actions, consent.purposes) == ((Action.READ,), (Purpose.TREAT,))
    assert (consent.authors, consent.records, consent.labels) == ((CLINICIAN,), (RECORD,), ())
    assert (consent.not_before, consent.terms_hash) == (None, b"\xab" * 32)
    assert consent.study is None


@pytest.mark.parametrize("study", ["", "Study", PATIENT_ID])
async def test_what_names_no_study_is_no_consent_for_none(ask: Ask, world: World, study: str) -> None:
    query = f"mutation($input: ConsentInput!) {{ draftConsent(input: $input) {{ {REFUSAL} }} }}"
    plain = {"patientId": PATIENT_ID, "granteeId": ACTOR_ID, "purposes": ["CLINTRCH"]}
    payload = await ask(query, token="patient", input={**plain, "study": study})
    assert payload["data"]["draftConsent"]["field"] == ["study"]
    assert world.received == []


async def test_a_study_reaches_the_service(ask: Ask, world: World) -> None:
    query = "mutation($input: ConsentInput!) { draftConsent(input: $input) { ... on Draft { id } } }"
    plain = {"patientId": PATIENT_ID, "granteeId": ACTOR_ID, "purposes": ["CLINTRCH"]}
    await ask(query, token="patient", input={**plain, "study": to_global("Study", b"\x5d" * 32)})
    assert world.received[0].study == b"\x5d" * 32


async def test_signed_typed_data_must_be_an_object(ask: Ask) -> None:
    query = f'mutation {{ grantConsent(input: {{typedData: [1], signature: "0x00"}}) {{ {REFUSAL} }} }}'
    payload = await ask(query, token="patient")
    assert payload["data"]["grantConsent"]["field"] == ["typedData"]


SIGNED = {"input": {"typedData": {}, "signature": "0x00"}}
DONE = [
    ("signInChallenge(address: $address)", "SignInChallenge", "$address: Address!", {"address": "0x" + "ab" * 20}),
    ("addMember(input: $input)", "Actor", "$input: SignedInput!", SIGNED),
    (
        "draftCredential(input: $input)",
        "Draft",
        "$input: CredentialInput!",
        {"input": {"patientId": PATIENT_ID, "actorId": to_global("Actor", CLINICIAN)}},
    ),
    (
        "setCredential(input: $input)",
        "Credential",
        "$input: SignedCredentialInput!",
        {"input": {**SIGNED["input"], "actorSignature": "0x22"}},
    ),
    (
        "draftDelegate(input: $input)",
        "DelegateDraft",
        "$input: DelegateInput!",
        {
            "input": {
                "patientId": PATIENT_ID,
                "actorId": to_global("Actor", CLINICIAN),
                "purposes": ["TREAT"],
                "notAfter": "2030-01-01T00:00:00Z",
            }
        },
    ),
    (
        "addDelegate(input: $input)",
        "Delegate",
        "$input: SignedDelegateInput!",
        {"input": {**SIGNED["input"], "limits": {}}},
    ),
    (
        "draftDelegateRemoval(patientId: $id, number: $number)",
        "Draft",
        "$id: ID!, $number: Int!",
        {"id": PATIENT_ID, "number": 1},
    ),
    ("removeDelegate(input: $input)", "Delegate", "$input: SignedInput!", SIGNED),
    ("grantConsent(input: $input)", "Consent", "$input: SignedInput!", SIGNED),
    ("revokeConsent(input: $input)", "Consent", "$input: SignedInput!", SIGNED),
    ("revokeAllConsents(input: $input)", "RevokedAll", "$input: SignedInput!", SIGNED),
    ("enrolPatient(input: $input)", "Patient", "$input: EnrolPatientInput!", {"input": {}}),
    ("draftRevocationOfAll(patientId: $id)", "Draft", "$id: ID!", {"id": PATIENT_ID}),
    (
        "draftRevocation(patientId: $id, consentId: $consent)",
        "Draft",
        "$id: ID!, $consent: Hex!",
        {"id": PATIENT_ID, "consent": "0x" + CONSENT.hex()},
    ),
    (
        "registerActor(input: $input)",
        "Actor",
        "$input: RegisterActorInput!",
        {"input": {"key": "0x" + "01" * 20, "roles": ["CLINICIAN"], "name": "Dr. Ada"}},
    ),
    (
        "draftMembership(input: $input)",
        "Draft",
        "$input: MembershipInput!",
        {"input": {"organizationId": ACTOR_ID, "memberId": ACTOR_ID, "notAfter": "2030-01-01T00:00:00Z"}},
    ),
    (
        "signIn(input: $input)",
        "Session",
        "$input: SignInInput!",
        {"input": {"message": "m", "signature": "0x" + "00" * 65}},
    ),
    (
        "amendRecord(input: $input)",
        "StoredRecord",
        "$input: AmendRecordInput!",
        {"input": {"recordId": RECORD_ID, "expectedVersion": 1, "resource": {}}},
    ),
    (
        "importBundle(input: $input)",
        "ImportedBundle",
        "$input: ImportBundleInput!",
        {"input": {"patientId": PATIENT_ID, "bundle": {}}},
    ),
]


@pytest.mark.parametrize(("call", "done", "declared", "given"), DONE, ids=[row[0].partition("(")[0] for row in DONE])
async def test_mutation_answers_with_its_type(ask: Ask, call: str, done: str, declared: str, given: dict) -> None:
    payload = await ask(f"mutation({declared}) {{ done: {call} {{ __typename }} }}", token="clinician", **given)
    assert payload == {"data": {"done": {"__typename": done}}}


@pytest.mark.parametrize(("call", "done", "declared", "given"), DONE, ids=[row[0].partition("(")[0] for row in DONE])
async def test_mutation_without_a_token_is_unauthenticated_but_for_sign_in(
    ask: Ask, world: World, call: str, done: str, declared: str, given: dict
) -> None:
    query = f"mutation({declared}) {{ done: {call} {{ __typename ... on Refusal {{ code }} }} }}"
    payload = await ask(query, **given)
    if call.startswith("signIn"):
        assert payload["data"]["done"]["__typename"] == done
    else:
        assert payload["data"]["done"] == {"__typename": "Refusal", "code": "UNAUTHENTICATED"}
        assert world.calls == []


async def test_registered_roles_and_absent_keys_reach_the_service(ask: Ask, world: World) -> None:
    query = "mutation($input: RegisterActorInput!) { registerActor(input: $input) { __typename } }"
    await ask(query, token="clinician", input={"key": "0x01", "roles": ["PAYER", "PAYER"], "name": "n"})
    assert world.received[0]["roles"] == frozenset({Role.PAYER})
    assert world.received[0]["encryption_key"] is None


async def test_empty_controller_is_not_taken_for_custody(ask: Ask, world: World) -> None:
    query = "mutation($input: EnrolPatientInput!) { enrolPatient(input: $input) { __typename } }"
    await ask(query, token="clinician", input={"controller": "0x"})
    await ask(query, token="clinician", input={"controller": None})
    assert world.received == [b"", None]


def test_services_are_what_the_context_asks_for(schema: GatewaySchema, world: World) -> None:
    services = world.services()
    assert services.records is world


SEARCHED = """query($id: ID!, $filter: AccessFilter) { patient(id: $id) {
  accessLog(filter: $filter, first: 5) { edges { node { action } } pageInfo { hasNextPage endCursor } } } }"""


async def test_a_search_of_the_access_log_reaches_the_service_whole(ask: Ask, world: World) -> None:
    given = {
        "outcome": "DENIED",
        "actorId": to_global("Actor", CLINICIAN),
        "recordId": to_global("Record", RECORD),
        "actions": ["READ"],
        "purpose": "TREAT",
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
    }
    payload = await ask(SEARCHED, token="patient", id=to_global("Patient", PATIENT), filter=given)
    assert len(payload["data"]["patient"]["accessLog"]["edges"]) == 1
    assert world.wanted_log == AccessFilter(
        outcome=Outcome.DENIED,
        actor=CLINICIAN,
        record=RECORD,
        actions=frozenset({"READ"}),
        purpose="TREAT",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("given", [None, {}, {"outcome": None, "actions": [], "from": None}])
async def test_a_search_for_nothing_is_for_everything(ask: Ask, world: World, given: object) -> None:
    await ask(SEARCHED, token="patient", id=to_global("Patient", PATIENT), filter=given)
    assert world.wanted_log == EVERYTHING


@pytest.mark.parametrize(
    ("given", "field"),
    [({"actorId": to_global("Patient", PATIENT)}, "actorId"), ({"recordId": "x"}, "recordId")],
)
async def test_a_search_with_a_wrong_id_is_refused_by_its_field(ask: Ask, given: object, field: str) -> None:
    payload = await ask(SEARCHED, token="patient", id=to_global("Patient", PATIENT), filter=given)
    assert payload["errors"][0]["extensions"] == {"code": "INVALID", "field": [field]}
