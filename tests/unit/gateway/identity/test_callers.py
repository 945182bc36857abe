"""What has ended by the chain's time has ended, whatever the host's clock says, and the other way round."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.identity.callers import Callers, digest_of, token_for
from gateway.ids import ActorId
from gateway.ports.rows import EventRow, SessionRow
from tests.unit.gateway.consent.events import event

ACTOR, ORG, KEY = ActorId(b"a" * 32), ActorId(b"o" * 32), b"1" * 20
TOKEN = token_for(KEY, bytes(32))
ENDS = 1_000


class Index:
    """Two actors, a membership that ends at `ENDS`, and a session."""

    async def versions_of(self, names: Sequence[bytes]) -> dict[bytes, int]:
        return dict.fromkeys(names, 1)

    async def events(self, key: bytes, *, contract: str) -> tuple[EventRow, ...]:
        plain: dict[str, Any] = {"key": KEY, "roles": 4, "profileDigest": bytes(32), "encryptionKey": b""}
        joined = event("MembershipSet", ORG, ACTOR, role=0, notAfter=ENDS, seq=1, epoch=1)
        return (event("ActorRegistered", key, **plain), joined)

    async def session(self, token_digest: bytes, *, now: int) -> SessionRow | None:
        return SessionRow(token_digest=digest_of(TOKEN), actor=ACTOR, expires_at=10**6)


class Times:
    """The host's clock and the newest block's time."""

    facts = SimpleNamespace(confirmations=0)

    def __init__(self, *, host: int, block: int) -> None:
        self.host, self.block = host, block

    def now(self) -> float:
        return float(self.host)

    def head(self) -> Any:
        return SimpleNamespace(number=100, timestamp=self.block)


async def organizations(times: Times, callers: Callers | None = None) -> frozenset[bytes]:
    found = await (callers or made(times)).caller(TOKEN)
    assert found is not None
    return frozenset(found.organizations)


def made(times: Times) -> Callers:
    plain = cast(Any, times)
    return Callers(index=cast(Any, Index()), chain=plain, documents=plain, clock=plain, registrars=frozenset())


async def test_a_membership_stands_until_it_ends() -> None:
    assert await organizations(Times(host=ENDS - 1, block=ENDS - 1)) == {ORG}


@pytest.mark.parametrize(("host", "block"), [(ENDS, 0), (0, ENDS)])
async def test_a_membership_has_ended_by_the_later_of_two_times(host: int, block: int) -> None:
    assert await organizations(Times(host=host, block=block)) == frozenset()


async def test_a_membership_that_is_kept_in_memory_ends_with_the_chains_time() -> None:
    times = Times(host=ENDS - 1, block=0)
    callers = made(times)
    assert await organizations(times, callers) == {ORG}
    times.block = ENDS
    assert await organizations(times, callers) == frozenset()
