"""The processes of a campaign on loopback: a gateway with its children, and in the real column its servers.

A target is a name that can be killed: "gateway", "notary", "chain", "kubo", "redis", "postgres", "worker". What a
supervisor would start again (systemd, compose) is started again here; the gateway's own children are the gateway's.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.processes import CHAIN, NOTARY, kill_child
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Crowd, Door
from tests.journeys.sites import Servers, Site, running_site
from tests.servers.anvil import running_anvil
from tests.servers.kubo import running_kubo
from tests.servers.postgres import running_postgres
from tests.servers.process import ServerProcess
from tests.servers.redis import running_redis

EMBEDDED_TARGETS = ("gateway", "notary", "chain")
REAL_TARGETS = ("gateway", "notary", "chain", "kubo", "redis", "postgres", "worker")
WELL_WITHIN_SECONDS = 60.0
ANVIL_LOSES = {"CHAIN_PROFILE": "period=0,confirmations=0,finality=64"}
"""A killed anvil forgets up to its last second: a chain whose blocks can go. Under anvil's own profile nothing can, and
the gateway halts rather than go back past finality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`worker`: None where anchoring runs inside the gateway."""

    site: Site
    worker: GatewayProcess | None

    @property
    def gateway(self) -> GatewayProcess:
        return self.site.gateway

    def kill(self, target: str) -> None:
        """SIGKILL, and nothing else."""
        process = self._processes().get(target)
        if process is not None:
            process.kill()
            return
        kill_child(self.gateway.process.pid, {"notary": NOTARY, "chain": CHAIN}[target])

    def start_again(self, target: str) -> None:
        """As its supervisor would; the gateway's children have the gateway as theirs."""
        process = self._processes().get(target)
        if process is not None:
            process.start()

    def process(self, target: str) -> ServerProcess | None:
        """None for the gateway's own children."""
        return self._processes().get(target)

    def await_well(self) -> float:
        """Seconds until every part says "ok" again, with no hand put to it. AssertionError past the bound."""
        started = time.monotonic()
        while (state := self._ready()) is None or any(word != "ok" for word in state.values()):
            if time.monotonic() - started > WELL_WITHIN_SECONDS:
                raise AssertionError(f"not well again after {WELL_WITHIN_SECONDS:g} s: {state}")
            time.sleep(0.05)
        return time.monotonic() - started

    def _ready(self) -> Mapping[str, str] | None:
        try:
            return {str(name): str(word) for name, word in self.gateway.ready()[1]["parts"].items()}
        except (OSError, KeyError):
            return None

    def _processes(self) -> dict[str, ServerProcess]:
        found = {"gateway": self.gateway.process}
        servers = self.site.servers
        if servers is not None:
            found |= {
                "chain": servers.chain.process,
                "kubo": servers.kubo.process,
                "redis": servers.redis.process,
                "postgres": servers.postgres.process,
            }
        return found | ({"worker": self.worker.process} if self.worker is not None else {})


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Kubo, anvil (its state written each second), PostgreSQL and redis, of a campaign's own: they are killed."""
    with ExitStack() as stack:
        yield Servers(
            kubo=stack.enter_context(running_kubo()),
            chain=stack.enter_context(running_anvil()),
            postgres=stack.enter_context(running_postgres()),
            redis=stack.enter_context(running_redis()),
        )


@contextmanager
def running_column(
    folder: Path, servers: str, settings: Mapping[str, str] | None = None, *, worker: bool = False
) -> Iterator[Column]:
    """`servers`: "embedded" or "real". `worker`: anchoring in a process of its own (real column)."""
    with ExitStack() as stack:
        real = stack.enter_context(running_servers()) if servers == "real" else None
        settings = {**(ANVIL_LOSES if real else {}), **(settings or {})}
        if not worker:
            yield Column(site=stack.enter_context(running_site(folder, real, settings)), worker=None)
            return
        # The first start needs its registrar sent by somebody: it runs with its worker inside, once.
        with running_site(folder, real, settings) as first:
            named = first.gateway.settings
        outside = {**{name: text for name, text in named.items() if name != "PORT"}, "WORKER": "outside"}
        sender = GatewayProcess(folder, outside, words=("worker",))
        sender.start()
        stack.callback(sender.stop)
        gateway = GatewayProcess(folder, outside)
        yield Column(site=stack.enter_context(_standing(gateway, real)), worker=sender)


@contextmanager
def _standing(gateway: GatewayProcess, servers: Servers | None) -> Iterator[Site]:
    """A gateway whose first start is behind it."""
    try:
        gateway.start()
        yield Site(gateway=gateway, crowd=Crowd(Door(gateway.base), gateway.registrar_key), servers=servers)
    finally:
        gateway.stop()
