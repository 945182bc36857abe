"""The road of a de-identified dataset as one command, `consentry demo-dataset`: asked for, built, opened, left."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.journeys.gateway_process import GatewayProcess, run_command

REPOSITORY = Path(__file__).resolve().parents[2]
ONE, OTHER = sorted((REPOSITORY / "gateway" / "demo" / "bundles").glob("*.json.gz"))
SAFE_HARBOR = REPOSITORY / "gateway" / "deid" / "profiles" / "safe-harbor.json"
TABLES = ("conditions", "observations", "people")
BEFORE = ("register", "request", "enrol", "import", "consent", "decide", "build")
AFTER = ("open", "papers", "stranger", "patients", "withdraw", "rebuild")


def walked(folder: Path, *words: str | Path, code: int = 0) -> tuple[dict[str, Any], str]:
    """Runs the command to its end; fails with all that it said unless it ended with this code."""
    report = folder / "report.json"
    ended, said = run_command(
        "demo-dataset", *words, "--out", folder / "out", "--json", report, settings={}, seconds=170
    )
    assert ended == code, said
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found, said


def people_in(folder: Path) -> list[str]:
    return [str(name) for name in pq.read_table(folder / "out" / "people").column("person").to_pylist()]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    running = GatewayProcess(tmp_path_factory.mktemp("gateway"), {})
    try:
        yield running.start()
    finally:
        running.stop()


def words_for(gateway: GatewayProcess) -> Sequence[str | Path]:
    return ("--url", gateway.base, "--registrar-key", gateway.data / "registrar.key", "--rpc", gateway.rpc)


def test_the_road_by_itself_needs_nothing(tmp_path: Path) -> None:
    """Of two patients one consents; when they withdraw, nobody is left, and the recipient keeps no row of theirs."""
    report, said = walked(tmp_path)
    assert (report["ok"], report["problems"]) == (True, [])
    assert (report["patients"], report["consented"], report["resources"]) == (2, 1, 139)
    assert [step["name"] for step in report["steps"]] == [*BEFORE, *AFTER, "papersAgain", "tombstone"]
    assert all(step["ok"] for step in report["steps"])
    assert (report["dataset"]["state"], [one["people"] for one in report["editions"]]) == ("FAILED", [1])
    assert "nobody is left" in said
    assert people_in(tmp_path) == []


@pytest.fixture(scope="module")
def of_three(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """The report, what was said, and the folder, of a run of three patients of whom two consent."""
    folder = tmp_path_factory.mktemp("three")
    report, said = walked(folder, ONE, OTHER, ONE, *words_for(gateway))
    return report, said, folder


def test_who_withdraws_is_not_in_the_next_edition(of_three: tuple[dict[str, Any], str, Path]) -> None:
    report, _, folder = of_three
    assert (report["ok"], report["problems"], report["consented"]) == (True, [], 2)
    assert [step["name"] for step in report["steps"]] == [*BEFORE, *AFTER, "openAgain", "papersAgain", "tombstone"]
    assert [one["people"] for one in report["editions"]] == [2, 1]
    (left,) = people_in(folder)
    assert report["tombstone"] != left


def test_what_was_opened_lies_in_the_folder(of_three: tuple[dict[str, Any], str, Path]) -> None:
    report, _, folder = of_three
    out = folder / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted([*TABLES, "manifest.json", "report.html"])
    assert sorted(one["table"] for one in report["files"]) == list(TABLES)
    for file in report["files"]:
        assert (out / file["path"]).stat().st_size == file["octets"]
        assert pq.read_metadata(out / file["path"]).num_rows == file["rows"] > 0
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["edition"], manifest["tombstones"]) == (2, [report["tombstone"]])
    assert (out / "report.html").read_text().startswith("<!doctype html>")


def test_so_few_patients_are_warned_of(of_three: tuple[dict[str, Any], str, Path]) -> None:
    report, said, _ = of_three
    assert said.count("WARNING: too few patients for k = 11") == 2
    assert "no steward should approve" in report["warning"]
    assert (report["dataset"]["profile"], report["anonymity"]["k"]) == ("demo-small", 1)
    assert report["dataset"]["departures"] == ["anonymity.k", "anonymity.l", "anonymity.t"]


def test_rates_are_told(of_three: tuple[dict[str, Any], str, Path]) -> None:
    report, said, _ = of_three
    assert report["rates"]["resourcesPerSecond"] > 0
    assert report["rates"]["buildSeconds"] > 0
    assert f"{report['imported']} resources imported" in said


def test_too_few_for_a_profile_end_with_the_stewards_report(gateway: GatewayProcess, tmp_path: Path) -> None:
    report, said = walked(tmp_path, "--profile", SAFE_HARBOR, *words_for(gateway), code=1)
    assert (report["ok"], report["dataset"]["state"]) == (False, "FAILED")
    assert report["dataset"]["failed"] == ["bar"]
    assert "the dataset is FAILED, below its bar in people, k" in said
    assert "too few" in (tmp_path / "out" / "report.html").read_text()


def test_a_view_that_the_gateway_refuses_ends_the_run_before_anybody_is_enrolled(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    view = tmp_path / "people.json"
    view.write_text('{"resource": "Patient", "select": [{"column": [{"name": "person", "path": "name.family("}]}]}')
    code, said = run_command(
        "demo-dataset", "--view", view, "--out", tmp_path / "out", *words_for(gateway), settings={}
    )
    assert code == 2
    assert "tables.people.select.0.column.0.path" in said.replace("\n", "")
    assert "enrolling" not in said
    assert "Traceback" not in said


def test_a_bundle_that_is_none_ends_the_command_before_anything_starts(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "type": "collection", "entry": [')
    code, said = run_command("demo-dataset", broken, "--out", tmp_path / "out", settings={})
    assert code == 2
    assert "broken.json" in said
    assert "Traceback" not in said
