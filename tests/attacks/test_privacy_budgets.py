"""Noised answers against whoever asks until the noise is gone, or all at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import noise
from gateway.errors import CallerError, ConsentryError, LimitError
from tests.attacks.datasets import ASTHMA, DIABETES, SNOMED, Laboratory, laboratory, question
from tests.attacks.inside import inside
from tests.unit.gateway.deid.releases import definitions


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Laboratory]:
    async with inside(tmp_path, budget_dataset=1.0, budget_group=1.5, budget_population=100.0) as running:
        yield await laboratory(running)


async def test_asked_again_it_is_the_same_answer_for_nothing(lab: Laboratory) -> None:
    people = await lab.patients(20)
    aggregates, caller = lab.inside.gateway.aggregates, await lab.caller(lab.researcher)
    first = await aggregates.ask(caller, question())
    assert first.left == 500_000
    for _ in range(3):
        again = await aggregates.ask(caller, question())
        assert again.answer == first.answer
        assert again.left == first.left
    # Another set of consents is another answer, and costs.
    await lab.inside.revoke(people[0].who, people[0].subject, people[0].consent)
    other = await aggregates.ask(caller, question())
    assert other.left == 0
    with pytest.raises(LimitError):
        await aggregates.ask(caller, question(epsilon=0.000001))
    # Another data set has an account of its own; what the group has left is its bound.
    asked = question(cohort={"sex": ["female"]})
    assert (await aggregates.ask(caller, asked)).left == 0
    with pytest.raises(LimitError):
        await aggregates.ask(caller, question(cohort={"sex": ["male"]}))


async def test_all_at_once_spend_no_more_than_there_is(lab: Laboratory) -> None:
    await lab.patients(12)
    aggregates, caller = lab.inside.gateway.aggregates, await lab.caller(lab.researcher)
    asked = [question(epsilon=round(0.3 + number / 1000, 3)) for number in range(6)]
    found = await asyncio.gather(*(aggregates.ask(caller, one) for one in asked), return_exceptions=True)
    told = [one for one in found if not isinstance(one, BaseException)]
    assert all(isinstance(one, ConsentryError) for one in found if one not in told), found
    assert 1 <= len(told) <= 3
    assert sum(one.answer.epsilon for one in told) <= 1_000_000


async def test_a_measure_of_an_unknown_path_is_refused_and_costs_nothing(lab: Laboratory) -> None:
    await lab.patients(12)
    aggregates, caller = lab.inside.gateway.aggregates, await lab.caller(lab.researcher)
    view = {"resource": "Observation", "select": [{"column": [{"name": "value", "path": "noSuch", "type": "decimal"}]}]}
    measure = {"kind": "mean", "view": view, "column": "value", "low": 1, "high": 2, "per": "first"}
    with pytest.raises(CallerError, match=r"R4 has no Observation\.noSuch") as refused:
        await aggregates.ask(caller, question(measure=measure))
    assert refused.value.field == ("aggregate", "measure", "view", "select", "0", "column", "0", "path")
    assert (await aggregates.ask(caller, question())).left == 500_000


class Faint:
    """Noise of a thousandth: what is then far from the truth is wrong, and not unlucky."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*given: Any, epsilon: int, **also: Any) -> Any:
            return getattr(noise, name)(*given, epsilon=1_000 * epsilon, **also)

        return drawn


async def test_a_mean_and_a_histogram_are_near_the_truth(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.inside.gateway.aggregates, "_noise", Faint())
    await lab.patients(30)
    aggregates, caller = lab.inside.gateway.aggregates, await lab.caller(lab.researcher)
    heights = definitions()["observations"]
    measure = {"kind": "mean", "view": heights, "column": "value", "low": 100, "high": 250, "per": "first"}
    mean = await aggregates.ask(caller, question(measure=measure, epsilon=0.7))
    assert mean.answer.value is not None
    assert 140 <= mean.answer.value <= 190
    conditions = definitions()["conditions"]
    measure = {"kind": "histogram", "view": conditions, "column": "code", "bins": [DIABETES, ASTHMA, "1"]}
    cohort = {"codes": [f"{SNOMED}|{DIABETES}", f"{SNOMED}|{ASTHMA}"]}
    counted = await aggregates.ask(caller, question(measure=measure, epsilon=0.8, cohort=cohort))
    assert counted.answer.counts is not None
    assert len(counted.answer.counts) == 4
    assert all(one == 0 or one >= 11 for one in counted.answer.counts)
    assert sum(counted.answer.counts) > 0
