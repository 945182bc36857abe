"""The in-memory world's de-identified dataset: asked for by the clinician, approved and released. Each call is in its
log; what is asked is parsed as the service does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.errors import CallerError, ConflictError, DeniedError
from gateway.identity.model import Caller, Draft
from gateway.ids import ActorId, ReleaseId, SubjectId
from gateway.ports.anchors import AnchorState
from gateway.ports.releases import ReleaseStage
from gateway.releases.model import (
    AnchoredPaper,
    Decision,
    OpenedRelease,
    PatientRelease,
    PatientReleasePage,
    ReleaseFile,
    ReleasePage,
    ReleaseView,
    SignedDecision,
    Verdict,
)
from gateway.releases.papers import Kind
from gateway.releases.request import parse_request
from gateway.slices import Slice

RELEASE = ReleaseId(b"\x65" * 16)
OVER = ReleaseId(b"\x66" * 16)
"""One that is asked for by the same, and cannot be opened."""
PEOPLE = {
    "resource": "Patient",
    "select": [{"column": [{"name": "person", "path": "getResourceKey()"}, {"name": "sex", "path": "gender"}]}],
}
ASKED: dict[str, Any] = {
    "title": "Two conditions",
    "purpose": "HRESCH",
    "dataUse": ["DUO:0000042"],
    "cohort": {"sex": ["female"]},
    "tables": {"people": PEOPLE},
    "profile": "safe-harbor",
    "format": "parquet",
    "days": 30,
}
FILE = ReleaseFile(
    name="people/part-00000.parquet",
    table="people",
    rows=24,
    size=2**40 + 1,
    sha256=b"\x67" * 32,
    cid="bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
)
PENDING = AnchorState(status="PENDING", proof=None)


def make_view(requester: ActorId) -> ReleaseView:
    decision = Decision(
        release=RELEASE,
        request=b"\x68" * 32,
        verdict=Verdict.APPROVED,
        reason="As agreed with the board.",
        departures=(),
        steward=requester,
        at=1_800_000_100,
    )
    return ReleaseView(
        release=RELEASE,
        stage=ReleaseStage.RELEASED,
        edition=2,
        requester=requester,
        request=parse_request(ASKED),
        asked_at=1_800_000_000,
        decision=SignedDecision(decision=decision, typed_data={"primaryType": "DatasetDecision"}, signature=b"\x69"),
        progress=1.0,
        expires_at=1_900_000_000,
        papers=(
            AnchoredPaper(number=0, kind=Kind.REQUEST.value, octets=b"{}", sha256=b"\x6a" * 32, anchor=PENDING),
            AnchoredPaper(number=1, kind=Kind.DELIVERY.value, octets=None, sha256=b"\x6b" * 32, anchor=PENDING),
        ),
        files=(FILE,),
        tombstones=("9f3a",),
        failed=(),
        cursor="d1",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """Behind `Services.releases`: shown to the requester, and to the patient as to a steward. `calls`: the world's
    log."""

    calls: list[tuple[str, Caller | None]]
    received: list[Any]
    requester: ActorId
    patient: ActorId
    subject: SubjectId

    def _theirs(self, name: str, caller: Caller) -> ReleaseView:
        self.calls.append((name, caller))
        if caller.actor.id not in (self.requester, self.patient):
            raise DeniedError("not theirs")
        return make_view(self.requester)

    async def request(self, caller: Caller, asked: Any, /) -> ReleaseView:
        self.received.append(asked)
        return replace(self._theirs("request_dataset", caller), request=parse_request(asked))

    async def get(self, caller: Caller, release: ReleaseId, /) -> ReleaseView | None:
        return self._theirs("get_dataset", caller) if release == RELEASE else None

    async def mine(self, caller: Caller, part: Slice, /) -> ReleasePage:
        self.received.append(part)
        return ReleasePage(views=(self._theirs("my_datasets", caller),), has_next=True)

    async def asked_of_stewards(self, caller: Caller, part: Slice, /, *, waiting: bool) -> ReleasePage:
        self.received.append((part, waiting))
        return ReleasePage(views=(self._theirs("asked_datasets", caller),), has_previous=part.backwards)

    async def of_patient(self, caller: Caller, subject: SubjectId, /, *, part: Slice) -> PatientReleasePage:
        self.received.append(part)
        self.calls.append(("datasets_of_patient", caller))
        if caller.actor.id != self.patient or subject != self.subject:
            return PatientReleasePage()
        used = PatientRelease(
            release=RELEASE,
            title="Two conditions",
            requester=self.requester,
            data_use=("DUO:0000042",),
            stage=ReleaseStage.EXPIRED,
            at=1_800_000_050,
            withdrawn=True,
            cursor="u2",
        )
        return PatientReleasePage(releases=(used,), has_next=True, has_previous=part.backwards, start="u1", end="u3")

    async def draft_decision(
        self, caller: Caller, release: ReleaseId, /, *, verdict: Verdict, reason: str, departures: Sequence[str]
    ) -> Draft:
        self._theirs("draft_decision", caller)
        self.received.append((verdict, reason, tuple(departures)))
        self._open(release)
        if "anonymity.k" in departures:
            raise CallerError("the profile does not depart in this", field=("overrides", "anonymity.k"))
        return Draft(id=b"\x6c" * 32, typed_data={"primaryType": "DatasetDecision"})

    async def decide(self, caller: Caller, *, typed_data: Any, signature: bytes) -> ReleaseView:
        view = self._theirs("decide_dataset", caller)
        if "fails at" in typed_data:
            raise ConflictError("not so", field=tuple(typed_data["fails at"]))
        return view

    async def report(self, caller: Caller, release: ReleaseId, /) -> str:
        self._theirs("dataset_report", caller)
        self._open(release)
        return "<!doctype html>"

    async def open(self, caller: Caller, release: ReleaseId, /) -> OpenedRelease:
        view = self._theirs("open_dataset", caller)
        self._open(release)
        return OpenedRelease(
            view=view, manifest=b'{"kind":"dataset-manifest"}', wrapped=b"\x6d" * 80, half=b"\x6e" * 32
        )

    async def cancel(self, caller: Caller, release: ReleaseId, /) -> ReleaseView:
        view = self._theirs("cancel_dataset", caller)
        self._open(release)
        return replace(view, stage=ReleaseStage.CANCELLED, decision=None, expires_at=None, files=())

    def _open(self, release: ReleaseId) -> None:
        if release == OVER:
            raise ConflictError("the release is over", field=("id",))
        if release != RELEASE:
            raise DeniedError("no such release")
