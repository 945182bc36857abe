"""A run is good only if every count is that of the resources and nothing went wrong; the exit code says so."""

import io
import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from rich.console import Console

from gateway.demo import DemoGateway, report, run_demo
from gateway.demo.tally import MOST_PROBLEMS, Tally
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT


def good(resources: int = 3) -> Tally:
    return Tally(
        bundle="p.json",
        resources=resources,
        stored=resources,
        read_back=resources,
        refused_to_stranger=resources,
        proofs_checked=resources,
        refused_after_revocation=resources,
        refusal_ms=4.25,
        durations={"import": 0.5},
        finished=True,
    )


def test_a_run_in_which_all_counts_agree_is_good() -> None:
    assert report.is_ok([good()], [])


def test_an_empty_bundle_is_good() -> None:
    assert report.is_ok([good(0)], [])


@pytest.mark.parametrize(
    "count", ["stored", "read_back", "refused_to_stranger", "proofs_checked", "refused_after_revocation"]
)
def test_one_count_that_is_short_spoils_the_run(count: str) -> None:
    tally = good()
    setattr(tally, count, 2)
    assert not report.is_ok([good(), tally], [])


def test_a_problem_spoils_the_run() -> None:
    tally = good()
    tally.fail("the patient is visible")
    assert not report.is_ok([tally], [])


def test_a_bundle_that_was_not_finished_spoils_the_run() -> None:
    tally = good(0)
    tally.finished = False
    assert not report.is_ok([tally], [])


def test_a_run_without_a_bundle_is_no_success() -> None:
    assert not report.is_ok([], [])


def test_the_json_report_has_what_a_machine_reads(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    report.write_json(path, [good()], [], gateway="http://g", rpc="http://r", deployment=DEPLOYMENT)
    found = json.loads(path.read_text())
    assert (found["version"], found["ok"], found["problems"]) == (1, True, [])
    assert (found["gateway"]["url"], found["chain"]["chainId"], found["chain"]["rpc"]) == (
        "http://g",
        DEPLOYMENT.chain_id,
        "http://r",
    )
    assert found["bundles"] == [
        {
            "bundle": "p.json",
            "note": None,
            "resources": 3,
            "stored": 3,
            "readBack": 3,
            "refusedToStranger": 3,
            "proofsChecked": 3,
            "refusedAfterRevocation": 3,
            "accessLog": 0,
            "refusalMilliseconds": 4.25,
            "durations": {"import": 0.5},
            "ok": True,
            "problems": [],
            "problemCount": 0,
        }
    ]


def test_many_problems_are_counted_and_not_all_kept() -> None:
    tally = good()
    for at in range(MOST_PROBLEMS + 5):
        tally.fail(f"problem {at}")
    assert (len(tally.problems), tally.problem_count) == (MOST_PROBLEMS, MOST_PROBLEMS + 5)


def shown(width: int, *tallies: Tally) -> str:
    console = Console(file=io.StringIO(), width=width)
    report.show(console, tallies, [])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_a_terminal() -> None:
    tally = good(1244)
    tally.bundle, tally.refusal_ms = "Vito_Feeney_63dd4423-56ec-4f40-9dd6-82bc133aaddc.json.gz", 123.4
    text = shown(80, tally)
    assert (text.count("1244"), "123.4" in text, "yes" in text) == (6, True, True)


def test_a_bundles_name_is_never_read_as_markup() -> None:
    tally = good()
    tally.bundle = "[red]x[/red].json"
    assert "[red]x[/red]" in shown(120, tally)


def never() -> AbstractContextManager[DemoGateway]:
    raise AssertionError("no gateway is started")


def run(*bundles: Path, url: str | None = None, key: str | None = None, json_file: Path | None = None) -> int:
    return run_demo(bundles=bundles, url=url, json_file=json_file, registrar_key=key, rpc_url=None, start_gateway=never)


def test_a_file_without_fhir_ends_the_run_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text("no json")
    assert run(path) == 2
    assert "x.json: not JSON" in capsys.readouterr().out


def test_a_registrars_key_is_asked_for_before_anything_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(url="http://127.0.0.1:9") == 2
    assert "--registrar-key" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    assert run(json_file=tmp_path / "absent" / "r.json") == 2


def test_a_gateway_that_is_not_there_fails_the_run_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert run(url="http://127.0.0.1:9", key="01" * 32, json_file=path) == 1
    found = json.loads(path.read_text())
    assert (found["ok"], found["bundles"], len(found["problems"])) == (False, [], 1)
