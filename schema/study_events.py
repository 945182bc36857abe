"""What happens in a study while somebody listens: told afresh to whose role reaches the subject at that moment, and in
the subject's log before. What is refused, unknown or ended completes without an item."""

from collections.abc import AsyncIterator

import strawberry

from gateway.errors import CallerError, DeniedError
from schema.context import Info
from schema.fields import subscription
from schema.gates import study_of
from schema.study_queries import StudyQuery, to_query
from schema.study_subjects import StudySubject, subject_of_study


@strawberry.type
class StudySubscriptions:
    """Queries and enrolment."""

    @subscription("Queries as they are raised, answered or closed, of subjects whom a role of yours reaches.")
    async def study_query_changed(self, info: Info, study_id: strawberry.ID) -> AsyncIterator[StudyQuery]:
        context = info.context
        try:
            study = study_of(study_id, field="studyId")
            showing, capturing = context.services.study_showing, context.services.capturing
            async for subject, name in showing.query_changes(context.signed_in(), study):
                if not await context.still_signed_in():
                    return
                try:
                    found = await capturing.queries(context.signed_in(), study, subject)
                except DeniedError:
                    continue  # meanwhile the subject lets nothing be read: others go on
                context.begin_item(0)
                for one in found:
                    if one.query == name:
                        yield to_query(one)
        except (CallerError, DeniedError):
            return

    @subscription("Subjects as they are enrolled or withdrawn, as far as a role of yours reaches.")
    async def subject_enrolled(self, info: Info, study_id: strawberry.ID) -> AsyncIterator[StudySubject]:
        context = info.context
        try:
            study = study_of(study_id, field="studyId")
            async for subject in context.services.study_showing.enrolments(context.signed_in(), study):
                if not await context.still_signed_in():
                    return
                found = await subject_of_study(context, study, subject)
                context.begin_item(0)
                yield found
        except (CallerError, DeniedError):
            return
