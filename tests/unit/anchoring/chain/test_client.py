"""Whatever becomes of a connection, the client says that the chain does not answer, and nothing else."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import uvloop

from anchoring.chain.client import ChainClient
from anchoring.errors import ChainUnavailable

RESET = struct.pack("ii", 1, 0)
CALLS = 1_500


@pytest.fixture
def resetting() -> Iterator[str]:
    """A node that resets each connection as it opens."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:

        def serve() -> None:
            while True:
                try:
                    opened, _ = server.accept()
                except OSError:
                    return
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                opened.close()

        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    serving.join(5)


def test_a_connection_that_is_reset_as_it_opens_is_a_chain_that_does_not_answer(resetting: str) -> None:
    """On uvloop, as the gateway runs: of some hundred such connections one has lost its socket when anyio asks it."""

    async def ask() -> int:
        client, refused = ChainClient(resetting), 0
        for _ in range(CALLS):
            try:
                await client.chain_id()
            except ChainUnavailable:
                refused += 1
        await client.close()
        return refused

    assert uvloop.run(ask()) == CALLS
