"""Lists of de-identified datasets: one's own, all of them for data stewards, those that used a patient's records.
Others get an empty one."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.ids import ActorId, SubjectId
from gateway.releases import model
from gateway.slices import Slice
from schema.context import Info, RequestContext
from schema.datasets import Dataset, DatasetState, dataset_id, dataset_of, read_dataset, to_dataset
from schema.fields import resolved
from schema.gates import or_empty, or_none, slice_of
from schema.identity import Actor, known_actor
from schema.relay import PageInfo
from schema.scalars import moment_of


@strawberry.type(description="A dataset, and where it stands in the list.")
class DatasetEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: Dataset = strawberry.field(description="The dataset.")


@strawberry.type(description="Datasets, newest first.")
class DatasetConnection:
    edges: list[DatasetEdge] = strawberry.field(description="The datasets of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


@strawberry.type(description="A dataset that used a patient's records, as the patient sees it.")
class PatientDataset:
    received_by: strawberry.Private[ActorId]
    dataset_id: strawberry.ID = strawberry.field(description="Its id, which opens nothing for the patient.")
    title: str = strawberry.field(description="In the words of who asked for it.")
    data_use: list[str] = strawberry.field(description="Terms of GA4GH DUO: what it was asked for.")
    state: DatasetState = strawberry.field(description="How far it has come.")
    at: datetime = strawberry.field(description="When the records were used.")
    withdrawn: bool = strawberry.field(description="Whether its recipient was told to remove what was the patient's.")

    @resolved("Who asked for it, and receives it.")
    async def requester(self, info: Info) -> Actor:
        return await known_actor(info.context, self.received_by)


@strawberry.type(description="A dataset that used a patient's records, and where it stands in the list.")
class PatientDatasetEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: PatientDataset = strawberry.field(description="The dataset.")


@strawberry.type(description="Datasets that used a patient's records, the newest use first.")
class PatientDatasetConnection:
    edges: list[PatientDatasetEdge] = strawberry.field(
        description="The datasets of this page. One that used the records twice stands there once."
    )
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


async def datasets_asked_for(
    context: RequestContext, *, first: int, after: str | None, last: int | None, before: str | None
) -> DatasetConnection:
    """The caller's own."""

    async def steps() -> DatasetConnection:
        part = slice_of(first, after, last, before)
        return _connection(await context.services.releases.mine(context.signed_in(), part))

    return await or_empty(steps(), _connection(model.ReleasePage(views=())))


async def datasets_that_used(context: RequestContext, subject: SubjectId, part: Slice) -> PatientDatasetConnection:
    async def steps() -> PatientDatasetConnection:
        return _of_patient(await context.services.releases.of_patient(context.signed_in(), subject, part=part))

    return await or_empty(steps(), _of_patient(model.PatientReleasePage()))


def _of_patient(page: model.PatientReleasePage) -> PatientDatasetConnection:
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.start,
        end_cursor=page.end,
    )
    edges = [PatientDatasetEdge(cursor=one.cursor, node=_to_patient_dataset(one)) for one in page.releases]
    return PatientDatasetConnection(edges=edges, page_info=info)


def _to_patient_dataset(used: model.PatientRelease) -> PatientDataset:
    return PatientDataset(
        received_by=used.requester,
        dataset_id=dataset_id(used.release),
        title=used.title,
        data_use=list(used.data_use),
        state=DatasetState[used.stage.name],
        at=moment_of(used.at),
        withdrawn=used.withdrawn,
    )


def _connection(page: model.ReleasePage) -> DatasetConnection:
    edges = [DatasetEdge(cursor=view.cursor, node=to_dataset(view)) for view in page.views]
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return DatasetConnection(edges=edges, page_info=info)


@strawberry.type
class DatasetQueries:
    """Looking them up."""

    @resolved("To who asked for it, and to data stewards; null to all others, and where there is none.")
    async def dataset(self, info: Info, id: strawberry.ID) -> Dataset | None:
        async def steps() -> Dataset | None:
            return await read_dataset(info.context, dataset_of(id, field="id"))

        return await or_none(steps())

    @resolved("For data stewards: everybody's, newest first. Empty for all others; your own are in `me`.")
    async def datasets(
        self,
        info: Info,
        waiting: Annotated[bool, strawberry.argument(description="Only those that wait for a decision.")] = False,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> DatasetConnection:
        async def steps() -> DatasetConnection:
            part = slice_of(first, after, last, before)
            caller = info.context.signed_in()
            return _connection(await info.context.services.releases.asked_of_stewards(caller, part, waiting=waiting))

        return await or_empty(steps(), _connection(model.ReleasePage(views=())))
