"""Delegates as a world of the schema's tests answers them: one, of the patient's, who is the clinician."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.consent.model import (
    Action,
    DelegateDraft,
    DelegateInput,
    DelegateView,
    Limits,
    Purpose,
)
from gateway.identity.model import Caller, Draft
from gateway.ids import ActorId, SubjectId

NUMBER = 1


def limits(subject: SubjectId, actor: ActorId) -> Limits:
    return Limits(
        subject=subject,
        actor=actor,
        actions=(Action.READ,),
        purposes=(Purpose.TREAT,),
        resource_types=("Observation",),
        labels=(),
        denies=False,
        permits_until=1_900_000_000,
        lists=True,
        salt=bytes(32),
    )


@dataclass
class Delegated:
    """`owner`: by whom the patient signs in."""

    calls: list[tuple[str, Caller | None]]
    patient: SubjectId
    delegate: ActorId
    owner: ActorId

    def _called(self, method: str, caller: Caller | None) -> None:
        self.calls.append((method, caller))

    def _delegate(self) -> DelegateView:
        return DelegateView(
            subject=self.patient,
            number=NUMBER,
            signer=b"\x05" * 20,
            not_after=1_900_000_000,
            holds=True,
            limits=limits(self.patient, self.delegate),
        )

    async def draft_delegate(self, caller: Caller, wanted: DelegateInput, /) -> DelegateDraft:
        self._called("draft_delegate", caller)
        return DelegateDraft(
            id=b"\x83" * 32, typed_data={"primaryType": "Delegation"}, limits={"kind": "limits"}, statement="I let"
        )

    async def add_delegate(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, given: Any
    ) -> DelegateView:
        self._called("add_delegate", caller)
        return self._delegate()

    async def draft_removal(self, caller: Caller, *, subject: SubjectId, number: int) -> Draft:
        self._called("draft_removal", caller)
        return Draft(id=b"\x84" * 32, typed_data={"primaryType": "DelegationEnd"})

    async def remove_delegate(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> DelegateView:
        self._called("remove_delegate", caller)
        return self._delegate()

    async def delegates(self, caller: Caller, subject: SubjectId) -> tuple[DelegateView, ...]:
        self._called("delegates", caller)
        return (self._delegate(),) if caller.actor.id == self.owner else ()
