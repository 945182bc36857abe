"""The door of a gateway whose root is still in shares: it lives, is not ready, says why, and serves nothing."""

from starlette.types import Receive, Scope, Send

from gateway.web.health import health
from gateway.web.replies import Exchange, RejectedError, reply_json

SEALED = {"status": "not ready", "parts": {"keys": "SEALED"}}


async def sealed_door(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI 3: http, websocket, lifespan."""
    match scope["type"]:
        case "http":
            await _http(scope, receive, send)
        case "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "sealed"})
        case "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    exchange = Exchange(route="sealed", correlation_id="")
    try:
        if scope["path"] == "/health":
            await health(scope, receive, send, exchange)
        elif scope["path"] == "/ready":
            await reply_json(send, exchange, status=503, payload=SEALED, headers=[])
        else:
            raise RejectedError(503, "the key vault is sealed", code="UNAVAILABLE")
    except RejectedError as refused:
        await reply_json(send, exchange, status=refused.status, payload=refused.payload(), headers=refused.headers)
