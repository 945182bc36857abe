"""A gateway as its operator runs it: `consentry serve` in a process, with CONSENTRY_* variables and a data folder.

Its output is kept in one log over all starts. Nothing of the gateway is imported or reached into here.
"""

import json
import os
import re
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers import prepared
from tests.servers.process import ServerProcess, free_port

OPERATORS_OWN = ("REQUIRE_SERVICES", "SHARED_DATA", "SERVICES_DIR")
EXIT_SECONDS = 90.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: settings by their names without CONSENTRY_, and nothing of ours besides."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    kept.pop("REDIS_URL", None)
    return {
        **kept,
        "PYTHONPATH": str(prepared.REPOSITORY),
        **{f"CONSENTRY_{name}": value for name, value in settings.items()},
    }


def run_command(*words: str | Path, settings: Mapping[str, str], seconds: float = EXIT_SECONDS) -> tuple[int, str]:
    """A command that ends by itself. Returns its exit code and all that it said."""
    with tempfile.NamedTemporaryFile() as said:
        running = prepared.mother().fork(
            [*map(str, words)],
            env=variables(settings),
            cwd=prepared.REPOSITORY,
            output=Path(said.name),
            end=signal.SIGKILL,
        )
        try:
            code = running.wait(seconds)
        finally:
            running.kill()
        return code, said.read().decode(errors="replace")


class GatewayProcess:
    """`consentry serve` (or another command that stays) on a port of its own."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        words: Sequence[str] = ("serve",),
        before: Sequence[str] = (),
        fresh: bool = False,
        outside: Mapping[str, str] | None = None,
    ) -> None:
        """`folder` holds the log, and the data folder `data` unless the settings name one. `fresh`: an interpreter of
        its own, where arguments, environment or private memory are looked at (`tests.servers.prepared`)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{words[0]}.log"
        self.data = Path(settings.get("DATA_DIR", str(folder / "data")))
        served = {"PORT": str(self.port)} if words[0] == "serve" else {}
        # Sessions of a day: a campaign goes on for hours.
        lasting = {"REQUEST_RATE": "0", "SESSION_MINUTES": "1440"}
        self.settings = {"DATA_DIR": str(self.data), **lasting, **served, **settings}
        self.process = ServerProcess(
            [*before, *prepared.COMMAND, *words],
            log=self.log,
            answers=self._answers if words[0] == "serve" else lambda: True,
            says="" if words[0] == "serve" else "Stop it with Ctrl-C",
            # ServerProcess adds to this process's variables: what is not ours to pass on is emptied by name.
            env={**variables(self.settings), "REDIS_URL": "", **(outside or {})},
            fresh=fresh or outside is not None,
            ready_within=EXIT_SECONDS,
            stopped_within=40.0,
        )

    def start(self) -> "GatewayProcess":
        self.process.start()
        return self

    def stop(self) -> None:
        """SIGTERM, as an operator would."""
        self.process.stop()

    def kill(self) -> None:
        """SIGKILL, as the kernel would."""
        self.process.kill()

    @property
    def text(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace")

    @property
    def index_url(self) -> str:
        return self.settings.get("DATABASE_URL") or f"sqlite:///{self.data / 'index.db'}"

    @property
    def registrar_key(self) -> str:
        return (self.data / "registrar.key").read_text().strip()

    def facts(self) -> dict[str, Any]:
        """/.well-known/consentry."""
        return self._get("/.well-known/consentry")[1]

    def ready(self) -> tuple[int, dict[str, Any]]:
        """/ready: status and answer."""
        return self._get("/ready")

    @property
    def rpc(self) -> str:
        """The chain's JSON-RPC."""
        named = self.settings.get("CHAIN_URL") or self.facts().get("rpc")
        if not isinstance(named, str):
            raise AssertionError("the gateway names no RPC endpoint")
        return named

    def listening_rpc(self) -> str:
        """The embedded chain's URL as it was greeted with at the last start."""
        return re.findall(r"JSON-RPC at (\S+)", self.text)[-1]

    def _answers(self) -> bool:
        return self._get("/health")[0] == 200 and "Next:" in self.text

    def _get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with _DIRECT.open(f"{self.base}{path}", timeout=15) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
