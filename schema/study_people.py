"""Who does what in a study and where, and what the chain says of it. Nothing here is of a subject."""

from datetime import datetime

import strawberry

from gateway.consent.model import StudyRole, StudyState
from gateway.ids import ActorId
from gateway.trials import standing
from schema.context import Info
from schema.fields import resolved
from schema.identity import Actor, chosen_actor
from schema.scalars import Address, Hex, moment_of

strawberry.enum(StudyState, description="How a study stands: by its journal and by the chain, whichever is narrower.")
strawberry.enum(StudyRole, description="What somebody is in a study, where their delegation reaches.")


@strawberry.type(description="Where subjects are enrolled.")
class StudySite:
    site: str = strawberry.field(description="What it is called in the study.")
    name: str = strawberry.field(description="What it is called elsewhere.")


@strawberry.type(
    description="Who has a role in a study, where, and until when. The newest of an actor and role counts."
)
class StudyDelegation:
    to: strawberry.Private[ActorId]
    role: StudyRole = strawberry.field(description="What they are.")
    sites: list[str] = strawberry.field(description="Where; none: at all sites.")
    until: datetime = strawberry.field(description="From then on they have it no more.")

    @resolved("Who has it.")
    async def actor(self, info: Info) -> Actor:
        return await chosen_actor(info.context, self.to)


@strawberry.type(
    description="The list of arms, drawn and committed to before the first subject. Which arm a place has this tells "
    "nobody."
)
class StudyAllocation:
    root: Hex = strawberry.field(description="Merkle root over the places' commitments.")
    size: int = strawberry.field(description="How many places it has.")
    assigned: int = strawberry.field(description="How many of them are taken.")


@strawberry.type(description="How a study stands in TrialRegistry, which whoever does not believe this gateway asks.")
class StudyOnChain:
    contract: Address = strawberry.field(description="TrialRegistry.")
    allocation: Hex = strawberry.field(description="Root of the list of arms; 32 zero octets: none.")
    assigned: int = strawberry.field(description="Places of the list that are taken.")
    is_open: bool = strawberry.field(description="For enrolment.")
    is_frozen: bool = strawberry.field(description="It takes no data.")
    is_locked: bool = strawberry.field(description="It takes no data ever again.")
    head: Hex = strawberry.field(description="Over all roots of data, each after the one before it.")
    records: int = strawberry.field(description="Entries of the journal under those roots.")
    seq: int = strawberry.field(description="Of the last freeze, thaw or lock.")


def sites_of(study: standing.Study) -> list[StudySite]:
    return [StudySite(site=site, name=name) for site, name in sorted(study.sites.items())]


def delegations_of(study: standing.Study) -> list[StudyDelegation]:
    """In the order in which an actor and role were named first."""
    return [
        StudyDelegation(to=ActorId(one.actor), role=one.role, sites=sorted(one.sites), until=moment_of(one.until))
        for one in study.delegations.values()
    ]


def allocation_of(study: standing.Study) -> StudyAllocation | None:
    if study.allocation is None:
        return None
    taken = len(study.assigned) if study.chain is None else study.chain.assigned
    return StudyAllocation(root=Hex(study.allocation.root), size=study.allocation.size, assigned=taken)


def on_chain(study: standing.Study, contract: str) -> StudyOnChain | None:
    found = study.chain
    if found is None:
        return None
    return StudyOnChain(
        contract=Address(contract),
        allocation=Hex(found.allocation),
        assigned=found.assigned,
        is_open=found.is_open,
        is_frozen=found.is_frozen,
        is_locked=found.is_locked,
        head=Hex(found.head),
        records=found.records,
        seq=found.seq,
    )
