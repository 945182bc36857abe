"""/graphql: one ASGI function from the body's octets to the answer's, with no object in between that it could do
without (a stock view costs a sixth of a read's throughput).

True here: nothing is executed before the body is bounded, of the right type and well formed, the caller is known and
within the rate; only so many requests are served at once, and each is answered in time.
Source: GraphQL over HTTP (media types and status codes, section 6.4).
"""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from gateway.errors import ConsentryError, LimitError
from gateway.identity.model import Caller
from gateway.underway import Places, aside, bounded
from gateway.web import bodies
from gateway.web.access import RETRY, check_rate, rate_key, token_of
from gateway.web.addresses import ALLOW, ALLOW_POST, check_anonymous, read_address
from gateway.web.bodies import DisconnectedError, GraphQLRequest
from gateway.web.engine import Allow, Answer, Authenticate, Engine
from gateway.web.options import WebOptions
from gateway.web.replies import (
    GRAPHQL_TYPE,
    JSON_TYPE,
    SECURITY_HEADERS,
    Exchange,
    HeaderList,
    RejectedError,
    headers_of,
    reply,
    reply_json,
)

Endpoint = Callable[[Scope, Receive, Send, Exchange], Awaitable[None]]

PROMPT_SECONDS = 0.1
"""A body that comes so soon keeps its place: given up for it, others would take it, and more be served than may be."""
BODIES_TOGETHER = 2
"""How many of the largest bodies are held at once, in octets."""
PREFLIGHT: HeaderList = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
]


def choose_media(accept: bytes | None) -> bytes | None:
    """The media type to answer with; None where the client accepts neither (406)."""
    if accept is None or not accept.strip():
        return JSON_TYPE
    if accept == b"application/json" or accept == b"*/*":
        return JSON_TYPE
    weights: dict[str, float] = {}
    for part in accept.decode("latin-1").split(",")[:32]:
        essence, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[essence] = _quality(parameters)
    modern = weights.get("application/graphql-response+json", 0.0)
    legacy = max(weights.get(name, 0.0) for name in ("application/json", "application/*", "*/*"))
    if modern > 0 and modern >= legacy:
        return GRAPHQL_TYPE
    return JSON_TYPE if legacy > 0 else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def make_graphql(*, engine: Engine, authenticate: Authenticate, allow: Allow | None, options: WebOptions) -> Endpoint:
    """The endpoint for every method of /graphql except the console's page."""
    return _GraphQL(engine, authenticate, allow, options).__call__


class _GraphQL:
    def __init__(self, engine: Engine, authenticate: Authenticate, allow: Allow | None, options: WebOptions) -> None:
        self.engine = engine
        self.authenticate = authenticate
        self.allow = allow
        self.options = options
        self.places = Places(options.most_underway)
        self.octets = bodies.Octets(BODIES_TOGETHER * options.max_body_bytes)
        self.origins = frozenset(origin.encode() for origin in options.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        headers = headers_of(scope)
        extra = _cors(headers, self.origins)
        media = choose_media(headers.get(b"accept"))
        try:
            if scope["method"] == "OPTIONS":
                await reply(send, exchange, status=204, body=b"", headers=[*SECURITY_HEADERS, *extra, *PREFLIGHT])
                return
            if scope["method"] not in ("GET", "POST"):
                raise RejectedError(405, "send operations with POST, or queries with GET", headers=ALLOW)
            if media is None:
                raise RejectedError(406, "accept application/graphql-response+json or application/json")
            answer = await self._execute(scope, receive, headers, exchange)
            if answer.needs_post:
                raise RejectedError(405, "send mutations with POST", headers=ALLOW_POST)
            failed = not answer.well_formed or (media is GRAPHQL_TYPE and not answer.executed)
            status, payload, added = (400 if failed else 200), answer.payload, extra
        except DisconnectedError:  # gone, or not heard any more because its body is none: then the server tells it
            refused = RejectedError(400, "the body ended before it was whole", headers=bodies.CLOSE)
            await reply_json(send, exchange, status=400, payload=refused.payload(), headers=refused.headers)
            exchange.status = 499
            return
        except RejectedError as refused:
            status, payload, added = refused.status, refused.payload(), [*refused.headers, *extra]
        await reply_json(send, exchange, status=status, payload=payload, headers=added, media=media or JSON_TYPE)

    async def _execute(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes], exchange: Exchange) -> Answer:
        if scope["method"] == "GET":
            check_anonymous(headers)
        else:
            bodies.check_type(headers)
            bodies.check_length(headers, ceiling=self.options.max_body_bytes)
        if self.places.full:
            # Before anything is read or asked: a refusal costs little, so that what was admitted keeps its pace.
            raise _too_many()
        try:
            with self.places.one():
                async with bounded(self.options.answer_seconds):
                    return await self._serve(scope, receive, token_of(headers), exchange)
        except TimeoutError as error:
            raise RejectedError(503, "the request took too long", code="UNAVAILABLE", headers=RETRY) from error

    async def _serve(self, scope: Scope, receive: Receive, token: str | None, exchange: Exchange) -> Answer:
        caller = await self._admit(scope, token)
        by_get = scope["method"] == "GET"
        request = read_address(scope["query_string"]) if by_get else await self._receive(receive)
        return await self.engine.execute(
            request.query,
            document_id=request.document_id,
            variables=request.variables,
            operation_name=request.operation_name,
            caller=caller,
            token=token,
            correlation_id=exchange.correlation_id,
            by_get=by_get,
        )

    async def _receive(self, receive: Receive) -> GraphQLRequest:
        with self.octets.held() as hold:
            async with aside(after=PROMPT_SECONDS):  # a slow client takes nobody's place
                body = await bodies.read_body(
                    receive, ceiling=self.options.max_body_bytes, seconds=self.options.request_seconds, hold=hold
                )
            if self.places.crowded:  # others came meanwhile
                raise _too_many()
            if len(body) <= bodies.SHORT:
                return bodies.to_request(bodies.parse_object(body))
            try:
                async with self.engine.turns.one():
                    return bodies.to_request(bodies.parse_object(body))
            except LimitError as error:
                raise _too_many() from error

    async def _admit(self, scope: Scope, token: str | None) -> Caller | None:
        """Who asks; RejectedError for one who asks too often. Before the body is read: headers are enough for it."""
        try:
            caller = await self.authenticate(token) if token is not None else None
            await check_rate(self.allow, rate_key(caller, scope))
        except ConsentryError as error:
            raise RejectedError(503, "the gateway cannot tell who asks; try again", code="UNAVAILABLE") from error
        return caller


def _too_many() -> RejectedError:
    return RejectedError(429, "too many requests at once; try again shortly", code="LIMIT", headers=RETRY)


def _cors(headers: dict[bytes, bytes], origins: frozenset[bytes]) -> HeaderList:
    """Nothing for an origin that is not listed: the browser then keeps the answer from the page."""
    if not origins:
        return []
    origin = headers.get(b"origin")
    if origin is None or origin not in origins:
        return [(b"vary", b"origin")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"x-correlation-id"),
        (b"vary", b"origin"),
    ]
