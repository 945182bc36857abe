"""Which campaigns there are, and how long their two forms are. A bar that is not here has no campaign."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.campaigns import (
    disclosures,
    io_errors,
    kills,
    links,
    overload,
    personal,
    reorgs,
    replays,
    revoking,
    stuck,
    tampering,
    tracing,
)
from tests.campaigns.model import Asked, Report

BOTH, EMBEDDED, REAL = ("embedded", "real"), ("embedded",), ("real",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """`short` and `release`: rounds of each form. `columns`: where it runs, the default first."""

    about: str
    run: Callable[[Asked], Report]
    short: int
    release: int
    columns: tuple[str, ...] = EMBEDDED


CATALOGUE: Mapping[str, Listed] = {
    "B1": Listed(
        about="kill -9 of the gateway, its notary and its chain during writes",
        run=kills.kill_the_gateway,
        short=25,
        release=500,
        columns=BOTH,
    ),
    "B2": Listed(
        about="kill -9 of Kubo, chain, redis, PostgreSQL and worker, alone and in pairs, during writes",
        run=kills.kill_the_servers,
        short=1,
        release=50,
        columns=REAL,
    ),
    "B4": Listed(
        about="writes and syncs fail: each call of one write, then 2 % of all; rounds are calls, and writes",
        run=io_errors.fail,
        short=50,
        release=2000,
    ),
    "B5": Listed(
        about="reorganizations while tickets are anchored and consents granted and revoked",
        run=reorgs.reorganize,
        short=20,
        release=300,
        columns=REAL,
    ),
    "B6": Listed(
        about="a stuck chain: dropped, gapped, underpriced, known, stopped",
        run=stuck.starve,
        short=5,
        release=100,
        columns=REAL,
    ),
    "B7": Listed(
        about="a consent is revoked while 32 readers read on at three gateways, links broken or not",
        run=revoking.revoke,
        short=100,
        release=2000,
        columns=REAL,
    ),
    "B8": Listed(
        about="blocks flipped and swapped, each column edited, redis replaced; rounds are octets flipped",
        run=tampering.tamper,
        short=5_000,
        release=100_000,
    ),
    "B14": Listed(
        about="canaries told by every path and looked for in everything that is left behind; rounds are notes",
        run=personal.look,
        short=50,
        release=200,
        columns=BOTH,
    ),
    "B19": Listed(
        about="each link broken in each way while somebody reads, writes, grants or revokes",
        run=links.break_links,
        short=20,
        release=80,
        columns=REAL,
    ),
    "B13": Listed(
        about="no answer without its durable audit entry: killed, full, hung; rounds are reads",
        run=disclosures.disclose,
        short=500,
        release=10_000,
        columns=BOTH,
    ),
    "B3": Listed(
        about="each acknowledgement after its fsync, by strace", run=tracing.trace_writes, short=100, release=1000
    ),
    "B24": Listed(about="seeds run twice: plans and histories are equal", run=replays.replay, short=1, release=20),
    "B20": Listed(
        about="three times as many readers as are served best; rounds are seconds of each measurement",
        run=overload.overload,
        short=6,
        release=60,
    ),
}
