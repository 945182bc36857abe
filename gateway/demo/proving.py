"""Waiting until everything is anchored, then checking every record on its own.

One record is watched, not all: each look is a read that the patient's log will show.
"""

import time
from collections.abc import Sequence

from gateway.demo import documents
from gateway.demo.answers import AnchoredId, Proof, ReadRecord
from gateway.demo.checking import Expected, check_record
from gateway.demo.journey import PURPOSES, Journey
from gateway.demo.model import StepFailedError
from gateway.demo.paging import pages
from gateway.demo.patients import Enrolled
from gateway.demo.progress import Advance

PATIENCE_SECONDS = 120.0
"""Without any progress."""
LOOK_SECONDS = 0.5


def await_anchors(journey: Journey, patient: Enrolled, records: Sequence[ReadRecord]) -> dict[str, Proof]:
    """The proofs by record id. What is not anchored in time is a problem of its own."""
    proofs = {record.id: record.anchor.proof for record in records if record.anchor.is_on_chain and record.anchor.proof}
    waiting = {record.id for record in records} - proofs.keys()
    with journey.stage("anchor", "waiting for the anchors", total=len(records)) as advance:
        advance(len(proofs))
        while waiting:
            if not _watch(journey, next(iter(waiting))):
                journey.tally.fail(f"{len(waiting)} records were not anchored within {PATIENCE_SECONDS:.0f} s")
                return proofs
            waiting -= _collect(journey, patient, waiting, proofs, advance)
    return proofs


def check_all(
    journey: Journey, patient: Enrolled, records: Sequence[ReadRecord], proofs: dict[str, Proof], *, consent: str
) -> None:
    """Every proof, content commitment and receipt, against the chain's RPC."""
    expected = Expected(
        subject=patient.subject, actor=journey.cast.clinician.actor, consent=consent, purpose=PURPOSES[0]
    )
    with journey.stage("check", "checking proofs against the chain", total=len(records)) as advance:
        leaves: set[str] = set()
        for record in records:
            proof = proofs.get(record.id)
            if proof is None:
                continue
            try:
                check_record(record, proof, chain=journey.chain, deployment=journey.deployment, expected=expected)
                if proof.leaf_values[0] in leaves:
                    raise StepFailedError("another record has the same leaf")
                leaves.add(proof.leaf_values[0])
                journey.tally.proofs_checked += 1
            except StepFailedError as error:
                journey.tally.fail(f"record {record.id}: {error}")
            advance(1)


def _watch(journey: Journey, record: str) -> bool:
    """Returns once the record is anchored; False when time is up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    token = journey.cast.clinician.token
    while time.monotonic() < deadline:
        found = journey.gateway.result(documents.ANCHOR, {"record": record}, AnchoredId, token=token)
        if found.anchor.is_on_chain:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _collect(
    journey: Journey, patient: Enrolled, waiting: set[str], proofs: dict[str, Proof], advance: Advance
) -> set[str]:
    """Adds the proofs that are there by now; returns whose they are."""
    found: set[str] = set()
    for nodes in pages(
        journey.gateway,
        documents.ANCHORS,
        AnchoredId,
        patient=patient.id,
        connection="records",
        token=journey.cast.clinician.token,
    ):
        for node in nodes:
            if node.id in waiting and node.id not in found and node.anchor.is_on_chain and node.anchor.proof:
                proofs[node.id] = node.anchor.proof
                found.add(node.id)
                advance(1)
    return found
