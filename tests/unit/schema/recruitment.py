"""The in-memory world's study looks for adults, and the patient said yes to it. Each call is in the world's log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.errors import ConflictError
from gateway.identity.model import Caller
from gateway.ids import StudyId, SubjectId
from gateway.jsontext import Num
from gateway.releases.aggregates import ToldAnswer
from gateway.trials.recruiting import Sought, Willing
from gateway.trials.recruitment.criteria import read_criteria
from gateway.trials.recruitment.matching import Match, screening
from tests.unit.schema.aggregates import QUESTION, Aggregates
from tests.unit.schema.studies import AT, STUDY, Studies

CRITERIA: dict[str, Any] = {
    "inclusion": [{"text": "You are 18 or older.", "age": {"from": 18}}],
    "exclusion": [{"text": "You are a man.", "sex": ["male"]}],
}
PERSON: dict[str, Any] = {"resourceType": "Patient", "id": "1", "gender": "female", "birthDate": "1960-05-01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recruitment:
    """Behind `Services.recruiting`."""

    studies: Studies
    aggregates: Aggregates

    async def sought(self, *, after: bytes, limit: int) -> tuple[tuple[Sought, ...], bytes | None]:
        self.studies.received.append((after, limit))
        one = Sought(study=self.studies.study, summary="A study of sugar.", criteria=CRITERIA)
        return (one,), (STUDY if limit == 1 else None)

    async def match(self, caller: Caller, study: StudyId, subject: SubjectId, /) -> Match:
        self.studies._theirs("study_match", caller, study, subject)
        return screening(read_criteria(CRITERIA), today=date(2027, 1, 15)).match([PERSON])

    async def say(self, caller: Caller, study: StudyId, subject: SubjectId, /, *, yes: bool) -> bool:
        self.studies.received.append(yes)
        self.studies._theirs("say_interest", caller, study, subject)
        return yes

    async def willing(self, caller: Caller, study: StudyId, /) -> tuple[Willing, ...]:
        self.studies._theirs("willing", caller, study)
        return (Willing(subject=self.studies.about, at=AT),)

    async def count(
        self, caller: Caller, study: StudyId, /, *, data_use: Sequence[str], epsilon: float
    ) -> tuple[ToldAnswer, tuple[str, ...]]:
        self.studies._theirs("count_for_study", caller, study)
        self.studies.received.append((data_use, epsilon))
        if epsilon > 1:
            raise ConflictError("spent", field=("aggregate", "epsilon"))
        return await self.aggregates.ask(caller, {**QUESTION, "cohort": {}, "epsilon": Num(str(epsilon))}), (
            "You are a man.",
        )
