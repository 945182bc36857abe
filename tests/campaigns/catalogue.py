"""Which campaigns there are, and how long their two forms are. A bar that is not here has no campaign."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass

from tests.campaigns import (
    disclosures,
    holding,
    io_errors,
    kills,
    links,
    nonsense,
    overload,
    personal,
    reorgs,
    replays,
    revoking,
    soak,
    stuck,
    tampering,
    tracing,
    upgrades,
)
from tests.campaigns.model import Asked, Report

BOTH, EMBEDDED, REAL = ("embedded", "real"), ("embedded",), ("real",)


@dataclass(frozen=True, slots=True)
class Listed:
    """`short` and `release`: rounds of each form. `columns`: where it runs, the default first."""

    about: str
    run: Callable[[Asked], Report]
    _: KW_ONLY
    short: int
    release: int
    columns: tuple[str, ...] = EMBEDDED


CATALOGUE: Mapping[str, Listed] = {
    "B1": Listed(
        "kill -9 of the gateway, its notary and its chain during writes",
        kills.kill_the_gateway,
        short=25,
        release=500,
        columns=BOTH,
    ),
    "B2": Listed(
        "kill -9 of Kubo, chain, redis, PostgreSQL and worker, alone and in pairs, during writes",
        kills.kill_the_servers,
        short=1,
        release=50,
        columns=REAL,
    ),
    "B3": Listed("each acknowledgement after its fsync, by strace", tracing.trace_writes, short=100, release=1000),
    "B4": Listed(
        "writes and syncs fail: each call of one write, then 2 % of all; rounds are calls, and writes",
        io_errors.fail,
        short=50,
        release=2000,
    ),
    "B5": Listed(
        "reorganizations while tickets are anchored and consents granted and revoked",
        reorgs.reorganize,
        short=20,
        release=300,
        columns=REAL,
    ),
    "B6": Listed(
        "a stuck chain: dropped, gapped, underpriced, known, stopped", stuck.starve, short=5, release=100, columns=REAL
    ),
    "B7": Listed(
        "a consent is revoked while 32 readers read on at three gateways, links broken or not",
        revoking.revoke,
        short=100,
        release=2000,
        columns=REAL,
    ),
    "B8": Listed(
        "blocks flipped and swapped, each column edited, redis replaced; rounds are octets flipped",
        tampering.tamper,
        short=5_000,
        release=100_000,
    ),
    "B9": Listed(
        "hostile documents, variables, octets and signed texts; rounds are cases",
        nonsense.send_nonsense,
        short=2_000,
        release=52_000,
    ),
    "B10": Listed(
        "bombs, one by one and all at once, while honest clients read; rounds are how often each falls",
        holding.hold,
        short=1,
        release=5,
    ),
    "B13": Listed(
        "no answer without its durable audit entry: killed, full, hung; rounds are reads",
        disclosures.disclose,
        short=500,
        release=10_000,
        columns=BOTH,
    ),
    "B14": Listed(
        "canaries told by every path and looked for in everything that is left behind; rounds are notes",
        personal.look,
        short=50,
        release=200,
        columns=BOTH,
    ),
    "B19": Listed(
        "each link broken in each way while somebody reads, writes, grants or revokes",
        links.break_links,
        short=20,
        release=80,
        columns=REAL,
    ),
    "B21": Listed(
        "60 % of the load, and a fault each 30 s (rounds): killed, stopped or cut off",
        soak.soak,
        short=4,
        release=120,
        columns=BOTH,
    ),
    "B22": Listed(
        "kill -9 at acts of each migration and first start (rounds: how many of each); an old index restored",
        upgrades.upgrade,
        short=4,
        release=1_000_000,
        columns=BOTH,
    ),
    "B20": Listed(
        "three times as many readers as are served best; rounds are seconds of each measurement",
        overload.overload,
        short=6,
        release=60,
    ),
    "B24": Listed("seeds run twice: plans and histories are equal", replays.replay, short=1, release=20),
}
