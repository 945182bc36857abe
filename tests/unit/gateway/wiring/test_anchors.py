"""Anchor states are asked for once while they hold, and never shown as older than they are."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from anchoring.model import LeafState, LeafStatus
from gateway.wiring import anchors
from gateway.wiring.anchors import RECENT_SECONDS, AnchorsPort

ONE, TWO = b"\x01" * 32, b"\x02" * 32


class Log:
    """Says what it is told to, and counts what it is asked."""

    records_log = releases_log = studies_log = b"\x00" * 32

    def __init__(self) -> None:
        self.states = {ONE: LeafStatus.PENDING, TWO: LeafStatus.FINAL}
        self.asked: list[tuple[bytes, ...]] = []

    async def anchor_states(self, leaves: Sequence[bytes]) -> tuple[LeafState, ...]:
        self.asked.append(tuple(leaves))
        return tuple(LeafState(status=self.states[leaf], proof=None) for leaf in leaves)


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def port(log: Log, clock: Clock) -> AnchorsPort:
    return AnchorsPort(cast(Any, log), clock)


async def _statuses(port: AnchorsPort, *leaves: bytes) -> list[str]:
    return [state.status for state in await port.states(leaves)]


async def test_final_state_is_asked_for_once(port: AnchorsPort, log: Log, clock: Clock) -> None:
    for _ in range(3):
        assert await _statuses(port, TWO) == ["FINAL"]
        clock.at += 1000
    assert log.asked == [(TWO,)]


async def test_state_under_way_is_kept_for_a_moment(port: AnchorsPort, log: Log, clock: Clock) -> None:
    await _statuses(port, ONE)
    clock.at += RECENT_SECONDS * 0.9
    assert await _statuses(port, ONE) == ["PENDING"]
    assert log.asked == [(ONE,)]


async def test_state_under_way_is_asked_again_after_the_moment(port: AnchorsPort, log: Log, clock: Clock) -> None:
    await _statuses(port, ONE)
    log.states[ONE] = LeafStatus.FINAL
    clock.at += RECENT_SECONDS
    assert await _statuses(port, ONE) == ["FINAL"]


async def test_only_what_is_not_kept_is_asked_for(port: AnchorsPort, log: Log) -> None:
    await _statuses(port, TWO)
    assert await _statuses(port, ONE, TWO, ONE) == ["PENDING", "FINAL", "PENDING"]
    assert set(log.asked[1]) == {ONE}


async def test_refusal_without_a_leaf_asks_nothing(port: AnchorsPort, log: Log) -> None:
    assert await _statuses(port, b"") == ["PENDING"]
    assert not log.asked


async def test_full_memory_still_answers_what_was_just_asked(
    port: AnchorsPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "FINAL_HELD", 0)
    assert await _statuses(port, TWO) == ["FINAL"]


async def test_what_was_under_way_is_forgotten_after_the_moment(port: AnchorsPort, log: Log, clock: Clock) -> None:
    for number in range(20):
        leaf = bytes([100 + number]) * 32
        log.states[leaf] = LeafStatus.PENDING
        await _statuses(port, leaf)
        clock.at += RECENT_SECONDS
    assert len(port._recent) == 1
