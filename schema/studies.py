"""Clinical studies: what was promised, what is measured, how it stands, for whoever has a part in one.

True here: a study is given by its service to whoever has a role in it, and, less of it, to a patient who is a subject
of it; whatever is of a subject is asked of its service with the caller, each time anew. Not done here: acts
(`schema.study_acts`), captured data (`schema.study_data`).
"""

import asyncio
from datetime import datetime

import strawberry

from gateway.consent.model import StudyRole, StudyState
from gateway.ids import ActorId, StudyId, from_global, to_global
from gateway.trials import acts, standing
from gateway.trials.definition.questionnaires import questionnaire
from gateway.trials.registration import declared
from gateway.trials.registration.model import Registration
from gateway.trials.renderings import research_study
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.gates import cursor, or_empty, or_none, page_size, study_of, subject_of
from schema.identity import Actor, chosen_actor, known_actor
from schema.relay import Node, PageInfo
from schema.scalars import Json, moment_of
from schema.study_papers import (
    OutcomePair,
    StudyDefinition,
    StudyProtocol,
    StudyResults,
    StudyTable,
    StudyTerms,
    definitions_of,
    opened,
    pairs_of,
    protocols_of,
    results_of,
    tables_of,
    terms_of,
)
from schema.study_people import (
    StudyAllocation,
    StudyDelegation,
    StudyOnChain,
    StudySite,
    allocation_of,
    delegations_of,
    on_chain,
    sites_of,
)
from schema.study_recruitment import WillingPatient, willing_of
from schema.study_subjects import StudySubject, StudySubjectConnection, subject_of_study, subjects_of
from schema.study_trail import StudyEntryConnection, connection, trail_of


@strawberry.type(
    description="A clinical study, to whoever has a role in it. A patient who is a subject of it is shown what was "
    "promised, agreed to and reported, and how it stands: no forms, delegations or subjects."
)
class Study(Node):
    held: strawberry.Private[standing.Study]
    title: str = strawberry.field(description="As it was registered.")
    state: StudyState = strawberry.field(description="How it stands. OPEN alone takes data.")
    registered_at: datetime = strawberry.field(description="When its registration was drafted.")

    @resolved("Whose study it is: they sign what changes how it stands.")
    async def sponsor(self, info: Info) -> Actor:
        return await known_actor(info.context, ActorId(self.held.sponsor))

    @resolved("Who commits to the list of arms and sees arms. Null where it was registered without one.")
    async def statistician(self, info: Info) -> Actor | None:
        named = self.held.statistician
        return await chosen_actor(info.context, ActorId(named)) if named else None

    @resolved("What you are in it now, at whichever sites. None where you are a subject of it.")
    def my_roles(self, info: Info) -> list[StudyRole]:
        context = info.context
        return sorted(context.services.trials.roles(context.signed_in(), self.held))

    @resolved("Versions of what is promised, the first one first.")
    async def protocols(self, info: Info) -> list[StudyProtocol]:
        return await protocols_of(info.context, self.held)

    @resolved("Versions of forms and items, the first one first.")
    async def definitions(self, info: Info) -> list[StudyDefinition]:
        return await definitions_of(info.context, self.held)

    @resolved("Those that were described, in the order in which they came first.")
    async def tables(self, info: Info) -> list[StudyTable]:
        return await tables_of(info.context, self.held)

    @resolved("Versions of the informed consent, the first one first.")
    def terms(self) -> list[StudyTerms]:
        return terms_of(self.held)

    @resolved("By what they are called in the study.")
    def sites(self) -> list[StudySite]:
        return sites_of(self.held)

    @resolved("Of each actor and role the newest, those that are over too.")
    def delegations(self) -> list[StudyDelegation]:
        return delegations_of(self.held)

    @resolved("Those whom a role of yours reaches, by their keys in the study.")
    async def subjects(
        self, info: Info, first: int = 50, after: str | None = strawberry.UNSET
    ) -> StudySubjectConnection:
        empty = StudySubjectConnection(edges=[], page_info=PageInfo(has_next_page=False))
        return await or_empty(subjects_of(info.context, self._study, first, after), empty)

    @resolved("Null alike for a patient whom no role of yours reaches and for one who is no subject of it.")
    async def subject(self, info: Info, patient_id: strawberry.ID) -> StudySubject | None:
        async def steps() -> StudySubject:
            return await subject_of_study(info.context, self._study, subject_of(patient_id))

        return await or_none(steps())

    @resolved("The list of arms; null where nothing is allocated.")
    def allocation(self) -> StudyAllocation | None:
        return allocation_of(self.held)

    @resolved("What was reported, the first version first; after the lock alone.")
    async def results(self, info: Info) -> list[StudyResults]:
        return await results_of(info.context, self.held)

    @resolved(
        "Outcomes as they were promised when enrolment opened, beside those of the newest results. Null before there "
        "are results."
    )
    async def compare_outcomes(self, info: Info) -> list[OutcomePair] | None:
        found = await info.context.services.study_showing.comparison(self.held)
        return None if found is None else pairs_of(found)

    @resolved("Patients who told it yes and are not enrolled yet, to who recruits; empty to all others.")
    async def willing(self, info: Info) -> list[WillingPatient]:
        return await or_empty(willing_of(info.context, self._study), [])

    @resolved("By the registry's own word; null where the study is not there yet.")
    def chain(self, info: Info) -> StudyOnChain | None:
        return on_chain(self.held, info.context.services.trials.contract)

    @resolved("A form of the newest definition as a FHIR R4 Questionnaire; null where there is no such form.")
    async def questionnaire(self, info: Info, form: str) -> Json | None:
        async def steps() -> Json:
            found = await info.context.services.capturing.directory(self.held)
            return Json(await asyncio.to_thread(questionnaire, found, form))

        return await or_none(steps())

    @resolved("As a FHIR R4 ResearchStudy, by the newest version of what is promised.")
    async def as_fhir(self, info: Info) -> Json:
        sponsor = await info.context.actors.get(ActorId(self.held.sponsor))
        name = None if sponsor is None else sponsor.name
        return Json(research_study(self.held, await self._registration(info.context), sponsor=name))

    @resolved("The journal, for sponsors, investigators, monitors, safety boards and inspectors; empty for all others.")
    async def trail(self, info: Info, first: int = 50, after: str | None = strawberry.UNSET) -> StudyEntryConnection:
        empty = connection((), full=False, begun=False)
        return await or_empty(trail_of(info.context, self._study, first, after), empty)

    @property
    def _study(self) -> StudyId:
        return StudyId(self.held.study)

    async def _registration(self, context: RequestContext) -> Registration | None:
        newest = [one.entry for one in self.held.protocols[-1:]]
        found = await opened(context, self.held, newest, acts.Protocol)
        return declared.read(found[0].registration) if found else None


@strawberry.type(description="A study, and where it stands in the list.")
class StudyEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: Study = strawberry.field(description="The study.")


@strawberry.type(description="Studies, in the order of their names.")
class StudyConnection:
    edges: list[StudyEdge] = strawberry.field(description="The studies of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


def to_study(held: standing.Study) -> Study:
    return Study(
        id=study_id(held.study),
        held=held,
        title=held.title,
        state=held.state,
        registered_at=moment_of(held.registered_at),
    )


def study_id(study: bytes) -> strawberry.ID:
    return strawberry.ID(to_global("Study", study))


async def read_study(context: RequestContext, study: StudyId) -> Study | None:
    """Raises what the service raises."""
    held = await context.services.trials.get(context.signed_in(), study)
    return None if held is None else to_study(held)


async def _mine(context: RequestContext, first: int, after: str | None) -> StudyConnection:
    size, past = page_size(first), cursor(after)
    name = b"" if past is None else from_global("Study", past, field=("after",))
    found, following = await context.services.trials.mine(context.signed_in(), after=name, limit=size)
    edges = [StudyEdge(cursor=study_id(one.study), node=to_study(one)) for one in found]
    info = PageInfo(
        has_next_page=following is not None,
        has_previous_page=past is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return StudyConnection(edges=edges, page_info=info)


@strawberry.type
class StudyQueries:
    """Looking them up."""

    @resolved("To whoever has a part in it; null to all others, and where there is none.")
    async def study(self, info: Info, id: strawberry.ID) -> Study | None:
        async def steps() -> Study | None:
            return await read_study(info.context, study_of(id, field="id"))

        return await or_none(steps())

    @resolved("Those that you have a part in, in the order of their names; empty when nobody is signed in.")
    async def my_studies(self, info: Info, first: int = 50, after: str | None = strawberry.UNSET) -> StudyConnection:
        empty = StudyConnection(edges=[], page_info=PageInfo(has_next_page=False))
        return await or_empty(_mine(info.context, first, after), empty)
