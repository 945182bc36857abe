"""What other processes of the machine get from the gateway's: nothing by core dump, debugger, environment or files; and
nothing of it is left when it is told to end while it starts."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.wiring.secrets import secrets_of
from tests.campaigns.processes import CHAIN, NOTARY, child_of
from tests.journeys.gateway_process import GatewayProcess, variables
from tests.servers.process import descendants, is_running

VALIDATOR = "gateway.adapters.fhir_schema.worker"
CHILDREN = (NOTARY, CHAIN, VALIDATOR)
PLACES = {"PATH", "HOME", "LANG", "TZ", "TMPDIR"}
PREFIXES = ("LC_", "LD_", "PYTHON", "FAKETIME", "FAILING_", "PG")
BEGUN_SECONDS, ENDED_SECONDS = 90.0, 20.0
ORDINARY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
"""Without root's right to trace any process."""


@pytest.fixture(params=["gateway", *CHILDREN])
def pid(request: pytest.FixtureRequest, embedded: GatewayProcess) -> int:
    """Each process of a running gateway."""
    gateway = embedded.process.pid
    if request.param == "gateway":
        return gateway
    found = child_of(gateway, request.param)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Of an ordinary user's rights and usual mask, with a secret in its environment that no setting names."""
    before = (*ORDINARY, "sh", "-c", 'umask 022; exec "$@"', "sh", "env", "BACKUP_PASSWORD=canary")
    gateway = GatewayProcess(tmp_path_factory.mktemp("processes"), {}, before=before, fresh=True)
    try:
        yield gateway.start()
    finally:
        gateway.stop()


def test_no_process_leaves_a_core_dump(pid: int) -> None:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (core,) = [line.split()[-3:-1] for line in limits if line.startswith("Max core file size")]
    assert core == ["0", "0"]


def test_no_process_of_the_same_user_looks_into_it(pid: int) -> None:
    with subprocess.Popen([*ORDINARY, "sleep", "60"]) as other:
        _await(lambda: _seen_by_the_user(other.pid), what="this test sees nothing at all")
        other.kill()
    assert not _seen_by_the_user(pid)


def _seen_by_the_user(pid: int) -> bool:
    done = subprocess.run([*ORDINARY, "cat", f"/proc/{pid}/environ"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("module", CHILDREN)
def test_a_child_is_given_no_secret_of_the_environment(embedded: GatewayProcess, module: str) -> None:
    gateway = embedded.process.pid
    assert psutil.Process(gateway).environ()["BACKUP_PASSWORD"] == "canary"
    child = child_of(gateway, module)
    assert child is not None
    given = psutil.Process(child).environ()
    assert {name for name in given if name not in PLACES and not name.startswith(PREFIXES)} == set()


def test_every_file_of_the_data_folder_is_its_owners_alone(embedded: GatewayProcess) -> None:
    shared = [
        f"{path.name} {path.stat().st_mode & 0o777:o}"
        for path in (embedded.data, *embedded.data.rglob("*"))
        if path.stat().st_mode & 0o077 and not path.is_socket()
    ]
    assert shared == []


SHARED = ["", "passphrase", "root.key", "receipt.key", "relay.key", "anchor.key", "registrar.key", "gateway.salt"]


@pytest.mark.parametrize("name", SHARED)
def test_a_start_refuses_what_others_may_read(embedded: GatewayProcess, tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for other in SHARED[1:]:
        shutil.copy(embedded.data / other, data / other)
    (data / name).chmod(0o750 if not name else 0o640)
    with pytest.raises(SettingsError, match=f"chmod {600 if name else 700}"):
        secrets_of(Settings(data_dir=data))
    (data / name).chmod(0o600 if name else 0o700)
    assert secrets_of(Settings(data_dir=data)).made == ()


@contextmanager
def mute_port() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _await(holds: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + BEGUN_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def _terminated(process: "subprocess.Popen[bytes]") -> int:
    """SIGTERM; its exit status, once nothing below it runs."""
    below = descendants(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait(ENDED_SECONDS)
    _await(lambda: not any(map(is_running, below)), what="children are left")
    assert time.monotonic() - began < ENDED_SECONDS
    return status


def _begun(folder: Path, *words: str, **settings: str) -> "subprocess.Popen[bytes]":
    gateway = GatewayProcess(folder, settings, words=words, fresh=True)
    with gateway.log.open("ab") as log:
        return subprocess.Popen(
            [*gateway.process._argv],
            env=variables(gateway.settings),
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[2],
        )


def test_a_start_that_is_told_to_end_leaves_nothing_and_the_next_one_serves(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("passphrase", "chain.db"):
        process = _begun(tmp_path, "serve")
        _await((data / name).exists, what=f"no {name}")
        assert _terminated(process) == 0
        assert [path.name for path in data.glob(".*")] == []
    gateway = GatewayProcess(tmp_path, {}, fresh=True)
    gateway.start()
    assert gateway.ready()[0] == 200
    gateway.stop()


def test_a_worker_keeps_to_itself_from_the_start_and_ends_when_told(tmp_path: Path) -> None:
    with mute_port() as port:
        process = _begun(tmp_path, "worker", CHAIN_URL=f"http://127.0.0.1:{port}", CHAIN_PROFILE="anvil")
        _await(lambda: (tmp_path / "data" / "index.db").exists(), what="it does not begin")
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        seen = _seen_by_the_user(process.pid)
        assert _terminated(process) == 0
        assert "Max core file size        0                    0" in limits
        assert not seen
