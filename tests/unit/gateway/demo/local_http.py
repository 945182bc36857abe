"""A loopback HTTP server that answers POST bodies and paths by functions: what a client meets is a real socket."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway import jsontext

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, JSON."""


def _nothing(value: Any) -> Reply:
    return 404, {}, {}


@contextlib.contextmanager
def serving(
    answer: Callable[[dict[str, Any]], Reply] = _nothing, *, files: Callable[[str], Reply] = _nothing
) -> Iterator[str]:
    """The base URL while it serves. `files`: of a path; what is octets there goes out as they are."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = jsontext.loads(self.rfile.read(int(self.headers["content-length"])))
            assert isinstance(body, dict)
            self._reply(*answer(body))

        def do_GET(self) -> None:
            self._reply(*files(self.path))

        def _reply(self, status: int, headers: dict[str, str], value: Any) -> None:
            written = value if isinstance(value, bytes) else jsontext.dumps(value)
            self.send_response(status)
            for name, text in {**headers, "content-length": str(len(written))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
