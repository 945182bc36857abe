"""What a gateway does wrong with a stranger, or with who withdrew, is a problem of the run; nothing else is."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from gateway import jsontext
from gateway.demo.bundles import Bundle
from gateway.demo.client import Gateway
from gateway.demo.datasets.cohort import Participant
from gateway.demo.datasets.leaving import check_withdrawal, refuse_stranger, tell_patients
from gateway.demo.datasets.manifest import Manifest
from gateway.demo.datasets.receiving import Edition
from gateway.demo.datasets.tables import row_count
from gateway.demo.datasets.tally import TableMade, Tally
from gateway.demo.datasets.walk import Walk
from gateway.demo.model import StepFailedError
from gateway.demo.patients import Enrolled, Granted
from gateway.demo.progress import Stages
from gateway.demo.rpc import Chain
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT
from tests.unit.gateway.demo.local_http import Reply, serving
from tests.unit.gateway.demo.released_world import (
    ASKED,
    COMPANY,
    dataset,
    first_edition,
    manifest_text,
    person,
    written,
)

LEAVING = "withdrawn"
STAYING = ("one", "two")
REFUSAL = {"__typename": "Refusal", "code": "NOT_PERMITTED", "message": "not permitted", "field": None}


def participant(*, consented: bool = True) -> Participant:
    patient = Enrolled(person=person("patient", 5), id="patient", subject="0x05")
    consent = Granted(id="0x06", statement="I allow it.") if consented else None
    return Participant(patient=patient, bundle=Bundle(name="b", wire={}, resources=()), consents=True, consent=consent)


def walk(base: str, http: httpx.Client, out: Path) -> Walk:
    return Walk(
        gateway=Gateway(base, http),
        chain=Chain("http://127.0.0.1:9"),
        deployment=DEPLOYMENT,
        out=out,
        tally=Tally(title="By hand", patients=3, resources=3),
        stages=Stages(Console(file=io.StringIO())),
    )


def edition(number: int, people: Sequence[str], paths: tuple[Path, ...] = (), suppressed: Any = 0) -> Edition:
    counts = {"released": len(people), "suppressedAtMost": suppressed}
    text = manifest_text(edition=number, counts=counts)
    manifest = msgspec.convert(jsontext.loads(text), Manifest)
    return Edition(number=number, manifest=manifest, people=frozenset(people), paths=paths)


def used(**fields: Any) -> Mapping[str, Any]:
    """What the patient finds among theirs."""
    node = {"datasetId": ASKED.id, "title": "t", "state": "RELEASED", "withdrawn": True, "requester": {"id": "r"}}
    page = {"hasNextPage": False, "endCursor": None}
    edges = [{"node": {**node, **fields}}] if fields != {"none": True} else []
    return {"patient": {"datasets": {"edges": edges, "pageInfo": page}}}


def problems(
    http: httpx.Client,
    folder: Path,
    *,
    second: Edition | None,
    first: Edition | None = None,
    tombstones: Sequence[str] = (LEAVING,),
    in_paper: Sequence[str] = (LEAVING,),
    found: Mapping[str, Any] | None = None,
) -> list[str]:
    """After a withdrawal that went so."""
    paper = jsontext.canonical({"kind": "dataset-withdrawal", "tombstones": [*in_paper]})
    told = dataset(written([*first_edition(), ("WITHDRAWAL", paper)]), tombstones=[*tombstones])
    with serving(lambda body: (200, {}, {"data": found or used()})) as url:
        at = walk(url, http, folder)
        whole = first or edition(1, [LEAVING, *STAYING])
        check_withdrawal(at, ASKED, participant(), told, first=whole, second=second)
    return at.tally.problems


def test_who_withdrew_and_nobody_else_is_gone(http: httpx.Client, tmp_path: Path) -> None:
    assert problems(http, tmp_path, second=edition(2, STAYING)) == []


def test_others_may_be_gone_where_few_are_hidden(http: httpx.Client, tmp_path: Path) -> None:
    assert problems(http, tmp_path, second=edition(2, ["one"], suppressed="1 to 10")) == []


def test_who_withdrew_may_have_been_hidden_before(http: httpx.Client, tmp_path: Path) -> None:
    first = edition(1, STAYING, suppressed="1 to 10")
    assert problems(http, tmp_path, first=first, second=edition(2, STAYING)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"second": edition(2, [LEAVING, *STAYING])}, "still in the new edition"),
        ({"second": edition(2, ["one"])}, "1 people besides"),
        ({"second": edition(2, STAYING), "first": edition(1, STAYING)}, "of nobody in the first edition"),
        ({"second": edition(2, STAYING), "in_paper": ["two"]}, "names others"),
        ({"second": edition(2, STAYING), "found": used(withdrawn=False)}, "is not told so"),
        ({"second": edition(2, STAYING), "found": used(none=True)}, "is not told so"),
    ],
)
def test_what_is_wrong_after_a_withdrawal_is_said(
    http: httpx.Client, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    (problem,) = problems(http, tmp_path, **wrong)
    assert said in problem


@pytest.mark.parametrize("tombstones", [[], [LEAVING, "one"]])
def test_one_patient_leaves_one_tombstone(http: httpx.Client, tmp_path: Path, tombstones: list[str]) -> None:
    with pytest.raises(StepFailedError, match="tombstones"):
        problems(http, tmp_path, second=edition(2, STAYING), tombstones=tombstones)


def test_without_a_new_edition_the_recipient_takes_the_rows_out(http: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    pq.write_table(pa.table({"person": [LEAVING, *STAYING]}), path)
    first = edition(1, [LEAVING, *STAYING], (path,))
    paper = jsontext.canonical({"kind": "dataset-withdrawal", "tombstones": [LEAVING]})
    told = dataset(written([*first_edition(), ("WITHDRAWAL", paper)]), tombstones=[LEAVING], state="FAILED")
    with serving(lambda body: (200, {}, {"data": used(state="FAILED")})) as url:
        at = walk(url, http, tmp_path)
        at.tally.files = (TableMade(path=path.name, table="people", rows=3, octets=1),)
        check_withdrawal(at, ASKED, participant(), told, first=first, second=None)
    assert (at.tally.problems, row_count(path), at.tally.files[0].rows) == ([], 2, 2)


def asked_by_the_stranger(http: httpx.Client, folder: Path, *, shown: Any, opened: Any, file: Reply) -> list[str]:
    def answer(body: dict[str, Any]) -> Reply:
        field = "openDataset" if "openDataset" in body["query"] else "dataset"
        return 200, {}, {"data": {field: opened if field == "openDataset" else shown}}

    with serving(answer, files=lambda path: file) as url:
        at = walk(url, http, folder)
        refuse_stranger(at, COMPANY, ASKED, dataset(written(first_edition())))
    return at.tally.problems


FORBIDDEN: Reply = (403, {}, {"errors": [{"message": "not permitted", "extensions": {"code": "NOT_PERMITTED"}}]})


def test_a_stranger_who_is_refused_everything_is_as_it_must_be(http: httpx.Client, tmp_path: Path) -> None:
    assert asked_by_the_stranger(http, tmp_path, shown=None, opened=REFUSAL, file=FORBIDDEN) == []


@pytest.mark.parametrize(
    ("shown", "opened", "file", "said"),
    [
        ({"id": "d"}, REFUSAL, FORBIDDEN, ["is shown the dataset"]),
        (None, {**REFUSAL, "code": "CONFLICT"}, FORBIDDEN, ["openDataset is answered with CONFLICT"]),
        (None, REFUSAL, (200, {}, b"sealed"), ["answered with the file", "answered with the file"]),
        (None, REFUSAL, (404, {}, {}), ["answered with ERROR", "answered with ERROR"]),
    ],
    ids=["dataset", "opened", "file", "another refusal"],
)
def test_what_a_stranger_is_given_is_said(
    http: httpx.Client, tmp_path: Path, shown: Any, opened: Any, file: Reply, said: list[str]
) -> None:
    found = asked_by_the_stranger(http, tmp_path, shown=shown, opened=opened, file=file)
    assert len(found) == len(said)
    assert all(words in problem for words, problem in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("consented", "found", "said"),
    [
        (True, used(withdrawn=False), []),
        (False, used(none=True), []),
        (True, used(none=True), ["a patient does not find the dataset among theirs"]),
        (False, used(withdrawn=False), ["a patient did not consent, and finds the dataset among theirs"]),
        (True, used(), ["a patient who did not withdraw is said to have withdrawn"]),
    ],
)
def test_patients_find_what_used_their_records(
    http: httpx.Client, tmp_path: Path, consented: bool, found: Mapping[str, Any], said: list[str]
) -> None:
    with serving(lambda body: (200, {}, {"data": found})) as url:
        at = walk(url, http, tmp_path)
        tell_patients(at, ASKED, [participant(consented=consented)])
    assert at.tally.problems == said
    assert [step.ok for step in at.tally.steps] == [not said]
