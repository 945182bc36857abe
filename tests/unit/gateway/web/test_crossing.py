"""Pages of other origins: the listed are answered, refusals too; the others see nothing of ours added."""

from typing import Any

import pytest

from gateway.web.crossing import crossing
from gateway.web.replies import Exchange, RejectedError, reply

PAGE = "https://clinic.example"


async def asked(
    method: str, origin: str | None, *, refuses: bool = False, **more: str
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[dict[str, Any]] = []
    reached: list[str] = []

    async def endpoint(scope: Any, receive: Any, send: Any, exchange: Exchange) -> None:
        reached.append(scope["method"])
        if refuses:
            raise RejectedError(401, "sign in first", code="UNAUTHENTICATED")
        await reply(send, exchange, status=200, body=b"x", headers=[])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    named = {**({} if origin is None else {"origin": origin}), **more}
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
    door = crossing(endpoint, (PAGE,))
    await door({"method": method, "headers": headers}, receive, send, Exchange(route="x", correlation_id="0"))
    return sent[0]["status"], dict(sent[0]["headers"])


async def test_a_listed_page_may_send_what_an_upload_needs() -> None:
    status, headers = await asked("OPTIONS", PAGE, access_control_request_method="PATCH")
    assert (status, headers[b"access-control-allow-origin"]) == (204, PAGE.encode())
    assert b"upload-offset" in headers[b"access-control-allow-headers"]
    assert b"PATCH" in headers[b"access-control-allow-methods"]


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_listed_page_sees_answers_and_refusals(refuses: bool) -> None:
    status, headers = await asked("HEAD", PAGE, refuses=refuses)
    assert (status, headers[b"access-control-allow-origin"]) == (401 if refuses else 200, PAGE.encode())
    assert b"upload-offset" in headers[b"access-control-expose-headers"]


@pytest.mark.parametrize("origin", [None, "https://evil.example", PAGE + ".evil.example", "null"])
async def test_nothing_is_said_to_other_pages(origin: str | None) -> None:
    for method in ("GET", "OPTIONS"):
        _, headers = await asked(method, origin, access_control_request_method="PATCH")
        assert b"access-control-allow-origin" not in headers
