"""An OpenBao server as an operator would run it: raft storage on disk, initialized once, unsealed by its own key.

Not its development mode: that one cannot be sealed and loses everything at its end.
"""

import itertools
import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.process import ServerFailed, ServerProcess, free_port
from tests.servers.programs import program

_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_ACTIVE_SECONDS = 30.0
_POLICY = """
path "transit/encrypt/{key}" {{ capabilities = ["update"] }}
path "transit/decrypt/{key}" {{ capabilities = ["update"] }}
path "transit/rewrap/{key}" {{ capabilities = ["update"] }}
"""
_ROTATION = """
path "transit/keys/{key}" {{ capabilities = ["read"] }}
path "transit/keys/{key}/*" {{ capabilities = ["update"] }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitKey:
    """A key of its own: `name` as CONSENTRY_VAULT_KEY wants it, and a file with a token for it alone."""

    name: str
    token_path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBao:
    """A running server. `url` is `http://127.0.0.1:PORT`; `seal` closes it and `unseal` opens it again."""

    url: str
    process: ServerProcess
    unseal_key: str = field(repr=False)
    root_token: str = field(repr=False)
    folder: Path
    _names: Iterator[int] = field(default_factory=itertools.count)

    def fresh_key(self, *, rotates: bool = True) -> TransitKey:
        """A derived transit key, and a token whose policy is a gateway's; with `rotates` an operator's."""
        key = f"consentry-{next(self._names)}"
        self.call("POST", f"transit/keys/{key}", {"derived": True, "type": "aes256-gcm96"})
        policy = (_POLICY + (_ROTATION if rotates else "")).format(key=key)
        self.call("POST", f"sys/policies/acl/{key}", {"policy": policy})
        made = self.call("POST", "auth/token/create", {"policies": [key], "no_parent": True})
        path = self.folder / f"{key}.token"
        path.touch(mode=0o600)  # as the gateway demands
        path.write_text(made["auth"]["client_token"] + "\n")
        return TransitKey(name=f"transit/{key}", token_path=path)

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Returns once it is active again."""
        self.call("PUT", "sys/unseal", {"key": self.unseal_key})
        _until_active(self.url)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """An answer to the root token. Raises OSError."""
        return _ask(self.url, method, path, body, token=self.root_token)


def _ask(url: str, method: str, path: str, body: object = None, *, token: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"X-Vault-Token": token} if token else {})}
    request = urllib.request.Request(f"{url}/v1/{path}", data=data, headers=headers, method=method)
    with _LOOPBACK.open(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def _answers(url: str) -> bool:
    try:
        _ask(url, "GET", "sys/health")
    except urllib.error.HTTPError as error:
        return error.code in (429, 501, 503)
    return True


def _until_active(url: str) -> None:
    deadline = time.monotonic() + _ACTIVE_SECONDS
    while time.monotonic() < deadline:
        try:
            _ask(url, "GET", "sys/health")
        except urllib.error.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise ServerFailed("OpenBao did not become active")


@contextmanager
def running_openbao() -> Iterator[OpenBao]:
    """A new server, initialized and unsealed, with the transit engine. Raises `MissingProgram` or `ServerFailed`."""
    bao = program("bao")
    with tempfile.TemporaryDirectory(prefix="consentry-openbao-") as scratch:
        folder, port, cluster = Path(scratch), free_port(), free_port()
        (folder / "data").mkdir()
        url = f"http://127.0.0.1:{port}"
        (folder / "server.hcl").write_text(
            f'storage "raft" {{\n path = "{folder / "data"}"\n node_id = "one"\n performance_multiplier = 1\n}}\n'
            f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n cluster_address = "127.0.0.1:{cluster}"\n'
            f' tls_disable = true\n}}\napi_addr = "{url}"\ncluster_addr = "http://127.0.0.1:{cluster}"\n'
        )
        process = ServerProcess(
            (bao, "server", f"-config={folder / 'server.hcl'}"),
            log=folder / "openbao.log",
            answers=lambda: _answers(url),
        )
        try:
            process.start()
            made = _ask(url, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            server = OpenBao(
                url=url, process=process, unseal_key=made["keys"][0], root_token=made["root_token"], folder=folder
            )
            server.unseal()
            server.call("POST", "sys/mounts/transit", {"type": "transit"})
            yield server
        finally:
            process.stop()
