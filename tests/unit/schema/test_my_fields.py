"""What is one's own, as a client asks for it: mapped, in both directions, and nobody's who is not signed in by key."""

from typing import Any

import pytest

from gateway.consent.model import Action, ConsentStatus, Purpose
from gateway.consent.ties import GrantedFilter
from gateway.ids import to_global
from gateway.slices import Slice
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import CLINICIAN, CONSENT, PATIENT, World

PATIENT_ID = to_global("Patient", PATIENT)
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
MINE = f"""query ($filter: GrantedFilter, $first: Int, $last: Int, $after: String, $before: String) {{ me {{
  actor {{ name }}
  patients(first: $first, last: $last, after: $after, before: $before) {{
    edges {{ cursor node {{ relations patient {{ id }} }} }} {PAGE} }}
  consents(filter: $filter, first: $first, last: $last, after: $after, before: $before) {{
    edges {{ cursor node {{ consentId patient {{ id }} }} }} {PAGE} }} }} }}"""
LISTS = """query ($id: ID!, $last: Int!, $before: String) { patient(id: $id) {
  consents(last: $last, before: $before) { pageInfo { hasPreviousPage } }
  accessLog(last: $last, before: $before) { pageInfo { hasPreviousPage } }
  emergencies(last: $last, before: $before) { pageInfo { hasPreviousPage } } }
  sessions(last: $last, before: $before) { edges { cursor } pageInfo { hasPreviousPage hasNextPage startCursor } } }"""


async def test_the_patient_is_told_that_they_are_one(ask: Ask) -> None:
    me = (await ask(MINE, token="patient", first=10))["data"]["me"]
    assert me["patients"]["edges"] == [
        {"cursor": "p1", "node": {"relations": ["CONTROLLER", "GUARDIAN"], "patient": {"id": PATIENT_ID}}}
    ]
    assert me["patients"]["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": "p0",
        "endCursor": "p1",
    }
    assert me["consents"]["edges"] == []


async def test_who_is_named_is_told_by_whom(ask: Ask) -> None:
    me = (await ask(MINE, token="clinician", first=10))["data"]["me"]
    assert me["actor"]["name"] == "Dr. Ada"
    assert me["patients"]["edges"] == []
    assert me["consents"]["edges"] == [
        {"cursor": "g1", "node": {"consentId": "0x" + CONSENT.hex(), "patient": {"id": PATIENT_ID}}}
    ]
    assert me["consents"]["pageInfo"]["endCursor"] == "g9"


@pytest.mark.parametrize("token", [None, "bearer"])
async def test_nobody_else_is_anybody(ask: Ask, world: World, token: str | None) -> None:
    given: dict[str, Any] = {"token": token} if token else {}
    answer = await ask("{ me { patients { edges { cursor } } consents { edges { cursor } } } }", **given)
    assert answer["data"] == {"me": None}
    assert not {"my_patients", "my_consents"} & {method for method, _ in world.calls}


async def test_what_is_wanted_and_which_part_reach_the_service(ask: Ask, world: World) -> None:
    wanted = {
        "status": "NOT_YET",
        "purpose": "HRESCH",
        "action": "WRITE",
        "granteeId": to_global("Actor", CLINICIAN),
        "patientId": PATIENT_ID,
    }
    await ask(MINE, token="clinician", filter=wanted, last=3, before="x", after="y", first=9)
    part = Slice(size=3, after="y", before="x", backwards=True)
    assert part in world.received
    filter = GrantedFilter(
        status=ConsentStatus.NOT_YET,
        purpose=Purpose.HRESCH,
        action=Action.WRITE,
        grantee=CLINICIAN,
        subject=PATIENT,
    )
    assert (filter, part) in world.received


async def test_every_list_goes_backwards(ask: Ask, world: World) -> None:
    data = (await ask(LISTS, token="patient", id=PATIENT_ID, last=1))["data"]
    assert all(
        data["patient"][name]["pageInfo"]["hasPreviousPage"] for name in ("consents", "accessLog", "emergencies")
    )
    assert data["sessions"]["pageInfo"]["hasPreviousPage"] is True
    assert world.received.count(Slice(size=1, backwards=True)) >= 2


@pytest.mark.parametrize("size", [0, 101])
async def test_a_page_is_of_one_to_a_hundred(ask: Ask, size: int) -> None:
    answer = await ask(MINE, token="clinician", last=size)
    assert answer["errors"][0]["extensions"]["code"] in ("INVALID", "LIMIT")
