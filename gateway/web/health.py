"""GET /health: this process answers. GET /ready: each part that it needs does, named by part and kind of error only."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Receive, Scope, Send

from gateway.web.graphql import Endpoint
from gateway.web.replies import Exchange, RejectedError, reply_json

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Part -> "ok" or a kind of error ("UNAVAILABLE", "STALE"); never a host, path or message."""

Counts = Callable[[], Awaitable[Mapping[str, int]]]
"""What waits for somebody, as bare numbers; they make nobody unready."""


async def health(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
    _only_get(scope)
    await reply_json(send, exchange, status=200, payload={"status": "ok"}, headers=[])


def make_ready(readiness: Readiness, counts: Counts) -> Endpoint:
    async def ready(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        _only_get(scope)
        parts = dict(await readiness())
        good = all(state == "ok" for state in parts.values())
        payload = {"status": "ok" if good else "not ready", "parts": parts, "counts": dict(await counts())}
        await reply_json(send, exchange, status=200 if good else 503, payload=payload, headers=[])

    return ready


def make_deployment(facts: Mapping[str, object]) -> Endpoint:
    """GET /.well-known/consentry: chain id, contracts, gateway id, and the embedded chain's RPC. Nothing here must be
    believed: a verifier takes its own RPC endpoint and compares."""

    async def deployment(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        _only_get(scope)
        await reply_json(send, exchange, status=200, payload=dict(facts), headers=[])

    return deployment


def _only_get(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise RejectedError(405, "send GET", headers=[(b"allow", b"GET")])
