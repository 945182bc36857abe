"""When nothing may be decided, because the chain is away, or its time and the host's are apart."""

import pytest

from gateway.consent.freshness import Freshness, staleness
from gateway.ports.chain import Head

NOW, MONOTONIC = 1_000_000.0, 500.0


def bounds(period: float = 2.0) -> Freshness:
    return Freshness(lag_blocks=3, silence_seconds=10.0, skew_seconds=15.0, period_seconds=period)


def head(*, timestamp: float = NOW, lag: int = 0, heard: float = 0.0) -> Head:
    return Head(number=9, hash=bytes(32), timestamp=int(timestamp), lag=lag, heard_at=MONOTONIC - heard)


def judged(found: Head, *, period: float = 2.0) -> str | None:
    return staleness(found, bounds(period), now=NOW, monotonic=MONOTONIC)


def test_a_head_of_now_is_fresh() -> None:
    assert judged(head()) is None


@pytest.mark.parametrize("found", [head(lag=4), head(heard=10.1)])
def test_lag_and_silence_past_the_bound_are_stale(found: Head) -> None:
    assert judged(found) is not None


def test_a_host_behind_the_chains_time_is_stale() -> None:
    assert judged(head(timestamp=NOW + 15)) is None
    assert judged(head(timestamp=NOW + 16)) == "the host's clock is behind the chain's time"


def test_a_host_ahead_of_the_chains_time_is_stale_once_missed_blocks_do_not_explain_it() -> None:
    assert judged(head(timestamp=NOW - 31)) is None
    assert judged(head(timestamp=NOW - 32)) is not None


@pytest.mark.parametrize("apart", [-86_400, 86_400])
def test_where_blocks_come_on_demand_their_age_says_nothing(apart: int) -> None:
    assert judged(head(timestamp=NOW + apart), period=0) is None
