"""How near to the chain a decision must stand, in blocks, in silence, in time, and by the word of further nodes.
Pure: a head and two clocks in.

Where blocks come at a pace, the chain's own time says whether the host's clock can be believed: a host far ahead would
lift denies, one far behind would keep permits alive, so both stop what stands on time. On demand (period 0) a block is
as old as the last transaction, and its age says nothing.
"""

from dataclasses import dataclass

from gateway.ports.chain import Head

MISSED_BLOCKS = 8
"""Blocks in a row that a sound chain may miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """`lag_blocks` behind the head; `silence_seconds` without a word from the chain; `skew_seconds` between the host's
    clock and the head's time, either way. `period_seconds` 0: blocks come on demand."""

    lag_blocks: int
    silence_seconds: float
    skew_seconds: float
    period_seconds: float


def staleness(head: Head, bounds: Freshness, *, now: float, monotonic: float) -> str | None:
    """Why nothing may be decided on this head, in words for an operator; None when all is well. `now`: seconds since
    1970 by the host."""
    if head.lag > bounds.lag_blocks:
        return f"the index is {head.lag} blocks behind the chain"
    if monotonic - head.heard_at > bounds.silence_seconds:
        return "the chain has not been heard of for too long"
    if head.doubt is not None:
        return head.doubt
    if not bounds.period_seconds:
        return None
    if head.timestamp - now > bounds.skew_seconds:
        return "the host's clock is behind the chain's time"
    if now - head.timestamp > bounds.skew_seconds + MISSED_BLOCKS * bounds.period_seconds:
        return "the chain makes no blocks, or the host's clock is ahead of its time"
    return None
