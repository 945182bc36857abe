"""Where an app begins that knows nobody's id: whose patient the asker is or acts for, and which consents name them.

Everything here is the asker's own and hangs on the root alone, never on an Actor, who may be somebody else.
"""

import strawberry

from gateway.consent import ties
from gateway.consent.model import Action, ConsentStatus, Purpose
from gateway.consent.ties import Relation
from gateway.identity.model import Caller
from schema.consent import ConsentConnection, ConsentEdge, to_consent
from schema.context import Info, RequestContext
from schema.dataset_lists import DatasetConnection, datasets_asked_for
from schema.fields import resolved
from schema.gates import actor_of, given, or_empty, slice_of, subject_of
from schema.identity import Actor, Patient, to_actor, to_patient
from schema.relay import PageInfo

strawberry.enum(
    Relation,
    name="PatientRelation",
    description="CONTROLLER: by the key that signs the patient's consents. CREDENTIAL: signs in for the patient. "
    "DELEGATE: consents in the patient's name. GUARDIAN: can replace a lost key.",
)


@strawberry.type(description="A patient, and what you are to them.")
class MyPatient:
    patient: Patient
    relations: list[Relation]


@strawberry.type
class MyPatientEdge:
    cursor: str
    node: MyPatient


@strawberry.type
class MyPatientConnection:
    edges: list[MyPatientEdge]
    page_info: PageInfo


@strawberry.input(description="Of consents that name you; what is not given is not asked for.")
class GrantedFilter:
    status: ConsentStatus = strawberry.field(
        default=ConsentStatus.ACTIVE, description="ACTIVE or NOT_YET: what has ended is not shown."
    )
    purpose: Purpose | None = strawberry.UNSET
    action: Action | None = strawberry.UNSET
    grantee_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="You, or an organization that you are a member of."
    )
    patient_id: strawberry.ID | None = strawberry.UNSET


@strawberry.type(description="The asker, and what is theirs.")
class Me:
    caller: strawberry.Private[Caller]

    @resolved("As `viewer`.")
    def actor(self) -> Actor:
        return to_actor(self.caller.actor)

    @resolved(
        "Patients whom you are, consent for or guard, in the order of their names. A page may end before it is full: "
        "go on from its cursors."
    )
    async def patients(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> MyPatientConnection:
        return await _patients(info.context, first=first, after=after, last=last, before=before)

    @resolved(
        "Permits that let you in, by your own name, newest first, then by each of your organizations'. Each that you "
        "are shown stands in its patient's access log. A page may end before it is full: go on from its cursors."
    )
    async def consents(
        self,
        info: Info,
        filter: GrantedFilter | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> ConsentConnection:
        return await _consents(info.context, given(filter), first=first, after=after, last=last, before=before)

    @resolved("De-identified data that you asked for, newest first, whatever became of it.")
    async def datasets(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> DatasetConnection:
        return await datasets_asked_for(info.context, first=first, after=after, last=last, before=before)


async def me_of(context: RequestContext) -> Me:
    """As of this very moment: no guard of the ledger stands behind this answer."""
    return Me(caller=await context.services.identity.current(context.signed_in()))


async def _patients(
    context: RequestContext, *, first: int, after: str | None, last: int | None, before: str | None
) -> MyPatientConnection:
    async def steps() -> MyPatientConnection:
        page = await context.services.mine.patients(context.signed_in(), part=slice_of(first, after, last, before))
        edges = [
            MyPatientEdge(
                cursor=tie.cursor, node=MyPatient(patient=to_patient(tie.subject), relations=list(tie.relations))
            )
            for tie in page.ties
        ]
        return MyPatientConnection(edges=edges, page_info=_info(page))

    return await or_empty(steps(), MyPatientConnection(edges=[], page_info=PageInfo(has_next_page=False)))


async def _consents(
    context: RequestContext,
    filter: GrantedFilter | None,
    *,
    first: int,
    after: str | None,
    last: int | None,
    before: str | None,
) -> ConsentConnection:
    async def steps() -> ConsentConnection:
        page = await context.services.mine.consents(
            context.signed_in(), wanted=_to_filter(filter), part=slice_of(first, after, last, before)
        )
        edges = [ConsentEdge(cursor=one.cursor, node=to_consent(one.view)) for one in page.granted]
        return ConsentConnection(edges=edges, page_info=_info(page))

    return await or_empty(steps(), ConsentConnection(edges=[], page_info=PageInfo(has_next_page=False)))


def _to_filter(filter: GrantedFilter | None) -> ties.GrantedFilter:
    if filter is None:
        return ties.GrantedFilter()
    return ties.GrantedFilter(
        status=filter.status,
        purpose=given(filter.purpose),
        action=given(filter.action),
        grantee=actor_of(filter.grantee_id, field="granteeId") if filter.grantee_id else None,
        subject=subject_of(filter.patient_id) if filter.patient_id else None,
    )


def _info(page: ties.TiePage | ties.GrantedPage) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.start,
        end_cursor=page.end,
    )
