"""Recruitment: studies that look for subjects, a match for the patient alone, their own yes, and what a study may know
before that: a noised number."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.ids import ActorId, StudyId, from_global, to_global
from gateway.trials import recruiting
from gateway.trials.recruitment import matching
from gateway.trials.recruitment.matching import Fit, Verdict
from schema.aggregates import NoisedAnswer, to_answer
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.gates import cursor, naming, or_empty, outcome, page_size, study_of, subject_of
from schema.identity import Actor, known_actor
from schema.relay import PageInfo
from schema.scalars import Json, moment_of
from schema.study_places import GIVEN

strawberry.enum(Fit, name="StudyFit", description="Whether somebody could take part, for all that their records tell.")
strawberry.enum(Verdict, name="CriterionVerdict", description="What records tell of a criterion.")


@strawberry.type(description="A study that looks for subjects, as it tells everybody.")
class RecruitingStudy:
    said: strawberry.Private[recruiting.Sought]
    study_id: strawberry.ID = strawberry.field(description="The study's id.")
    title: str = strawberry.field(description="As it was registered.")
    summary: str = strawberry.field(description="In the sponsor's words.")
    criteria: Json = strawberry.field(description="Whom it looks for: `inclusion` and `exclusion`, each with its text.")

    @resolved("Whose study it is.")
    async def sponsor(self, info: Info) -> Actor:
        return await known_actor(info.context, ActorId(self.said.study.sponsor))


@strawberry.type(description="A study, and where it stands in the list.")
class RecruitingStudyEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: RecruitingStudy = strawberry.field(description="The study.")


@strawberry.type(description="Studies that look for subjects, in the order of their names.")
class RecruitingStudyConnection:
    edges: list[RecruitingStudyEdge] = strawberry.field(description="The studies of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


@strawberry.type(description="What a patient's records tell of one criterion.")
class JudgedCriterion:
    text: str = strawberry.field(description="As the study words it.")
    excludes: bool = strawberry.field(description="Whoever meets it cannot take part.")
    verdict: Verdict = strawberry.field(description="What the records tell.")
    favours: bool | None = strawberry.field(description="Whether that speaks for taking part; null: it is not known.")
    why: str = strawberry.field(description="In plain words.")
    evidence: list[str] = strawberry.field(description="`Type/id` of the patient's own records that tell it.")


@strawberry.type(
    description="How a patient's own records meet a study's criteria. It is told to them and kept nowhere."
)
class StudyMatch:
    fit: Fit = strawberry.field(description="All in all.")
    criteria: list[JudgedCriterion] = strawberry.field(description="In their order, inclusion first.")


@strawberry.type(description="What a patient told a study.")
class StudyAnswer:
    yes: bool = strawberry.field(description="Whether it may know of them.")


@strawberry.type(description="A patient who told the study yes.")
class WillingPatient:
    patient_id: strawberry.ID = strawberry.field(description="Who.")
    at: datetime = strawberry.field(description="When they did.")


@strawberry.input(description="How many there might be who meet a study's criteria.")
class StudyCountInput:
    study_id: strawberry.ID = strawberry.field(description="The study.")
    data_use: list[str] = strawberry.field(description="Terms of GA4GH DUO that each consent must cover.")
    epsilon: float = strawberry.field(description="What the answer may cost, as askAggregate has it.")


@strawberry.type(description="A noised number of patients who consented to research.")
class StudyCount:
    count: NoisedAnswer = strawberry.field(description="Those who meet the criteria that can be counted.")
    left_out: list[str] = strawberry.field(description="Criteria that are not counted, as they are worded.")


StudyMatchResult = Annotated[StudyMatch | Refusal, strawberry.union("StudyMatchResult")]
StudyAnswerResult = Annotated[StudyAnswer | Refusal, strawberry.union("StudyAnswerResult")]
StudyCountResult = Annotated[StudyCount | Refusal, strawberry.union("StudyCountResult")]


async def _sought(context: RequestContext, first: int, after: str | None) -> RecruitingStudyConnection:
    context.signed_in()
    size, past = page_size(first), cursor(after)
    name = b"" if past is None else from_global("Study", past, field=("after",))
    found, following = await context.services.recruiting.sought(after=name, limit=size)
    edges = [RecruitingStudyEdge(cursor=node.study_id, node=node) for node in map(_to_recruiting, found)]
    return RecruitingStudyConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=following is not None,
            has_previous_page=past is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def _to_recruiting(said: recruiting.Sought) -> RecruitingStudy:
    return RecruitingStudy(
        said=said,
        study_id=strawberry.ID(to_global("Study", said.study.study)),
        title=said.study.title,
        summary=said.summary,
        criteria=Json(said.criteria),
    )


def _to_match(found: matching.Match) -> StudyMatch:
    return StudyMatch(
        fit=found.fit,
        criteria=[
            JudgedCriterion(
                text=one.criterion.text,
                excludes=one.excludes,
                verdict=one.verdict,
                favours=one.favours,
                why=one.why,
                evidence=list(one.evidence),
            )
            for one in found.judged
        ],
    )


async def willing_of(context: RequestContext, study: StudyId) -> list[WillingPatient]:
    """Raises what the service raises."""
    found = await context.services.recruiting.willing(context.signed_in(), study)
    return [
        WillingPatient(patient_id=strawberry.ID(to_global("Patient", one.subject)), at=moment_of(one.at))
        for one in found
    ]


@strawberry.type
class RecruitmentQueries:
    """For patients."""

    @resolved("Studies that look for subjects; empty when nobody is signed in.")
    async def recruiting_studies(
        self, info: Info, first: int = 50, after: str | None = strawberry.UNSET
    ) -> RecruitingStudyConnection:
        empty = RecruitingStudyConnection(edges=[], page_info=PageInfo(has_next_page=False))
        return await or_empty(_sought(info.context, first, after), empty)

    @resolved("The patient's: their own records are read for it, as if by themselves. Nobody else hears of it.")
    async def study_match(self, info: Info, study_id: strawberry.ID, patient_id: strawberry.ID) -> StudyMatchResult:
        async def steps() -> StudyMatch:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            found = info.context.services.recruiting.match(caller, study, subject)
            return _to_match(await naming(found, GIVEN))

        return await outcome(steps())


@strawberry.type
class RecruitmentMutations:
    """The patient's word, and what a study may know before it."""

    @mutation("The patient's: from a yes on they are named to the study, and no more from a no on.")
    async def answer_study(
        self, info: Info, study_id: strawberry.ID, patient_id: strawberry.ID, yes: bool
    ) -> StudyAnswerResult:
        async def steps() -> StudyAnswer:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            said = info.context.services.recruiting.say(caller, study, subject, yes=yes)
            return StudyAnswer(yes=await naming(said, GIVEN))

        return await outcome(steps())

    @mutation("A sponsor's, investigator's or coordinator's. It spends a privacy budget, as askAggregate does.")
    async def count_for_study(self, info: Info, input: StudyCountInput) -> StudyCountResult:
        async def steps() -> StudyCount:
            context = info.context
            asked = context.services.recruiting.count(
                context.signed_in(),
                study_of(input.study_id, field="studyId"),
                data_use=input.data_use,
                epsilon=input.epsilon,
            )
            told, left_out = await naming(asked, {**GIVEN, "aggregate": ()})
            return StudyCount(count=to_answer(told), left_out=list(left_out))

        return await outcome(steps())
