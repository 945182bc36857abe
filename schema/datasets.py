"""De-identified datasets as they are shown: what was asked, what a steward decided, what may be downloaded. Who may see
which is decided by the service, each time anew; lists of them are in `schema.dataset_lists`, what is asked and done in
`schema.releases`.

True here: nothing is shown that opens a file; of patients there are counts, measures and pseudonyms, and no record.
"""

from datetime import datetime
from enum import StrEnum

import strawberry

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.ids import ReleaseId, from_global, to_global
from gateway.releases import model
from gateway.releases.model import ReleaseView, Verdict
from gateway.releases.papers import Kind
from schema.anchors import Anchor, to_anchor
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.identity import Actor, known_actor
from schema.relay import Node
from schema.scalars import Cid, Hex, Json, moment_of, to_fragment

PATH = "/datasets"
"""Where files are downloaded: /datasets/{dataset id}/{name of the file}."""

strawberry.enum(Verdict, name="DatasetVerdict", description="What a data steward says of a request.")
strawberry.enum(Kind, name="DatasetPaperKind", description="What a paper of a dataset is.")


@strawberry.enum(description="How far a dataset has come. Those after RELEASED are ends.")
class DatasetState(StrEnum):
    REQUESTED = "REQUESTED"
    BUILDING = "BUILDING"
    RELEASED = "RELEASED"
    CHANGES_WANTED = "CHANGES_WANTED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@strawberry.enum(description="What the files of a dataset are, once they are opened.")
class DatasetFormat(StrEnum):
    PARQUET = "parquet"
    NDJSON = "ndjson"


@strawberry.type(description="In which form data leave: what is removed, generalized and measured.")
class DatasetProfile:
    name: str = strawberry.field(description="As the profile names itself.")
    basis: str = strawberry.field(description="The rule that it follows.")
    digest: Hex = strawberry.field(description="SHA-256 of the RFC 8785 form of `definition`.")
    departures: list[str] = strawberry.field(
        description="All in which it is looser than the rule: a steward must name each."
    )
    definition: Json = strawberry.field(description="The whole profile.")


@strawberry.type(description="A data steward's signed decision.")
class DatasetDecision:
    signed: strawberry.Private[model.SignedDecision]
    verdict: Verdict = strawberry.field(description="What was decided.")
    reason: str = strawberry.field(description="In the steward's words.")
    departures: list[str] = strawberry.field(description="Of the profile, those that the steward named.")
    at: datetime = strawberry.field(description="When it was drafted.")
    typed_data: Json = strawberry.field(description="The EIP-712 JSON that was signed.")
    signature: Hex = strawberry.field(description="The steward's, over typedData.")

    @resolved("Who decided.")
    async def steward(self, info: Info) -> Actor:
        return await known_actor(info.context, self.signed.decision.steward)


@strawberry.type(
    description="What was asked, decided or made, as an RFC 8785 text. Its hash and that of the paper before it are in "
    "a leaf on chain, so their order can be proved."
)
class DatasetPaper:
    number: int = strawberry.field(description="From 0 on.")
    kind: Kind = strawberry.field(description="What it is.")
    sha256: Hex = strawberry.field(description="Of its text.")
    text: str | None = strawberry.field(
        description="To the octet; null where it is not shown to you: figures for a steward's eyes."
    )
    anchor: Anchor


@strawberry.type(description="A sealed file of a dataset. `openDataset` gives what opens it.")
class DatasetFile:
    name: str = strawberry.field(description="Table and part.")
    table: str = strawberry.field(description="Whose rows it holds.")
    rows: int = strawberry.field(description="How many.")
    size: float = strawberry.field(description="Of the sealed octets: a whole number.")
    sha256: Hex = strawberry.field(description="Of the sealed octets.")
    cid: Cid = strawberry.field(description="Of the sealed octets on IPFS.")
    path: str = strawberry.field(
        description="For GET and HEAD at this gateway, with a Range or without, with the same Authorization."
    )


@strawberry.type(
    description="De-identified data that somebody asked for: shown to them and to data stewards. What is sealed in its "
    "files is the recipient's alone."
)
class Dataset(Node):
    view: strawberry.Private[ReleaseView]
    state: DatasetState = strawberry.field(description="How far it has come.")
    edition: int = strawberry.field(
        description="0 before a steward approved; then 1, and one more for each withdrawal: whoever withdrew is in no "
        "later one."
    )
    title: str = strawberry.field(description="In the words of who asks.")
    purpose: Purpose = strawberry.field(description="HRESCH or CLINTRCH.")
    data_use: list[str] = strawberry.field(description="Terms of GA4GH DUO: the use that each consent must cover.")
    study_id: strawberry.ID | None = strawberry.field(
        description="The study whose records it is about; null: it is about no study's."
    )
    format: DatasetFormat = strawberry.field(description="Of the files, once they are opened.")
    days: int = strawberry.field(description="For how long it can be opened once it is released.")
    asked_at: datetime = strawberry.field(description="When it was asked for.")
    progress: float = strawberry.field(description="Of the patients, how many were looked at for it: 0 to 1.")
    failed: list[str] = strawberry.field(
        description="Where it was not released: to data stewards the measures below their bar; to who asked `bar`, "
        "whatever it was."
    )
    expires_at: datetime | None = strawberry.field(
        description="When it is over and its key destroyed; null before it is released."
    )

    @resolved("Who is in it, as it was asked for.")
    def cohort(self) -> Json:
        return self._asked("cohort")

    @resolved("Views by their names, as they were asked for.")
    def tables(self) -> Json:
        return self._asked("tables")

    @resolved("In which form data leave.")
    def profile(self) -> DatasetProfile:
        profile = self.view.request.profile
        return DatasetProfile(
            name=profile.name,
            basis=profile.basis,
            digest=Hex(profile.digest),
            departures=list(profile.departures),
            definition=to_fragment(profile.text),
        )

    @resolved("Who asked for it, and receives it.")
    async def requester(self, info: Info) -> Actor:
        return await known_actor(info.context, self.view.requester)

    @resolved("A data steward's; null while nobody has decided.")
    def decision(self) -> DatasetDecision | None:
        return None if self.view.decision is None else _to_decision(self.view.decision)

    @resolved("Request, decision, manifests and deliveries, withdrawals, end: in this order, each anchored.")
    def papers(self, info: Info) -> list[DatasetPaper]:
        info.context.show(sum(len(one.octets or b"") for one in self.view.papers))
        return [_to_paper(one) for one in self.view.papers]

    @resolved("Of the newest edition; none before there is one.")
    def files(self) -> list[DatasetFile]:
        return [_to_file(self.view.release, one) for one in self.view.files]

    @resolved("Pseudonyms of those who withdrew: the recipient removes them from every edition they have.")
    def tombstones(self, info: Info) -> list[str]:
        info.context.show(sum(map(len, self.view.tombstones)))
        return list(self.view.tombstones)

    def _asked(self, member: str) -> Json:
        tree = jsontext.loads(self.view.request.text)
        return Json(tree[member] if isinstance(tree, dict) else None)


def dataset_of(text: strawberry.ID, *, field: str) -> ReleaseId:
    return ReleaseId(from_global("Dataset", text, field=(field,)))


def to_dataset(view: ReleaseView) -> Dataset:
    request = view.request
    return Dataset(
        id=dataset_id(view.release),
        view=view,
        state=DatasetState[view.stage.name],
        edition=view.edition,
        title=request.title,
        purpose=request.purpose,
        data_use=sorted(request.data_use),
        study_id=None if request.study is None else strawberry.ID(to_global("Study", request.study)),
        format=DatasetFormat(request.format),
        days=request.days,
        asked_at=moment_of(view.asked_at),
        progress=view.progress,
        failed=list(view.failed),
        expires_at=None if view.expires_at is None else moment_of(view.expires_at),
    )


def dataset_id(release: ReleaseId) -> strawberry.ID:
    return strawberry.ID(to_global("Dataset", release))


def _to_decision(signed: model.SignedDecision) -> DatasetDecision:
    decision = signed.decision
    return DatasetDecision(
        signed=signed,
        verdict=decision.verdict,
        reason=decision.reason,
        departures=list(decision.departures),
        at=moment_of(decision.at),
        typed_data=Json(dict(signed.typed_data)),
        signature=Hex(signed.signature),
    )


def _to_paper(paper: model.AnchoredPaper) -> DatasetPaper:
    return DatasetPaper(
        number=paper.number,
        kind=Kind(paper.kind),
        sha256=Hex(paper.sha256),
        text=None if paper.octets is None else paper.octets.decode(),
        anchor=to_anchor(paper.anchor),
    )


def _to_file(release: ReleaseId, file: model.ReleaseFile) -> DatasetFile:
    return DatasetFile(
        name=file.name,
        table=file.table,
        rows=file.rows,
        size=file.size,
        sha256=Hex(file.sha256),
        cid=Cid(file.cid),
        path=f"{PATH}/{dataset_id(release)}/{file.name}",
    )


async def read_dataset(context: RequestContext, release: ReleaseId) -> Dataset | None:
    """Raises what the service raises."""
    view = await context.services.releases.get(context.signed_in(), release)
    return None if view is None else to_dataset(view)
