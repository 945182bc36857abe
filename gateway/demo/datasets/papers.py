"""Whether a dataset's papers are one chain, each where it must be, in this gateway's log on chain.

Steps, each of which raises StepFailedError:
1. anchored: every paper has a proof; those that are not on chain yet are waited for.
2. chain: the leaf is (release, number, SHA-256, that of the paper before); it leads to a root that stands in the log,
   and the log is this gateway's, for releases. A text that is shown is that of its SHA-256.
3. order: request, decision, and for each edition manifest and delivery, with what came between.
4. decision: the very text and signature that the steward made, and the manifest names that paper.
Source: OpenZeppelin StandardMerkleTree; RFC 8785.
"""

import time
from collections.abc import Sequence

from gateway.demo.answers import Proof
from gateway.demo.checking import check_chain, check_path
from gateway.demo.datasets.answers import Dataset, Paper
from gateway.demo.datasets.deciding import Asked, Decided, look, paper_text, same_form
from gateway.demo.datasets.walk import Company, Walk
from gateway.demo.model import Deployment, StepFailedError, octets
from gateway.demo.rpc import Chain
from gateway.demo.wallet import Wallet

LEAF = ["bytes16", "uint32", "bytes32", "bytes32"]
FIRST = bytes(32)
"""In the place of the paper before the first."""
RELEASED = ("REQUEST", "DECISION", "MANIFEST", "DELIVERY")
ANEW = (*RELEASED, "WITHDRAWAL", "MANIFEST", "DELIVERY")
OVER = (*RELEASED, "WITHDRAWAL", "END")
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.5


def check_papers(
    walk: Walk, company: Company, asked: Asked, decided: Decided, *, kinds: Sequence[str], name: str
) -> Dataset:
    """The dataset with papers of these kinds, each checked against the chain's RPC."""
    with walk.step(name, "checking papers against the chain", total=len(kinds)) as advance:
        dataset = _anchored(walk, company, asked)
        if tuple(one.kind for one in dataset.papers) != tuple(kinds):
            raise StepFailedError(f"the dataset's papers are {', '.join(one.kind for one in dataset.papers)}")
        previous = FIRST
        for number, paper in enumerate(dataset.papers):
            check_paper(paper, asked.release, number, previous, chain=walk.chain, deployment=walk.deployment)
            previous = octets(paper.sha256)
            advance(1)
        if dataset.papers[0].sha256 != "0x" + asked.digest.hex():
            raise StepFailedError("the first paper is not the request that was made")
        check_decision_paper(dataset.last("DECISION"), decided, steward=company.steward.wallet)
        manifest = paper_text(dataset.last("MANIFEST"))
        if manifest.get("decision") != dataset.last("DECISION").sha256.removeprefix("0x"):
            raise StepFailedError("the manifest names another decision")
    return dataset


def check_paper(
    paper: Paper, release: bytes, number: int, previous: bytes, *, chain: Chain, deployment: Deployment
) -> None:
    """One paper of a release, behind that of which `previous` is the SHA-256."""
    proof = paper.anchor.proof
    if paper.number != number or proof is None:
        raise StepFailedError(f"paper {number} of the dataset is missing, or has no proof")
    values = _leaf_values(proof)
    if values != [release, number.to_bytes(4, "big"), octets(paper.sha256), previous]:
        raise StepFailedError(f"the leaf of paper {number} is not of this paper behind the one before")
    check_path(proof, values)
    check_chain(proof, chain=chain, deployment=deployment, kind="releases")
    if paper.text is not None:
        paper_text(paper)


def check_decision_paper(paper: Paper, decided: Decided, *, steward: Wallet) -> None:
    """It holds what the steward signed, and their signature."""
    text = paper_text(paper)
    if not same_form(text.get("typedData"), dict(decided.typed_data)):
        raise StepFailedError("the decision's paper is not of what the steward signed")
    signature = f"0x{text.get('signature')}"
    if signature != decided.signature or not steward.signed(decided.typed_data, signature):
        raise StepFailedError("the decision's paper is not signed by the steward")


def _leaf_values(proof: Proof) -> list[bytes]:
    if proof.leaf_encoding != LEAF or len(proof.leaf_values) != len(LEAF):
        raise StepFailedError("the proof is not of a paper's leaf")
    return [octets(value) for value in proof.leaf_values]


def _anchored(walk: Walk, company: Company, asked: Asked) -> Dataset:
    """The dataset once every paper is on chain."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        dataset = look(walk, asked, company.researcher)
        if all(paper.anchor.is_on_chain and paper.anchor.proof for paper in dataset.papers):
            return dataset
        time.sleep(LOOK_SECONDS)
    raise StepFailedError(f"papers were not anchored within {PATIENCE_SECONDS:.0f} s")
