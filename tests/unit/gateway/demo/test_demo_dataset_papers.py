"""Papers are one chain in this gateway's log, or one clear line says which is not; a manifest is its paper's text."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.demo.datasets.answers import Paper
from gateway.demo.datasets.deciding import Decided, paper_text, read_request
from gateway.demo.datasets.manifest import read_manifest
from gateway.demo.datasets.papers import check_decision_paper, check_paper
from gateway.demo.model import StepFailedError
from gateway.demo.rpc import Chain
from gateway.demo.wallet import Wallet
from gateway.releases.keeping import leaf_values
from tests.unit.gateway.demo.anchored_world import DEPLOYMENT, HandMadeChain
from tests.unit.gateway.demo.local_http import serving
from tests.unit.gateway.demo.released_world import (
    ASKED,
    COMPANY,
    RELEASE,
    REQUEST,
    Written,
    dataset,
    decision_paper,
    first_edition,
    manifest_text,
    opened,
    request_paper,
    written,
)

FIRST = written(first_edition())
STEWARD = COMPANY.steward.wallet


def changed(paper: Paper, **fields: Any) -> Paper:
    plain = {name: getattr(paper, name) for name in ("number", "kind", "sha256", "text", "anchor")}
    return Paper(**{**plain, **fields})


def check(made: Written, number: int, *, chain: HandMadeChain | None = None, release: bytes = RELEASE) -> None:
    before = bytes(32) if not number else bytes.fromhex(made.papers[number - 1].sha256[2:])
    answering = chain or HandMadeChain(root=made.root, event_root=made.root, log_kind=b"releases")
    with serving(answering) as url:
        check_paper(made.papers[number], release, number, before, chain=Chain(url), deployment=DEPLOYMENT)


@pytest.mark.parametrize("number", range(4))
def test_each_paper_of_a_release_is_in_its_place(number: int) -> None:
    check(FIRST, number)


def test_a_paper_of_another_release_is_not_taken() -> None:
    with pytest.raises(StepFailedError, match="behind the one before"):
        check(FIRST, 1, release=b"\x22" * 16)


def test_a_paper_behind_another_is_not_taken() -> None:
    def values_of(release: bytes, number: int, octets: bytes, previous: bytes) -> tuple[bytes, ...]:
        return leaf_values(release, number, octets, b"\x77" * 32)

    with pytest.raises(StepFailedError, match="behind the one before"):
        check(written(first_edition(), values_of=values_of), 2)


@pytest.mark.parametrize(
    ("chain", "match"),
    [
        ({"log_kind": b"records"}, "not this gateway's"),
        ({"log_gateway": b"\x01" * 32}, "not this gateway's"),
        ({"anchored_at": 0}, "does not stand in the log"),
        ({"event_root": b"\x01" * 32}, "did not anchor this root"),
    ],
)
def test_a_log_that_is_another_is_not_taken(chain: dict[str, Any], match: str) -> None:
    answering = {"root": FIRST.root, "event_root": FIRST.root, "log_kind": b"releases", **chain}
    with pytest.raises(StepFailedError, match=match):
        check(FIRST, 0, chain=HandMadeChain(**answering))


def test_a_text_that_is_not_of_its_hash_is_not_taken() -> None:
    with pytest.raises(StepFailedError, match="not the text of its SHA-256"):
        paper_text(changed(FIRST.papers[0], text="{}"))


def test_the_request_is_what_was_asked() -> None:
    asked = read_request(FIRST.papers[0], asked_for(), dataset(FIRST), requester=COMPANY.researcher)
    assert asked == ASKED


def asked_for(**changes: Any) -> dict[str, Any]:
    return {**REQUEST_MEMBERS, **changes}


REQUEST_MEMBERS = paper_text(FIRST.papers[0])["request"]


@pytest.mark.parametrize(
    "changes", [{"title": "Another"}, {"days": 31}, {"tables": {}}, {"more": 1}, {"profile": "expert-determination"}]
)
def test_a_request_that_says_something_else_is_not_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(StepFailedError, match="something else"):
        read_request(FIRST.papers[0], asked_for(**changes), dataset(FIRST), requester=COMPANY.researcher)


def test_a_request_in_anothers_name_is_not_taken() -> None:
    with pytest.raises(StepFailedError, match="somebody else"):
        read_request(FIRST.papers[0], asked_for(), dataset(FIRST), requester=COMPANY.stranger)


def test_the_decision_is_the_stewards() -> None:
    check_decision_paper(FIRST.papers[1], decision_paper()[1], steward=STEWARD)


@pytest.mark.parametrize(
    "made", [lambda: decision_paper(Wallet.new()), lambda: decision_paper(reason="Because.")], ids=["signer", "text"]
)
def test_another_decision_is_not_taken(made: Callable[[], tuple[bytes, Decided]]) -> None:
    texts = [("REQUEST", request_paper()), ("DECISION", made()[0])]
    with pytest.raises(StepFailedError, match="decision's paper"):
        check_decision_paper(written(texts).papers[1], decision_paper()[1], steward=STEWARD)


def test_a_manifest_is_read() -> None:
    manifest = read_manifest(opened(), ASKED, COMPANY)
    assert (manifest.edition, manifest.released, manifest.hides) == (1, 2, False)
    assert [table.person for table in manifest.tables] == ["person", None]
    assert manifest.request_digest == REQUEST.digest.hex()


@pytest.mark.parametrize(
    "changes",
    [
        {"release": "00" * 16},
        {"recipient": {"actor": "00" * 32, "encryptionKey": COMPANY.key.public.hex()}},
        {"recipient": {"actor": COMPANY.researcher.actor[2:], "encryptionKey": "00" * 32}},
        {"edition": 2},
        {"tombstones": ["somebody"]},
        {"files": []},
        {"tables": []},
    ],
    ids=["release", "actor", "key", "edition", "tombstones", "files", "tables"],
)
def test_a_manifest_of_something_else_is_not_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(StepFailedError):
        read_manifest(opened(manifest_text(**changes)), ASKED, COMPANY)


def test_a_manifest_that_is_not_its_papers_is_not_taken() -> None:
    other = opened()
    with pytest.raises(StepFailedError, match="not the text of its paper"):
        read_manifest(
            type(other)(manifest=manifest_text(more=1), wrapped_key="0x", gateway_half="0x", dataset=other.dataset),
            ASKED,
            COMPANY,
        )


def test_people_who_are_hidden_are_known_to_be() -> None:
    text = manifest_text(counts={"released": 2, "suppressedAtMost": 11})
    assert read_manifest(opened(text), ASKED, COMPANY).hides
