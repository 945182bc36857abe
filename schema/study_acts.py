"""Acts of a study: drafted, signed by whoever does them, submitted; and what the gateway does in it at somebody's word
alone. What was done is durable when its answer comes."""

from collections.abc import Mapping
from typing import Annotated

import strawberry

from gateway.errors import CallerError
from gateway.trials.allocation import ToldArm as Told
from schema.context import Info
from schema.errors import Refusal
from schema.fields import mutation
from schema.gates import given, naming, outcome, placing, study_of, subject_of
from schema.scalars import Hex, Json
from schema.studies import Study, to_study
from schema.study_asking import asked_of, chosen, place_of
from schema.study_inputs import StudyActInput
from schema.study_places import GIVEN
from schema.study_services import ActDraft


@strawberry.type(
    description="An act of a study, to be signed. Look at `statement`, sign `typedData` (eth_signTypedData_v4), give "
    "`act` back with the signature within a day."
)
class StudyActDraft:
    id: Hex = strawberry.field(description="The digest that is signed.")
    act: Json = strawberry.field(description="What is done, whole: not to be changed.")
    typed_data: Json = strawberry.field(description="EIP-712 JSON.")
    statement: str = strawberry.field(description="What is done, in plain words.")


@strawberry.type(description="An arm, opened: who has the list's root checks it without the gateway.")
class ToldArm:
    arm: str = strawberry.field(description="As the scheme names it.")
    stratum: int = strawberry.field(description="From 0.")
    position: int = strawberry.field(description="In the stratum's list, from 0.")
    salt: Hex = strawberry.field(description="Of the commitment.")
    commitment: Hex = strawberry.field(description="sha-256(0x09, study, stratum, position, salt, arm).")
    path: list[Hex] = strawberry.field(description="From the place's leaf up to `root`.")
    root: Hex = strawberry.field(description="Of the list, as it stands on chain.")


StudyActDraftResult = Annotated[StudyActDraft | Refusal, strawberry.union("StudyActDraftResult")]
StudyResult = Annotated[Study | Refusal, strawberry.union("StudyResult")]
ToldArmResult = Annotated[ToldArm | Refusal, strawberry.union("ToldArmResult")]


@strawberry.type
class StudyActMutations:
    """What is done in a study."""

    @mutation("Whose the act is. Nothing is done yet: sign `typedData`, submit to `submitStudyAct`.")
    async def draft_study_act(self, info: Info, input: StudyActInput) -> StudyActDraftResult:
        async def steps() -> StudyActDraft:
            caller = info.context.signed_in()
            member, value = chosen(input)

            async def drafted() -> ActDraft:
                return await info.context.services.trials.draft(caller, asked_of(member, value))

            return _to_draft(await placing(drafted(), place_of(member, value)))

        return await outcome(steps())

    @mutation(
        "The signer's own. It counts once this returns: in the study's journal, and on chain where the registry checks "
        "it. The same again is success, and done once."
    )
    async def submit_study_act(self, info: Info, act: Json, signature: Hex) -> StudyResult:
        async def steps() -> Study:
            return to_study(await info.context.services.trials.submit(info.context.signed_in(), act, signature))

        return await outcome(steps())

    @mutation(
        "The next place of the subject's stratum; who has one keeps it. An investigator's or coordinator's at the site."
    )
    async def assign_subject(
        self,
        info: Info,
        study_id: strawberry.ID,
        patient_id: strawberry.ID,
        levels: Annotated[
            Json | None, strawberry.argument(description="Of the scheme's factors: name -> the subject's level.")
        ] = strawberry.UNSET,
    ) -> StudyResult:
        async def steps() -> Study:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            assigned = info.context.services.allocations.assign(caller, study, subject, _levels(given(levels)))
            return to_study(await naming(assigned, GIVEN))

        return await outcome(steps())

    @mutation(
        "The statistician's and the safety board's; who broke the blind for this subject; after the lock "
        "whoever's role reaches the subject. It is in the subject's log before it is told."
    )
    async def tell_arm(self, info: Info, study_id: strawberry.ID, patient_id: strawberry.ID) -> ToldArmResult:
        async def steps() -> ToldArm:
            caller = info.context.signed_in()
            study, subject = study_of(study_id, field="studyId"), subject_of(patient_id)
            told = info.context.services.allocations.arm(caller, study, subject)
            return _to_arm(await naming(told, GIVEN))

        return await outcome(steps())

    @mutation(
        "The sponsor's: a root over all entries of the journal that have none yet, on chain. A freeze does it, too."
    )
    async def record_study_data(self, info: Info, study_id: strawberry.ID) -> StudyResult:
        async def steps() -> Study:
            recorded = info.context.services.trials.record_data(
                info.context.signed_in(), study_of(study_id, field="studyId")
            )
            return to_study(await naming(recorded, GIVEN))

        return await outcome(steps())


def _to_draft(draft: ActDraft) -> StudyActDraft:
    return StudyActDraft(
        id=Hex(draft.id),
        act=Json(dict(draft.act)),
        typed_data=Json(dict(draft.typed_data)),
        statement=draft.statement,
    )


def _to_arm(told: Told) -> ToldArm:
    place = told.place
    return ToldArm(
        arm=place.arm,
        stratum=place.stratum,
        position=place.position,
        salt=Hex(place.salt),
        commitment=Hex(place.commitment),
        path=[Hex(one) for one in told.path],
        root=Hex(told.root),
    )


def _levels(value: object) -> Mapping[str, str]:
    """Raises CallerError where it is no object of texts; nothing is no factors."""
    tree = {} if value is None else value
    if not isinstance(tree, dict) or not all(isinstance(one, str) for one in tree.values()):
        raise CallerError("an object of texts: a level for each factor", field=("levels",))
    return tree
