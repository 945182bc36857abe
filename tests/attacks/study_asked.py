"""A study inside a gateway as its people ask for it: over GraphQL, each with a token of their own."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway import jsontext
from gateway.ids import StudyId, from_global, to_global
from schema.execution import Engine
from tests.attacks.inside import Somebody, engine_of
from tests.attacks.study import DEFINITION, REGISTRATION, SCHEME, Site, Subject, sign, tomorrow

_REFUSAL = "... on Refusal { code message field decisionId }"
DRAFT = f"""mutation ($input: StudyActInput!) {{ draftStudyAct(input: $input) {{
  __typename ... on StudyActDraft {{ id act typedData statement }} {_REFUSAL} }} }}"""
SUBMIT = f"""mutation ($act: JSON!, $signature: Hex!) {{ submitStudyAct(act: $act, signature: $signature) {{
  __typename ... on Study {{ id title state myRoles }} {_REFUSAL} }} }}"""
CAPTURE = f"""mutation ($input: CaptureFormsInput!) {{ captureForms(input: $input) {{
  __typename ... on CapturedForms {{ records {{ id version anchor {{ status }} }} queries }} {_REFUSAL} }} }}"""
CHANGE = f"""mutation ($input: ChangeFormInput!) {{ changeForm(input: $input) {{
  __typename ... on CapturedForms {{ records {{ id version }} queries }} {_REFUSAL} }} }}"""
_QUERY = "query patientId recordId version item rule isOpen words { act at text by { id } }"
RAISE = f"""mutation ($input: RaiseStudyQueryInput!) {{ raiseStudyQuery(input: $input) {{
  __typename ... on StudyQuery {{ {_QUERY} }} {_REFUSAL} }} }}"""
ANSWER = f"""mutation ($study: ID!, $patient: ID!, $query: Hex!, $text: String!) {{
  answerStudyQuery(studyId: $study, patientId: $patient, query: $query, text: $text) {{
  __typename ... on StudyQuery {{ {_QUERY} }} {_REFUSAL} }} }}"""
CLOSE = f"""mutation ($study: ID!, $patient: ID!, $query: Hex!) {{
  closeStudyQuery(studyId: $study, patientId: $patient, query: $query) {{
  __typename ... on StudyQuery {{ {_QUERY} }} {_REFUSAL} }} }}"""
ASSIGN = f"""mutation ($study: ID!, $patient: ID!, $levels: JSON) {{
  assignSubject(studyId: $study, patientId: $patient, levels: $levels) {{
  __typename ... on Study {{ allocation {{ size assigned }} }} {_REFUSAL} }} }}"""
TELL = f"""mutation ($study: ID!, $patient: ID!) {{ tellArm(studyId: $study, patientId: $patient) {{
  __typename ... on ToldArm {{ arm stratum position salt commitment path root }} {_REFUSAL} }} }}"""
RECORD = f"""mutation ($study: ID!) {{ recordStudyData(studyId: $study) {{
  __typename ... on Study {{ chain {{ records }} }} {_REFUSAL} }} }}"""
FORM = f"""recordId version event eventRepeatKey form formRepeatKey definition at reason digest by {{ id }}
  versions {{ version at reason digest content by {{ id }} }}
  record {{ __typename ... on Record {{ content contentSalt }} {_REFUSAL} }}"""
_SUBJECT = """key patientId site enrolledAt withdrawnAt consentId asFhir
  assignment { name stratum position commitment } """
SUBJECT = f"""{_SUBJECT} forms {{ {FORM} }} queries {{ {_QUERY} }}"""
OPEN = """id title state registeredAt sponsor { id } statistician { id } myRoles
  protocols { number digest at reason registration salt anchor { status } }
  definitions { number name sha256 at document } tables { name description rows } terms { number formHash keeps at }
  sites { site name } delegations { role sites until actor { id } } allocation { root size assigned }
  results { number digest at outcomes summary } compareOutcomes { promised reported changes differing likeness }
  chain { contract allocation assigned isOpen isFrozen isLocked head records seq }
  questionnaire(form: "F.VS") asFhir"""
STUDY = f"query ($id: ID!) {{ study(id: $id) {{ {OPEN} }} }}"
SUBJECTS = f"""query ($id: ID!, $first: Int! = 10, $after: String) {{ study(id: $id) {{
  subjects(first: $first, after: $after) {{ edges {{ cursor node {{ {_SUBJECT} }} }} pageInfo {{
    hasNextPage endCursor hasPreviousPage }} }} }} }}"""
ONE = f"query ($id: ID!, $patient: ID!) {{ study(id: $id) {{ subject(patientId: $patient) {{ {SUBJECT} }} }} }}"
TRAIL = """query ($id: ID!, $first: Int! = 100, $after: String) { study(id: $id) { trail(first: $first, after: $after) {
  edges { node { number kind sha256 previous text patientId anchor { status } } } pageInfo { hasNextPage } } } }"""
MINE = """query ($first: Int! = 10, $after: String) { myStudies(first: $first, after: $after) {
  edges { cursor node { id title myRoles } } pageInfo { hasNextPage endCursor } } }"""


@dataclass(slots=True, kw_only=True)
class Asked:
    """`site`: whose keys and consents they are."""

    site: Site
    engine: Engine

    @property
    def study(self) -> str:
        return to_global("Study", self.site.study)

    async def whole(self, who: Somebody | None, document: str, **variables: Any) -> dict[str, Any]:
        """The payload, as a client parses it."""
        given: Any = jsontext.loads(jsontext.dumps(variables))
        answer = await self.engine.execute(
            document,
            variables=given,
            operation_name=None,
            caller=None if who is None else await self.site.inside.caller(who),
            token=None if who is None else who.token,
            correlation_id="study",
        )
        found: dict[str, Any] = orjson.loads(jsontext.dumps(answer.payload))
        return found

    async def ask(self, who: Somebody | None, document: str, **variables: Any) -> Any:
        """The one field that was asked for."""
        payload = await self.whole(who, document, **variables)
        assert "errors" not in payload, payload
        (value,) = payload["data"].values()
        return value

    async def act(self, who: Somebody, **member: Any) -> Any:
        """Drafted, signed, submitted; the study, or the refusal of whichever step."""
        draft = await self.ask(who, DRAFT, input=member)
        if draft["__typename"] == "Refusal":
            return draft
        signature = "0x" + sign(who, draft["typedData"]).hex()
        return await self.ask(who, SUBMIT, act=draft["act"], signature=signature)

    async def done(self, who: Somebody, **member: Any) -> Any:
        """As `act`, of what must not be refused."""
        study = await self.act(who, **member)
        assert study["__typename"] == "Study", study
        return study

    async def prepare(self, *, allocate: bool = True) -> None:
        """All that comes before the first subject."""
        site = self.site
        made = await self.done(site.sponsor, register={"title": "Pilot"})
        site.study = StudyId(from_global("Study", made["id"], field=()))
        site.terms = await site.form(site.sponsor)
        study = {"studyId": self.study}
        await self.done(site.sponsor, protocol={**study, "registration": REGISTRATION})
        await self.done(site.sponsor, definition={**study, "name": "odm.xml", "document": DEFINITION.decode()})
        await self.done(site.sponsor, terms={**study, "formHash": "0x" + site.terms.hex(), "keeps": True})
        for name, told in (("701", "City hospital"), ("702", "Country hospital")):
            await self.done(site.sponsor, site={**study, "site": name, "name": told})
        await self.delegate(site.sponsor, site.investigator, "INVESTIGATOR")
        await self.delegate(site.investigator, site.coordinator, "COORDINATOR")
        await self.delegate(site.sponsor, site.monitor, "MONITOR")
        if allocate:
            await self.done(site.sponsor, allocation={**study, "scheme": SCHEME})
        await self.done(site.sponsor, opening=study)

    async def delegate(self, by: Somebody, who: Somebody, role: str, *, sites: tuple[str, ...] = ("701",)) -> None:
        until = tomorrow().strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"actorId": to_global("Actor", who.actor), "role": role, "sites": list(sites), "until": until}
        await self.done(by, delegation={"studyId": self.study, **told})

    async def enrol(self, key: str, *, site: str = "701") -> Subject:
        """A patient who consents, and is then enrolled."""
        subject = await self.site.consenting(key)
        named = {"studyId": self.study, "patientId": patient(subject)}
        await self.done(self.site.investigator, enrolment={**named, "key": key, "site": site})
        self.site.subjects.append(subject)
        return subject

    async def capture(self, subject: Subject, pressure: str = "120", **more: Any) -> Any:
        """`more`: of the input, and `who` captures."""
        who = more.pop("who", self.site.coordinator)
        forms = [await self.site.response(pressure, repeat=more.pop("repeat", "1"))]
        named = {"studyId": self.study, "patientId": patient(subject)}
        return await self.ask(who, CAPTURE, input={**named, "forms": forms, **more})


def patient(subject: Subject) -> str:
    return to_global("Patient", subject.subject)


def asked(site: Site) -> Asked:
    return Asked(site=site, engine=engine_of(site.inside.gateway))
