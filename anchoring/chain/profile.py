"""What may be expected of a chain: how often it makes blocks, and when one stays.

`finality` 0 means that a block stays once it is there: true of the embedded chain (one node, one file), of anvil and of
geth's development mode, whose blocks come on demand. There an anchored leaf is FINAL at once, and any reorganization
is one past finality: indexing halts.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainProfile:
    """`block_period`: seconds between blocks, 0 on demand. `confirmations`: blocks on top before widening events
    count. `finality`: blocks on top after which a block stays."""

    name: str
    block_period: float
    confirmations: int
    finality: int

    def __post_init__(self) -> None:
        if min(self.block_period, self.confirmations, self.finality) < 0 or self.confirmations > self.finality:
            raise ValueError("no number is negative, and confirmations are at most the finality")

    @property
    def busy_poll(self) -> float:
        """Seconds between looks at the head while someone waits."""
        return 0.05 if self.block_period == 0 else min(0.5, self.block_period / 4)

    @property
    def idle_poll(self) -> float:
        """Seconds between looks at the head when nobody does."""
        return 0.1 if self.block_period == 0 else max(0.5, self.block_period / 2)

    @property
    def window(self) -> int:
        """Blocks whose headers are kept: enough to find any common ancestor that may be gone back to."""
        return max(64, 2 * self.finality)

    @property
    def patience(self) -> float:
        """Seconds that a sent transaction may wait for its block before it is sent again."""
        return max(2.0, 3 * self.block_period)


EMBEDDED: Final = ChainProfile(name="embedded", block_period=0, confirmations=0, finality=0)
ANVIL: Final = ChainProfile(name="anvil", block_period=0, confirmations=0, finality=0)
GETH_DEV: Final = ChainProfile(name="geth-dev", block_period=0, confirmations=0, finality=0)
BESU_QBFT: Final = ChainProfile(name="besu-qbft", block_period=2, confirmations=1, finality=1)
CLIQUE: Final = ChainProfile(name="clique", block_period=5, confirmations=3, finality=12)
ETHEREUM: Final = ChainProfile(name="ethereum", block_period=12, confirmations=3, finality=64)

PROFILES: Final = {one.name: one for one in (EMBEDDED, ANVIL, GETH_DEV, BESU_QBFT, CLIQUE, ETHEREUM)}
"""By the name that settings use."""
_OWN: Final = re.compile(r"period=(\d+(?:\.\d+)?),confirmations=(\d+),finality=(\d+)")


def profile_named(text: str) -> ChainProfile:
    """One of `PROFILES` by its name, or one of its own: `period=2,confirmations=1,finality=1`. Raises ValueError."""
    if text in PROFILES:
        return PROFILES[text]
    found = _OWN.fullmatch(text)
    if found is None:
        raise ValueError(f"one of {', '.join(PROFILES)}, or period=SECONDS,confirmations=BLOCKS,finality=BLOCKS")
    return ChainProfile(name="own", block_period=float(found[1]), confirmations=int(found[2]), finality=int(found[3]))
