"""The few HTTP calls the server modules need themselves, on loopback and past any proxy setting.

Not the project's client of anything: tests of the project's adapters use those adapters.
"""

import itertools
import json
import urllib.request
from typing import Any

_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_OCTETS = "application/octet-stream"
_CALL_IDS = itertools.count(1)


class RpcRefused(Exception):
    """A JSON-RPC server answered with an error object; the message is that object's text."""


def post(url: str, *, body: bytes = b"", content_type: str = _OCTETS, timeout: float = 10.0) -> bytes:
    """POST `body` and return the answer's bytes. Raises OSError (`urllib.error.HTTPError` too) on failure."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type}, method="POST")
    with _LOOPBACK.open(request, timeout=timeout) as answer:
        received: bytes = answer.read()
        return received


def post_file(url: str, content: bytes, *, field: str = "data", timeout: float = 10.0) -> bytes:
    """POST `content` as the one part of a multipart form (RFC 7578), as Kubo's RPC takes files."""
    boundary = "consentry-test-part"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{field}"\r\n'
    head += f"Content-Type: {_OCTETS}\r\n\r\n"
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return post(url, body=body, content_type=f"multipart/form-data; boundary={boundary}", timeout=timeout)


def rpc(url: str, method: str, *params: object, timeout: float = 10.0) -> Any:
    """Call an Ethereum JSON-RPC method and return its `result`. Raises `RpcRefused` or OSError."""
    call = {"jsonrpc": "2.0", "id": next(_CALL_IDS), "method": method, "params": list(params)}
    answer = json.loads(post(url, body=json.dumps(call).encode(), content_type="application/json", timeout=timeout))
    if "error" in answer:
        raise RpcRefused(f"{method}: {answer['error']}")
    return answer["result"]
