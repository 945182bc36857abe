"""The two columns: the embedded default, and Kubo, a chain, PostgreSQL and redis behind the very same commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door
from tests.ports.databases import query
from tests.servers.chain import Chain
from tests.servers.kubo import Kubo
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What the real column runs on."""

    kubo: Kubo
    chain: Chain
    postgres: Postgres
    redis: Redis

    def settings(self) -> dict[str, str]:
        """For a gateway with a database of its own."""
        return {
            "IPFS_URL": self.kubo.url,
            "CHAIN_URL": self.chain.url,
            "DATABASE_URL": self.postgres.fresh_database(),
            "REDIS_URL": self.redis.url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running gateway and the people at its door. `servers`: None in the embedded column."""

    gateway: GatewayProcess
    crowd: Crowd
    servers: Servers | None

    @property
    def door(self) -> Door:
        return self.crowd.door

    def rows(self, *tables: str) -> tuple[int, ...]:
        """How many rows the index has in each table."""
        named = tables or ("records", "versions", "consents", "narrowings")
        return tuple(int(query(self.gateway.index_url, f"select count(*) from {table}")[0][0]) for table in named)


@contextmanager
def running_site(
    folder: Path,
    servers: Servers | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    outside: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """A first start: deployed where the chain is not the gateway's own, served, and its registrar signed in.
    `outside`: variables of the process that are no settings."""
    given = {**(servers.settings() if servers else {}), **(settings or {})}
    gateway = GatewayProcess(folder, given, outside=outside)
    if servers is not None:
        code, said = run_command("deploy", "--fund", settings=gateway.settings)
        assert code == 0, said
    try:
        gateway.start()
        yield Site(gateway=gateway, crowd=Crowd(Door(gateway.base), gateway.registrar_key), servers=servers)
    finally:
        gateway.stop()
