"""Captured forms of a subject: which there are, and who made each version, when and why. What a form says is a record
of the subject in the study, decided and audited when it is read."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import strawberry

from gateway.ids import ActorId, RecordId, StudyId, SubjectId, to_global
from gateway.trials.kept import KeptForm
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.gates import outcome
from schema.identity import Actor, known_actor
from schema.records import Record, RecordResult, to_record
from schema.scalars import Hex, moment_of


@strawberry.type(
    description="A version of a captured form: who, when, why (21 CFR 11.10(e)). `StudyForm.recordAt` has what it said."
)
class StudyFormVersion:
    made_by: strawberry.Private[ActorId]
    version: int = strawberry.field(description="1 and on.")
    at: datetime = strawberry.field(description="When it was captured.")
    reason: str = strawberry.field(description="Of the change; empty of the first version.")
    digest: Hex = strawberry.field(description="SHA-256 in the CID of its ciphertext.")
    content: Hex = strawberry.field(
        description="Commitment to what it says: sha-256(0x01, salt, RFC 8785 form), as its record's anchor has it."
    )

    @resolved("Who captured it.")
    async def by(self, info: Info) -> Actor:
        return await known_actor(info.context, self.made_by)


@strawberry.type(description="A captured form at its newest version.")
class StudyForm:
    study: strawberry.Private[StudyId]
    subject: strawberry.Private[SubjectId]
    kept: strawberry.Private[Sequence[KeptForm]]
    """Its versions, the newest last."""
    record_id: strawberry.ID = strawberry.field(description="The record that it is.")
    version: int = strawberry.field(description="1 and on.")
    event: str = strawberry.field(description="OID of the event that it belongs to.")
    event_repeat_key: str | None = strawberry.field(description="Null where the event does not repeat.")
    form: str = strawberry.field(description="OID of the form.")
    form_repeat_key: str | None = strawberry.field(description="Null where the form does not repeat.")
    definition: int = strawberry.field(description="Number of the definition that it was captured under.")
    at: datetime = strawberry.field(description="When this version was captured.")
    reason: str = strawberry.field(description="Of the change; empty of the first version.")
    digest: Hex = strawberry.field(description="SHA-256 in the CID of its ciphertext.")

    @resolved("Who captured this version.")
    async def by(self, info: Info) -> Actor:
        return await known_actor(info.context, ActorId(self.kept[-1].by))

    @resolved("What it says, a FHIR QuestionnaireResponse: read as CLINTRCH in this study, and in the log by itself.")
    async def record(self, info: Info) -> RecordResult:
        return await outcome(self._record(info.context))

    @resolved("What a version of it said: as `record`, of an older one too, decided with the labels of both.")
    async def record_at(self, info: Info, version: int) -> RecordResult:
        return await outcome(self._record(info.context, version))

    @resolved("Every version, the first one first.")
    def versions(self) -> list[StudyFormVersion]:
        return [
            StudyFormVersion(
                made_by=ActorId(one.by),
                version=one.version,
                at=moment_of(one.at),
                reason=one.reason,
                digest=Hex(one.digest),
                content=Hex(one.content),
            )
            for one in self.kept
        ]

    async def _record(self, context: RequestContext, version: int | None = None) -> Record:
        return to_record(await context.form(self.study, self.subject, self.kept[-1].record, version=version))


def to_forms(study: StudyId, subject: SubjectId, kept: Iterable[KeptForm]) -> list[StudyForm]:
    """In the order in which forms came first."""
    found: dict[RecordId, list[KeptForm]] = {}
    for one in kept:
        found.setdefault(one.record, []).append(one)
    return [_to_form(study, subject, versions) for versions in found.values()]


def _to_form(study: StudyId, subject: SubjectId, versions: Sequence[KeptForm]) -> StudyForm:
    newest = versions[-1]
    return StudyForm(
        study=study,
        subject=subject,
        kept=versions,
        record_id=strawberry.ID(to_global("Record", newest.record)),
        version=newest.version,
        event=newest.event,
        event_repeat_key=newest.event_repeat_key,
        form=newest.form,
        form_repeat_key=newest.form_repeat_key,
        definition=newest.definition,
        at=moment_of(newest.at),
        reason=newest.reason,
        digest=Hex(newest.digest),
    )
