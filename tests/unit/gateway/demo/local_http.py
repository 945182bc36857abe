"""A loopback HTTP server that answers POST bodies by a function: what a client meets is a real socket."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway import jsontext

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, JSON."""


@contextlib.contextmanager
def serving(answer: Callable[[dict[str, Any]], Reply]) -> Iterator[str]:
    """The base URL while it serves."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = jsontext.loads(self.rfile.read(int(self.headers["content-length"])))
            assert isinstance(body, dict)
            status, headers, value = answer(body)
            written = jsontext.dumps(value)
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
