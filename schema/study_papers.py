"""What a study promised, in which forms it measures, to what its subjects agree, what it reported: entries of its
journal that are about nobody, opened for whoever was given the study."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import strawberry

from gateway import jsontext
from gateway.trials import acts, standing
from gateway.trials.documents import unpacked
from gateway.trials.registration.canonical import written_outcome
from gateway.trials.registration.outcomes import Change, Comparison, Pair
from schema.anchors import Anchor, to_anchor
from schema.context import Info, RequestContext
from schema.fields import resolved
from schema.scalars import Hex, Json, moment_of, to_fragment

strawberry.enum(Change, name="OutcomeChange", description="What became of an outcome that was promised.")
AnAct = TypeVar("AnAct", bound=acts.Act)


@strawberry.type(
    description="A version of what is promised. `digest` stands on chain from the moment it was registered."
)
class StudyProtocol:
    held: strawberry.Private[standing.Study]
    version: strawberry.Private[standing.Version]
    number: int = strawberry.field(description="1 and on.")
    digest: Hex = strawberry.field(description="sha-256(0x08, salt, RFC 8785 form of `registration`).")
    at: datetime = strawberry.field(description="When it was drafted.")
    reason: str | None = strawberry.field(description="Why it was amended; null of the first.")
    registration: Json = strawberry.field(description="What is promised: outcomes, arms, analysis and more.")
    salt: Hex = strawberry.field(description="Without it nobody can guess what `digest` is of.")

    @resolved("Of the entry of the journal that holds it.")
    async def anchor(self, info: Info) -> Anchor:
        return to_anchor(await info.context.services.study_showing.anchor(self.held, self.version.entry))


@strawberry.type(description="A version of the forms and items that are measured: ODM 1.3 or Define-XML 2.")
class StudyDefinition:
    packed: strawberry.Private[str]
    number: int = strawberry.field(description="1 and on.")
    name: str = strawberry.field(description="Of the file.")
    sha256: Hex = strawberry.field(description="Of the document's octets.")
    at: datetime = strawberry.field(description="When it was drafted.")

    @resolved("The document itself. Null where its octets are no UTF-8 text.")
    async def document(self, info: Info) -> str | None:
        octets = await asyncio.to_thread(unpacked, self.packed)
        info.context.show(len(octets))
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return None


@strawberry.type(description="A table of the study as it is exchanged.")
class StudyTable:
    name: str = strawberry.field(description="As the study calls it.")
    description: Json = strawberry.field(description="All that is needed to write it again, but its rows.")
    rows: Json | None = strawberry.field(
        description="Of a table about no subject: a list of rows, each a list of texts. Null of all others."
    )


@strawberry.type(description="A version of the informed consent that subjects sign.")
class StudyTerms:
    number: int = strawberry.field(description="1 and on; the newest is asked for now.")
    form_hash: Hex = strawberry.field(description="Of the published consent form: `termsHash` of the consents.")
    keeps: bool = strawberry.field(description="Whether it says that what was collected stays after a withdrawal.")
    at: datetime = strawberry.field(description="When it was drafted.")


@strawberry.type(description="What was reported. A correction is another version; earlier ones stay.")
class StudyResults:
    number: int = strawberry.field(description="1 and on.")
    digest: Hex = strawberry.field(description="As it stands on chain.")
    at: datetime = strawberry.field(description="When it was drafted.")
    outcomes: Json = strawberry.field(description="As they were reported, in the form of a registration's.")
    summary: str = strawberry.field(description="In the sponsor's words.")


@strawberry.type(description="An outcome as it was promised beside the same as it was reported.")
class OutcomePair:
    promised: Json | None = strawberry.field(description="Null where it was added afterwards.")
    reported: Json | None = strawberry.field(description="Null where it was dropped.")
    changes: list[Change] = strawberry.field(description="What became of it; KEPT alone, where nothing did.")
    differing: list[str] = strawberry.field(description="Members that are not the same words.")
    likeness: int | None = strawberry.field(
        description="Of the measures, in thousandths; null where there is one side alone."
    )


async def opened(
    context: RequestContext, study: standing.Study, numbers: Sequence[int], kind: type[AnAct]
) -> list[AnAct]:
    """The acts of these entries, in their order."""
    found = await asyncio.gather(*(context.services.study_showing.act(study, number) for number in numbers))
    assert all(isinstance(one, kind) for one in found)
    return cast(list[AnAct], found)


async def protocols_of(context: RequestContext, study: standing.Study) -> list[StudyProtocol]:
    versions = list(study.protocols)
    found = await opened(context, study, [one.entry for one in versions], acts.Protocol)
    return [
        StudyProtocol(
            held=study,
            version=version,
            number=version.number,
            digest=Hex(version.digest),
            at=moment_of(version.at),
            reason=act.reason or None,
            registration=_shown(context, act.registration),
            salt=Hex(bytes.fromhex(act.salt)),
        )
        for version, act in zip(versions, found, strict=True)
    ]


async def definitions_of(context: RequestContext, study: standing.Study) -> list[StudyDefinition]:
    versions = list(study.definitions)
    found = await opened(context, study, [one.entry for one in versions], acts.Define)
    return [
        StudyDefinition(
            packed=act.document,
            number=version.number,
            name=act.name,
            sha256=Hex(version.digest),
            at=moment_of(version.at),
        )
        for version, act in zip(versions, found, strict=True)
    ]


async def tables_of(context: RequestContext, study: standing.Study) -> list[StudyTable]:
    found = await opened(context, study, list(study.tables.values()), acts.Describe)
    return [
        StudyTable(
            name=act.table,
            description=_shown(context, act.description),
            rows=None if act.rows is None else _shown(context, act.rows),
        )
        for act in found
    ]


def terms_of(study: standing.Study) -> list[StudyTerms]:
    return [
        StudyTerms(number=one.number, form_hash=Hex(one.digest), keeps=one.keeps, at=moment_of(one.at))
        for one in study.terms
    ]


async def results_of(context: RequestContext, study: standing.Study) -> list[StudyResults]:
    versions = list(study.results)
    found = await opened(context, study, [one.entry for one in versions], acts.Publish)
    return [
        StudyResults(
            number=version.number,
            digest=Hex(version.digest),
            at=moment_of(version.at),
            outcomes=_shown(context, act.outcomes),
            summary=act.summary,
        )
        for version, act in zip(versions, found, strict=True)
    ]


def pairs_of(comparison: Comparison) -> list[OutcomePair]:
    return [_pair(one) for one in comparison.pairs]


def _pair(one: Pair) -> OutcomePair:
    return OutcomePair(
        promised=None if one.promised is None else Json(written_outcome(one.promised)),
        reported=None if one.reported is None else Json(written_outcome(one.reported)),
        changes=list(one.changes),
        differing=list(one.differing),
        likeness=one.likeness,
    )


def _shown(context: RequestContext, tree: Any) -> Json:
    """JSON of an entry, as the octets that it leaves as."""
    octets = jsontext.dumps(tree)
    context.show(len(octets))
    return to_fragment(octets)
