"""Erasure, put together: its course, the service before it, and the places that its certificates name."""

from gateway.audit.service import Audit
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.erasure.course import Course
from gateway.erasure.model import Places
from gateway.erasure.service import Erasures
from gateway.identity.service import Identity
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.wiring.chain import ChainPort


def make_erasures(
    settings: Settings,
    *,
    identity: Identity,
    standings: Standings,
    audit: Audit,
    index: Index,
    chain: ChainPort,
    keys: KeyRing,
    blocks: Blocks,
    bus: Bus,
    clock: Clock,
) -> tuple[Course, Erasures]:
    course = Course(
        identity=identity,
        standings=standings,
        index=index,
        chain=chain,
        calls=chain,
        keys=keys,
        blocks=blocks,
        bus=bus,
        clock=clock,
        places=_places(settings),
    )
    erasures = Erasures(
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        chain=chain,
        calls=chain,
        bus=bus,
        clock=clock,
        course=course,
    )
    return course, erasures


def _places(settings: Settings) -> Places:
    in_shares = (settings.data_dir / "root.split").exists()
    return Places(
        key_store="postgresql" if settings.keys_url.startswith("postgresql") else "sqlite",
        vault="openbao" if settings.vault == "openbao" else "shares" if in_shares else "key file",
        blocks="kubo" if settings.ipfs_url else "packs",
        index="postgresql" if settings.index_url.startswith("postgresql") else "sqlite",
        cache="each replica's process" if settings.redis_url else "this process",
        backup_seconds=settings.key_backup_days * 86_400,
    )
