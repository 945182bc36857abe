"""The HTTP below ipfshttpclient, with bounds that it lacks: a deadline for a whole call, a ceiling on each answer.

One call at a time runs in a thread, under the `Budget` that the thread set. Every receive is cut at the deadline, so
neither slow headers nor a slow body outlive it; every answer is cut at its ceiling, whatever length it declares. No
redirect is followed, no proxy of the environment is used, nothing is unpacked.
"""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gateway.errors import IntegrityError, UpstreamError

CONNECT_SECONDS: Final = 2.0
ERROR_SIZE_MAX: Final = 64 << 10
_PIECE_SIZE: Final = 64 << 10


class Budget(threading.local):
    """What the call that runs in this thread may still use: time, octets of answer, octets of one line of it."""

    until: float = 0.0
    size: int = 0
    line: int = 0

    def set(self, *, seconds: float, size: int, line: int) -> None:
        self.until = time.monotonic() + seconds
        self.size = size
        self.line = line

    def seconds_left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return left


class BoundedSession(requests.Session):
    """A requests session that keeps to a budget."""

    def __init__(self, budget: Budget, *, connections: int) -> None:
        super().__init__()
        self._budget = budget
        self.trust_env = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        adapter.poolmanager.pool_classes_by_scheme = {"http": _pool_class(budget)}
        self.adapters.clear()
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: object) -> requests.Response:
        kwargs.update(allow_redirects=False, stream=True)
        response = super().send(request, **kwargs)  # type: ignore[arg-type]  # the keywords are requests' own
        if 300 <= response.status_code < 400:
            response.close()
            raise UpstreamError("the IPFS node answered with a redirect")
        limit = self._budget.size if response.ok else min(self._budget.size, ERROR_SIZE_MAX)
        pieces = _bounded(response, limit, self._budget.line)
        # ipfshttpclient reads every answer, errors included, through this method.
        response.iter_content = lambda *_, **__: pieces  # type: ignore[method-assign]
        return response


def _bounded(response: requests.Response, limit: int, line_limit: int) -> Iterator[bytes]:
    """The body in small pieces. IntegrityError past the limit, or when one line grows past its own."""
    seen = line = 0
    for piece in response.raw.stream(_PIECE_SIZE, decode_content=False):
        seen += len(piece)
        newline = piece.rfind(b"\n")
        line = line + len(piece) if newline < 0 else len(piece) - newline - 1
        if seen > limit or line > line_limit:
            response.close()
            raise IntegrityError("the IPFS node's answer is longer than it may be")
        yield piece


def _pool_class(budget: Budget) -> type[urllib3.HTTPConnectionPool]:
    class BudgetSocket(socket.socket):
        """Waits, to receive or to send, only as long as the thread's budget lasts."""

        def recv_into(self, *args: object, **kwargs: object) -> int:
            self.settimeout(budget.seconds_left())
            return super().recv_into(*args, **kwargs)  # type: ignore[arg-type]  # socket's own arguments

        def sendall(self, *args: object, **kwargs: object) -> None:
            self.settimeout(budget.seconds_left())
            super().sendall(*args, **kwargs)  # type: ignore[arg-type]  # socket's own arguments

    class BudgetConnection(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return BudgetSocket(fileno=super()._new_conn().detach())

    class BudgetPool(urllib3.HTTPConnectionPool):
        ConnectionCls = BudgetConnection

    return BudgetPool
