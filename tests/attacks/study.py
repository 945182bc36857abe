"""A study inside a gateway, with everybody who has a part in it: as a service's caller meets it, without HTTP."""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.consent.forms import FormInput
from gateway.consent.languages import Language
from gateway.consent.model import Action, Purpose
from gateway.identity.model import Caller, Role
from gateway.ids import ConsentId, StudyId, SubjectId
from gateway.ports.rows import CallRow
from gateway.ports.study_registry import StudyOnChain
from gateway.trials.documents import packed
from gateway.trials.service import ActDraft
from gateway.trials.standing import Study
from tests.attacks.inside import Inside, Somebody
from tests.journeys.wallets import send

LABELS = ("unclassified",)
NO_STUDY = StudyId(bytes(32))
TITLE = "Pilot"
REGISTRATION = {
    "title": "Safety and efficacy of xanomeline",
    "sponsor": "Sponsor",
    "outcomes": [
        {"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 24"},
        {"kind": "SECONDARY", "measure": "Weight", "timeFrame": "week 24"},
    ],
}
SCHEME = {
    "arms": [{"arm": "Active", "share": 1}, {"arm": "Placebo", "share": 1}],
    "method": {"name": "permuted blocks", "sizes": [2, 4]},
    "positions": 20,
}
DEFINITION = b"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" FileOID="F.1"
  CreationDateTime="2026-01-01T00:00:00">
 <Study OID="S.1">
  <GlobalVariables><StudyName>S</StudyName><StudyDescription>d</StudyDescription><ProtocolName>P</ProtocolName>
  </GlobalVariables>
  <MetaDataVersion OID="MDV.1" Name="v1">
   <Protocol><StudyEventRef StudyEventOID="SE.BASE" OrderNumber="1" Mandatory="Yes"/></Protocol>
   <StudyEventDef OID="SE.BASE" Name="Baseline" Repeating="No" Type="Scheduled">
    <FormRef FormOID="F.VS" OrderNumber="1" Mandatory="Yes"/>
   </StudyEventDef>
   <FormDef OID="F.VS" Name="Vital signs" Repeating="Yes">
    <ItemGroupRef ItemGroupOID="IG.VS" Mandatory="Yes"/>
   </FormDef>
   <ItemGroupDef OID="IG.VS" Name="VS" Repeating="Yes">
    <ItemRef ItemOID="I.SYSBP" Mandatory="Yes"/><ItemRef ItemOID="I.NOTE" Mandatory="No"/>
   </ItemGroupDef>
   <ItemDef OID="I.SYSBP" Name="SYSBP" DataType="integer" Length="3">
    <RangeCheck Comparator="LE" SoftHard="Soft"><CheckValue>180</CheckValue>
     <ErrorMessage><TranslatedText xml:lang="en">Is the pressure right?</TranslatedText></ErrorMessage></RangeCheck>
    <RangeCheck Comparator="LE" SoftHard="Hard"><CheckValue>300</CheckValue></RangeCheck>
   </ItemDef>
   <ItemDef OID="I.NOTE" Name="NOTE" DataType="text" Length="40"/>
  </MetaDataVersion>
 </Study>
</ODM>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    who: Somebody
    subject: SubjectId
    key: str
    consent: ConsentId


@dataclass(slots=True, kw_only=True)
class Site:
    """A study with one site. `subjects`: in the order in which they were enrolled."""

    inside: Inside
    sponsor: Somebody
    investigator: Somebody
    coordinator: Somebody
    monitor: Somebody
    study: StudyId = NO_STUDY
    terms: bytes = b""
    subjects: list[Subject] = field(default_factory=list)

    async def caller(self, who: Somebody) -> Caller:
        found = await self.inside.caller(who)
        assert found is not None
        return found

    def another(self) -> "Site":
        """The same people, before another study."""
        return replace(self, study=NO_STUDY, terms=b"", subjects=[])

    async def draft(self, who: Somebody, act: str, **members: Any) -> ActDraft:
        asked = {"act": act, **({} if act == "register" else {"study": self.study.hex()}), **members}
        return await self.inside.gateway.trials.draft(await self.caller(who), asked)

    async def submit(
        self, who: Somebody, draft: ActDraft, *, signer: Somebody | None = None, changed: Any = None
    ) -> Study:
        """Signed by `signer` or who submits it, as it was drafted; with `changed` members all the same."""
        tree = {**draft.act, **(changed or {})}
        signature = sign(signer or who, draft.typed_data)
        return await self.inside.gateway.trials.submit(await self.caller(who), tree, signature)

    async def act(self, who: Somebody, act: str, **members: Any) -> Study:
        """Drafted, signed and submitted."""
        return await self.submit(who, await self.draft(who, act, **members))

    async def standing(self) -> Study:
        held = await self.inside.gateway.trials._studies.held(self.study)
        assert held is not None
        return held.study

    async def on_chain(self) -> StudyOnChain:
        found = await self.inside.gateway.trials._registries.study(self.study)
        assert found is not None
        return found

    def to_chain(self, call: CallRow) -> bool:
        """By a wallet of nobody's, past the gateway: whether the registry takes it."""
        account = self.monitor.wallet._account
        receipt = send(self.inside.gateway.chain_url, account, to=call.contract, data=call.data)
        return int(receipt["status"], 16) == 1

    # ---- the database, past the gateway

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.inside.gateway.settings.data_dir / "index.db", timeout=20) as connection:
            return connection.execute(sql, values).fetchall()

    def edit(self, sql: str, *values: object) -> int:
        """How many rows changed; nothing is kept in memory afterwards, as after a start."""
        with sqlite3.connect(self.inside.gateway.settings.data_dir / "index.db", timeout=20) as connection:
            changed = connection.execute(sql, values).rowcount
        self.forget()
        return changed

    def forget(self) -> None:
        self.inside.forget()
        studies = self.inside.gateway.trials._studies
        studies._held.clear()
        studies._heads.clear()
        self.inside.gateway.allocations._drawn.clear()

    async def form(self, who: Somebody, text: str = "You may leave at any time.") -> bytes:
        """Publishes an informed consent; its hash."""
        asked = FormInput(form=None, publisher=None, title="Informed consent", texts={Language.EN: text})
        return (await self.inside.gateway.forms.publish(await self.caller(who), asked)).hash

    async def withdraw(self, subject: Subject, *, by: Somebody | None = None) -> Study:
        return await self.act(by or subject.who, "withdraw", subject=subject.subject.hex(), reason="Moved away.")

    async def consented(self, who: Somebody, subject: SubjectId) -> ConsentId:
        return await self.inside.consent(
            who,
            subject,
            self.sponsor.actor,
            actions=(Action.READ, Action.WRITE),
            purposes=(Purpose.CLINTRCH,),
            labels=LABELS,
            terms_hash=self.terms,
            study=self.study,
        )

    async def register(self, **more: Any) -> None:
        study = await self.act(self.sponsor, "register", title=TITLE, **more)
        self.study = StudyId(study.study)

    async def prepare(
        self, *, allocate: bool = False, keeps: bool = True, definition: bytes = DEFINITION, **more: Any
    ) -> None:
        """All that comes before the first subject. `more`: of the registration."""
        await self.register(**more)
        self.terms = await self.form(self.sponsor)
        await self.act(self.sponsor, "protocol", registration=REGISTRATION)
        await self.act(
            self.sponsor,
            "define",
            name="define.xml",
            sha256=hashlib.sha256(definition).hexdigest(),
            document=packed(definition),
        )
        await self.act(self.sponsor, "terms", terms=self.terms.hex(), keeps=keeps)
        await self.act(self.sponsor, "site", site="701", name="City hospital")
        await self.act(self.sponsor, "site", site="702", name="Country hospital")
        await self.delegate(self.investigator, "INVESTIGATOR", ["701"])
        await self.delegate(self.coordinator, "COORDINATOR", ["701"], by=self.investigator)
        await self.delegate(self.monitor, "MONITOR", ["701"])
        if allocate:
            await self.act(self.sponsor, "allocate", scheme=SCHEME)
        await self.act(self.sponsor, "open")

    async def lock(self) -> Study:
        """Frozen, then locked."""
        await self.act(self.sponsor, "freeze", frozen=True, reason="Cleaning.")
        return await self.act(self.sponsor, "lock")

    async def assign(self, subject: Subject, *, who: Somebody | None = None) -> Study:
        caller = await self.caller(who or self.coordinator)
        return await self.inside.gateway.allocations.assign(caller, self.study, subject.subject, {})

    async def delegate(self, who: Somebody, role: str, sites: list[str], *, by: Somebody | None = None) -> None:
        until = int(time.time()) + 86_400
        await self.act(by or self.sponsor, "delegate", actor=who.actor.hex(), role=role, sites=sites, until=until)

    async def consenting(self, key: str) -> Subject:
        """Somebody who agrees to be in the study, and is not in it yet."""
        who = await self.inside.person(Role.PATIENT)
        subject = await self.inside.patient(who)
        return Subject(who=who, subject=subject, key=key, consent=await self.consented(who, subject))

    async def enrol(self, key: str, *, site: str = "701") -> Subject:
        made = await self.consenting(key)
        await self.act(self.investigator, "enrol", subject=made.subject.hex(), key=key, site=site)
        self.subjects.append(made)
        return made

    async def erase(self, subject: Subject) -> None:
        """By the patient; returns once nothing of them can be opened here."""
        caller, erasures = await self.caller(subject.who), self.inside.gateway.erasures
        draft = await erasures.draft_erasure(caller, subject=subject.subject)
        await erasures.erase_patient(caller, typed_data=draft.typed_data, signature=sign(subject.who, draft.typed_data))
        for _ in range(400):
            self.forget()
            if subject.subject not in (await self.standing()).subjects:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the erasure does not come to its end")

    async def capture(self, subject: Subject, pressure: str = "120", *, repeat: str = "1", **more: Any) -> Any:
        caller = await self.caller(more.pop("who", self.coordinator))
        form = await self.response(pressure, repeat=repeat, note=more.pop("note", None))
        return await self.inside.gateway.capturing.capture(caller, self.study, subject.subject, (form,), **more)

    async def response(self, pressure: str, *, repeat: str = "1", note: str | None = None) -> Any:
        from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
        from gateway.trials.definition.responses import response

        held = await self.inside.gateway.trials._studies.held(self.study)
        assert held is not None
        found = await self.inside.gateway.capturing.directory(held.study)
        items = [CapturedItem(oid="I.SYSBP", text=pressure)]
        items += [] if note is None else [CapturedItem(oid="I.NOTE", text=note)]
        form = CapturedForm(
            study="S.1",
            version="MDV.1",
            event="SE.BASE",
            form="F.VS",
            form_repeat_key=repeat,
            groups=(CapturedGroup(oid="IG.VS", repeat_key="1", items=tuple(items)),),
        )
        return response(form, found, status="completed")


def sign(who: Somebody, typed_data: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(who.wallet.sign_typed_data(dict(typed_data))[2:])


async def site(inside: Inside) -> Site:
    """Everybody, and no study yet."""
    return Site(
        inside=inside,
        sponsor=await inside.person(Role.ORGANIZATION),
        investigator=await inside.person(Role.CLINICIAN),
        coordinator=await inside.person(Role.CLINICIAN),
        monitor=await inside.person(Role.RESEARCHER),
    )


def tomorrow() -> datetime:
    return datetime.fromtimestamp(time.time() + 86_400, UTC)
