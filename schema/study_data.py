"""Captured data of a study: forms are stored and changed. A form is a record of its subject in the study, decided on
as any other write; what its checks find wrong refuses it, what they doubt becomes queries."""

from typing import Annotated

import strawberry

from gateway.trials.capturing import Captured
from schema.context import Info
from schema.errors import Refusal
from schema.fields import mutation
from schema.gates import given, outcome, placing, record_of, study_of, subject_of
from schema.records import StoredRecord, to_stored
from schema.scalars import Hex, Json
from schema.study_places import GIVEN

_AS_FOUND = "Data that come from elsewhere: what the definition does not allow is taken as it is, and becomes queries."


@strawberry.input(
    description="New forms of one subject: all are stored, or none. The same key and forms answer alike; the same key "
    "and other forms are a CONFLICT."
)
class CaptureFormsInput:
    study_id: strawberry.ID = strawberry.field(description="The study.")
    patient_id: strawberry.ID = strawberry.field(description="Its subject.")
    forms: list[Json] = strawberry.field(
        description="1 to 200 FHIR R4 QuestionnaireResponses, as `Study.questionnaire` asks, each with its place in "
        "the study as an extension."
    )
    as_found: bool = strawberry.field(default=False, description=_AS_FOUND)
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET, description="1 to 200 characters, within what this actor writes."
    )


@strawberry.input(description="The next version of a form. Earlier ones stay.")
class ChangeFormInput:
    study_id: strawberry.ID = strawberry.field(description="The study.")
    patient_id: strawberry.ID = strawberry.field(description="Its subject.")
    record_id: strawberry.ID = strawberry.field(description="The form, by its record.")
    form: Json = strawberry.field(description="All of it, in the same place of the study.")
    expected_version: int = strawberry.field(description="The newest that you know of.")
    reason: str = strawberry.field(description="Why it is changed.")
    as_found: bool = strawberry.field(default=False, description=_AS_FOUND)


@strawberry.type(description="What was stored, and what its checks ask about it.")
class CapturedForms:
    records: list[StoredRecord] = strawberry.field(description="In the order of the forms.")
    queries: list[Hex] = strawberry.field(description="Those that were raised, by their names.")


CapturedFormsResult = Annotated[CapturedForms | Refusal, strawberry.union("CapturedFormsResult")]


@strawberry.type
class StudyDataMutations:
    """What is measured."""

    @mutation("An investigator's or coordinator's at the subject's site, while the study is open.")
    async def capture_forms(self, info: Info, input: CaptureFormsInput) -> CapturedFormsResult:
        async def steps() -> CapturedForms:
            made = info.context.services.capturing.capture(
                info.context.signed_in(),
                study_of(input.study_id, field="studyId"),
                subject_of(input.patient_id),
                input.forms,
                as_found=input.as_found,
                idempotency_key=given(input.idempotency_key),
            )
            return _to_captured(await placing(made, _of_capture))

        return await outcome(steps())

    @mutation("An investigator's or coordinator's at the subject's site, while the study is open.")
    async def change_form(self, info: Info, input: ChangeFormInput) -> CapturedFormsResult:
        async def steps() -> CapturedForms:
            made = info.context.services.capturing.change(
                info.context.signed_in(),
                study_of(input.study_id, field="studyId"),
                subject_of(input.patient_id),
                record_of(input.record_id, field="recordId"),
                input.form,
                expected_version=input.expected_version,
                reason=input.reason,
                as_found=input.as_found,
            )
            return _to_captured(await placing(made, _of_change))

        return await outcome(steps())


def _to_captured(made: Captured) -> CapturedForms:
    return CapturedForms(records=[to_stored(one) for one in made.records], queries=[Hex(one) for one in made.queries])


def _of_capture(field: tuple[str, ...]) -> tuple[str, ...]:
    """Forms are written as a Bundle of their own: bundle, entry, number, resource."""
    if field[:2] == ("bundle", "entry"):
        return ("forms", *field[2:3], *field[4:])
    return (*GIVEN.get(field[0], (field[0],)), *field[1:])


def _of_change(field: tuple[str, ...]) -> tuple[str, ...]:
    """The one form that there is has a number where it is checked, and is a resource where it is written."""
    if field[0] == "forms":
        return ("form", *field[2:])
    if field[0] == "resource":
        return ("form", *field[1:])
    return (*GIVEN.get(field[0], (field[0],)), *field[1:])
