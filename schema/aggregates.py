"""A number about consented patients without a dataset: noised, and paid for out of budgets that nothing fills again.

True here: one call of the service, which decides who is counted, draws the noise and takes the price. What is asked
reaches it as JSON whose numbers are those that the client wrote, because a question is named by its text.
"""

from typing import Annotated, Any, Final

import strawberry

from gateway.consent.model import Purpose
from gateway.jsontext import Num
from schema.context import Info, ToldAnswer
from schema.errors import Refusal
from schema.fields import mutation
from schema.gates import naming, outcome
from schema.scalars import Json

MILLION: Final = 1_000_000
"""Parts of epsilon that the service counts."""


@strawberry.input(description="A question for one number of many patients, or for how many are in each bin.")
class AggregateInput:
    purpose: Purpose = strawberry.field(description="HRESCH or CLINTRCH, as far as your roles go.")
    data_use: list[str] = strawberry.field(
        description="Terms of GA4GH DUO. Each patient's consent must cover all of this use, or they are not counted."
    )
    cohort: Json = strawberry.field(
        default_factory=dict, description="Who is counted, in the form of a dataset's; empty: everybody."
    )
    measure: Json = strawberry.field(
        description="By `kind`: `count`, of patients; `sum` and `mean`, with `view` (a ViewDefinition), `column`, "
        "`low` and `high`, which bound each number, and `per` (`first`, `last`, `mean`: which of a patient's is "
        "theirs); `histogram`, with `view`, `column` and `bins` (texts, or edges of ranges)."
    )
    epsilon: float = strawberry.field(
        description="What the answer may cost: more than 0, at most 1. The more, the less noise."
    )


@strawberry.type(
    description="A number with noise (differential privacy, which OpenDP draws): whoever reads it learns next to "
    "nothing of anyone who is counted. Counts of 1 to 10 are told as 0."
)
class NoisedAnswer:
    value: float | None = strawberry.field(
        description="Of a count, sum or mean; null for a histogram, and for a mean of fewer than 11."
    )
    counts: list[int] | None = strawberry.field(
        description="Of a histogram, bin by bin; the last is of all others. Null for anything else."
    )
    epsilon: float = strawberry.field(description="What it cost, when it was told first.")
    left: float = strawberry.field(
        description="Epsilon of the budget that has least: of the cohort and use, of your organization or you, of all "
        "patients."
    )


AskAggregateResult = Annotated[NoisedAnswer | Refusal, strawberry.union("AskAggregateResult")]


def _asked(input: AggregateInput) -> dict[str, Any]:
    return {
        "purpose": input.purpose.value,
        "dataUse": input.data_use,
        "cohort": input.cohort,
        "measure": input.measure,
        # The shortest digits that read as the same double: 0.1 stays 0.1.
        "epsilon": Num(repr(input.epsilon)),
    }


def to_answer(told: ToldAnswer) -> NoisedAnswer:
    answer = told.answer
    return NoisedAnswer(
        value=answer.value,
        counts=None if answer.counts is None else list(answer.counts),
        epsilon=answer.epsilon / MILLION,
        left=told.left / MILLION,
    )


@strawberry.type
class AggregateMutations:
    """What is asked at a price."""

    @mutation(
        "Anyone's with a role for research; no steward decides. It spends a privacy budget for good: LIMIT once that "
        "is spent. The same question on the same consents has the same answer, and costs nothing. Every patient who "
        "is counted finds it in their access log (AGGREGATE)."
    )
    async def ask_aggregate(self, info: Info, input: AggregateInput) -> AskAggregateResult:
        async def steps() -> NoisedAnswer:
            asked = info.context.services.aggregates.ask(info.context.signed_in(), _asked(input))
            return to_answer(await naming(asked, {"aggregate": ()}))

        return await outcome(steps())
