"""A lock that the chain took and of which the gateway died before it was an entry."""

from pathlib import Path

import pytest

from gateway.consent.model import StudyState
from gateway.errors import ConflictError
from gateway.trials import acts
from tests.attacks.inside import inside
from tests.attacks.study import sign, site


async def test_a_lock_that_was_interrupted_is_entered_when_it_is_submitted_again(tmp_path: Path) -> None:
    async with inside(tmp_path) as running:
        world = await site(running)
        await world.prepare()
        await world.capture(await world.enrol("701-1001"))
        await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
        trials, caller = running.gateway.trials, await world.caller(world.sponsor)
        draft = await trials.draft(caller, {"act": "lock", "study": world.study.hex()})
        act, signature = acts.read_act(dict(draft.act)), sign(world.sponsor, draft.typed_data)
        call = trials._call(act, signature)
        assert call is not None
        await trials._relay(caller, None, act, call)  # and no entry
        held = await trials._studies.held(world.study)
        assert held is not None
        assert (held.study.state, held.study.noted) == (StudyState.LOCKED, StudyState.FROZEN)
        study = await trials.submit(caller, dict(draft.act), signature)
        assert study.noted is StudyState.LOCKED
        again = await trials.submit(caller, dict(draft.act), signature)
        assert again.number == study.number
        with pytest.raises(ConflictError, match="locked"):
            await world.act(world.sponsor, "lock")
