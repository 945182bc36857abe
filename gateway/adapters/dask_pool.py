"""Work on a Dask cluster: the only module that knows Dask. Workers and scheduler have this gateway's very version.

True here: scheduler, workers and this client feed each other pickles, so whoever can speak to one of them runs code in
all, and tasks, with their keys, pass through the scheduler's memory. Hence either every address of the cluster is of
TLS, with certificates of one CA on both sides (which prove membership, not a host's name: that CA signs for nothing
else), or every address is of this machine's loopback, whose other users are then trusted. Names of tasks are random.
What may keep results on a disk is refused: when the pool opens, and again by each task for the worker that it is on.
The client's own log lines are dropped: errors say what is to be done.
Not done here: tries after a death (the scheduler's, `allowed-failures`), a bound of time. Nothing stops a task that is
given up: it goes on to its end, and its worker is late for the next.

The scheduler, and workers that take one task at a time, so that a task that kills its worker takes no other along:
  dask scheduler --protocol tls --dashboard-address 127.0.0.1:0 --tls-ca-file … --tls-cert … --tls-key …
  ulimit -c 0; DASK_DISTRIBUTED__WORKER__MEMORY__TARGET=False DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=False \\
  dask worker tls://HOST:8786 --nthreads 1 --dashboard-address 127.0.0.1:0 --tls-ca-file … --tls-cert … --tls-key …

Source: https://distributed.dask.org (TLS, Worker Memory Management, Client), of distributed 2026.8.
"""

import asyncio
import contextlib
import ipaddress
import logging
import resource
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from distributed import Client, Security, Worker, get_worker
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from gateway.errors import SettingsError, UpstreamError
from gateway.ports.workers import Work, outcome_of, result_of

OPEN_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 60.0
"""How long a task waits while the cluster has no worker at all: longer than one takes to be started again."""
_TICK: Final = 2.0
"""As often as the client asks the scheduler how many there are."""
_LOGGERS: Final = ("distributed", "distributed.client", "distributed.gc")
_ON_DISK: Final = (
    "may write results to its disk: start it with DASK_DISTRIBUTED__WORKER__MEMORY__TARGET=False and"
    " DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=False"
)
_CLOSED: Final = "the workers are closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files: the cluster's own CA, this gateway's certificate by it, and the key of that."""

    ca: Path
    certificate: Path
    key: Path


class DaskPool:
    """Implements `gateway.ports.workers.Workers`. Opens at the first task where `open` has not told before what is
    wrong, and again after a scheduler was lost."""

    def __init__(
        self, url: str, *, work: Work, certificates: Certificates | None = None,
        patience: float = PATIENCE_SECONDS, open_seconds: float = OPEN_SECONDS,
    ) -> None:  # fmt: skip
        """`url`: tls://HOST:PORT with certificates, or tcp://127.0.0.1:PORT. SettingsError."""
        self._url = _checked(url, certificates)
        self._security = _security(certificates)
        self._work = work
        self._patience = patience
        self._open_seconds = open_seconds
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """SettingsError where the cluster is not as it must be, UpstreamError where it does not answer."""
        await self._running()

    @property
    def size(self) -> int:
        """Threads of all workers, as of some seconds ago; 1 while there are none."""
        known = {} if self._client is None else self._client.scheduler_info()
        return max(1, int(known.get("total_threads", 0)))

    async def run(self, task: bytes) -> bytes:
        client = await self._running()
        name = f"consentry-{secrets.token_hex(16)}"
        future = client.submit(_outcome_there, self._work, self._url, task, key=name, pure=False, retries=0)
        try:
            outcome = await self._outcome(client, future)
        finally:
            future.release()
        return result_of(outcome)

    async def close(self) -> None:
        """The workers stay; they drop what was under way."""
        self._closed = True
        async with self._opening:
            await self._drop()

    async def _running(self) -> Any:
        async with self._opening:
            if self._closed:
                raise UpstreamError(_CLOSED)
            if self._client is not None and self._client.status != "running":
                await self._drop()
            if self._client is None:
                self._client = await self._opened()
            return self._client

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                await client.close()

    async def _opened(self) -> Any:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        make: Any = Client  # it has no types of its own
        client = make(
            self._url,
            asynchronous=True,
            security=self._security,
            set_as_default=False,
            direct_to_workers=False,
            timeout=self._open_seconds,
        )
        try:
            async with asyncio.timeout(2 * self._open_seconds):
                await client
                await self._examine(client)
        except BaseException as error:
            await client.close()
            if not isinstance(error, OSError | ImportError):
                raise
            raise UpstreamError(
                f"the Dask scheduler does not answer at {self._url}: start it (dask scheduler), of the versions that"
                " this gateway has and, with tls, with a certificate by the same CA"
            ) from error
        return client

    async def _examine(self, client: Any) -> None:
        found = await client.scheduler.identity(n_workers=-1)
        workers = found["workers"]
        _refuse_open(self._url, (found["address"], *workers, *(one["nanny"] for one in workers.values())))
        for address, answer in (await client.run(_may_spill, on_error="return")).items():
            if answer is True:
                raise SettingsError(f"the Dask worker {address} {_ON_DISK}")
            # One that went away meanwhile is no reason; it is asked again with each task.
            if answer is not False and not isinstance(answer, OSError):
                raise UpstreamError(
                    f"the Dask worker {address} does not run this gateway's code ({type(answer).__name__}): start it"
                    " where this version is installed"
                ) from answer

    async def _outcome(self, client: Any, future: Any) -> bytes:
        fetching = asyncio.ensure_future(self._fetched(future))
        absent = 0.0
        try:
            while not (await asyncio.wait((fetching,), timeout=_TICK))[0]:
                absent = 0.0 if client.scheduler_info().get("n_workers", 0) else absent + _TICK
                if absent > self._patience:
                    raise UpstreamError("the Dask cluster has no worker: start one (dask worker)")
            return fetching.result()
        finally:
            fetching.cancel()

    async def _fetched(self, future: Any) -> bytes:
        try:
            return bytes(await future)
        except FutureCancelledError as error:
            reason = _CLOSED if self._closed else "the Dask scheduler is gone, and the task with it"
            raise UpstreamError(reason) from error
        except KilledWorker as error:
            tries = error.allowed_failures + 1
            raise UpstreamError(f"a task was given to {tries} workers, and each died: have they memory?") from error
        except Exception as error:
            raise UpstreamError(f"the Dask cluster cannot run a task: {type(error).__name__}") from error


def _outcome_there(work: Work, url: str, task: bytes) -> bytes:
    """On the worker. All that is raised is in the outcome: Dask's own account of a failure would quote the task."""
    return outcome_of(partial(_guarded, work, url), task)


def _guarded(work: Work, url: str, task: bytes) -> bytes:
    worker: Any = get_worker()
    _refuse_open(url, (worker.address, worker.nanny))
    if _may_spill(worker):
        raise SettingsError(f"a Dask worker {_ON_DISK}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return work(task)


def _may_spill(dask_worker: Worker) -> bool:
    """On the worker: whether it keeps results in anything but plain memory. Dask gives it by this parameter's name."""
    return type(dask_worker.data) is not dict


def _checked(url: str, certificates: Certificates | None) -> str:
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}" == url and "@" not in url
    if not bare or parts.scheme not in ("tls", "tcp") or not parts.netloc.rpartition(":")[2].isdecimal():
        raise SettingsError("the Dask scheduler's address must be tls://HOST:PORT")
    if parts.scheme == "tls" and certificates is None:
        raise SettingsError("a Dask scheduler by tls:// needs the files of a CA, a certificate and its key")
    if parts.scheme == "tcp" and certificates is not None:
        raise SettingsError("the certificates for the Dask scheduler have no use with tcp://: name it by tls://")
    _refuse_open(url, (url,))
    return url


def _refuse_open(url: str, addresses: Iterable[str | None]) -> None:
    """SettingsError for an address of the cluster that others could speak to."""
    with_tls = urlsplit(url).scheme == "tls"
    for address in filter(None, addresses):
        parts = urlsplit(address)
        if parts.scheme != "tls" and (with_tls or not _is_loopback(parts.hostname or "")):
            raise SettingsError(
                f"the Dask cluster's {address} takes code from anybody: use tls:// with certificates for scheduler and"
                " workers (--protocol tls), or 127.0.0.1 for all of them (--host)"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _security(certificates: Certificates | None) -> Any:
    make: Any = Security  # as Client
    files = {}
    if certificates is not None:
        ca, certificate, key = map(str, (certificates.ca, certificates.certificate, certificates.key))
        files = {"tls_ca_file": ca, "tls_client_cert": certificate, "tls_client_key": key}
    made = make(require_encryption=certificates is not None, **files)
    try:
        made.get_connection_args("client")  # reads the files
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError("the certificates for the Dask scheduler cannot be read") from error
    return made
