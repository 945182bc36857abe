"""What the commands run: a server that drains, a worker, a deployment, and moving blocks.

One process, one event loop: granian's embedded server answers HTTP on the loop that the gateway's parts run on.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from anchoring.chain.client import ChainClient
from gateway.adapters.notary import keyfile as receipt_keyfile
from gateway.asgi import create_app
from gateway.errors import SettingsError, UpstreamError
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.web.loglines import LogLines, to_json
from gateway.web.sealed import sealed_door
from gateway.web.signing import SigningPage
from gateway.wiring import chain as chain_wiring
from gateway.wiring.gateway import Gateway
from gateway.wiring.opening import open_gateway
from gateway.wiring.parts import block_store
from gateway.wiring.processes import keep_to_itself, share_heaps
from gateway.wiring.secrets import address_of, secrets_of
from gateway.wiring.worker import open_worker

Say = Callable[[str], None]
T = TypeVar("T")
DRAIN_SECONDS = 10.0
START_SECONDS = 240.0
RECURSION = 1000
"""Calls inside each other, the interpreter's own default: py_ecc, which eth-account imports, lifts it to more than the
stack holds, and then nested input ends the process instead of being refused."""
COLLECT = (50_000, 5, 10)
"""The collector's thresholds. A request leaves some hundred objects and few cycles; at the interpreter's own 700 the
collector walked the requests under way again and again: 31 % of the loop's time with 32 of them. The second and third
are low because a parsed document is a cycle, and one that outlived a turn of the first waits for a turn of theirs."""
FUNDS = 100 * 10**18
"""Wei given to each of the gateway's accounts on a development chain."""


def configure_logging(level: str) -> None:
    """JSON lines on stderr. What may stand in them is decided where they are written: ids and kinds, never data."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=LogLines(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in ("httpx", "httpcore", "web3", "urllib3", "strawberry.execution", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)


async def run_server(settings: Settings, *, announce: Say) -> None:
    """Serves until SIGINT or SIGTERM; then takes no new requests, lets those under way finish, and closes the parts."""
    configure_logging(settings.log_level)
    sys.setrecursionlimit(RECURSION)
    share_heaps()
    keep_to_itself()
    stopping = _told_to_stop()
    settings = settings.model_copy(update={"port": _free_port(settings.host, settings.port)})
    gateway = await _opened(
        open_gateway(settings, waiting=lambda missing: _sealed(settings, missing, announce)), stopping
    )
    if gateway is None:
        announce("Stopped before it was open.")
        return
    try:
        page = _signing_page(settings)
        server = _listening(create_app(gateway), settings)
        serving = asyncio.create_task(server.serve())
        await _until_listening(settings, serving)
        _greet(gateway, announce)
        # What lives as long as the process is kept out of the collector's way (p99 32 -> 18 ms in the prototype).
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        announce("Stopping: letting requests under way finish.")
        await _drained(server, serving)
        if page is not None:
            await _drained(*page)
    finally:
        await gateway.close()
    _say_last(announce)


def _say_last(announce: Say) -> None:
    """After every line of the log: some are held for a moment."""
    lines = structlog.get_config()["logger_factory"]
    if isinstance(lines, LogLines):
        lines.flush()
    announce("Stopped.")


def _told_to_stop() -> asyncio.Event:
    """Set by SIGINT or SIGTERM from now on: while it starts, too."""
    stopping = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    return stopping


async def _opened(opening: Coroutine[Any, Any, T], stopping: asyncio.Event) -> T | None:
    """What opens, once it is open; None where it was told to stop before: what was open by then is closed."""
    task, told = asyncio.create_task(opening), asyncio.create_task(stopping.wait())
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return None


def _signing_page(settings: Settings) -> "tuple[Server, asyncio.Task[None]] | None":
    """A listener of its own, so that its origin is never the gateway's."""
    if not settings.signing_port:
        return None
    if not settings.signing_url:
        raise SettingsError("CONSENTRY_SIGNING_URL: say at which address browsers reach the signing page")
    server = _listening(SigningPage(settings.signing_openers), settings, port=settings.signing_port)
    return server, asyncio.create_task(server.serve())


def _listening(app: object, settings: Settings, *, port: int | None = None) -> Server:
    return Server(
        app,
        address=settings.host,
        port=settings.port if port is None else port,
        interface=Interfaces.ASGI,
        log_level=LogLevels.error,
        log_access=False,
    )


async def _drained(server: Server, serving: "asyncio.Task[None]") -> None:
    """No new requests; those under way have their time."""
    server.stop()  # type: ignore[no-untyped-call]  # granian types it so
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, DRAIN_SECONDS)


@contextlib.asynccontextmanager
async def _sealed(settings: Settings, missing: int, announce: Say) -> AsyncIterator[None]:
    """While the root's shares are missing: /health and /ready answer, and nothing else."""
    server = _listening(sealed_door, settings)
    serving = asyncio.create_task(server.serve())
    try:
        await _until_listening(settings, serving)
        announce(f"Sealed: {missing} shares of the root are needed. Each holder runs: consentry keys unseal SHARE_FILE")
        yield
    finally:
        await _drained(server, serving)
    announce("Unsealed.")


async def run_worker(settings: Settings, *, announce: Say) -> None:
    """Sends and anchors until SIGINT or SIGTERM."""
    configure_logging(settings.log_level)
    sys.setrecursionlimit(RECURSION)
    if not settings.chain_url:
        raise SettingsError("CONSENTRY_CHAIN_URL: a worker of its own needs a chain that it shares with the server")
    keep_to_itself()
    stopping = _told_to_stop()
    worker = await _opened(open_worker(settings), stopping)
    if worker is None:
        announce("Stopped before it was open.")
        return
    watching, told = asyncio.create_task(worker.watch()), asyncio.create_task(stopping.wait())
    try:
        announce("The worker runs: transactions are sent and batches anchored. Stop it with Ctrl-C.")
        await asyncio.wait({watching, told}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            await watching
    finally:
        for task in (watching, told):
            task.cancel()
        await worker.close()
    _say_last(announce)


async def run_deploy(settings: Settings, *, fund: bool, announce: Say) -> None:
    """Deploys on the chain at the settings' URL; what stands is checked and kept."""
    if not settings.chain_url:
        raise SettingsError("CONSENTRY_CHAIN_URL: name the chain; the embedded one deploys by itself")
    secrets = await asyncio.to_thread(secrets_of, settings)
    client = ChainClient(settings.chain_url)
    try:
        accounts = [address_of(secrets.relay_key), address_of(secrets.anchor_key)]
        if fund:
            await _fund(client, accounts)
        announce(f"Accounts of this gateway (they pay for gas): relay {accounts[0]}, anchor {accounts[1]}")
        receipt_key = receipt_keyfile.read_public(secrets.receipt_path)
        found = await chain_wiring.deploy(settings, secrets, client, receipt_key)
    finally:
        await client.close()
    for name, address in found.by_name().items():
        announce(f"{name}: {address}")
    announce(f"Written to {chain_wiring.deployment_path(settings)}. Next: consentry serve")


async def run_export(settings: Settings, file: Path) -> int:
    """All blocks into a CAR file, whole or not at all."""
    temporary = file.with_name(f".{file.name}.part")
    async with _blocks(settings) as blocks:
        with temporary.open("wb") as stream:
            count = await blocks.export_car(stream)
            stream.flush()
            os.fsync(stream.fileno())
    temporary.rename(file)
    return count


async def run_import(settings: Settings, file: Path) -> int:
    """All blocks of a CAR file into the store."""
    async with _blocks(settings) as blocks:
        stream = _open(file)
        with stream:
            return await blocks.import_car(stream)


def _open(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read") from error


@contextlib.asynccontextmanager
async def _blocks(settings: Settings) -> AsyncIterator[Blocks]:
    store = await block_store(settings)
    try:
        yield Blocks(store)
    finally:
        await store.close()


async def _fund(client: ChainClient, accounts: list[str]) -> None:
    unlocked = await client.call("eth_accounts")
    if not isinstance(unlocked, list) or not unlocked:
        raise SettingsError("the node has no unlocked account: send coins to the gateway's accounts yourself")
    for account in accounts:
        await client.call("eth_sendTransaction", {"from": unlocked[0], "to": account, "value": hex(FUNDS)})
    for account in accounts:
        for _ in range(100):
            if int(str(await client.call("eth_getBalance", account, "latest")), 16):
                break
            await asyncio.sleep(0.1)
        else:
            raise UpstreamError("the node did not mine the transfer in time")


async def _until_listening(settings: Settings, serving: "asyncio.Task[None]") -> None:
    for _ in range(200):
        if serving.done():
            await serving
            raise SettingsError(f"CONSENTRY_PORT: {settings.host}:{settings.port} cannot be listened on")
        if await _answers(settings.host, settings.port):
            return
        await asyncio.sleep(0.05)
    raise UpstreamError("the server does not answer")


async def _answers(host: str, port: int) -> bool:
    """By a bare question: an HTTP client would first make ready for TLS, which takes longer than the answer."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.close()
    return False


def _greet(gateway: Gateway, announce: Say) -> None:
    settings, made = gateway.settings, gateway.secrets.made
    base = f"http://{settings.host}:{settings.port}"
    lines = [
        "",
        f"Consentry serves GraphQL at {base}/graphql" + (" (GraphiQL in a browser)" if settings.console else ""),
    ]
    if made:
        lines.append(f"Made on this first start in {settings.data_dir}: {', '.join(made)} (mode 0600; keep them safe).")
    lines += [f"The chain answers JSON-RPC at {gateway.chain_url} (id {gateway.chain.deployment.chain_id})."]
    lines += ["", "Next:"]
    if (settings.data_dir / "registrar.key").exists():
        program = sys.argv[0] if sys.argv[0].endswith("consentry") else "consentry"
        lines.append(f"  {program} demo --url {base} --registrar-key {settings.data_dir / 'registrar.key'}")
    lines += [f"  curl {base}/ready", "  Stop with Ctrl-C; everything stays in the data folder.", ""]
    announce("\n".join(lines))


@contextlib.contextmanager
def background_server(folder: Path, *, as_set: bool = False) -> Iterator[tuple[str, str | None]]:
    """A gateway of its own in `folder`, on a free loopback port; gives (base URL, the chain's RPC URL, if it tells
    one). `as_set`: with all other settings as they are, instead of none."""
    port = _free_port()
    environment = dict(os.environ)
    if not as_set:
        environment = {name: value for name, value in environment.items() if not name.startswith("CONSENTRY_")}
        environment.pop("REDIS_URL", None)
    environment |= {"CONSENTRY_HOST": "127.0.0.1", "CONSENTRY_PUBLIC_URL": ""}
    environment |= {"CONSENTRY_DATA_DIR": str(folder), "CONSENTRY_REQUEST_RATE": "0", "CONSENTRY_LOG_LEVEL": "warning"}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = (folder / "server.log").open("wb")
    command = [sys.executable, "-m", "gateway.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own interpreter
    base = f"http://127.0.0.1:{port}"
    try:
        facts = _wait_for(base, process, folder / "server.log")
        rpc = facts["rpc"]
        yield base, rpc if isinstance(rpc, str) else None
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DRAIN_SECONDS + 20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_for(base: str, process: "subprocess.Popen[bytes]", log: Path) -> dict[str, object]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UpstreamError(f"the gateway did not start: {log.read_text(errors='replace').strip()[-500:]}")
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{base}/.well-known/consentry", timeout=2.0, trust_env=False)
            if answer.status_code == 200:
                return dict(answer.json())
        time.sleep(0.1)
    raise UpstreamError("the gateway did not start in time")


def _free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """The port, or any that is free for 0: chosen before anything is opened, because sign-in messages name it.
    SettingsError where it cannot be listened on."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise SettingsError(f"CONSENTRY_PORT: {host}:{port} cannot be listened on ({error.strerror})") from error
