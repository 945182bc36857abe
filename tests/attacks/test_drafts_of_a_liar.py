"""A gateway drafts what its user signs: consent to something else than was asked for is not signed by our client."""

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from consentry_client import ConsentInput, Consentry, Draft, NotSignedError, Signer
from consentry_client.signing import check_consent, check_draft, check_sign_in

from gateway.demo.wallet import typed_data_digest
from tests.journeys.people import Patient
from tests.journeys.sites import Site, running_site

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
TERMS: dict[str, Any] = {
    "purposes": ["TREAT"],
    "actions": ["READ"],
    "resourceTypes": ["Observation"],
    "codes": ["http://loinc.org|8867-4"],
    "labels": ["HIV"],
    "notAfter": LATER,
    "dataFrom": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("liar")) as running:
        yield running


@pytest.fixture(scope="module")
def patient(site: Site) -> Patient:
    return site.crowd.patient()


@pytest.fixture(scope="module")
def asked(site: Site, patient: Patient) -> ConsentInput:
    return ConsentInput.model_validate({"patientId": patient.id, "granteeId": site.crowd.clinician().id, **TERMS})


@pytest.fixture(scope="module")
def typed_data(asked: ConsentInput, patient: Patient) -> dict[str, Any]:
    """As the gateway drafts it."""
    given = asked.model_dump(by_alias=True, mode="json", exclude_unset=True)
    draft = patient.person.ask(
        "mutation ($i: ConsentInput!) { draftConsent(input: $i) { __typename ... on Draft { typedData } } }",
        {"i": given},
    )
    typed: dict[str, Any] = draft.value["typedData"]
    return typed


def draft_of(full: dict[str, Any]) -> Draft:
    """With the id that belongs to it: a liar computes that too."""
    return Draft(id=typed_data_digest(full), typedData=full)


def message(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda full: full["message"].update({name: value})


def scope(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda full: full["message"]["scope"].update({name: value})


LIES = {
    "effect": message("effect", 1),
    "a later end": message("notAfter", int(LATER.timestamp()) + 1),
    "no end": message("notAfter", 0),
    "another action": scope("actions", ["READ", "WRITE"]),
    "another purpose": scope("purposes", ["TREAT", "HPAYMT"]),
    "all types": scope("resourceTypes", []),
    "all codes": scope("codes", []),
    "another label": scope("labels", ["HIV", "PSY"]),
    "any time": scope("dataFrom", ""),
    "for research": scope("dataUse", ["DUO:0000042"]),
    "one record": scope("records", ["0x" + "11" * 16]),
    "one author": scope("authors", ["0x" + "11" * 32]),
}


def test_what_was_asked_for_is_signed(typed_data: dict[str, Any], asked: ConsentInput) -> None:
    check_consent(draft_of(typed_data), asked)


@pytest.mark.parametrize("lie", LIES)
def test_what_was_not_asked_for_is_not_signed(lie: str, typed_data: dict[str, Any], asked: ConsentInput) -> None:
    bent = copy.deepcopy(typed_data)
    LIES[lie](bent)
    with pytest.raises(NotSignedError):
        check_consent(draft_of(bent), asked)


def test_another_kind_of_text_is_not_signed(site: Site, patient: Patient) -> None:
    erasure = patient.erasure()
    with pytest.raises(NotSignedError):
        check_draft(draft_of(erasure), primary="Revocation")


def test_a_draft_under_another_id_is_not_signed(typed_data: dict[str, Any], asked: ConsentInput) -> None:
    with pytest.raises(NotSignedError):
        check_consent(Draft(id="0x" + "00" * 32, typedData=typed_data), asked)


@pytest.mark.parametrize("typed", [None, [], {}, {"primaryType": "Consent", "message": {}}, {"primaryType": "Consent"}])
def test_what_is_no_typed_data_is_not_signed(typed: Any, asked: ConsentInput) -> None:
    with pytest.raises(NotSignedError):
        check_consent(Draft(id="0x" + "00" * 32, typedData=typed), asked)


@pytest.mark.parametrize(
    ("host", "address"),
    [("evil.example", "0xAda"), ("gateway.example.evil.example", "0xAda"), ("gateway.example", "0xOther")],
)
def test_a_sign_in_for_somewhere_else_is_not_signed(host: str, address: str) -> None:
    text = f"{host} wants you to sign in with your Ethereum account:\n{address}\n\nURI: https://{host}"
    with pytest.raises(NotSignedError):
        check_sign_in(text, url="https://gateway.example", address="0xAda")


class Liar(httpx.AsyncBaseTransport):
    """Hands on what the gateway answers, with another purpose in it."""

    def __init__(self, token: str) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._token = token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["authorization"] = f"Bearer {self._token}"
        answer = await self._inner.handle_async_request(request)
        body = (await answer.aread()).replace(b'"HPAYMT"', b'"TREAT"')
        return httpx.Response(answer.status_code, content=body)


@pytest.mark.parametrize("approved", [False, None, "yes"])
async def test_a_draft_that_nobody_approved_is_not_signed(
    approved: Any, site: Site, patient: Patient, asked: ConsentInput
) -> None:
    signatures: list[object] = []
    here = Signer.of(patient.person.wallet._account)

    def sign(full: Any) -> str:
        signatures.append(full)
        return str(here.typed_data(full))

    async with Consentry(site.gateway.base) as client:
        await client.sign_in(Signer(address=here.address, text=here.text, typed_data=sign))
        with pytest.raises(NotSignedError):
            await client.grant(asked, approve=lambda draft: approved)
    assert signatures == []


async def test_the_client_signs_nothing_through_a_liar(site: Site, patient: Patient) -> None:
    """Payment was asked for; treatment is what would be signed."""
    grantee = site.crowd.clinician()
    terms = {"patientId": patient.id, "granteeId": grantee.id, "purposes": ["HPAYMT"], "notAfter": LATER}
    async with Consentry(site.gateway.base) as client:
        await client.sign_in(patient.person.wallet._account)
        session = await client.refresh()
        client.operations.http_client = httpx.AsyncClient(transport=Liar(session.access_token))
        with pytest.raises(NotSignedError):
            await client.grant(ConsentInput.model_validate(terms))
        assert [
            one async for one in Consentry(site.gateway.base, token=session.access_token).consents(patient.id)
        ] == []
