"""CDISC's pilot study from its registration to its results, over the public API and the commands, as those walk it who
have a part in it: then its tables come out as they went in, and its file is checked with the gateway dead.

One road, so one test: what comes after the lock cannot come before it.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.client import Gateway
from gateway.demo.model import Deployment
from gateway.demo.patients import Enrolled
from gateway.demo.reaching import deployment_of
from gateway.demo.roles import Person, sign_in
from gateway.demo.wallet import Wallet
from gateway.exchange import documents, people
from gateway.exchange.keys import KeyRing, make_keys
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.unit.gateway.exchange import folders

TITLE = "CDISC pilot"
SUBJECTS = 4
SECONDS = 170.0
SCHEME = {
    "arms": [{"arm": "Placebo", "share": 1}, {"arm": "Xanomeline", "share": 2}],
    "method": {"name": "permuted blocks", "sizes": [3, 6]},
    "positions": 30,
}
REFUSED = "... on Refusal { code message field }"
CHANGE = f"""mutation Change($input: ChangeFormInput!) {{
  changeForm(input: $input) {{ __typename ... on CapturedForms {{ records {{ id version }} }} {REFUSED} }} }}"""
ASSIGN = f"""mutation Assign($study: ID!, $patient: ID!) {{
  assignSubject(studyId: $study, patientId: $patient) {{ __typename ... on Study {{ id }} {REFUSED} }} }}"""
ARM = f"""mutation Arm($study: ID!, $patient: ID!) {{
  tellArm(studyId: $study, patientId: $patient) {{
    __typename ... on ToldArm {{ arm stratum position commitment root }} {REFUSED} }} }}"""
RAISE = f"""mutation Raise($input: RaiseStudyQueryInput!) {{
  raiseStudyQuery(input: $input) {{ __typename ... on StudyQuery {{ query isOpen }} {REFUSED} }} }}"""
ANSWER = f"""mutation Answer($study: ID!, $patient: ID!, $query: Hex!) {{
  answerStudyQuery(studyId: $study, patientId: $patient, query: $query, text: "As in the source.") {{
    __typename ... on StudyQuery {{ isOpen }} {REFUSED} }} }}"""
CLOSE = f"""mutation Close($study: ID!, $patient: ID!, $query: Hex!) {{
  closeStudyQuery(studyId: $study, patientId: $patient, query: $query) {{
    __typename ... on StudyQuery {{ isOpen words {{ act }} }} {REFUSED} }} }}"""
STUDY = """query Study($study: ID!) { study(id: $study) {
  state protocols { number } allocation { root assigned } results { number }
  compareOutcomes { changes promised reported } chain { isLocked records } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """Everybody, and the study. `patients`: by their ids, as the import enrolled them."""

    door: Gateway = field(repr=False)
    deployment: Deployment
    keys: KeyRing = field(repr=False)
    company: people.Company = field(repr=False)
    study: str
    patients: list[Enrolled] = field(repr=False)

    def ask(self, document: str, variables: dict[str, Any], who: Person) -> Any:
        (answer,) = self.door.data(document, variables, token=who.token).values()
        return answer

    def told(self, document: str, variables: dict[str, Any], who: Person) -> Any:
        answer = self.ask(document, variables, who)
        assert answer["__typename"] != "Refusal", answer
        return answer

    def refused(self, document: str, variables: dict[str, Any], who: Person) -> str:
        answer = self.ask(document, variables, who)
        assert answer["__typename"] == "Refusal", answer
        return str(answer["code"])

    def act(self, who: Person, kind: str, given: dict[str, Any]) -> Any:
        """Drafted, signed and submitted."""
        return self.told(documents.SUBMIT_ACT, self.draft(who, kind, given), who)

    def draft(self, who: Person, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        asked = given if kind == "register" else {"studyId": self.study, **given}
        made = self.told(documents.DRAFT_ACT, {"input": {kind: asked}}, who)
        return {"act": made["act"], "signature": who.wallet.sign_typed_data(made["typedData"])}

    def standing(self) -> Any:
        return self.ask(STUDY, {"study": self.study}, self.company.sponsor)

    def place(self, one: Enrolled) -> dict[str, Any]:
        return {"study": self.study, "patient": one.id}

    def form(self, one: Enrolled, oid: str = "form/IG.DM") -> dict[str, Any]:
        """Record, version and content of the subject's form, as the sponsor reads it."""
        sponsor, asked = self.company.sponsor, self.place(one)
        (found,) = (
            form for form in self.ask(documents.SUBJECT, asked, sponsor)["subject"]["forms"] if form["form"] == oid
        )
        told = self.ask(documents.contents(1), {**asked, "i0": found["recordId"]}, sponsor)
        return {**found, "content": told["subject"]["f0"]["record"]["content"]}

    def changing(self, one: Enrolled) -> dict[str, Any]:
        form = self.form(one)
        given = {
            "studyId": self.study,
            "patientId": one.id,
            "recordId": form["recordId"],
            "form": form["content"],
            "expectedVersion": form["version"],
            "reason": "Read again at the source.",
            "asFound": True,
        }
        return {"input": given}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    running = GatewayProcess(tmp_path_factory.mktemp("gateway"), {})
    try:
        yield running.start()
    finally:
        running.stop()


def test_the_pilot_from_its_registration_to_its_results(
    gateway: GatewayProcess, shared_data: Path, tmp_path: Path
) -> None:
    folder = folders.pilot(shared_data, tmp_path / "pilot", SUBJECTS)
    with httpx.Client(trust_env=False, timeout=90.0) as http:
        road = loaded(gateway, http, folder, tmp_path / "key")
        arms(road)
        queries(road)
        consents(road)
        locked(road)
        outcomes(road)
        exported(road, gateway, folder, tmp_path)
        filed(road, gateway, http, tmp_path)


def loaded(gateway: GatewayProcess, http: httpx.Client, folder: Path, key: Path) -> Road:
    """Registered, with its list of arms committed to before anybody; then the import does all the rest."""
    door, keys = Gateway(gateway.base, http), make_keys(key)
    deployment = deployment_of(door)
    registrar = sign_in(door, deployment, wallet=Wallet.of_hex((gateway.data / "registrar.key").read_text().strip()))
    company = people.assemble(door, deployment, registrar=registrar, keys=keys)
    bare = Road(door=door, deployment=deployment, keys=keys, company=company, study="", patients=[])
    study = bare.act(company.sponsor, "register", {"title": TITLE})["id"]
    early = Road(door=door, deployment=deployment, keys=keys, company=company, study=study, patients=[])
    early.act(company.sponsor, "allocation", {"scheme": SCHEME})
    report = key.with_suffix(".report")
    where = ("--url", gateway.base, "--rpc", gateway.rpc, "--registrar-key", gateway.data / "registrar.key")
    code, said = run_command(
        "study",
        "import",
        folder,
        "--title",
        TITLE,
        "--key",
        key,
        "--json",
        report,
        *where,
        settings={},
        seconds=SECONDS,
    )
    assert code == 0, said
    told = json.loads(report.read_bytes())
    assert (told["study"], told["enrolled"]) == (study, SUBJECTS)
    listed = early.ask(documents.SUBJECTS, {"study": study, "after": None}, company.sponsor)["subjects"]["edges"]
    patients = [
        people.patient(door, deployment, registrar=registrar, wallet=keys.patient(TITLE, edge["node"]["key"]))
        for edge in listed
    ]
    assert [one.id for one in patients] == [edge["node"]["patientId"] for edge in listed]
    return Road(door=door, deployment=deployment, keys=keys, company=company, study=study, patients=patients)


def arms(road: Road) -> None:
    """Each subject gets a place; nobody is told an arm, but who breaks the blind for one of them."""
    company = road.company
    for one in road.patients:
        road.told(ASSIGN, road.place(one), company.coordinator)
    assert road.standing()["allocation"]["assigned"] == SUBJECTS
    for who in (company.sponsor, company.investigator, company.coordinator):
        assert road.refused(ARM, road.place(road.patients[2]), who) == "NOT_PERMITTED"
    given = {"patientId": road.patients[2].id, "reason": "A fall."}
    road.act(company.investigator, "unblinding", given)
    assert road.told(ARM, road.place(road.patients[2]), company.investigator)["arm"] in ("Placebo", "Xanomeline")
    assert road.refused(ARM, road.place(road.patients[3]), company.investigator) == "NOT_PERMITTED"


def queries(road: Road) -> None:
    """Raised by who reviews, answered by who captures, closed."""
    one, company = road.patients[0], road.company
    asked = {"studyId": road.study, "patientId": one.id, "recordId": road.form(one)["recordId"], "text": "Is it so?"}
    raised = road.told(RAISE, {"input": asked}, company.sponsor)
    place = {**road.place(one), "query": raised["query"]}
    assert road.told(ANSWER, place, company.coordinator)["isOpen"]
    closed = road.told(CLOSE, place, company.sponsor)
    assert [word["act"] for word in closed["words"]] == ["raise-query", "answer-query", "close-query"]


def consents(road: Road) -> None:
    """A new version of the consent form stops collection until it is signed; who leaves is collected from no more."""
    company, (first, second, *_) = road.company, road.patients
    texts = [{"language": "EN", "text": "Blood is now drawn twice. What was collected stays if you leave."}]
    form = {"title": "Informed consent, second version", "texts": texts}
    hash = road.told(documents.PUBLISH_FORM, {"input": form}, company.sponsor)["termsHash"]
    road.act(company.sponsor, "terms", {"formHash": hash, "keeps": True})
    assert road.refused(CHANGE, road.changing(first), company.coordinator) == "NOT_PERMITTED"
    name = road.draft(company.sponsor, "site", {"site": "999", "name": "None"})["act"]["study"]
    terms = people.AskedTerms(study=road.study, name=name, hash=hash, now=int(time.time()))
    people.consent(road.door, road.deployment, first, sponsor=company.sponsor, terms=terms)
    assert road.told(CHANGE, road.changing(first), company.coordinator)["records"][0]["version"] == 2
    people.consent(road.door, road.deployment, second, sponsor=company.sponsor, terms=terms)
    road.act(second.person, "withdrawal", {"patientId": second.id, "reason": "I moved away."})
    assert road.refused(CHANGE, road.changing(second), company.coordinator) == "NOT_PERMITTED"


def locked(road: Road) -> None:
    """Signed, frozen, locked: on chain, and nothing is captured any more; then every arm is told."""
    company, one = road.company, road.patients[0]
    form = road.form(one)
    signed = {"recordId": form["recordId"], "version": form["version"]}
    road.act(company.investigator, "signature", {"patientId": one.id, "meaning": "RESPONSIBLE", "forms": [signed]})
    road.act(company.sponsor, "freeze", {"frozen": True, "reason": "All queries are closed."})
    assert road.ask(CHANGE, road.changing(one), company.coordinator)["code"] in ("CONFLICT", "NOT_PERMITTED")
    road.act(company.sponsor, "lock", {})
    standing = road.standing()
    assert (standing["state"], standing["chain"]["isLocked"]) == ("LOCKED", True)
    assert road.ask(CHANGE, road.changing(one), company.coordinator)["code"] in ("CONFLICT", "NOT_PERMITTED")
    told = [road.told(ARM, road.place(each), company.sponsor) for each in road.patients]
    assert {each["root"] for each in told} == {standing["allocation"]["root"]}
    assert sorted(each["position"] for each in told) == list(range(SUBJECTS))


def outcomes(road: Road) -> None:
    """What was promised and what is reported, side by side."""
    given = {"outcomes": [{"kind": "PRIMARY", "measure": "Something else"}], "summary": "As we wished."}
    road.act(road.company.sponsor, "results", given)
    pairs = road.standing()["compareOutcomes"]
    assert [pair["changes"] for pair in pairs] == [["ADDED"]]


def exported(road: Road, gateway: GatewayProcess, folder: Path, tmp_path: Path) -> None:
    """To the octet."""
    out = tmp_path / "out"
    where = ("--url", gateway.base, "--rpc", gateway.rpc, "--key", tmp_path / "key")
    code, said = run_command(
        "study", "export", road.study, out, "--format", "xpt", *where, settings={}, seconds=SECONDS
    )
    assert code == 0, said
    names = sorted(path.name for path in folder.glob("*.xpt"))
    assert sorted(path.name for path in out.iterdir()) == names
    assert [name for name in names if (out / name).read_bytes() != (folder / name).read_bytes()] == []


def filed(road: Road, gateway: GatewayProcess, http: httpx.Client, tmp_path: Path) -> None:
    """The study's file holds against the chain, and by itself once the gateway is dead."""
    path = tmp_path / "study.ndjson"
    headers = {"authorization": f"Bearer {road.company.sponsor.token}"}
    with http.stream("GET", f"{gateway.base}/studies/{road.study}/trail", headers=headers) as answer:
        assert answer.status_code == 200
        path.write_bytes(b"".join(answer.iter_bytes()))
    code, said = run_command("verify-study", path, "--rpc", gateway.rpc, settings={}, seconds=SECONDS)
    assert code == 0, said
    gateway.stop()
    code, said = run_command("verify-study", path, settings={}, seconds=SECONDS)
    assert code == 0, said
    spoilt = tmp_path / "spoilt.ndjson"
    lines = path.read_bytes().split(b"\n")
    spoilt.write_bytes(b"\n".join(lines[:10] + lines[11:]))
    code, said = run_command("verify-study", spoilt, settings={}, seconds=SECONDS)
    assert code == 1, said
