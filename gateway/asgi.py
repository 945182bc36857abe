"""The front door: routes, lifespan, one log line a request. Parts come wired; nothing is picked here.

True here: an exception that nobody expected ends in a masked answer and a log entry of type names and frames, because
the server's own report of it would print the message. A log line holds the route's name, never a path, query or body.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Protocol, TypedDict

import structlog
from starlette.types import Receive, Scope, Send

from gateway.errors import ConsentryError
from gateway.ports.bus import Bus
from gateway.ports.clock import RandomNames, SystemEntropy
from gateway.records.contents import Contents
from gateway.records.uploads import Uploads
from gateway.releases.service import Releases
from gateway.storage.service import Blocks
from gateway.trials.trail_file import TrailFiles
from gateway.web import console, content, datasets, studies, uploads
from gateway.web.content import ContentRoom
from gateway.web.crossing import crossing
from gateway.web.datasets import DatasetRoom
from gateway.web.downloads import CutShortError, DownloadDoor
from gateway.web.engine import Allow, Authenticate
from gateway.web.failures import Report
from gateway.web.graphql import Endpoint, make_graphql
from gateway.web.health import Counts, Readiness, health, make_deployment, make_ready
from gateway.web.options import WebOptions
from gateway.web.replies import Exchange, RejectedError, headers_of, reply_json
from gateway.web.studies import StudyRoom
from gateway.web.transfers import Transfers
from gateway.web.uploads import UploadDoor
from gateway.web.websocket import SocketDoor
from schema.context import (
    AggregateService,
    AuditService,
    ConsentService,
    CredentialService,
    DelegateService,
    EmergencyService,
    ErasureService,
    ExplainingService,
    FormService,
    GuardianshipService,
    HandoverService,
    IdentitiesService,
    IdentityService,
    MineService,
    RecordService,
    RecoveryService,
    RequestService,
    Services,
    SessionService,
    ShownConsentService,
)
from schema.errors import INTERNAL, report
from schema.execution import Engine
from schema.root import GatewaySchema, build_schema
from schema.study_services import (
    AllocationService,
    CapturingService,
    RecruitingService,
    StudyShowingService,
    TrialService,
)

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


class Wired(Protocol):
    """What `gateway.wiring` hands over. `start` returns when the parts can be used; `stop` when all is durable."""

    @property
    def identity(self) -> IdentityService: ...
    @property
    def sessions(self) -> SessionService: ...
    @property
    def identities(self) -> IdentitiesService: ...
    @property
    def consents(self) -> ConsentService: ...
    @property
    def shown_consents(self) -> ShownConsentService: ...
    @property
    def mine(self) -> MineService: ...
    @property
    def credentials(self) -> CredentialService: ...

    @property
    def forms(self) -> FormService: ...

    @property
    def consent_requests(self) -> RequestService: ...
    @property
    def delegates(self) -> DelegateService: ...
    @property
    def guardianships(self) -> GuardianshipService: ...
    @property
    def recoveries(self) -> RecoveryService: ...
    @property
    def handover(self) -> HandoverService: ...
    @property
    def records(self) -> RecordService: ...
    @property
    def explaining(self) -> ExplainingService: ...
    @property
    def contents(self) -> Contents: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def erasures(self) -> ErasureService: ...
    @property
    def audit(self) -> AuditService: ...
    @property
    def emergencies(self) -> EmergencyService: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def aggregates(self) -> AggregateService: ...
    @property
    def trials(self) -> TrialService: ...
    @property
    def allocations(self) -> AllocationService: ...
    @property
    def capturing(self) -> CapturingService: ...
    @property
    def study_showing(self) -> StudyShowingService: ...
    @property
    def recruiting(self) -> RecruitingService: ...
    @property
    def trail_files(self) -> TrailFiles: ...
    @property
    def blocks(self) -> Blocks: ...
    @property
    def bus(self) -> Bus | None: ...
    @property
    def options(self) -> WebOptions: ...
    @property
    def readiness(self) -> Readiness: ...
    @property
    def counts(self) -> Counts: ...
    @property
    def deployment_facts(self) -> Mapping[str, object]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class _Moving(TypedDict):
    """What every door of large content is made with."""

    authenticate: Authenticate
    still: Authenticate
    allow: Allow | None
    options: WebOptions
    transfers: Transfers
    report: Report


_NAMES = RandomNames(SystemEntropy(), size=8)


def new_correlation_id() -> str:
    """16 hex digits: enough to find one request in a log."""
    return _NAMES.next().hex()


@cache
def served_schema() -> GatewaySchema:
    """One for all doors of a process: it holds no part of a gateway, and nothing changes it once it is built."""
    return build_schema()


def create_app(wired: Wired) -> "FrontDoor":
    """The ASGI application over wired parts; builds the schema, opens nothing."""
    return FrontDoor(wired)


def _limiter(bus: Bus | None, options: WebOptions) -> Allow | None:
    rate = options.rate
    if bus is None or rate is None:
        return None

    async def allow(key: str) -> bool:
        return await bus.allow(key, rate=rate, burst=options.burst)

    return allow


class FrontDoor:
    """ASGI 3: http, websocket, lifespan."""

    def __init__(self, wired: Wired) -> None:
        options = wired.options
        services = Services(
            identity=wired.identity,
            sessions=wired.sessions,
            identities=wired.identities,
            consents=wired.consents,
            shown_consents=wired.shown_consents,
            mine=wired.mine,
            credentials=wired.credentials,
            consent_requests=wired.consent_requests,
            forms=wired.forms,
            delegates=wired.delegates,
            guardianships=wired.guardianships,
            recoveries=wired.recoveries,
            handover=wired.handover,
            records=wired.records,
            explaining=wired.explaining,
            audit=wired.audit,
            emergencies=wired.emergencies,
            erasures=wired.erasures,
            releases=wired.releases,
            aggregates=wired.aggregates,
            trials=wired.trials,
            allocations=wired.allocations,
            capturing=wired.capturing,
            study_showing=wired.study_showing,
            recruiting=wired.recruiting,
        )
        engine = Engine(
            served_schema(),
            services,
            introspection=options.introspection,
            seconds=options.answer_seconds,
            most_octets=options.max_answer_bytes,
            trusted=options.trusted_documents,
            trusted_only=options.trusted_only,
        )
        allow = _limiter(wired.bus, options)
        authenticate = wired.identity.caller
        self._wired = wired
        self._options = options
        self._graphql = make_graphql(engine=engine, authenticate=authenticate, allow=allow, options=options)
        moving = _Moving(
            authenticate=authenticate,
            still=wired.identity.still,
            allow=allow,
            options=options,
            transfers=Transfers(most=options.most_transfers, each=options.transfers_each),
            report=_told,
        )
        origins = options.cors_origins
        self._content = crossing(DownloadDoor(ContentRoom(wired.contents), **moving), origins)
        self._datasets = crossing(DownloadDoor(DatasetRoom(wired.releases, wired.blocks), **moving), origins)
        self._studies = crossing(DownloadDoor(StudyRoom(wired.trail_files), **moving), origins)
        self._uploads = crossing(UploadDoor(wired.uploads, **moving), origins)
        self._ready = make_ready(wired.readiness, wired.counts)
        self._deployment = make_deployment(wired.deployment_facts)
        self._socket = SocketDoor(
            engine=engine,
            authenticate=authenticate,
            still=wired.identity.still,
            ended=wired.identity.ended,
            allow=allow,
            options=options,
            new_id=new_correlation_id,
        )
        self._log = structlog.get_logger("access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route, endpoint = self._route(scope)
        exchange = Exchange(route=route, correlation_id=new_correlation_id())
        try:
            await endpoint(scope, receive, send, exchange)
        except RejectedError as refused:
            await reply_json(send, exchange, status=refused.status, payload=refused.payload(), headers=refused.headers)
        except CutShortError:
            pass  # a response without an end: the server breaks the connection, which says so to the client
        except Exception as error:  # noqa: BLE001 - the last place that can keep its message from the server's log
            report(error, correlation_id=exchange.correlation_id)
            if not exchange.status:
                await self._masked(send, exchange)
        if self._options.access_log:
            self._log.info(
                "request",
                route=route,
                method=scope["method"] if scope["method"] in METHODS else "OTHER",
                status=exchange.status,
                octets=exchange.octets,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                correlation_id=exchange.correlation_id,
            )

    async def _masked(self, send: Send, exchange: Exchange) -> None:
        extensions = {"code": "UNAVAILABLE", "correlationId": exchange.correlation_id}
        payload = {"errors": [{"message": INTERNAL, "extensions": extensions}]}
        await reply_json(send, exchange, status=500, payload=payload, headers=[])

    def _route(self, scope: Scope) -> tuple[str, Endpoint]:
        path: str = scope["path"]
        if path == "/graphql":
            if self._options.console and console.wants_page(scope, headers_of(scope)):
                return "console", _page
            return "graphql", self._graphql
        if path == uploads.COLLECTION or path.startswith(uploads.PREFIX):
            return "uploads", self._uploads
        if path.startswith(content.PREFIX):
            return "content", self._content
        if path.startswith(datasets.PREFIX):
            return "datasets", self._datasets
        if path.startswith(studies.PREFIX):
            return "studies", self._studies
        if path == "/health":
            return "health", health
        if path == "/ready":
            return "ready", self._ready
        if path == "/.well-known/consentry":
            return "deployment", self._deployment
        if self._options.console and path.startswith("/console/"):
            return "console", _asset
        return "other", _nothing

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/graphql":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "there is nothing here"})
            return
        started = time.perf_counter()
        try:
            await self._socket(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last place that can keep its message from the server's log
            report(error, correlation_id="socket")
        if self._options.access_log:
            self._log.info("socket", milliseconds=round((time.perf_counter() - started) * 1000, 1))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._step(self._wired.start, "startup", send)
            elif message["type"] == "lifespan.shutdown":
                await self._step(self._wired.stop, "shutdown", send)
                return

    async def _step(self, step: Callable[[], Awaitable[None]], name: str, send: Send) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - the server must be told, and its log must not print the message
            report(error, correlation_id=name)
            message = error.message if isinstance(error, ConsentryError) else type(error).__name__
            await send({"type": f"lifespan.{name}.failed", "message": message})
            return
        await send({"type": f"lifespan.{name}.complete"})


def _told(error: BaseException, correlation_id: str) -> None:
    report(error, correlation_id=correlation_id)


async def _page(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
    await console.page(scope, send, exchange)


async def _asset(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
    await console.asset(scope, send, exchange)


async def _nothing(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
    raise RejectedError(404, "there is nothing here")
