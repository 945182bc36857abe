"""The in-memory world's guardians and recoveries: one guardian, the clinician, of one patient; all calls in its log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.consent.control import Proposed
from gateway.consent.guardianship import Guardian, GuardiansDraft, Guardianship, GuardiansView, Named
from gateway.consent.proposals import Lacking, PendingView, ProposalView, RecoveryView
from gateway.errors import DeniedError
from gateway.identity.model import Caller, Draft, Handed
from gateway.ids import ActorId, SubjectId

KEY = b"\x71" * 20
READY = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Behind `Services.guardianships`, `recoveries` and `handover`. `calls`: the world's log."""

    calls: list[tuple[str, Caller | None]]
    received: list[object]
    subject: SubjectId
    patient: ActorId
    guardian: ActorId

    def _called(self, name: str, caller: Caller) -> None:
        self.calls.append((name, caller))

    def _concerned(self, caller: Caller, subject: SubjectId) -> None:
        if subject != self.subject or caller.actor.id not in (self.patient, self.guardian):
            raise DeniedError("neither patient nor guardian")

    @property
    def _opened(self) -> Guardianship:
        guardian = Guardian(actor=self.guardian, signer=b"\x72" * 20)
        return Guardianship(guardians=(guardian,), threshold=1, salt=b"\x73" * 32)

    @property
    def _view(self) -> GuardiansView:
        named = Named(hash=b"\x74" * 32, opened=self._opened)
        return GuardiansView(current=named, next=Named(hash=b"\x75" * 32, opened=None), next_from=READY)

    @property
    def _proposal(self) -> ProposalView:
        proposed = Proposed(subject=self.subject, controller=KEY, attempt=1, not_after=1_800_000_000)
        lacking = Lacking(guardians=1, controller=True, attestation=True)
        return ProposalView(id=b"\x76" * 32, proposed=proposed, signed=1, lacking=lacking)

    @property
    def _recovery(self) -> RecoveryView:
        return RecoveryView(
            subject=self.subject,
            attempt=1,
            guardians=3,
            threshold=2,
            objected=True,
            pending=PendingView(controller=KEY, ready_at=READY, stoppable=False),
            proposals=(self._proposal,),
        )

    async def draft_guardians(
        self, caller: Caller, *, subject: SubjectId, actors: Sequence[ActorId], threshold: int
    ) -> GuardiansDraft:
        self._called("draft_guardians", caller)
        self.received.append((subject, tuple(actors), threshold))
        return GuardiansDraft(draft=Draft(id=b"\x77" * 32, typed_data={}), opened=self._opened)

    async def set_guardians(self, caller: Caller, **given: Any) -> GuardiansView:
        self._called("set_guardians", caller)
        self.received.append(given)
        return self._view

    async def guardians(self, caller: Caller, subject: SubjectId) -> GuardiansView | None:
        self._called("guardians", caller)
        return self._view if caller.actor.id == self.patient else None

    async def recovery(self, caller: Caller, subject: SubjectId) -> RecoveryView:
        self._called("recovery", caller)
        self._concerned(caller, subject)
        return self._recovery

    async def draft_recovery(
        self, caller: Caller, *, subject: SubjectId, controller: bytes, not_after: datetime | None
    ) -> Draft:
        self._called("draft_recovery", caller)
        self.received.append((controller, not_after))
        return Draft(id=b"\x78" * 32, typed_data={})

    async def sign_recovery(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signatures: Sequence[bytes]
    ) -> ProposalView:
        self._called("sign_recovery", caller)
        self.received.append(tuple(signatures))
        return self._proposal

    async def draft_attestation(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        self._called("draft_attestation", caller)
        return Draft(id=b"\x79" * 32, typed_data={})

    async def attest_recovery(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ProposalView:
        self._called("attest_recovery", caller)
        return self._proposal

    async def draft_objection(self, caller: Caller, *, subject: SubjectId) -> Draft:
        self._called("draft_objection", caller)
        return Draft(id=b"\x7a" * 32, typed_data={})

    async def object_to_recovery(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes
    ) -> RecoveryView:
        self._called("object_to_recovery", caller)
        return self._recovery

    async def finish_recovery(self, caller: Caller, subject: SubjectId) -> bytes:
        self._called("finish_recovery", caller)
        return KEY

    async def draft_change(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        self._called("draft_change", caller)
        return Draft(id=b"\x7b" * 32, typed_data={})

    async def change_controller(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, controller_signature: bytes
    ) -> Handed:
        self._called("change_controller", caller)
        return Handed(subject=self.subject, controller=KEY)

    async def draft_custody_end(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        self._called("draft_custody_end", caller)
        return Draft(id=b"\x7c" * 32, typed_data={})

    async def end_custody(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> Handed:
        self._called("end_custody", caller)
        return Handed(subject=self.subject, controller=KEY)
