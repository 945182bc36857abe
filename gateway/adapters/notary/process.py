"""The child's loop: take what lies in the socket, write it as one group, answer. It ends when the socket does.

It opens the key itself. It writes no log: what fails is answered; what must not happen ends it, by its kind alone.
"""

import contextlib
import ctypes
import resource
import secrets
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType

from gateway.adapters.notary.keyfile import open_private
from gateway.adapters.notary.store import FencedError, Store, StoreError
from gateway.adapters.notary.wire import (
    Buffer,
    Refused,
    Request,
    Start,
    Started,
    decode_requests,
    decode_start,
    frame,
)
from gateway.adapters.notary.writer import Writer
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.urls import sqlite_path
from gateway.errors import SettingsError

_GROUP = 256
"""Appends in one transaction, at most."""
_PR_SET_DUMPABLE = 4


def main(descriptor: int) -> None:
    """Serves the parent at the other end of `descriptor`."""
    sys.excepthook = _terse
    _keep_to_itself()
    with contextlib.suppress(ConnectionError), socket.socket(fileno=descriptor) as sock:
        _serve(_Inbox(sock), sock)


def _serve(inbox: "_Inbox", sock: socket.socket) -> None:
    first = inbox.first()
    if first is None:
        return
    start = decode_start(first)
    try:
        private = open_private(Path(start.key_path), Passphrase(Path(start.passphrase_path)))
        writer_id = secrets.token_bytes(32)
        store = _store(start)
        previous = store.claim(start.instance, writer_id, now=int(time.time()), patience=start.patience)
    except (StoreError, SettingsError) as error:
        sock.sendall(frame(Refused(message=str(error), setting=isinstance(error, SettingsError))))
        return
    writer = Writer(store, writer=writer_id, previous=previous, audit_log=start.audit_log, sign=private.sign)
    sock.sendall(frame(Started(writer=writer_id, public=private.public_key().public_bytes_raw())))
    with contextlib.closing(store), contextlib.suppress(FencedError):
        while group := inbox.group():
            sock.sendall(frame(writer.write(group)))


def _store(start: Start) -> Store:
    path = sqlite_path(start.url)
    if path is not None:
        from gateway.adapters.notary.sqlite import SqliteStore  # the other database's driver stays unloaded

        return SqliteStore(path)
    from gateway.adapters.notary.postgres import PostgresStore

    return PostgresStore(start.url)


class _Inbox:
    """Requests as the parent sent them, in order."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = Buffer()
        self._pending: deque[Request] = deque()

    def first(self) -> bytes | None:
        """The first frame; None when the parent is gone."""
        whole = None
        while whole is None and self._receive(0):
            whole = self._buffer.take()
        return whole

    def group(self) -> list[Request]:
        """Waits for a request, then takes what is there already, at most `_GROUP`. Empty: the parent is gone."""
        alive = True
        while alive and not self._pending:
            alive = self._receive(0)
            self._unpack()
        while alive and 0 < len(self._pending) < _GROUP and self._receive(socket.MSG_DONTWAIT):
            self._unpack()
        return [self._pending.popleft() for _ in range(min(_GROUP, len(self._pending)))]

    def _unpack(self) -> None:
        while (whole := self._buffer.take()) is not None:
            self._pending.extend(decode_requests(whole))

    def _receive(self, flags: int) -> bool:
        """False: nothing there now, or the end."""
        try:
            octets = self._sock.recv(1 << 20, flags)
        except BlockingIOError:
            return False
        self._buffer.feed(octets)
        return bool(octets)


def _keep_to_itself() -> None:
    """No core dump and no debugger sees the key; signals of terminal and service are for the parent to act on."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _terse(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    """The kind and the places, for messages of drivers may quote values."""
    places = []
    while trace is not None:
        places.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    sys.stderr.write(f"notary ended: {kind.__name__} at {' '.join(places)}\n")
