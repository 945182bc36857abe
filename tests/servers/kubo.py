"""A Kubo node in a private swarm of one: no peers, no routing, no listener but its RPC on loopback.

The settings are those of the node in `docker-compose.yml` (a test compares them). A block is on disk when the
node says so: the datastore syncs each write.
"""

import json
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.http import post
from tests.servers.process import ServerProcess, free_port
from tests.servers.programs import program

# Kubo's configuration, by dotted path (its docs/config.md). The swarm key makes the swarm private; these make
# sure that the node does not look for anyone either, and tells nobody that it exists.
PRIVATE_SETTINGS: Mapping[str, object] = {
    "Addresses.Swarm": [],
    "Addresses.Gateway": [],
    "AutoConf.Enabled": False,
    "AutoTLS.Enabled": False,
    "Bootstrap": [],
    "DNS.Resolvers": {},
    "Discovery.MDNS.Enabled": False,
    "HTTPRetrieval.Enabled": False,
    "Ipns.DelegatedPublishers": [],
    "Plugins.Plugins.telemetry.Disabled": True,
    "Provide.Enabled": False,
    "Routing.DelegatedRouters": [],
    "Routing.Type": "none",
    "Swarm.DisableNatPortMap": True,
    "Swarm.RelayClient.Enabled": False,
    "Swarm.RelayService.Enabled": False,
    "Version.SwarmCheckEnabled": False,
}
ENVIRONMENT: Mapping[str, str] = {"LIBP2P_FORCE_PNET": "1", "IPFS_TELEMETRY": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubo:
    """A running node: `url` is its HTTP RPC (`http://127.0.0.1:PORT`), `data_dir` its repository."""

    url: str
    data_dir: Path
    process: ServerProcess

    @property
    def multiaddr(self) -> str:
        """The RPC's address as ipfshttpclient takes it: `/ip4/127.0.0.1/tcp/PORT/http`."""
        return f"/ip4/127.0.0.1/tcp/{self.url.rsplit(':', 1)[1]}/http"


def _set(config: dict[str, object], dotted: str, value: object) -> None:
    *above, last = dotted.split(".")
    node = config
    for name in above:
        inner = node.get(name)
        if not isinstance(inner, dict):
            inner = node[name] = {}
        node = inner
    node[last] = value


def _sync_writes(config: dict[str, object]) -> None:
    """Make flatfs fsync each block; Kubo's own default leaves that to the kernel."""
    datastore = config["Datastore"]
    assert isinstance(datastore, dict)
    for mount in datastore["Spec"]["mounts"]:
        if mount["type"] == "flatfs":
            mount["sync"] = True


def _prepare(ipfs: Path, repo: Path, *, port: int) -> None:
    """Make the repository unless it is there, then write our settings and this start's port into it."""
    config_file = repo / "config"
    if not config_file.exists():
        command = (ipfs, "init", "--empty-repo", "--profile=test")
        subprocess.run(command, env={"IPFS_PATH": str(repo), **ENVIRONMENT}, check=True, capture_output=True)
        swarm_key = repo / "swarm.key"
        swarm_key.write_text(f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n")
        swarm_key.chmod(0o400)
    config = json.loads(config_file.read_text())
    for dotted, value in PRIVATE_SETTINGS.items():
        _set(config, dotted, value)
    _set(config, "Addresses.API", f"/ip4/127.0.0.1/tcp/{port}")
    _sync_writes(config)
    config_file.write_text(json.dumps(config))


@contextmanager
def running_kubo(data_dir: Path | None = None) -> Iterator[Kubo]:
    """Run a node on `data_dir` (made when empty, used again when not), or on a folder that goes away.

    Raises `MissingProgram` or `ServerFailed`.
    """
    ipfs = program("ipfs")
    with tempfile.TemporaryDirectory(prefix="consentry-kubo-") as scratch:
        repo = data_dir or Path(scratch) / "repo"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        _prepare(ipfs, repo, port=port)
        process = ServerProcess(
            [ipfs, "daemon", "--migrate=false"],
            log=Path(scratch) / "kubo.log",
            env={"IPFS_PATH": str(repo), **ENVIRONMENT},
            answers=lambda: bool(post(f"{url}/api/v0/version", timeout=2.0)),
        )
        try:
            process.start()
            yield Kubo(url=url, data_dir=repo, process=process)
        finally:
            process.stop()
