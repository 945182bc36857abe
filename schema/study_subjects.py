"""Subjects of a study, as far as a role of the asker's reaches them. Each that is shown alone, and each list, is in the
log before; forms, queries and arms are told by services of their own, each time anew."""

from datetime import datetime

import strawberry

from gateway.consent.model import StudyState
from gateway.ids import StudyId, SubjectId, to_global
from gateway.slices import Page, Slice
from gateway.trials import standing
from gateway.trials.renderings import research_subject
from gateway.trials.showing import ShownSubject
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.gates import cursor, or_empty, or_none, page_size, record_of
from schema.relay import PageInfo
from schema.scalars import Hex, Json, moment_of
from schema.study_forms import StudyForm, to_forms
from schema.study_queries import StudyQuery, to_query


@strawberry.type(description="A subject's place in the list of arms: which arm it has is not told by it.")
class StudyAssignment:
    name: Hex = strawberry.field(description="The subject's name on chain, in this list alone.")
    stratum: int = strawberry.field(description="From 0.")
    position: int = strawberry.field(description="In the stratum's list, from 0.")
    commitment: Hex = strawberry.field(description="To the arm: `tellArm` opens it to whom it may be told.")


@strawberry.type(description="A patient in a study, under the key by which the study calls them.")
class StudySubject:
    shown: strawberry.Private[ShownSubject]
    key: str = strawberry.field(description="What the subject is called in the study.")
    patient_id: strawberry.ID = strawberry.field(description="Who it is: the patient's id.")
    site: str = strawberry.field(description="Where they were enrolled.")
    enrolled_at: datetime = strawberry.field(description="When.")
    withdrawn_at: datetime | None = strawberry.field(description="When collection ended; null while it goes on.")
    consent_id: Hex = strawberry.field(description="The signed consent that the enrolment stands on.")
    assignment: StudyAssignment | None = strawberry.field(description="Null while nobody has assigned the subject.")

    @resolved(
        "Those that were captured, in the order in which they came first; none where no consent lets anything be read."
    )
    async def forms(self, info: Info) -> list[StudyForm]:
        return await or_empty(self._forms(info.context), [])

    @resolved("Null alike for one that is no form of the subject and for none.")
    async def form(self, info: Info, record_id: strawberry.ID) -> StudyForm | None:
        record = record_of(record_id, field="recordId")
        forms = await or_empty(self._forms(info.context), [])
        return next((one for one in forms if one.kept[0].record == record), None)

    @resolved("About those of the subject's forms that the asker may read, the oldest first.")
    async def queries(self, info: Info) -> list[StudyQuery]:
        return await or_empty(self._queries(info.context), [])

    @resolved(
        "As a FHIR R4 ResearchSubject. It names the arm once the study is locked, as `tellArm` does, with the same "
        "entry in the log."
    )
    async def as_fhir(self, info: Info) -> Json:
        shown, arm = self.shown, await or_none(self._arm(info.context))
        return Json(research_subject(shown.study, shown.state, shown.enrolled, arm=arm))

    @property
    def _study(self) -> StudyId:
        return self.shown.study

    @property
    def _subject(self) -> SubjectId:
        return SubjectId(self.shown.enrolled.subject)

    async def _forms(self, context: RequestContext) -> list[StudyForm]:
        kept = await context.services.capturing.kept(context.signed_in(), self._study, self._subject)
        return to_forms(self._study, self._subject, kept)

    async def _queries(self, context: RequestContext) -> list[StudyQuery]:
        found = await context.services.capturing.queries(context.signed_in(), self._study, self._subject)
        context.show(sum(len(word.text) for one in found for word in one.words))
        return [to_query(one) for one in found]

    async def _arm(self, context: RequestContext) -> str | None:
        """None before the lock: those to whom it may be told earlier ask for it by its name."""
        if self.shown.state is not StudyState.LOCKED or self.shown.assigned is None:
            return None
        told = await context.services.allocations.arm(context.signed_in(), self._study, self._subject)
        return told.place.arm


@strawberry.type(description="A subject, and where they stand in the list.")
class StudySubjectEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: StudySubject = strawberry.field(description="The subject.")


@strawberry.type(description="Subjects whom the asker's roles reach, by their keys.")
class StudySubjectConnection:
    edges: list[StudySubjectEdge] = strawberry.field(description="The subjects of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


def to_subject(shown: ShownSubject) -> StudySubject:
    one, place = shown.enrolled, shown.assigned
    return StudySubject(
        shown=shown,
        key=one.key,
        patient_id=strawberry.ID(to_global("Patient", one.subject)),
        site=one.site,
        enrolled_at=moment_of(one.at),
        withdrawn_at=moment_of(one.withdrawn_at) if one.withdrawn_at else None,
        consent_id=Hex(one.consent),
        assignment=None if place is None else _to_assignment(place),
    )


def _to_assignment(place: standing.Assigned) -> StudyAssignment:
    return StudyAssignment(
        name=Hex(place.name), stratum=place.stratum, position=place.position, commitment=Hex(place.arm)
    )


def to_subjects(page: Page[ShownSubject]) -> StudySubjectConnection:
    edges = [StudySubjectEdge(cursor=one.enrolled.key, node=to_subject(one)) for one in page.items]
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return StudySubjectConnection(edges=edges, page_info=info)


async def subjects_of(context: RequestContext, study: StudyId, first: int, after: str | None) -> StudySubjectConnection:
    part = Slice(size=page_size(first), after=cursor(after))
    return to_subjects(await context.services.study_showing.subjects(context.signed_in(), study, part))


async def subject_of_study(context: RequestContext, study: StudyId, subject: SubjectId) -> StudySubject:
    """Raises what the service raises."""
    return to_subject(await context.services.study_showing.subject(context.signed_in(), study, subject))
