"""Questions about captured forms: raised by a check or by whoever reviews, answered by whoever captures, closed by
whoever reviews. Each word is in the study's journal."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated

import strawberry

from gateway.ids import ActorId, RecordId, to_global
from gateway.trials import capturing
from schema.context import Info
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.gates import naming, outcome, record_of, study_of, subject_of
from schema.identity import Actor, known_actor
from schema.scalars import Hex, moment_of
from schema.study_places import GIVEN


@strawberry.type(description="What somebody said in a query.")
class StudyQueryWord:
    said_by: strawberry.Private[ActorId]
    act: str = strawberry.field(description="raise-query, answer-query or close-query.")
    at: datetime = strawberry.field(description="When.")
    text: str = strawberry.field(description="In their words; of a check's query, what the check found.")

    @resolved("Who said it; of a check's query, who captured the form.")
    async def by(self, info: Info) -> Actor:
        return await known_actor(info.context, self.said_by)


@strawberry.type(description="A question about a captured form.")
class StudyQuery:
    query: Hex = strawberry.field(description="Its name: 16 random octets.")
    patient_id: strawberry.ID = strawberry.field(description="Whose form it is about.")
    record_id: strawberry.ID = strawberry.field(description="The form, by its record.")
    version: int = strawberry.field(description="Of the form when it was raised.")
    item: str = strawberry.field(description="linkId of the item that it is about; empty: all of the form.")
    rule: str = strawberry.field(description="Of the check that raised it; empty: a person did.")
    is_open: bool = strawberry.field(description="Until somebody closes it.")
    words: list[StudyQueryWord] = strawberry.field(description="The first raised it.")


@strawberry.input(description="A question about a form. Whoever reviews asks.")
class RaiseStudyQueryInput:
    study_id: strawberry.ID = strawberry.field(description="The study.")
    patient_id: strawberry.ID = strawberry.field(description="Its subject.")
    record_id: strawberry.ID = strawberry.field(description="The form, by its record.")
    item: str = strawberry.field(default="", description="linkId of the item that it is about; empty: all of the form.")
    text: str = strawberry.field(description="1 to 2000 characters.")


StudyQueryResult = Annotated[StudyQuery | Refusal, strawberry.union("StudyQueryResult")]


def to_query(found: capturing.Query) -> StudyQuery:
    return StudyQuery(
        query=Hex(found.query),
        patient_id=strawberry.ID(to_global("Patient", found.subject)),
        record_id=strawberry.ID(to_global("Record", RecordId(found.record))),
        version=found.version,
        item=found.item,
        rule=found.rule,
        is_open=found.is_open,
        words=[
            StudyQueryWord(said_by=ActorId(one.by), act=one.act, at=moment_of(one.at), text=one.text)
            for one in found.words
        ],
    )


async def _told(found: Awaitable[capturing.Query]) -> StudyQuery:
    return to_query(await naming(found, GIVEN))


@strawberry.type
class StudyQueryMutations:
    """What is asked and answered about forms."""

    @mutation("A monitor's, sponsor's, statistician's or safety board's, of a subject whom their role reaches.")
    async def raise_study_query(self, info: Info, input: RaiseStudyQueryInput) -> StudyQueryResult:
        async def steps() -> StudyQuery:
            return await _told(
                info.context.services.capturing.raise_query(
                    info.context.signed_in(),
                    study_of(input.study_id, field="studyId"),
                    subject_of(input.patient_id),
                    record_of(input.record_id, field="recordId"),
                    item=input.item,
                    text=input.text,
                )
            )

        return await outcome(steps())

    @mutation("An investigator's or coordinator's at the subject's site.")
    async def answer_study_query(
        self, info: Info, study_id: strawberry.ID, patient_id: strawberry.ID, query: Hex, text: str
    ) -> StudyQueryResult:
        async def steps() -> StudyQuery:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            return await _told(info.context.services.capturing.answer_query(caller, study, subject, query, text=text))

        return await outcome(steps())

    @mutation("Whose it is to raise one.")
    async def close_study_query(
        self, info: Info, study_id: strawberry.ID, patient_id: strawberry.ID, query: Hex, text: str = ""
    ) -> StudyQueryResult:
        async def steps() -> StudyQuery:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            return await _told(info.context.services.capturing.close_query(caller, study, subject, query, text=text))

        return await outcome(steps())
