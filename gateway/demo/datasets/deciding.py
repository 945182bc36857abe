"""The researcher asks, a data steward looks and decides, the gateway builds. Every wait shows how far it is.

Steps, each of which raises StepFailedError:
1. ask: what the request's paper says is what was asked, and its SHA-256 the one that goes on chain.
2. decide: the steward sees the same request, and signs what they decided, every departure of the profile by name.
3. await: an edition is released, or the dataset has failed, which is an answer too.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway import jsontext
from gateway.demo.answers import DraftAnswer
from gateway.demo.client import RefusedError, shaped
from gateway.demo.datasets import documents
from gateway.demo.datasets.answers import Dataset, Paper, Progress, Report
from gateway.demo.datasets.walk import Company, Walk
from gateway.demo.datasets.wish import DATA_USE, PURPOSE, TITLE, Wish
from gateway.demo.model import StepFailedError, WrongCallError, octets
from gateway.demo.roles import Person
from gateway.demo.signing import AskedDecision, check_decision
from gateway.demo.wallet import typed_data_digest
from gateway.errors import CallerError
from gateway.jsontext import JsonValue

DAYS = 30
REASON = "A demonstration on records that are nobody's."
APPROVED = "APPROVED"
PATIENCE_SECONDS = 600.0
"""Without any progress."""
LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for data, as its paper has it. `release`: 16 bytes; `digest`: the SHA-256 of its paper."""

    id: str
    release: bytes
    digest: bytes
    tables: Mapping[str, JsonValue] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the steward signed (EIP-712 JSON), and with what signature, 0x hex."""

    typed_data: Mapping[str, Any] = field(repr=False)
    signature: str


def ask(walk: Walk, company: Company, wish: Wish) -> Asked:
    """Raises WrongCallError where the gateway refuses a view or the profile: nobody was enrolled for it."""
    said: dict[str, JsonValue] = {
        "title": TITLE,
        "purpose": PURPOSE,
        "dataUse": [*DATA_USE],
        "cohort": {},
        "tables": wish.tables,
        "profile": wish.profile,
        "days": DAYS,
    }
    with walk.step("request", "asking for a dataset"):
        try:
            made = walk.gateway.result(
                documents.REQUEST, {"input": {**said, "format": "PARQUET"}}, Dataset, token=company.researcher.token
            )
        except RefusedError as error:
            if error.code == "INVALID":
                raise WrongCallError(f"the gateway refuses what is asked for: {error}") from error
            raise
        asked = read_request(made.last("REQUEST"), {**said, "format": "parquet"}, made, requester=company.researcher)
        walk.tally.id, walk.tally.state = made.id, made.state
        walk.tally.profile, walk.tally.departures = made.profile.name, made.profile.departures
    if made.profile.departures:
        walk.stages.say(
            f"the profile {made.profile.name} is looser than the rule in {', '.join(made.profile.departures)}",
            style="yellow",
        )
    return asked


def read_request(paper: Paper, said: Mapping[str, JsonValue], dataset: Dataset, *, requester: Person) -> Asked:
    """Raises StepFailedError where the paper is not of what was asked, by whom it was asked."""
    text = paper_text(paper)
    release, request = text.get("release"), text.get("request")
    if paper.number != 0 or not isinstance(release, str) or len(release) != 32 or not isinstance(request, dict):
        raise StepFailedError("the request's paper is not as it must be")
    if not all(same_form(request.get(name), value) for name, value in said.items()) or request.keys() != said.keys():
        raise StepFailedError("the request's paper says something else than was asked")
    if text.get("requester") != requester.actor.removeprefix("0x"):
        raise StepFailedError("the request's paper names somebody else")
    return Asked(
        id=dataset.id,
        release=octets(release),
        digest=hashlib.sha256((paper.text or "").encode()).digest(),
        tables=shaped(said.get("tables"), dict[str, Any]),
    )


def decide(walk: Walk, company: Company, asked: Asked, wish: Wish) -> Decided:
    """The steward looks and approves. Raises StepFailedError before a signature on anything else."""
    with walk.step("decide", "deciding as the data steward"):
        seen = look(walk, asked, company.steward)
        if seen.last("REQUEST").sha256 != "0x" + asked.digest.hex() or seen.requester.id != company.researcher.id:
            raise StepFailedError("the steward is shown another request than was asked")
        if seen.profile.departures != walk.tally.departures or not same_form(seen.tables, wish.tables):
            raise StepFailedError("the steward is shown another profile, or other tables, than the researcher")
        return _sign(walk, company.steward, asked, departures=seen.profile.departures)


def _sign(walk: Walk, steward: Person, asked: Asked, *, departures: Sequence[str]) -> Decided:
    decision = AskedDecision(
        release="0x" + asked.release.hex(),
        request="0x" + asked.digest.hex(),
        verdict=APPROVED,
        reason=REASON,
        departures=tuple(departures),
        steward=steward.actor,
        now=int(time.time()),
    )
    said: dict[str, JsonValue] = {
        "datasetId": asked.id,
        "verdict": APPROVED,
        "reason": REASON,
        "departures": [*departures],
    }
    draft = walk.gateway.result(documents.DRAFT_DECISION, {"input": said}, DraftAnswer, token=steward.token)
    check_decision(draft.typed_data, decision, deployment=walk.deployment)
    if typed_data_digest(draft.typed_data) != draft.id:
        raise StepFailedError("the draft's id is not its EIP-712 digest; not signed")
    signature = steward.wallet.sign_typed_data(draft.typed_data)
    signed: JsonValue = {"typedData": draft.typed_data, "signature": signature}
    walk.gateway.result(documents.DECIDE, {"input": signed}, Progress, token=steward.token)
    return Decided(typed_data=draft.typed_data, signature=signature)


def await_edition(walk: Walk, company: Company, asked: Asked, *, edition: int, name: str) -> Dataset:
    """The dataset once the edition is released, or it is over. Raises StepFailedError when nothing moves any more."""
    with walk.step(name, f"building edition {edition}", total=100) as advance:
        shown, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            now = glance(walk, asked, company.researcher)
            if now.hundredths > shown:
                advance(now.hundredths - shown)
                shown, deadline = now.hundredths, time.monotonic() + PATIENCE_SECONDS
            if now.state != "BUILDING" and (now.edition >= edition or now.state not in ("REQUESTED", "RELEASED")):
                break
            time.sleep(LOOK_SECONDS)
        else:
            raise StepFailedError(f"the dataset is not built within {PATIENCE_SECONDS:.0f} s without progress")
    found = look(walk, asked, company.researcher)
    walk.tally.state, walk.tally.edition, walk.tally.failed = found.state, found.edition, found.failed
    return found


def look(walk: Walk, asked: Asked, who: Person) -> Dataset:
    """The dataset as somebody is shown it. Raises StepFailedError where they are shown none."""
    found = walk.gateway.data(documents.DATASET, {"dataset": asked.id}, token=who.token)
    return shaped(found.get("dataset"), Dataset)


def glance(walk: Walk, asked: Asked, who: Person) -> Progress:
    """As `look`, of how far it is alone."""
    found = walk.gateway.data(documents.PROGRESS, {"dataset": asked.id}, token=who.token)
    return shaped(found.get("dataset"), Progress)


def save_report(walk: Walk, company: Company, asked: Asked) -> None:
    """The steward's report, into the folder."""
    report = walk.gateway.result(documents.REPORT, {"dataset": asked.id}, Report, token=company.steward.token)
    (walk.out / "report.html").write_text(report.html, encoding="utf-8")


def paper_text(paper: Paper) -> dict[str, Any]:
    """The members of a paper that is shown, which must be the octets of its SHA-256. Raises StepFailedError."""
    if paper.text is None or "0x" + hashlib.sha256(paper.text.encode()).hexdigest() != paper.sha256:
        raise StepFailedError(f"paper {paper.number} of the dataset is not the text of its SHA-256")
    try:
        return shaped(jsontext.loads(paper.text), dict[str, Any])
    except CallerError as error:
        raise StepFailedError(f"paper {paper.number} of the dataset is no JSON") from error


def same_form(one: JsonValue, other: JsonValue) -> bool:
    """Equal in RFC 8785 form, which is how papers are written."""
    try:
        return jsontext.canonical(one) == jsontext.canonical(other)
    except CallerError:
        return False
