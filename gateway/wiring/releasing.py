"""Releases, put together: what gathers and builds them, its course, and the service before it."""

from gateway.adapters import noise
from gateway.adapters.local_pool import LocalPool
from gateway.adapters.tabular import Files
from gateway.audit.service import Audit
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.emergency.grounds import Grounds
from gateway.errors import SettingsError
from gateway.identity.service import Identity
from gateway.ports.anchors import Anchors
from gateway.ports.chain import BudgetLedgers, Chain
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.sealing import SealingKeys
from gateway.ports.workers import Workers
from gateway.records.opening import Opening
from gateway.releases.aggregate import MILLION
from gateway.releases.aggregates import Aggregates
from gateway.releases.budgets import BudgetLimits, Budgets
from gateway.releases.course import Course
from gateway.releases.gathering import Gathering
from gateway.releases.keeping import Papers
from gateway.releases.membership import Membership
from gateway.releases.service import Releases
from gateway.releases.working import work
from gateway.settings import Settings
from gateway.storage.service import Blocks


def make_releases(
    settings: Settings,
    *,
    identity: Identity,
    standings: Standings,
    grounds: Grounds,
    audit: Audit,
    index: Index,
    documents: Documents,
    opening: Opening,
    blocks: Blocks,
    ring: KeyRing,
    keys: SealingKeys,
    anchors: Anchors,
    clock: Clock,
    entropy: Entropy,
    workers: Workers,
    builder: bytes,
    chain: Chain,
    ledgers: BudgetLedgers,
) -> tuple[Course, Releases, Aggregates]:
    kept = Papers(documents=documents, index=index, anchors=anchors, keys=keys, domain=standings.domain)
    gathering = Gathering(
        standings=standings,
        grounds=grounds,
        audit=audit,
        index=index,
        opening=opening,
        workers=workers,
        clock=clock,
    )
    course = Course(
        identity=identity,
        audit=audit,
        index=index,
        blocks=blocks,
        keys=ring,
        kept=kept,
        gathering=gathering,
        membership=Membership(standings=standings, index=index, gathering=gathering),
        files=Files(),
        clock=clock,
        entropy=entropy,
        builder=builder,
    )
    releases = Releases(
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        ring=ring,
        keys=keys,
        kept=kept,
        course=course,
        clock=clock,
        entropy=entropy,
    )
    budgets = Budgets(
        index=index,
        chain=chain,
        ledgers=ledgers,
        keys=keys,
        limits=BudgetLimits(
            population=round(settings.budget_population * MILLION),
            dataset=round(settings.budget_dataset * MILLION),
            group=round(settings.budget_group * MILLION),
        ),
    )
    aggregates = Aggregates(
        identity=identity,
        audit=audit,
        index=index,
        keys=keys,
        gathering=gathering,
        budgets=budgets,
        noise=noise,
        clock=clock,
    )
    return course, releases, aggregates


def make_workers(settings: Settings) -> Workers:
    """Processes of this machine, or a Dask cluster, which is asked at the first task. SettingsError."""
    if not settings.dask_url:
        return LocalPool(settings.dataset_workers, work=work)
    from gateway.adapters.dask_pool import Certificates, DaskPool

    named = (settings.dask_ca, settings.dask_certificate, settings.dask_key)
    ca, certificate, key = named
    if ca is not None and certificate is not None and key is not None:
        return DaskPool(
            settings.dask_url, work=work, certificates=Certificates(ca=ca, certificate=certificate, key=key)
        )
    if any(named):
        raise SettingsError("CONSENTRY_DASK_CA, CONSENTRY_DASK_CERTIFICATE and CONSENTRY_DASK_KEY go together")
    return DaskPool(settings.dask_url, work=work)
