"""An ended session is found by one version that moved, whoever ended it, and its sockets hear of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gateway.errors import UpstreamError
from gateway.identity.callers import digest_of
from gateway.identity.versions import ENDINGS, LINK_ENDINGS
from gateway.identity.vigil import Vigil


class Index:
    """Tokens that stand, and the version that says that some do no longer."""

    def __init__(self, *tokens: str) -> None:
        self.standing = {digest_of(token) for token in tokens}
        self.version = 0
        self.links = 0
        self.questions = 0
        self.away = False

    async def versions_of(self, names: Sequence[bytes]) -> dict[bytes, int]:
        return {ENDINGS: self.version, LINK_ENDINGS: self.links}

    async def standing_tokens(self, digests: Sequence[bytes]) -> frozenset[bytes]:
        self.questions += 1
        if self.away:
            raise UpstreamError("away")
        return frozenset(self.standing & set(digests))

    def end(self, token: str) -> None:
        self.standing.discard(digest_of(token))
        self.version += 1


class Kept:
    """What callers are kept of."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = {digest_of(token) for token in tokens}
        self.bearers = 0

    def kept_tokens(self) -> tuple[bytes, ...]:
        return tuple(self.tokens)

    def forget_tokens(self, digests: Sequence[bytes]) -> None:
        self.tokens -= set(digests)

    def forget_bearers(self) -> None:
        self.bearers = 0

    @property
    def empty(self) -> bool:
        return not self.tokens and not self.bearers


def vigil(index: Index, kept: Kept) -> Vigil:
    return Vigil(index=cast(Any, index), callers=cast(Any, kept))


async def test_a_kept_caller_goes_with_its_session_alone() -> None:
    index, kept = Index("a", "b"), Kept("a", "b")
    one = vigil(index, kept)
    await one.look()
    index.end("a")
    await one.look()
    assert kept.tokens == {digest_of("b")}


async def test_nothing_is_asked_again_until_some_session_ended() -> None:
    index, kept = Index("a"), Kept("a")
    one = vigil(index, kept)
    for _ in range(5):
        await one.look()
    assert index.questions == 1


async def test_whoever_waits_hears_of_the_end() -> None:
    index = Index("a", "b")
    one = vigil(index, Kept())
    waiting = [asyncio.create_task(one.ended(token)) for token in ("a", "a", "b")]
    await asyncio.sleep(0)
    await one.look()
    index.end("a")
    await one.look()
    await asyncio.wait(waiting[:2], timeout=1)
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


async def test_what_ended_before_anybody_waited_is_found() -> None:
    index, kept = Index("a", "b"), Kept("a")
    one = vigil(index, kept)
    await one.look()
    index.standing.discard(digest_of("b"))  # moved, and looked at, before the socket was there
    waiting = asyncio.create_task(one.ended("b"))
    await asyncio.sleep(0)
    await one.look()
    await asyncio.wait_for(waiting, 1)


async def test_a_database_that_does_not_answer_is_asked_again() -> None:
    index, kept = Index("a"), Kept("a")
    one = vigil(index, kept)
    await one.look()
    index.end("a")
    index.away = True
    with pytest.raises(UpstreamError):
        await one.look()
    index.away = False
    await one.look()
    assert kept.tokens == set()


async def test_a_hint_is_looked_at_at_once() -> None:
    index, kept = Index("a"), Kept("a")
    one = vigil(index, kept)
    running = asyncio.create_task(one.run())
    waiting = asyncio.create_task(one.ended("a"))
    await asyncio.sleep(0.3)
    index.end("a")
    one.wake()
    await asyncio.wait_for(waiting, 0.2)
    running.cancel()


async def test_the_end_of_a_linked_identity_drops_bearers_and_no_session() -> None:
    index, kept = Index("a", "b"), Kept("a", "b")
    one = vigil(index, kept)
    await one.look()
    kept.bearers, moving = 2, one.moving()
    index.end("a")
    await one.look()
    assert (kept.bearers, moving.is_set(), kept.tokens) == (2, False, {digest_of("b")})
    index.links += 1
    await one.look()
    assert (kept.bearers, moving.is_set(), kept.tokens) == (0, True, {digest_of("b")})


async def test_a_socket_that_opens_has_no_bearer_looked_at_anew() -> None:
    index, kept = Index("a"), Kept("a")
    one = vigil(index, kept)
    await one.look()
    kept.bearers = 2
    waiting = asyncio.create_task(one.ended("a"))
    await asyncio.sleep(0)
    await one.look()
    assert kept.bearers == 2
    waiting.cancel()
