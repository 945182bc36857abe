"""A follower that is told when the chain has news asks it at once, asks it seldom otherwise, and believes the chain."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from anchoring.chain.client import ChainClient
from anchoring.chain.signer import Fees, Signer
from anchoring.stores.commits import Commits
from gateway.adapters.sql.migrations import migrate
from tests.ports.anchoring_stack import Stack, new_key
from tests.ports.test_chain import Deployed, deploy_to, embedded_owner, set_up

NEVER = 600.0
"""Seconds: whatever is seen in these tests before that was seen by the news."""
SOON = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


@pytest.fixture(scope="module")
def deployed(folder: Path) -> Iterator[Deployed]:
    with embedded_owner(folder, chain_id=20_264) as (url, relay, anchor):
        yield asyncio.run(deploy_to("embedded", url=url, relay_key=relay, anchor_key=anchor))


@pytest.fixture
def commits(folder: Path) -> Iterator[Commits]:
    opened = Commits(str(folder / "chain.db"))
    yield opened
    opened.close()


@pytest.fixture
async def stack(deployed: Deployed, tmp_path: Path) -> AsyncIterator[Stack]:
    url = f"sqlite:///{tmp_path}/index.db"
    migrate(url)
    stack = Stack(set_up(deployed, tmp_path, database_url=url))
    yield stack
    await stack.close()


class Following:
    """A follower alone, with news as given."""

    def __init__(self, stack: Stack, *, news: Callable[[], int | None], quiet: float) -> None:
        self.follower = stack.follower
        self.follower._news, self.follower._quiet = news, quiet
        self._client = stack.client

    async def __aenter__(self) -> "Following":
        self._task = asyncio.create_task(self.follower.run())
        await self.caught_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.follower.stop()
        await self._task

    async def caught_up(self, *, after: int = 0) -> float:
        """Seconds until the index stands above block `after`."""
        began = time.monotonic()
        while (head := self.follower.head()).number <= after or head.lag:
            assert time.monotonic() - began < SOON
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    def asked(self) -> int:
        """Questions to the chain so far."""
        return self._client._next_id


async def block(deployed: Deployed) -> None:
    """A stranger's transaction, sent straight to the chain."""
    client, signer = ChainClient(deployed.url), Signer(bytes.fromhex(new_key()), chain_id=deployed.deployment.chain_id)
    fees = Fees(most=0, tip=0)
    raw = signer.sign(to=signer.address, data=b"", nonce=0, gas=21_000, fees=fees).raw
    await client.call("eth_sendRawTransaction", "0x" + raw.hex())
    await client.close()


async def test_a_block_is_seen_by_the_news_of_it_alone(stack: Stack, deployed: Deployed, commits: Commits) -> None:
    async with Following(stack, news=commits.count, quiet=NEVER) as following:
        for _ in range(10):
            before = following.follower.head().number
            await block(deployed)
            assert await following.caught_up(after=before) < 1.0


async def test_a_chain_without_news_is_left_alone(stack: Stack, commits: Commits) -> None:
    async with Following(stack, news=commits.count, quiet=NEVER) as following:
        await asyncio.sleep(0.5)
        before = following.asked()
        await asyncio.sleep(1.0)
        assert following.asked() == before


async def test_whoever_says_that_there_is_no_news_is_not_believed_for_long(stack: Stack, deployed: Deployed) -> None:
    async with Following(stack, news=lambda: 7, quiet=0.5) as following:
        before = following.follower.head().number
        await block(deployed)
        assert await following.caught_up(after=before) < 2.0


async def test_whoever_says_that_there_is_news_is_not_believed_at_all(stack: Stack) -> None:
    steps = iter(range(10_000))
    async with Following(stack, news=lambda: next(steps), quiet=NEVER) as following:
        before = following.follower.head()
        await asyncio.sleep(0.5)
        assert (following.follower.head().number, following.follower.head().hash) == (before.number, before.hash)


async def test_where_no_news_is_told_the_chain_is_asked_at_each_look(stack: Stack) -> None:
    async with Following(stack, news=lambda: None, quiet=NEVER) as following:
        before = following.asked()
        await asyncio.sleep(1.0)
        assert following.asked() - before >= 3


async def test_a_chain_that_does_not_answer_is_asked_again_without_news(
    stack: Stack, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Following(stack, news=commits.count, quiet=NEVER) as following:
        monkeypatch.setattr(stack.client, "url", "http://127.0.0.1:9")
        following.follower.wake()
        began = time.monotonic()
        while following.follower.trouble is None:
            assert time.monotonic() - began < SOON
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        while following.follower.trouble is not None:
            assert time.monotonic() - began < SOON
            await asyncio.sleep(0.01)
