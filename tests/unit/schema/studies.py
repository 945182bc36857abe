"""The in-memory world's study: its sponsor is the clinician, the patient is a subject of it and may do all that the
clinician may. Each call is in the world's log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.consent.model import StudyRole
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError
from gateway.identity.model import Caller
from gateway.ids import ActorId, RecordId, StudyId, SubjectId
from gateway.ports.anchors import AnchorState
from gateway.ports.study_registry import StudyOnChain
from gateway.ports.trials import StudyEntryKind
from gateway.records.model import Released, StoredRecord
from gateway.slices import Page, Slice
from gateway.trials import acts
from gateway.trials.allocation import ToldArm
from gateway.trials.capturing import Captured, Query, Said
from gateway.trials.definition.references import Directory
from gateway.trials.documents import compiled, packed
from gateway.trials.journal import Entry
from gateway.trials.kept import KeptForm
from gateway.trials.randomization.lists import Place
from gateway.trials.registration import declared
from gateway.trials.registration.outcomes import Comparison, compare
from gateway.trials.showing import ShownSubject, TrailEntry
from gateway.trials.standing import Allocation, Assigned, Delegation, Enrolled, Study, Version

STUDY = StudyId(b"\x71" * 32)
OVER = StudyId(b"\x72" * 32)
"""One in which nothing can be done any more."""
FORM = RecordId(b"\x73" * 16)
RAISED = b"\x74" * 16
AT = 1_800_000_000
CONTRACT = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
PENDING = AnchorState(status="PENDING", proof=None)
REGISTRATION: dict[str, Any] = {
    "title": "Pilot of two arms",
    "outcomes": [
        {"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 24"},
        {"kind": "SECONDARY", "measure": "Weight"},
    ],
}
REPORTED: list[dict[str, Any]] = [{"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 12"}]
DEFINITION = """<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" FileOID="F"
  CreationDateTime="2026-01-01T00:00:00"><Study OID="S"><GlobalVariables><StudyName>S</StudyName>
  <StudyDescription>d</StudyDescription><ProtocolName>P</ProtocolName></GlobalVariables>
  <MetaDataVersion OID="M" Name="v1"><Protocol><StudyEventRef StudyEventOID="E" Mandatory="Yes"/></Protocol>
  <StudyEventDef OID="E" Name="Baseline" Repeating="No" Type="Scheduled"><FormRef FormOID="F" Mandatory="Yes"/>
  </StudyEventDef><FormDef OID="F" Name="Vital signs" Repeating="No"><ItemGroupRef ItemGroupOID="G" Mandatory="Yes"/>
  </FormDef><ItemGroupDef OID="G" Name="VS" Repeating="No"><ItemRef ItemOID="I" Mandatory="Yes"/></ItemGroupDef>
  <ItemDef OID="I" Name="SYSBP" DataType="integer" Length="3"/></MetaDataVersion></Study></ODM>"""
_PACKED = packed(DEFINITION.encode())
LATIN = packed(DEFINITION.encode().replace(b"<ODM ", b'<?xml version="1.0" encoding="ISO-8859-1"?><ODM a="\xe9" ', 1))
"""The same in another encoding, which is no UTF-8 text."""


def _said(number: int) -> dict[str, Any]:
    return {"study": STUDY.hex(), "by": "01" * 32, "at": AT + number, "salt": "75" * 32}


ACTS: dict[int, acts.Act] = {
    1: acts.Protocol(**_said(1), number=1, registration=REGISTRATION),
    2: acts.Protocol(**_said(2), number=2, registration=REGISTRATION, reason="Fewer visits."),
    3: acts.Define(**_said(3), number=1, name="odm.xml", sha256="76" * 32, document=_PACKED),
    4: acts.Define(**_said(4), number=2, name="latin.xml", sha256="77" * 32, document=LATIN),
    5: acts.Describe(**_said(5), table="TA", description={"label": "Arms", "records": 1.5}, rows=[["P", None]]),
    6: acts.Describe(**_said(6), table="VS", description={"label": "Vital signs"}),
    9: acts.Publish(**_said(9), number=1, outcomes=REPORTED, summary="As it came."),
}


def _version(number: int, entry: int, **more: Any) -> Version:
    return Version(number=number, digest=bytes([entry]) * 32, entry=entry, at=AT + entry, **more)


def make_study(sponsor: ActorId, statistician: ActorId, subject: SubjectId) -> Study:
    chain = StudyOnChain(
        sponsor=sponsor,
        statistician=bytes(32),
        allocation=b"\x78" * 32,
        size=40,
        assigned=1,
        is_open=True,
        is_frozen=False,
        is_locked=True,
        head=b"\x79" * 32,
        records=12,
        versions=2,
        results=1,
        seq=2,
    )
    enrolled = Enrolled(subject=subject, key="701-1", site="701", consent=b"\x31" * 32, entry=7, at=AT + 7)
    study = Study(
        study=STUDY, number=9, sponsor=sponsor, title="Pilot", statistician=statistician, registered_at=AT, chain=chain
    )
    study.protocols = [_version(1, 1), _version(2, 2)]
    study.definitions = [_version(1, 3), _version(2, 4)]
    study.tables = {"TA": 5, "VS": 6}
    study.terms = [_version(1, 8, keeps=True)]
    study.sites = {"702": "Country hospital", "701": "City hospital"}
    one = Delegation(actor=subject, role=StudyRole.MONITOR, sites=frozenset(("702", "701")), until=AT + 100, by=sponsor)
    study.delegations = {(one.actor, one.role): one}
    study.subjects, study.keys = {subject: enrolled}, {"701-1": subject}
    study.allocation = Allocation(root=b"\x78" * 32, size=40, entry=8)
    study.assigned = {subject: Assigned(name=b"\x7a" * 32, stratum=0, position=0, arm=b"\x7b" * 32, entry=8)}
    study.results = [_version(1, 9)]
    return study


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    id: bytes
    act: Mapping[str, Any]
    typed_data: Mapping[str, Any]
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Studies:
    """Behind `Services.trials`, `allocations`, `capturing`, `study_showing`. `refusals`: of methods, what they raise;
    `released`: what a form says."""

    calls: list[tuple[str, Caller | None]]
    received: list[Any]
    sponsor: ActorId
    patient: ActorId
    about: SubjectId
    released: Released
    refusals: Mapping[str, ConsentryError]

    @property
    def study(self) -> Study:
        return make_study(self.sponsor, self.sponsor, self.about)

    @property
    def contract(self) -> str:
        return CONTRACT

    def _theirs(self, name: str, caller: Caller, study: bytes = STUDY, subject: bytes | None = None) -> Study:
        self.calls.append((name, caller))
        if name in self.refusals:
            raise self.refusals[name]
        if caller.actor.id not in (self.sponsor, self.patient) or subject not in (None, self.about):
            raise DeniedError("no role")
        if study == OVER:
            raise ConflictError("the study is locked", field=("study",))
        if study != STUDY:
            raise DeniedError("no such study")
        return self.study

    # ---- trials

    async def draft(self, caller: Caller, asked: Mapping[str, Any], /) -> Drafted:
        self._theirs("draft_act", caller)
        self.received.append(dict(asked))
        return Drafted(
            id=b"\x7c" * 32, act={"act": asked["act"]}, typed_data={"primaryType": "StudyAct"}, statement="So."
        )

    async def submit(self, caller: Caller, tree: Any, signature: bytes, /) -> Study:
        self.received.append((tree, signature))
        return self._theirs("submit_act", caller)

    async def record_data(self, caller: Caller, study: StudyId, /) -> Study:
        return self._theirs("record_data", caller, study)

    async def get(self, caller: Caller, study: StudyId, /) -> Study | None:
        return self._theirs("get_study", caller, study) if study == STUDY else None

    async def mine(self, caller: Caller, *, after: bytes, limit: int) -> tuple[tuple[Study, ...], bytes | None]:
        self.received.append((after, limit))
        return (self._theirs("my_studies", caller),), (STUDY if limit == 1 else None)

    def roles(self, caller: Caller, study: Study, /) -> frozenset[StudyRole]:
        mine = {self.sponsor: {StudyRole.SPONSOR, StudyRole.INSPECTOR}}
        return frozenset(mine.get(caller.actor.id, ()))

    # ---- allocations

    async def assign(self, caller: Caller, study: StudyId, subject: SubjectId, levels: Mapping[str, str], /) -> Study:
        self.received.append(dict(levels))
        return self._theirs("assign", caller, study, subject)

    async def arm(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> ToldArm:
        self._theirs("arm", caller, study, subject)
        place = Place(study=STUDY, stratum=0, position=0, arm="Placebo", salt=b"\x7d" * 32)
        return ToldArm(place=place, path=(b"\x7e" * 32,), root=b"\x78" * 32)

    # ---- capturing

    async def capture(
        self, caller: Caller, study: StudyId, subject: SubjectId, responses: Sequence[Any], /, **more: Any
    ) -> Captured:
        self._theirs("capture", caller, study, subject)
        self.received.append((responses, more))
        return Captured(records=(self._stored(1),), queries=(RAISED,))

    async def change(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, response: Any, /, **more: Any
    ) -> Captured:
        self._theirs("change", caller, study, subject)
        self.received.append((record, response, more))
        return Captured(records=(self._stored(2),), queries=())

    def _stored(self, version: int) -> StoredRecord:
        return StoredRecord(record=FORM, version=version, cid=self.released.cid, anchor=PENDING)

    async def kept(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> tuple[KeptForm, ...]:
        self._theirs("kept_forms", caller, study, subject)
        other = RecordId(b"\x7f" * 16)
        return (self._kept(FORM, 1), self._kept(other, 1), self._kept(FORM, 2))

    def _kept(self, record: RecordId, version: int) -> KeptForm:
        return KeptForm(
            record=record,
            version=version,
            digest=bytes([version]) * 32,
            content=bytes([16 + version]) * 32,
            event="E",
            event_repeat_key=None,
            form="F",
            form_repeat_key="1",
            definition=2,
            by=self.sponsor,
            at=AT + version,
            reason="Typing error." if version > 1 else "",
            number=10 + version,
        )

    async def read(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, /, *, version: int | None
    ) -> Released:
        self._theirs("read_form", caller, study, subject)
        self.received.append(record)
        return self.released

    async def queries(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> tuple[Query, ...]:
        self._theirs("queries", caller, study, subject)
        return (self._query(),)

    async def raise_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, record: RecordId, /, *, item: str, text: str
    ) -> Query:
        self._theirs("raise_query", caller, study, subject)
        if record != FORM:
            raise CallerError("no form of the subject", field=("record",))
        self.received.append((record, item, text))
        return self._query()

    async def answer_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, /, *, text: str
    ) -> Query:
        self.received.append((query, text))
        self._theirs("answer_query", caller, study, subject)
        return self._query(Said(act="answer-query", by=self.sponsor, at=AT + 4, text=text))

    async def close_query(
        self, caller: Caller, study: StudyId, subject: SubjectId, query: bytes, /, *, text: str
    ) -> Query:
        self.received.append((query, text))
        self._theirs("close_query", caller, study, subject)
        return self._query(Said(act="close-query", by=self.sponsor, at=AT + 5, text=text))

    def _query(self, *more: Said) -> Query:
        first = Said(act="raise-query", by=self.sponsor, at=AT + 3, text="Is it right?")
        return Query(
            query=RAISED, subject=self.about, record=FORM, version=1, item="G/I", rule="RANGE", words=(first, *more)
        )

    async def directory(self, study: Study, /) -> Directory:
        return compiled(_PACKED)

    # ---- showing

    async def act(self, study: Study, number: int, /) -> acts.Act:
        return ACTS[number]

    async def anchor(self, study: Study, number: int, /) -> AnchorState:
        return PENDING

    async def comparison(self, study: Study, /) -> Comparison | None:
        told = tuple(declared.read_outcome(one, field=()) for one in REPORTED)
        return compare(declared.read(REGISTRATION).outcomes, told)

    def _shown(self) -> ShownSubject:
        study = self.study
        return ShownSubject(
            study=STUDY, state=study.state, enrolled=study.subjects[self.about], assigned=study.assigned[self.about]
        )

    async def subjects(self, caller: Caller, study: StudyId, part: Slice, /) -> Page[ShownSubject]:
        self._theirs("study_subjects", caller, study)
        self.received.append(part)
        return Page((self._shown(),), has_next=part.size == 1, has_previous=part.after is not None)

    async def subject(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> ShownSubject:
        self._theirs("study_subject", caller, study, subject)
        return self._shown()

    async def trail(self, caller: Caller, study: StudyId, /, *, after: int, limit: int) -> tuple[TrailEntry, ...]:
        self._theirs("trail", caller, study)
        self.received.append((after, limit))
        entries = (
            self._entry(0, None, b"{}"),
            self._entry(1, self.about, b'{"a":1}'),
            self._entry(2, self.about, None),
        )
        return entries[after + 1 :][:limit]

    def _entry(self, number: int, subject: SubjectId | None, octets: bytes | None) -> TrailEntry:
        entry = Entry(
            study=STUDY,
            number=number,
            kind=StudyEntryKind.CAPTURE if number else StudyEntryKind.REGISTRATION,
            entry=bytes([number]) * 32,
            previous=bytes(32),
            octets=b"{}",
            sponsor=self.sponsor,
            subject=subject,
        )
        return TrailEntry(entry=entry, octets=octets, anchor=PENDING)

    async def enrolments(self, caller: Caller, study: StudyId, /) -> AsyncIterator[SubjectId]:
        self._theirs("enrolments", caller, study)
        for _ in range(2):
            yield self.about

    async def query_changes(self, caller: Caller, study: StudyId, /) -> AsyncIterator[tuple[SubjectId, bytes]]:
        self._theirs("query_changes", caller, study)
        for name in (RAISED, b"\0" * 16, RAISED):
            yield self.about, name
