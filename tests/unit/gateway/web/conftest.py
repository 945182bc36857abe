"""The whole front door over the in-memory world, spoken to as an ASGI server speaks."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace

import httpx
import pytest

from gateway.asgi import FrontDoor, create_app
from gateway.ports.bus import Bus
from gateway.web.options import WebOptions
from tests.unit.schema.aggregates import Aggregates
from tests.unit.schema.asking import Forms, Requests
from tests.unit.schema.controls import Controls
from tests.unit.schema.datasets import Datasets
from tests.unit.schema.emergencies import Emergencies
from tests.unit.schema.linking import Linking
from tests.unit.schema.mine import Own
from tests.unit.schema.outlooks import Outlooks
from tests.unit.schema.services import World
from tests.unit.schema.signins import SignedIn


@dataclass
class Parts:
    """What wiring would hand over."""

    world: World = field(default_factory=World)
    options: WebOptions = field(default_factory=lambda: WebOptions(rate=None))
    bus: Bus | None = None
    states: dict[str, str] = field(default_factory=lambda: {"chain": "ok", "index": "ok"})
    steps: list[str] = field(default_factory=list)
    fails: BaseException | None = None

    @property
    def identity(self) -> World:
        return self.world

    @property
    def sessions(self) -> SignedIn:
        return self.world.signed_in

    @property
    def identities(self) -> Linking:
        return self.world.linking

    consents = shown_consents = credentials = delegates = records = contents = uploads = audit = erasures = blocks = (
        identity
    )
    trials = allocations = capturing = study_showing = recruiting = trail_files = identity

    @property
    def mine(self) -> Own:
        return self.world.own

    @property
    def guardianships(self) -> Controls:
        return self.world.controls

    recoveries = handover = guardianships

    @property
    def explaining(self) -> Outlooks:
        return self.world.outlooks

    @property
    def deployment_facts(self) -> Mapping[str, object]:
        return {"chainId": 31337}

    @property
    def forms(self) -> Forms:
        return self.world.forms

    @property
    def consent_requests(self) -> Requests:
        return self.world.consent_requests

    @property
    def releases(self) -> Datasets:
        return self.world.releases

    @property
    def aggregates(self) -> Aggregates:
        return self.world.aggregates

    @property
    def emergencies(self) -> Emergencies:
        return self.world.emergencies

    async def counts(self) -> Mapping[str, int]:
        return {"emergenciesOverdue": 0}

    async def readiness(self) -> Mapping[str, str]:
        return self.states

    async def start(self) -> None:
        self.steps.append("start")
        if self.fails is not None:
            raise self.fails

    async def stop(self) -> None:
        self.steps.append("stop")


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def build(parts: Parts) -> Callable[..., FrontDoor]:
    def run(**options: object) -> FrontDoor:
        parts.options = replace(parts.options, **options)  # type: ignore[arg-type]
        return create_app(parts)

    return run


@pytest.fixture
async def client(build: Callable[..., FrontDoor]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build()), base_url="http://gateway") as made:
        yield made
