"""Control that passes on without a recovery: from the patient's key to another by both signatures; out of custody by
the next key's own, which a registrar brings.

Either ends the epoch on chain: every permit, delegate and credential of before; guardians stay.
"""

from collections.abc import Mapping
from typing import Any

from gateway import eip712
from gateway.consent import control
from gateway.consent.hands import Hands
from gateway.consent.recoveries import check_controller
from gateway.consent.relaying import Relaying
from gateway.consent.rules import require_free
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError
from gateway.identity.model import Caller, Draft, Handed
from gateway.identity.service import Identity
from gateway.ids import SubjectId
from gateway.ports.chain import Calls

CHANGE, END_CUSTODY = "CHANGE_CONTROLLER", "END_CUSTODY"


class Handover:
    """See the module."""

    def __init__(
        self, *, identity: Identity, standings: Standings, hands: Hands, calls: Calls, relaying: Relaying
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._calls = calls
        self._relaying = relaying

    async def draft_change(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        """The patient's. Both keys sign it: the next one so that nobody is locked out by a mistyped key."""
        check_controller(controller)
        standing = await self._hands.own(caller, subject, CHANGE)
        require_free(standing.control.recovery)
        full = control.change_typed_data(
            subject, controller, control=standing.control.control, domain=self._standings.domain
        )
        return Draft(id=eip712.digest(full), typed_data=full)

    async def change_controller(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, controller_signature: bytes
    ) -> Handed:
        """Returns once it stands on chain for good: from then on the old key has no say."""
        domain = self._standings.domain
        subject, controller, count = control.read_change(typed_data, domain)
        standing = await self._hands.own(caller, subject, CHANGE)
        full = control.change_typed_data(subject, controller, control=count, domain=domain)
        await self._require_signed(standing.subject.controller, full, signature, "signature")
        await self._require_signed(controller, full, controller_signature, "controllerSignature")
        require_free(standing.control.recovery)
        if count != standing.control.control:
            raise ConflictError("drafted before another change; draft it again", field=("typedData", "message"))
        call = self._calls.change_controller(
            subject=subject, controller=controller, signature=signature, controller_signature=controller_signature
        )
        await self._relaying.relay(caller, subject, call, action=CHANGE, confirmed=True)
        return Handed(subject=subject, controller=controller)

    async def draft_custody_end(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        """A registrar's; the patient's new key signs it."""
        check_controller(controller)
        await self._in_custody(caller, subject)
        full = control.custody_typed_data(subject, controller, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def end_custody(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> Handed:
        """Returns once it stands on chain for good. What stands is success."""
        domain = self._standings.domain
        subject, controller = control.read_custody(typed_data, domain)
        standing = await self._in_custody(caller, subject)
        full = control.custody_typed_data(subject, controller, domain)
        await self._require_signed(controller, full, signature, "signature")
        if standing.subject.custodian is not None:
            call = self._calls.end_custody(subject=subject, controller=controller, controller_signature=signature)
            await self._relaying.relay(caller, subject, call, action=END_CUSTODY, confirmed=True)
        elif standing.subject.controller != controller or standing.control.control != 1:
            raise ConflictError("not in custody", field=("typedData", "message", "subject"))
        return Handed(subject=subject, controller=controller)

    async def _in_custody(self, caller: Caller, subject: SubjectId) -> Standing:
        """Of any subject that there is, for a registrar."""
        standing = await self._standings.current(subject)
        if not caller.registrar or standing is None:
            raise await self._hands.refusal(caller, standing, END_CUSTODY, "no registrar, or nobody")
        return standing

    async def _require_signed(self, signer: bytes, full: Mapping[str, Any], signature: bytes, name: str) -> None:
        if not await self._identity.signed_by(signer, eip712.digest(full), signature):
            raise CallerError("not signed by this key, or not this text", field=(name,))
