"""Datasets as they are asked for, decided, opened and ended. Each act is one call of the service, which decides on it;
what was done is durable when its answer comes.

A refusal names the member of the input that it is about: the service speaks of the request as a whole, and of an id.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import strawberry

from gateway.consent.model import Purpose
from gateway.releases.model import OpenedRelease, Verdict
from schema.context import Info
from schema.datasets import Dataset, DatasetFormat, dataset_of, to_dataset
from schema.drafts import Draft, DraftResult, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.gates import given, naming, outcome, study_of
from schema.scalars import Hex, Json

Members: TypeAlias = Mapping[str, tuple[str, ...]]
_SIGNED: Final = ("typedData", "message")
_ID: Final[Members] = {"id": ("datasetId",)}
_DRAFTED: Final[Members] = {**_ID, **dict.fromkeys(("profile", "overrides"), ("departures",))}
_DECIDED: Final[Members] = {
    "id": (*_SIGNED, "release"),
    **dict.fromkeys(("profile", "overrides", "departures"), (*_SIGNED, "departures")),
}
"""How the service calls a place, and where that is in the input."""


@strawberry.input(
    description="What is released is sealed to your encryption key, with which you registered. A data steward decides."
)
class RequestDatasetInput:
    title: str = strawberry.field(description="1 to 200 characters: stewards and patients read it.")
    purpose: Purpose = strawberry.field(description="HRESCH or CLINTRCH, as far as your roles go.")
    data_use: list[str] = strawberry.field(
        description="Terms of GA4GH DUO. Each patient's consent must cover all of this use, or they are not in."
    )
    cohort: Json = strawberry.field(
        default_factory=dict,
        description="Who is in: `conditions` and `codes` (system|code), `sex`, `age` and `dates` (`from`, `to`); "
        "empty: everybody.",
    )
    tables: Json = strawberry.field(
        description="Name -> ViewDefinition (SQL on FHIR 2), 1 to 20; one at least is a view on Patient."
    )
    profile: Json = strawberry.field(
        default="safe-harbor", description="`safe-harbor`, `expert-determination`, or a whole profile."
    )
    format: DatasetFormat = strawberry.field(default=DatasetFormat.PARQUET, description="Of the files.")
    days: int = strawberry.field(default=30, description="For how long it can be opened, 1 to 366 days.")
    study_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="About this study's records alone; `purpose` is CLINTRCH. You need a role in it, and each subject "
        "a consent for it whose terms of DUO cover the use. null: about no study's records.",
    )


@strawberry.input(description="What a data steward says of a request; to be signed.")
class DatasetDecisionInput:
    dataset_id: strawberry.ID = strawberry.field(description="As it was asked for.")
    verdict: Verdict = strawberry.field(description="What is decided.")
    reason: str = strawberry.field(description="1 to 1000 characters: who asked reads it.")
    departures: list[str] = strawberry.field(
        default_factory=list, description="With an approval: every departure of the profile, by name."
    )


@strawberry.type(description="A dataset, and what its files are opened with.")
class OpenedDataset:
    dataset: Dataset = strawberry.field(description="As it is now.")
    manifest: str = strawberry.field(
        description="What was made and out of what, as RFC 8785 text: its SHA-256 is in a leaf on chain."
    )
    wrapped_key: Hex = strawberry.field(description="The recipient's half, by HPKE (RFC 9180) to their encryption key.")
    gateway_half: Hex = strawberry.field(description="The other half: destroyed here when the dataset is over.")


@strawberry.type(description="What a data steward reads of a dataset: its measures, the shape of each column.")
class DatasetReport:
    html: str = strawberry.field(description="A whole document, without scripts and without anything from elsewhere.")


DatasetResult = Annotated[Dataset | Refusal, strawberry.union("DatasetResult")]
OpenDatasetResult = Annotated[OpenedDataset | Refusal, strawberry.union("OpenDatasetResult")]
DatasetReportResult = Annotated[DatasetReport | Refusal, strawberry.union("DatasetReportResult")]


def _to_opened(opened: OpenedRelease) -> OpenedDataset:
    return OpenedDataset(
        dataset=to_dataset(opened.view),
        manifest=opened.manifest.decode(),
        wrapped_key=Hex(opened.wrapped),
        gateway_half=Hex(opened.half),
    )


_DATASET = Annotated[strawberry.ID, strawberry.argument(description="A dataset's id.")]


@strawberry.type
class ReleaseQueries:
    """What a steward reads."""

    @resolved("A data steward's, once something was built, whether it was released or not.")
    async def dataset_report(self, info: Info, dataset_id: _DATASET) -> DatasetReportResult:
        async def steps() -> DatasetReport:
            caller, release = info.context.signed_in(), dataset_of(dataset_id, field="datasetId")
            html = await naming(info.context.services.releases.report(caller, release), _ID)
            info.context.show(len(html))
            return DatasetReport(html=html)

        return await outcome(steps())


@strawberry.type
class ReleaseMutations:
    """What is done with datasets."""

    @mutation(
        "Anyone's with a role for research, and an encryption key. Nothing is built before a steward approves; until "
        "then all that can be learnt is what askAggregate tells."
    )
    async def request_dataset(self, info: Info, input: RequestDatasetInput) -> DatasetResult:
        async def steps() -> Dataset:
            asked: dict[str, Any] = {
                "title": input.title,
                "purpose": input.purpose.value,
                "dataUse": input.data_use,
                "cohort": input.cohort,
                "tables": input.tables,
                "profile": input.profile,
                "format": input.format.value,
                "days": input.days,
            }
            if (named := given(input.study_id)) is not None:
                asked["study"] = study_of(named, field="studyId").hex()
            caller = info.context.signed_in()
            return to_dataset(await naming(info.context.services.releases.request(caller, asked), {"dataset": ()}))

        return await outcome(steps())

    @mutation("A data steward's, never who asked: draft, sign `typedData`, submit to `decideDataset`.")
    async def draft_dataset_decision(self, info: Info, input: DatasetDecisionInput) -> DraftResult:
        async def steps() -> Draft:
            caller, release = info.context.signed_in(), dataset_of(input.dataset_id, field="datasetId")
            drafted = info.context.services.releases.draft_decision(
                caller, release, verdict=input.verdict, reason=input.reason, departures=input.departures
            )
            return to_draft(await naming(drafted, _DRAFTED))

        return await outcome(steps())

    @mutation("The steward's who signed it. It is durable when this returns, and after an approval the build begins.")
    async def decide_dataset(self, info: Info, input: SignedInput) -> DatasetResult:
        async def steps() -> Dataset:
            decided = info.context.services.releases.decide(
                info.context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
            )
            return to_dataset(await naming(decided, _DECIDED))

        return await outcome(steps())

    @mutation("By who asked for it, or a data steward. What was made can be opened no longer; its keys are destroyed.")
    async def cancel_dataset(self, info: Info, dataset_id: _DATASET) -> DatasetResult:
        async def steps() -> Dataset:
            caller, release = info.context.signed_in(), dataset_of(dataset_id, field="datasetId")
            return to_dataset(await naming(info.context.services.releases.cancel(caller, release), _ID))

        return await outcome(steps())

    @mutation(
        "The recipient's, until it expires: each opening is in the audit log first. CONFLICT while it is made, or made "
        "anew without those who withdrew."
    )
    async def open_dataset(self, info: Info, dataset_id: _DATASET) -> OpenDatasetResult:
        async def steps() -> OpenedDataset:
            caller, release = info.context.signed_in(), dataset_of(dataset_id, field="datasetId")
            opened = await naming(info.context.services.releases.open(caller, release), _ID)
            info.context.show(len(opened.manifest))
            return _to_opened(opened)

        return await outcome(steps())
