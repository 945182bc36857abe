"""A call that is wrong ends before anything starts; a run is good only if every step was; the report says which."""

import io
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.demo import DemoGateway
from gateway.demo.datasets import report, run_demo_dataset
from gateway.demo.datasets.tally import EditionMade, Step, TableMade, Tally
from gateway.demo.reaching import Known
from gateway.demo.tally import MOST_PROBLEMS
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT


def unreachable() -> AbstractContextManager[DemoGateway]:
    raise AssertionError("a gateway was started")


def run(folder: Path, **words: Any) -> int:
    plain: dict[str, Any] = {
        "sources": [],
        "views": [],
        "profile": None,
        "out": folder / "out",
        "url": None,
        "json_file": None,
        "registrar_key": None,
        "rpc_url": None,
        "start_gateway": unreachable,
    }
    return run_demo_dataset(**{**plain, **words})


def broken(folder: Path) -> Path:
    (folder / "broken.json").write_text("{")
    return folder / "broken.json"


@pytest.mark.parametrize("word", ["sources", "views"])
def test_a_file_that_is_none_ends_the_run_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert run(tmp_path, **{word: [broken(tmp_path)]}) == 2
    assert "broken.json" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_profile_that_is_none_ends_the_run_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, profile=broken(tmp_path)) == 2
    assert "broken.json" in capsys.readouterr().out


@pytest.mark.parametrize("below", ["", "further"])
def test_a_folder_that_cannot_be_written_ends_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str
) -> None:
    assert run(tmp_path, out=broken(tmp_path) / below) == 2
    assert "cannot be written" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, json_file=tmp_path / "none" / "report.json") == 2
    assert "cannot be written" in capsys.readouterr().out


def test_a_gateway_without_the_registrars_key_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, url="http://127.0.0.1:9") == 2
    assert "--registrar-key" in capsys.readouterr().out


def test_a_gateway_that_does_not_answer_is_a_run_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert run(tmp_path, url="http://127.0.0.1:9", registrar_key="0x" + "11" * 32, json_file=path) == 1
    found = json.loads(path.read_bytes())
    assert (found["ok"], found["chain"], found["dataset"]["id"]) == (False, None, None)
    assert "does not answer" in found["problems"][0]


MADE = TableMade(path="people/part-00000.parquet", table="people", rows=2, octets=1700)


def good() -> Tally:
    return Tally(
        title="By hand",
        patients=3,
        resources=205,
        imported=205,
        consented=2,
        id="dataset",
        state="RELEASED",
        edition=2,
        editions=[EditionMade(edition=1, people=2, anonymity={"k": 1}, files=(MADE,))],
        files=(MADE,),
        tombstone="abc",
        durations={"import": 0.5, "build": 1.25},
        steps=[Step(name="register", ok=True, seconds=0.25)],
        finished=True,
    )


def test_a_run_of_good_steps_is_good() -> None:
    assert good().ok


def test_a_run_that_did_not_come_to_its_end_is_not_good() -> None:
    tally = good()
    tally.finished = False
    assert not tally.ok


def test_a_run_with_a_step_that_failed_is_not_good() -> None:
    tally = good()
    tally.steps.append(Step(name="open", ok=False, seconds=0.0))
    assert not tally.ok


def test_problems_are_counted_and_so_many_are_kept() -> None:
    tally = good()
    for number in range(MOST_PROBLEMS + 2):
        tally.fail(f"problem {number}")
    assert (tally.ok, tally.problem_count, len(tally.problems)) == (False, MOST_PROBLEMS + 2, MOST_PROBLEMS)
    assert "and 2 more" in shown(tally)


def shown(tally: Tally) -> str:
    console = Console(file=io.StringIO(), width=120)
    report.show(console, tally, Path("out"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_end_shows_tables_figures_and_the_verdict() -> None:
    text = shown(good())
    for words in ("people/part-00000.parquet", "410 a second", "built in 1.2 s", "k = 1", "abc", "as it must be"):
        assert words in text


def test_a_warning_is_loud() -> None:
    tally = good()
    tally.warning = "too few patients for k = 11"
    assert shown(tally).startswith("WARNING: too few patients for k = 11")


def test_the_report_is_json_with_all_of_it(tmp_path: Path) -> None:
    known = Known(gateway="http://g", rpc="http://c", deployment=DEPLOYMENT)
    report.write_json(tmp_path / "r.json", good(), known)
    found = json.loads((tmp_path / "r.json").read_bytes())
    assert found["version"] == 1
    assert found["gateway"] == {"url": "http://g", "id": "0x" + "44" * 32}
    assert found["chain"]["chainId"] == DEPLOYMENT.chain_id
    assert (found["patients"], found["consented"], found["tombstone"], found["ok"]) == (3, 2, "abc", True)
    assert found["steps"] == [{"name": "register", "ok": True, "seconds": 0.25}]
    assert found["rates"] == {"resourcesPerSecond": 410.0, "buildSeconds": 1.25}
    assert found["files"] == [{"path": MADE.path, "table": "people", "rows": 2, "octets": 1700}]
    assert found["anonymity"] == {"k": 1}
