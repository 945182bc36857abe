"""How shares reach a sealed gateway: over a Unix socket in its data folder, mode 0600, one share file a line.

True here: a share is on no command line, in no environment and in no log; whoever may write to the socket may read the
data folder anyway, and learns from it how many shares are missing and nothing else. Gone once the gateway is unsealed.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from gateway.adapters.shares import Share, SharesVault
from gateway.errors import CallerError, UpstreamError

NAME = "unseal.sock"
SECONDS = 10.0
_LINE_MOST = 4096


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    missing: int
    refused: str = ""


@asynccontextmanager
async def taking_shares(vault: SharesVault, folder: Path) -> AsyncIterator[asyncio.Event]:
    """Listens; the event is set once the vault is unsealed. UpstreamError where the socket cannot be made."""
    unsealed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(SECONDS):
                while line := await reader.readline():
                    writer.write(msgspec.json.encode(_take(vault, line)) + b"\n")
                    await writer.drain()
                    if not vault.missing:
                        unsealed.set()
                        break
        writer.close()

    with _address(folder) as address:
        listening = _listen(address)
    server = await asyncio.start_unix_server(talk, sock=listening, limit=_LINE_MOST)
    try:
        yield unsealed
    finally:
        server.close()
        (folder / NAME).unlink(missing_ok=True)


def give_shares(folder: Path, shares: Sequence[Share]) -> int:
    """Gives shares to the gateway of a data folder; how many it still needs. CallerError for what it refuses,
    UpstreamError where none waits."""
    missing = -1
    try:
        with _address(folder) as address, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(address)
            answers = connection.makefile("rb")
            for share in shares:
                # JSON without line breaks: one share, one line.
                connection.sendall(msgspec.json.format(share.encode(), indent=-1) + b"\n")
                answer = msgspec.json.decode(answers.readline(), type=_Answer)
                if answer.refused:
                    raise CallerError(answer.refused)
                missing = answer.missing
                if not missing:
                    break
    except (OSError, msgspec.DecodeError) as error:
        raise UpstreamError(f"no sealed gateway waits in {folder}: start `consentry serve` first") from error
    return missing


def _take(vault: SharesVault, line: bytes) -> _Answer:
    try:
        return _Answer(missing=vault.give(Share.decode(line)))
    except CallerError as error:
        return _Answer(missing=vault.missing, refused=error.message)


def _listen(address: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)  # of a gateway that was killed while it was sealed
        before = os.umask(0o177)
        try:
            listening.bind(address)
        finally:
            os.umask(before)
        listening.listen(4)
    except OSError as error:
        listening.close()
        raise UpstreamError(f"{NAME} cannot be made in the data folder") from error
    listening.setblocking(False)
    return listening


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's path through an open folder: a Unix socket's path has at most 107 octets, a folder's may be long."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
