"""While a write is being made the chain may go back behind what the index has: who waits will be served."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import StaleError
from gateway.identity.model import Role
from tests.attacks.inside import inside, settled
from tests.journeys.resources import observation


async def test_a_write_in_the_midst_of_which_the_chain_went_back_is_stale_and_not_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with inside(tmp_path) as at:
        who = await at.person(Role.PATIENT)
        subject = await at.patient(who)
        await settled(lambda: at.store(who, subject, observation()))
        validation, chain = at.gateway.records._writing._validation, at.gateway._standings._chain
        check = validation.check

        async def another_seq(subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
            return ((0, 99),) * len(subjects)

        async def meanwhile(octets: Sequence[bytes]) -> object:
            at.forget()
            monkeypatch.setattr(chain, "subject_states", another_seq)
            return await check(octets)

        monkeypatch.setattr(validation, "check", meanwhile)
        with pytest.raises(StaleError):
            await at.store(who, subject, observation())
