"""What has ended by the chain's time has ended, whatever the host's clock says, and the other way round."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.errors import UnauthenticatedError, UpstreamError
from gateway.identity.callers import Callers
from gateway.identity.model import Actor
from gateway.ids import ActorId
from gateway.ports.chain import ActorOnChain
from gateway.ports.rows import EventRow
from gateway.ports.sign_ins import SessionRow
from tests.unit.gateway.consent.events import event

ACTOR, ORG, KEY = ActorId(b"a" * 32), ActorId(b"o" * 32), b"1" * 20
ENDS = 1_000
NAME = b"s" * 16
SAID = ActorOnChain(key=KEY, roles=4, memberships={ORG: ENDS})


class Index:
    """Two actors, a membership that ends at `ENDS`, and a session."""

    async def versions_of(self, names: Sequence[bytes]) -> dict[bytes, int]:
        return dict.fromkeys(names, 1)

    async def events(self, key: bytes, *, contract: str) -> tuple[EventRow, ...]:
        plain: dict[str, Any] = {"key": KEY, "roles": 4, "profileDigest": bytes(32), "encryptionKey": b""}
        joined = event("MembershipSet", ORG, ACTOR, role=0, notAfter=ENDS, seq=1, epoch=1)
        return (event("ActorRegistered", key, **plain), joined)

    def __init__(self, *, actor: ActorId = ACTOR, ends: int = 10**6, name: bytes = NAME, last: int = 10**6) -> None:
        """`last`: how often the session is there when it is looked up."""
        self.actor, self.ends, self.name, self.last = actor, ends, name, last
        self.asked = 0

    async def session(self, token_digest: bytes, *, now: int) -> SessionRow | None:
        self.asked += 1
        if self.asked > self.last:
            return None
        return SessionRow(
            session=self.name,
            token_digest=token_digest,
            actor=self.actor,
            opened_at=0,
            expires_at=self.ends,
            ends_at=self.ends,
        )


class Times:
    """The host's clock, the newest block's time, and the chain's own word on the actor."""

    facts = SimpleNamespace(confirmations=0)

    def __init__(self, *, host: int, block: int, word: ActorOnChain | None = SAID) -> None:
        self.host, self.block, self.word = host, block, word
        self.passed = 0.0

    def now(self) -> float:
        return float(self.host)

    def monotonic(self) -> float:
        return self.passed

    def head(self) -> Any:
        return SimpleNamespace(number=100, timestamp=self.block)

    async def actor(self, actor: bytes, organizations: Sequence[bytes]) -> ActorOnChain:
        if self.word is None:
            raise UpstreamError("away")
        return self.word


def mark(text: bytes) -> bytes:
    return hashlib.blake2b(text, key=b"k", digest_size=16).digest()


def made(times: Times, index: Index | None = None) -> Callers:
    plain = cast(Any, times)
    return Callers(
        index=cast(Any, index or Index()), chain=plain, documents=plain, clock=plain, registrars=frozenset(), mark=mark
    )


def token(callers: Callers, *, actor: ActorId = ACTOR, key: bytes = KEY, ends: int = 10**6) -> str:
    return callers.new_token(cast(Actor, SimpleNamespace(id=actor, key=key)), bytes(32), session=NAME, expires=ends)


async def organizations(times: Times, callers: Callers | None = None) -> frozenset[bytes]:
    asked = callers or made(times)
    found = await asked.caller(token(asked))
    assert found is not None
    return frozenset(found.organizations)


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


async def test_a_membership_that_has_ended_stays_so_when_the_hosts_clock_is_set_back() -> None:
    times = Times(host=ENDS - 1, block=0)
    callers = made(times)
    times.passed, times.host = 2.0, ENDS - 600
    assert await organizations(times, callers) == frozenset()


async def test_a_token_is_good_for_the_session_that_it_was_made_for() -> None:
    callers = made(Times(host=1, block=1))
    assert await callers.caller(token(callers)) is not None


@pytest.mark.parametrize(
    ("index", "wrong"),
    [
        (Index(actor=ActorId(b"b" * 32)), {}),
        (Index(ends=10**7), {}),
        (Index(name=b"t" * 16), {}),
        (Index(), {"key": b"2" * 20}),
        (Index(), {"actor": ActorId(b"b" * 32)}),
    ],
)
async def test_a_session_row_that_was_written_by_another_lets_nobody_in(index: Index, wrong: dict[str, Any]) -> None:
    callers = made(Times(host=1, block=1), index)
    assert await callers.caller(token(callers, **wrong)) is None


async def test_a_session_that_ends_while_its_caller_is_loaded_lets_nobody_in() -> None:
    """The versions that guard a caller are read first: what ended before them would else go unnoticed."""
    callers = made(Times(host=1, block=1), Index(last=1))
    assert await callers.caller(token(callers)) is None


async def test_a_caller_is_not_refreshed_past_the_end_of_its_session() -> None:
    callers = made(Times(host=1, block=1), Index(last=3))
    found = await callers.caller(token(callers))
    assert found is not None
    assert (await callers.refreshed(found)).session == NAME
    with pytest.raises(UnauthenticatedError):
        await callers.refreshed(found)


@pytest.mark.parametrize("odd", ["", "zz", "0" * 64, "0" * 96, "0x" + "0" * 94, "\u0660" * 96])
async def test_what_is_no_token_of_ours_lets_nobody_in(odd: str) -> None:
    assert await made(Times(host=1, block=1)).caller(odd) is None


@pytest.mark.parametrize(
    "word",
    [
        None,
        replace(SAID, key=b"2" * 20),
        replace(SAID, key=b""),
        replace(SAID, roles=1),
        replace(SAID, memberships={ORG: ENDS - 1}),
        replace(SAID, memberships={ORG: 0}),
    ],
)
async def test_what_the_chain_does_not_say_of_a_caller_is_not_proven(word: ActorOnChain | None) -> None:
    callers = made(Times(host=1, block=1, word=word))
    found = await callers.caller(token(callers))
    assert found is not None
    assert not found.proven


async def test_what_the_chain_says_of_a_caller_is_proven() -> None:
    callers = made(Times(host=1, block=1))
    found = await callers.caller(token(callers))
    assert found is not None
    assert found.proven


async def test_a_caller_is_known_though_ipfs_is_away_and_their_name_is_not_kept_as_none() -> None:
    class Named(Index):
        async def events(self, key: bytes, *, contract: str) -> tuple[EventRow, ...]:
            plain: dict[str, Any] = {"key": KEY, "roles": 4, "profileDigest": b"p" * 32, "encryptionKey": b""}
            return (event("ActorRegistered", key, **plain),)

    class Away:
        async def profile_name(self, actor: bytes, digest: bytes) -> str:
            raise UpstreamError("the IPFS node is away")

    times = cast(Any, Times(host=1, block=1))
    callers = Callers(
        index=cast(Any, Named()),
        chain=times,
        documents=cast(Any, Away()),
        clock=times,
        registrars=frozenset(),
        mark=cast(Any, None),
    )
    found = await callers._load_actor(ACTOR, nameless=True)
    assert found is not None
    assert (found.key, found.name) == (KEY, None)
    with pytest.raises(UpstreamError):
        await callers.actor(ACTOR)
