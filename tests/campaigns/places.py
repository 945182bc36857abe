"""Every place where a gateway and its servers leave octets, each read as a thief of it would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from eth_account import Account

from tests.journeys.gateway_process import run_command
from tests.journeys.sites import Site
from tests.journeys.wallets import send
from tests.ports.databases import query
from tests.servers.http import post_file, rpc
from tests.servers.process import descendants

FILE_MOST = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some octets of a place; `name`: which, for whoever must look."""

    place: str
    name: str
    octets: bytes


def files_of(place: str, folder: Path) -> Iterator[Part]:
    """Every file below a folder that can be read, as it lies there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= FILE_MOST:
            yield Part(place=place, name=str(path.relative_to(folder)), octets=path.read_bytes())


def of_processes(pid: int) -> Iterator[Part]:
    """The environment and the arguments of a process and its children."""
    for one in (pid, *descendants(pid)):
        for name in ("environ", "cmdline"):
            try:
                octets = Path(f"/proc/{one}/{name}").read_bytes()
            except OSError:
                continue  # it has just ended
            yield Part(place="processes", name=f"{name} of {one}", octets=octets)


def core_limits(pid: int) -> list[str]:
    """What each process may leave as a core, where that is more than nothing."""
    found = []
    for one in (pid, *descendants(pid)):
        try:
            lines = Path(f"/proc/{one}/limits").read_text().splitlines()
        except OSError:
            continue
        found += [
            f"{one}: {line}" for line in lines if line.startswith("Max core file size") and line.split()[4] != "0"
        ]
    return found


def of_site(site: Site, *, scratch: Path) -> Iterator[Part]:
    """All places of a running gateway and, in the real column, of its servers. `scratch`: where it makes temporary
    files."""
    gateway = site.gateway
    yield from files_of("data folder", gateway.data)
    yield from files_of("temporary files", scratch)
    yield Part(place="log and output", name=gateway.log.name, octets=gateway.log.read_bytes())
    yield from of_processes(gateway.process.pid)
    for path in ("/health", "/ready", "/.well-known/consentry"):
        yield Part(place="what anybody is told", name=path, octets=site.door.http.get(site.door.base + path).content)
    yield from _of_chain(site)
    if site.servers is not None:
        yield from _of_postgres(site)
        yield from _of_redis(site)
        yield from files_of("Kubo's repository", site.servers.kubo.data_dir)
        yield from files_of("the chain's files", site.servers.chain.data_dir)


def _of_chain(site: Site) -> Iterator[Part]:
    url = site.gateway.rpc
    for number in range(int(rpc(url, "eth_blockNumber"), 16) + 1):
        block = rpc(url, "eth_getBlockByNumber", hex(number), True)
        yield Part(place="chain", name=f"block {number}", octets=repr(block).encode())
        for sent in block["transactions"]:
            calldata = bytes.fromhex(sent["input"].removeprefix("0x"))
            yield Part(place="chain", name=f"calldata {sent['hash']}", octets=calldata)
    logs = rpc(url, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    for log in logs:
        yield Part(place="chain", name="log", octets=bytes.fromhex(log["data"].removeprefix("0x")))


def _of_postgres(site: Site) -> Iterator[Part]:
    assert site.servers is not None
    url = site.gateway.index_url
    named = query(url, "select schemaname, tablename from pg_tables where schemaname in ('public', 'consentry_keys')")
    for schema, table in named:
        rows = query(url, f'select t::text from "{schema}"."{table}" t')
        yield Part(place="database", name=str(table), octets="\n".join(str(row[0]) for row in rows).encode())
    with psycopg.connect(site.servers.postgres.dsn(url), autocommit=True) as connection:
        connection.execute("checkpoint")
    yield from files_of("the database's files", site.servers.postgres.data_dir)


def _of_redis(site: Site) -> Iterator[Part]:
    assert site.servers is not None
    client = redis.Redis.from_url(site.servers.redis.url)
    for key in client.scan_iter():
        yield Part(place="redis", name="key", octets=key + b"\n" + (client.dump(key) or b""))
    # As its operator might run it: with a snapshot and a log of its own, not packed.
    client.config_set("rdbcompression", "no")
    client.config_set("appendonly", "yes")
    client.save()
    folder = Path(str(client.config_get("dir")["dir"]))
    client.close()
    yield from files_of("redis' files", folder)


@contextmanager
def backup_of(site: Site, folder: Path) -> Iterator[Path]:
    """`consentry backup`, while the gateway runs."""
    code, said = run_command("backup", folder, settings=site.gateway.settings)
    assert code == 0, said
    yield folder


def plant(site: Site, canary: bytes, *, scratch: Path) -> None:
    """The canary in every place of `of_site`, as a fault would leave it there."""
    gateway = site.gateway
    (gateway.data / "planted").write_bytes(canary)
    (scratch / "planted").write_bytes(canary)
    with gateway.log.open("ab") as log:
        log.write(canary)
    account = Account.create()
    if site.servers is not None:
        site.servers.chain.fund(account.address, 10**18)
    send(gateway.rpc, account, to=account.address, data=canary)
    if site.servers is None:
        return
    post_file(f"{site.servers.kubo.url}/api/v0/block/put", canary)
    client = redis.Redis.from_url(site.servers.redis.url)
    client.set("planted", canary)
    client.close()
    with psycopg.connect(site.servers.postgres.dsn(gateway.index_url), autocommit=True) as connection:
        connection.execute("insert into meta (key, value) values ('planted', %s)", (canary,))
