"""With the gateway dead and its code out of reach, a record and its receipt check out; nothing changed does."""

import copy
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anchoring.chain.embedded.process import EmbeddedChainProcess
from anchoring.verifier.verify import Refused, check_file, read_json
from gateway import jsontext
from tests.journeys.gateway_process import run_command
from tests.journeys.proofs import VERIFIER, saved, verify_alone, verify_in_node
from tests.journeys.resources import bundle, observation
from tests.journeys.sites import running_site
from tests.journeys.test_rebuild import settled

Place = tuple[str | int, ...]


class Saved:
    """A proof file, what was known of the deployment, and the chain that is all that is left."""

    def __init__(self, file: dict[str, Any], period: Any, rpc: str) -> None:
        self.file = read_json(jsontext.dumps(file))
        self.period = period
        self.rpc = rpc


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    folder = tmp_path_factory.mktemp("proof")
    with running_site(folder) as site:
        patient, clinician = site.crowd.patient(), site.crowd.clinician()
        resources = [observation(value=f"1.{at}0") for at in range(7)]
        record = patient.person.import_bundle(patient.id, bundle(*resources)).value["records"][1]["id"]
        patient.consent(clinician.id)
        facts = site.gateway.facts()
        file = saved(clinician, facts, record)
        for _ in range(2):
            settled(site.gateway.index_url)
            patient.store(observation())
        settled(site.gateway.index_url)
        site.gateway.kill()
        code, said = run_command("proof", "period", folder / "period.json", settings=site.gateway.settings)
        assert code == 0, said
        chain = EmbeddedChainProcess.start(data=site.gateway.data / "chain.db", chain_id=facts["chainId"], funded=())
        try:
            yield Saved(file, read_json((folder / "period.json").read_bytes()), chain.url)
        finally:
            chain.stop()


@pytest.fixture(scope="session")
def packages() -> None:
    """The example's packages, as its lock names them."""
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=VERIFIER, check=True, timeout=120)


def leaves(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value that is no object or list, and where it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*at, place))
    else:
        yield at, value


def changed(file: Any, at: Place, value: Any) -> Any:
    made = copy.deepcopy(file)
    inner = made
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return made


def spoilt(value: Any) -> Iterator[Any]:
    """Other values of a kind: each third character, longer, shorter, another number, none."""
    if isinstance(value, str):
        for place in {*range(0, len(value), max(1, len(value) // 12)), len(value) - 1}:
            other = "1" if value[place] != "1" else "2"
            yield value[:place] + other + value[place + 1 :]
        yield value + "0"
        yield value[:-1]
        yield "0x" + value if not value.startswith("0x") else value[2:]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, -value - 1, str(value), float(value) + 0.5)
    yield None


def test_a_saved_record_checks_out_with_the_gateway_dead(proof: Saved, tmp_path: Path) -> None:
    code, said = verify_alone(tmp_path, proof.file, proof.rpc)
    assert (code, said.splitlines()[-1]) == (0, "ALL HOLDS"), said


def test_the_deployment_that_one_knows_is_compared(proof: Saved, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_bytes(jsontext.dumps(proof.file["deployment"]))
    assert verify_alone(tmp_path, proof.file, proof.rpc, "--deployment", str(known))[0] == 0
    known.write_bytes(jsontext.dumps({**proof.file["deployment"], "chainId": 1}))
    assert verify_alone(tmp_path, proof.file, proof.rpc, "--deployment", str(known))[0] == 1


def test_an_rpc_that_does_not_answer_gives_no_verdict(proof: Saved, tmp_path: Path) -> None:
    code, said = verify_alone(tmp_path, proof.file, "http://127.0.0.1:9")
    assert (code, said.split(":")[0]) == (2, "NOT CHECKED")


def test_no_changed_value_is_accepted(proof: Saved) -> None:
    accepted: list[tuple[Place, Any]] = []
    tried = 0
    for at, value in leaves(proof.file):
        for other in spoilt(value):
            tried += 1
            try:
                check_file(changed(proof.file, at, other), proof.rpc)
            except Refused:
                continue
            accepted.append((at, other))
    assert (accepted, tried > 500) == ([], True)


def test_no_member_can_be_added_or_left_out(proof: Saved) -> None:
    def objects(value: Any, at: Place = ()) -> Iterator[Place]:
        if isinstance(value, dict):
            yield at
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            yield from objects(inner, (*at, key))

    for at in objects(proof.file):
        inner = copy.deepcopy(proof.file)
        held: Any = inner
        for step in at:
            held = held[step]
        for name in list(held):
            value = held.pop(name)
            if (at, name) != ((), "auditEntry"):  # a record with its receipt alone is a proof too
                with pytest.raises(Refused):
                    check_file(inner, proof.rpc)
            held[name] = value
        held["more"] = "x"
        with pytest.raises(Refused):
            check_file(inner, proof.rpc)


@pytest.mark.parametrize("order", [(1, 0), (0,), (0, 0, 1)], ids=["exchanged", "short", "long"])
def test_no_other_path_is_accepted(proof: Saved, order: Sequence[int]) -> None:
    path = proof.file["record"]["anchor"]["proof"]["path"]
    assert len(path) >= 2
    other = [path[at] for at in order] + (path[2:] if len(order) == 2 else [])
    with pytest.raises(Refused):
        check_file(changed(proof.file, ("record", "anchor", "proof", "path"), other), proof.rpc)


def test_a_record_of_the_same_file_does_not_pass_as_its_own_audit_entry(proof: Saved) -> None:
    swapped = changed(proof.file, ("auditEntry", "anchor"), proof.file["record"]["anchor"])
    with pytest.raises(Refused):
        check_file(swapped, proof.rpc)


@pytest.mark.parametrize("text", ["[1,1]", '{"a":1,"a":2}', "NaN", '"\\ud800"', "[" * 100_000, "", "{"])
def test_text_that_is_no_proof_is_refused(proof: Saved, text: str) -> None:
    with pytest.raises(Refused):
        check_file(read_json(text), proof.rpc)


@pytest.mark.usefixtures("packages")
def test_the_example_in_javascript_agrees(proof: Saved, tmp_path: Path) -> None:
    assert verify_in_node(tmp_path, proof.file, proof.rpc) == (0, "ALL HOLDS\n")
    spoilt_ones = [
        ("record", "content", "valueQuantity", "value"),
        ("record", "contentSalt"),
        ("record", "cid"),
        ("record", "version"),
        ("record", "receipt", "payload"),
        ("record", "receipt", "signature"),
        ("record", "anchor", "proof", "root"),
        ("record", "anchor", "proof", "blockNumber"),
        ("record", "anchor", "proof", "path", 0),
        ("record", "anchor", "proof", "leafValues", 4),
        ("deployment", "gateway"),
        ("deployment", "codes", "anchor"),
    ]
    for at in spoilt_ones:
        value: Any = proof.file
        for step in at:
            value = value[step]
        code, said = verify_in_node(tmp_path, changed(proof.file, at, next(spoilt(value))), proof.rpc)
        assert code == 1, (at, said)


def test_nothing_was_left_out_of_a_period(proof: Saved, tmp_path: Path) -> None:
    code, said = verify_alone(tmp_path, proof.period, proof.rpc, "--whole")
    assert (code, "nothing left out between" in said) == (0, True), said
    assert len(proof.period["period"]["batches"]) >= 3


def test_no_changed_value_of_a_period_is_accepted(proof: Saved) -> None:
    accepted: list[tuple[Place, Any]] = []
    first = {**proof.period, "period": {**proof.period["period"], "batches": proof.period["period"]["batches"][:2]}}
    check_file(first, proof.rpc)
    for at, value in leaves(first):
        for other in (*spoilt(value),)[-4:]:
            try:
                check_file(changed(first, at, other), proof.rpc)
            except Refused:
                continue
            accepted.append((at, other))
    assert accepted == []


def without(period: Any, batch: int, entry: int | None = None) -> Any:
    made = copy.deepcopy(period)
    if entry is None:
        del made["period"]["batches"][batch]
    else:
        del made["period"]["batches"][batch]["entries"][entry]
        made["period"]["batches"][batch]["count"] -= 1
    return made


def test_an_entry_or_a_batch_that_is_left_out_shows(proof: Saved) -> None:
    batches = proof.period["period"]["batches"]
    spoilt_ones = [without(proof.period, at) for at in range(1, len(batches) - 1)]
    spoilt_ones += [
        without(proof.period, at, entry) for at, one in enumerate(batches) for entry in range(len(one["entries"]))
    ]
    for one in spoilt_ones:
        with pytest.raises(Refused):
            check_file(one, proof.rpc)
    for at in (0, -1):
        with pytest.raises(Refused):
            check_file(without(proof.period, at), proof.rpc, whole=True)


def test_a_receipt_is_found_in_the_period_of_its_entry(proof: Saved) -> None:
    receipt = jsontext.loads(proof.file["record"]["receipt"]["payload"])
    digest = "0x" + hashlib.sha256(proof.file["record"]["receipt"]["payload"].encode()).hexdigest()
    entries = [entry for batch in proof.period["period"]["batches"] for entry in batch["entries"]]
    (found,) = [entry for entry in entries if entry["receiptDigest"] == digest]
    assert isinstance(receipt, dict)
    assert (found["writer"], found["seq"], found["decision"]) == (
        receipt["writer"],
        receipt["writerSeq"],
        receipt["decision"],
    )
