"""The main job as one command, `consentry demo`, in both columns: every count is the number of resources."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.pytest_fixtures import COLUMNS
from tests.journeys.sites import Servers
from tests.servers.chain import Chain

COUNTS = ("stored", "readBack", "refusedToStranger", "proofsChecked", "refusedAfterRevocation")
SHIPPED = Path(__file__).resolve().parents[2] / "gateway" / "demo" / "bundles"
LARGE = "synthea-2020/Antonia30_Ruelas156_fe07e69a-4d6d-4e11-a675-de69f62de5f3.json.gz"


def demo(folder: Path, *words: str | Path, seconds: float = 170) -> dict[str, Any]:
    """Runs the demo to its end; fails with all that it said unless it was as it must be."""
    report = folder / "report.json"
    code, said = run_command("demo", *words, "--json", report, settings={}, seconds=seconds)
    assert code == 0, said
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


def check(report: dict[str, Any], *, bundles: int) -> None:
    assert report["ok"] is True
    assert report["problems"] == []
    assert len(report["bundles"]) == bundles
    for bundle in report["bundles"]:
        assert bundle["resources"] > 0
        assert {name: bundle[name] for name in COUNTS} == dict.fromkeys(COUNTS, bundle["resources"])


def words_for(gateway: GatewayProcess) -> Sequence[str | Path]:
    return ("--url", gateway.base, "--registrar-key", gateway.data / "registrar.key", "--rpc", gateway.rpc)


@pytest.fixture(params=COLUMNS)
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GatewayProcess]:
    servers: Servers | None = request.getfixturevalue("servers") if request.param == "real" else None
    yield from served(tmp_path, {} if servers is None else servers.settings())


def served(folder: Path, settings: dict[str, str]) -> Iterator[GatewayProcess]:
    """A gateway with its first start behind it."""
    running = GatewayProcess(folder, settings)
    if "CHAIN_URL" in settings:
        code, said = run_command("deploy", "--fund", settings=running.settings)
        assert code == 0, said
    try:
        yield running.start()
    finally:
        running.stop()


def test_the_main_job_by_itself_needs_nothing(tmp_path: Path) -> None:
    check(demo(tmp_path, next(SHIPPED.glob("*.json.gz"))), bundles=1)


def test_the_main_job_of_two_patients(gateway: GatewayProcess, tmp_path: Path) -> None:
    check(demo(tmp_path, *words_for(gateway)), bundles=2)


@pytest.mark.timeout(900)
def test_the_main_job_of_a_large_bundle(shared_data: Path, tmp_path: Path) -> None:
    report = demo(tmp_path, shared_data / "fhir" / LARGE, seconds=850)
    check(report, bundles=1)
    assert report["bundles"][0]["resources"] > 900


@pytest.mark.services
@pytest.mark.parametrize("kind", ["anvil", "geth"])
def test_the_main_job_with_a_worker_of_its_own(
    request: pytest.FixtureRequest, servers: Servers, tmp_path: Path, kind: str
) -> None:
    chain: Chain = request.getfixturevalue(kind)
    settings = servers.settings() | {"CHAIN_URL": chain.url, "WORKER": "outside"}
    gateway = GatewayProcess(tmp_path, settings)
    worker = GatewayProcess(tmp_path / "worker", gateway.settings, words=("worker",))
    code, said = run_command("deploy", "--fund", settings=gateway.settings)
    assert code == 0, said
    try:
        # The server's first start registers its registrar: somebody has to send that.
        worker.start()
        gateway.start()
        check(demo(tmp_path, *words_for(gateway)), bundles=2)
    finally:
        gateway.stop()
        worker.stop()
    assert worker.text.rstrip().endswith("Stopped.")


def test_a_bundle_that_is_none_ends_the_command_before_anything_starts(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "type": "collection", "entry": [')
    code, said = run_command("demo", broken, settings={})
    assert code != 0
    assert "broken.json" in said
    assert "Traceback" not in said


def test_a_demo_without_the_registrars_key_says_so(tmp_path: Path) -> None:
    code, said = run_command("demo", "--url", "http://127.0.0.1:9", settings={"DATA_DIR": str(tmp_path)})
    assert code != 0
    assert "registrar" in said
    assert "Traceback" not in said
