"""What a patient signed once takes effect once: each stored signature, sent again in every setting, changes nothing.

Settings: again while it stands, after its revocation, after the end of all, from another deployment, from a fork under
another id, under another patient's name, and straight to the contract from a stranger's account. A chain that goes
back is campaign B5's.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account

from tests.journeys import documents
from tests.journeys.people import Answer, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.wallets import send
from tests.ports.databases import query

ETHER = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A text and its signature, as whoever listened has them."""

    document: str
    typed: Mapping[str, Any]
    signature: str

    def sent(self, person: Person) -> Answer:
        return person.ask(self.document, {"input": {"typedData": self.typed, "signature": self.signature}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A patient whose consent was granted once; `record` is read under it."""

    site: Site
    patient: Patient
    reader: Person
    record: str
    consent: str
    grant: Signed

    def reads(self) -> bool:
        return not self.reader.read(self.record).code

    def signed(self, document: str, typed: Mapping[str, Any]) -> Signed:
        return Signed(document=document, typed=typed, signature=self.patient.person.wallet.sign_typed_data(typed))

    def revocation(self) -> Signed:
        return self.signed(documents.REVOKE, self.patient.revocation(self.consent))

    def end_of_all(self) -> Signed:
        draft = self.patient.person.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": self.patient.id})
        return self.signed(documents.REVOKE_ALL, draft.value["typedData"])

    def state(self) -> object:
        """What the index has of this patient: events, narrowings, consents."""
        subject = bytes.fromhex(self.patient.subject[2:])
        url = self.site.gateway.index_url
        events = query(url, "select name, key1, key2 from chain_events where contract = 'ConsentRegistry'")
        mine = sorted(
            (name, bytes(key2 or b"")) for name, key1, key2 in events if key1 is not None and bytes(key1) == subject
        )
        rows = [row for table in ("narrowings", "consents") for row in query(url, f"select subject, seq from {table}")]
        return mine, sorted(seq for owner, seq in rows if bytes(owner) == subject)


@pytest.fixture
def case(site: Site, patient: Patient, clinician: Person) -> Case:
    record = patient.store(observation())
    typed = patient.draft(clinician.id).value["typedData"]
    signature = patient.person.wallet.sign_typed_data(typed)
    grant = Signed(document=documents.GRANT, typed=typed, signature=signature)
    consent = grant.sent(patient.person).value["consentId"]
    made = Case(site=site, patient=patient, reader=clinician, record=record, consent=consent, grant=grant)
    assert made.reads()
    return made


def test_again_while_it_stands_it_changes_nothing(case: Case) -> None:
    before = case.state()
    assert not case.grant.sent(case.patient.person).code
    assert case.state() == before


def test_after_its_revocation_it_is_refused(case: Case) -> None:
    revocation = case.revocation()
    revocation.sent(case.patient.person).must()
    for _ in range(2):
        assert case.grant.sent(case.patient.person).code == "CONFLICT"
        revocation.sent(case.patient.person).must()
        assert not case.reads()


def test_after_the_end_of_all_it_is_refused(case: Case) -> None:
    case.end_of_all().sent(case.patient.person).must()
    assert case.grant.sent(case.patient.person).code == "CONFLICT"
    assert not case.reads()


def test_an_end_of_all_ends_nothing_of_the_next_epoch(case: Case) -> None:
    ended = case.end_of_all()
    ended.sent(case.patient.person).must()
    case.patient.consent(case.reader.id)
    before = case.state()
    ended.sent(case.patient.person)
    assert case.state() == before
    assert case.reads()


def test_a_revocation_ends_no_other_consent(case: Case) -> None:
    revocation = case.revocation()
    revocation.sent(case.patient.person).must()
    case.patient.consent(case.reader.id, minutes=50)
    revocation.sent(case.patient.person).must()
    assert case.reads()


@pytest.mark.parametrize("elsewhere", [{"verifyingContract": "0x" + "5a" * 20}, {"chainId": 1}, {"chainId": 2026113}])
@pytest.mark.parametrize("what", ["grant", "revocation", "end of all"])
def test_what_was_signed_for_another_deployment_or_chain_is_refused(
    case: Case, elsewhere: Mapping[str, Any], what: str
) -> None:
    """As another gateway, or a fork of the chain, would have had it signed, rightly and in full."""
    here = {"grant": lambda: case.grant, "revocation": case.revocation, "end of all": case.end_of_all}[what]()
    typed = copy.deepcopy(dict(here.typed))
    typed["domain"].update(elsewhere)
    before = case.state()
    assert case.signed(here.document, typed).sent(case.patient.person).code == "INVALID"
    assert case.state() == before
    assert case.reads()


def test_under_another_patients_name_it_is_refused(case: Case) -> None:
    other = case.site.crowd.patient()
    revocation = case.revocation()
    assert case.grant.sent(other.person).code == "NOT_PERMITTED"
    assert revocation.sent(other.person).code == "NOT_PERMITTED"
    assert case.reads()


def test_straight_to_the_contract_from_a_strangers_account_it_has_no_effect(case: Case) -> None:
    """The very calldata that was relayed, once more after the revocation."""
    url = case.site.gateway.index_url
    subject = bytes.fromhex(case.patient.subject[2:])
    sent = [bytes(data) for (data,) in query(url, "select data from calls order by seq")]
    relayed = next(data for data in reversed(sent) if subject in data and case.grant.signature[2:] in data.hex())
    case.revocation().sent(case.patient.person).must()
    before, stranger = case.state(), Account.create()
    if case.site.servers is not None:
        case.site.servers.chain.fund(stranger.address, ETHER)
    registry = case.site.gateway.facts()["contracts"]["consent"]
    receipt = send(case.site.gateway.rpc, stranger, to=registry, data=relayed)
    assert receipt["logs"] == []
    assert not case.reads()
    assert case.state() == before
