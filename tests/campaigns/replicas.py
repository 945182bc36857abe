"""Three gateways on one PostgreSQL, one Kubo and one chain, each behind links of its own to redis and to the chain.

True here: all share secrets and one public name, as replicas behind a load balancer do; each link can be broken alone.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.campaigns.proxy import Fault, Proxy
from tests.campaigns.site import running_servers
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door
from tests.journeys.sites import Servers

WELL_WITHIN_SECONDS = 60.0
PUBLIC_URL = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """`redis` and `chain`: the link of each gateway, in the gateways' order. The crowd is made at the first."""

    gateways: Sequence[GatewayProcess]
    doors: Sequence[Door]
    redis: Sequence[Proxy]
    chain: Sequence[Proxy]
    crowd: Crowd
    servers: Servers

    def whole(self) -> None:
        """Every link forwards, and every gateway is well. AssertionError where one does not come to be."""
        for link in (*self.redis, *self.chain):
            link.set(Fault.NONE)
        deadline = time.monotonic() + WELL_WITHIN_SECONDS
        for gateway in self.gateways:
            while gateway.ready()[0] != 200:
                assert time.monotonic() < deadline, f"not well again: {gateway.ready()}"
                time.sleep(0.05)


@contextmanager
def running_replicas(folder: Path, *, count: int, seed: int) -> Iterator[Replicas]:
    """The first deploys; the others begin on a copy of its secrets."""
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers())
        direct = {**servers.settings(), "PUBLIC_URL": PUBLIC_URL, "VALIDATORS": "1"}
        gateways: list[GatewayProcess] = []
        links: dict[str, list[Proxy]] = {"REDIS_URL": [], "CHAIN_URL": []}
        for number in range(count):
            own = {**direct, "INSTANCE": f"replica-{number}"}
            for at, name in enumerate(links):
                port = urlsplit(direct[name]).port
                assert port is not None
                link = stack.enter_context(Proxy(port, seed=seed + 2 * number + at))
                links[name].append(link)
                own[name] = direct[name].replace(f":{port}", f":{link.port}", 1)
            gateway = GatewayProcess(folder / str(number), own)
            if number == 0:
                code, said = run_command("deploy", "--fund", settings=gateway.settings)
                assert code == 0, said
            else:
                shutil.copytree(gateways[0].data, gateway.data)
            gateway.start()
            stack.callback(gateway.stop)
            gateways.append(gateway)
        doors = [Door(gateway.base) for gateway in gateways]
        yield Replicas(
            gateways=gateways,
            doors=doors,
            redis=links["REDIS_URL"],
            chain=links["CHAIN_URL"],
            crowd=Crowd(doors[0], gateways[0].registrar_key),
            servers=servers,
        )
