"""A node's JSON-RPC that lies on command: it asks a true node, and changes what it says.

Every lie is one that holds together: what a frozen node does not show it does not show in logs, states or headers
either, and a fork's blocks name each other. It serves HTTP on loopback from a thread of its own.
"""

import json
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from anchoring.merkle import keccak256
from tests.servers.http import post, rpc


class Lie(StrEnum):
    """What a node may do. `NONE`: it tells the truth."""

    NONE = "none"
    FREEZE = "freeze"
    """Its head stays where it is now."""
    STRANGER = "another chain"
    """Another chain id."""
    GENESIS = "another genesis"
    DROP = "drop a log"
    """Logs of the named topic are left out, and states are those of before."""
    OLD = "old states"
    """Calls are answered as of what is there now."""
    ALTER = "other receipts"
    """The data and the last topic of logs of the named topic are others."""
    FORK = "fork"
    """Blocks from the next one on are others, joined among themselves."""
    MUTE = "mute"
    """An error of HTTP to everything."""


@dataclass(slots=True)
class LyingNode:
    """`url`: where it listens. `topic`: of the logs that DROP and ALTER mean, 0x and 64 hex digits."""

    target: str
    url: str = ""
    lie: Lie = Lie.NONE
    topic: str = ""
    asked: int = 0
    _at: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, lie: Lie, *, topic: str = "") -> None:
        """From the next question on; what is there now is what FREEZE, DROP, OLD and FORK start from."""
        self._at = int(rpc(self.target, "eth_blockNumber"), 16)
        self.topic, self.lie = topic, lie

    def answer(self, body: bytes) -> bytes:
        """What is said to a JSON-RPC body, one call or a batch."""
        calls = json.loads(body)
        single = isinstance(calls, dict)
        with self._lock:
            self.asked += 1
        asked = [self._question(call) for call in ([calls] if single else calls)]
        answers = json.loads(post(self.target, body=json.dumps(asked).encode(), content_type="application/json"))
        by_id = {one["id"]: one for one in answers}
        said = [self._said(call, by_id[call["id"]]) for call in asked]
        return json.dumps(said[0] if single else said).encode()

    def _question(self, call: dict[str, Any]) -> dict[str, Any]:
        params = list(call.get("params", ()))
        if self.lie is Lie.FREEZE and call["method"] == "eth_getBlockByNumber" and params[0] == "latest":
            params[0] = hex(self._at)
        if self.lie in (Lie.FREEZE, Lie.DROP, Lie.OLD) and call["method"] == "eth_call":
            params[1] = hex(min(self._at, int(params[1], 16))) if params[1] != "latest" else hex(self._at)
        return {**call, "params": params}

    def _said(self, call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        found = answer.get("result")
        if found is None:
            return answer
        return {**answer, "result": self._lied(call["method"], call["params"], found)}

    def _lied(self, method: str, params: list[Any], found: Any) -> Any:
        match self.lie, method:
            case Lie.STRANGER, "eth_chainId":
                return hex(int(found, 16) + 1)
            case Lie.GENESIS, "eth_getBlockByNumber" if found["number"] == "0x0":
                return {**found, "hash": self._other(found["hash"])}
            case Lie.FREEZE, "eth_blockNumber":
                return hex(self._at)
            case Lie.FREEZE, "eth_getBlockByNumber" if int(found["number"], 16) > self._at:
                return None
            case ((Lie.FREEZE | Lie.DROP | Lie.ALTER | Lie.FORK), "eth_getLogs"):
                return [self._log(log) for log in found if not self._left_out(log)]
            case Lie.FORK, "eth_getBlockByNumber":
                return self._header(found)
        return found

    def _left_out(self, log: dict[str, Any]) -> bool:
        if self.lie is Lie.FREEZE:
            return int(log["blockNumber"], 16) > self._at
        return self.lie is Lie.DROP and log["topics"][0] == self.topic

    def _log(self, log: dict[str, Any]) -> dict[str, Any]:
        if self.lie is Lie.ALTER and log["topics"][0] == self.topic:
            return {**log, "topics": [*log["topics"][:-1], self._other(log["topics"][-1])]}
        if self.lie is Lie.FORK and int(log["blockNumber"], 16) > self._at:
            return {**log, "blockHash": self._other(log["blockHash"])}
        return log

    def _header(self, header: dict[str, Any]) -> dict[str, Any]:
        number = int(header["number"], 16)
        changed = dict(header)
        if number > self._at:
            changed["hash"] = self._other(header["hash"])
        if number > self._at + 1:
            changed["parentHash"] = self._other(header["parentHash"])
        return changed

    @staticmethod
    def _other(word: str) -> str:
        return "0x" + keccak256(bytes.fromhex(word[2:])).hex()


@contextmanager
def lying_node(target: str) -> Iterator[LyingNode]:
    """A node that tells the truth of the one at `target`, until it is told to lie."""
    node = LyingNode(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version: Final = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, said = 503, b"{}"
            if node.lie is not Lie.MUTE:
                try:
                    status, said = 200, node.answer(body)
                except (OSError, urllib.error.URLError):
                    status = 502
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what it says is in `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        node.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield node
        finally:
            server.shutdown()
            thread.join(5)
