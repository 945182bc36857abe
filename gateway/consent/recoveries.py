"""A patient's lost key replaced by their guardians: drafted, seen, objected to, finished. What is signed for it goes to
`collecting`; what is due by itself is `succession`'s.

Who is told what: the patient, whether one is pending and until when they may object; a guardian, and whoever is to take
over, that too, and a guardian what is being signed and by how many, never by whom; nobody else anything. A draft holds
nothing that does not stand on chain, so whoever is signed in may have one, of a patient who does not exist too.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway import eip712
from gateway.consent import control, policy
from gateway.consent.collecting import ATTEST, Collecting
from gateway.consent.control import Attested, Proposed
from gateway.consent.hands import Hands
from gateway.consent.names import requester
from gateway.consent.proposals import Due, PendingView, RecoveryView, digest_of
from gateway.consent.relaying import LANDING_SECONDS, Relaying
from gateway.consent.standing import Standing, Standings
from gateway.consent.succession import Succession
from gateway.errors import CallerError, ConflictError, UpstreamError
from gateway.identity.control import Recovery
from gateway.identity.model import Caller, Draft
from gateway.identity.service import Identity
from gateway.ids import SubjectId
from gateway.ports.chain import Calls
from gateway.ports.clock import Clock

SHORTEST_CONTROLLER = 20
DRAFT_SECONDS = 14 * 86_400
LONGEST_SECONDS = 90 * 86_400
"""A signature that lies about for longer is forgotten by who gave it."""
SHOW, OBJECT, FINISH = "SHOW_RECOVERY", "OBJECT_RECOVERY", "FINISH_RECOVERY"
_EACH_SECONDS = 0.2


class Recoveries:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        collecting: Collecting,
        succession: Succession,
        calls: Calls,
        relaying: Relaying,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._collecting = collecting
        self._succession = succession
        self._calls = calls
        self._relaying = relaying
        self._clock = clock
        # The signatures' own room, as the schema calls it.
        self.sign_recovery = collecting.sign
        self.attest_recovery = collecting.attest

    async def draft_recovery(
        self, caller: Caller, *, subject: SubjectId, controller: bytes, not_after: datetime | None
    ) -> Draft:
        """For guardians and for who is to take over: all of them sign the very same text."""
        check_controller(controller)
        now = self._clock.now()
        ends = int(now) + DRAFT_SECONDS if not_after is None else int(not_after.timestamp())
        if not now < ends <= now + LONGEST_SECONDS:
            raise CallerError("later than now, and at most 90 days ahead", field=("notAfter",))
        standing = await self._standings.asked_for(subject)
        attempt = 0 if standing is None else standing.control.attempt
        proposed = Proposed(subject=subject, controller=controller, attempt=attempt, not_after=ends)
        full = control.recovery_typed_data(proposed, self._standings.domain)
        return Draft(id=digest_of(proposed, self._standings.domain), typed_data=full)

    async def draft_attestation(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft:
        """A registrar's, who saw the patient in person and has the next controller from them."""
        check_controller(controller)
        await self._collecting.require_registrar(caller, ATTEST)
        standing = await self._standings.asked_for(subject)
        attempt = 0 if standing is None else standing.control.attempt
        attested = Attested(subject=subject, controller=controller, attempt=attempt)
        full = control.attestation_typed_data(attested, self._standings.domain)
        return Draft(id=digest_of(attested, self._standings.domain), typed_data=full)

    async def draft_objection(self, caller: Caller, *, subject: SubjectId) -> Draft:
        """The patient's present key's, once until a recovery was finished."""
        standing = await self._hands.own(caller, subject, OBJECT)
        _require_stoppable(standing.control.recovery)
        full = control.objection_typed_data(subject, standing.control.attempt - 1, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def object_to_recovery(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes
    ) -> RecoveryView:
        """Returns once it stands on chain. What stands is success."""
        domain = self._standings.domain
        subject, attempt = control.read_objection(typed_data, domain)
        standing = await self._hands.own(caller, subject, OBJECT)
        full = control.objection_typed_data(subject, attempt, domain)
        if not await self._identity.signed_by(standing.subject.controller, eip712.digest(full), signature):
            raise CallerError("not signed by the patient's key, or not this text", field=("signature",))
        if attempt != standing.control.attempt - 1:
            raise ConflictError("signed for another attempt; draft it again", field=("typedData", "message", "attempt"))
        if standing.control.recovery is not None or not standing.control.objected:
            _require_stoppable(standing.control.recovery)
            call = self._calls.object_to_recovery(subject=subject, signature=signature)
            await self._relaying.relay(caller, subject, call, action=OBJECT, confirmed=False)
            standing = await self._hands.own(caller, subject, OBJECT)
        return await self._view(standing, guardian=False)

    async def recovery(self, caller: Caller, subject: SubjectId) -> RecoveryView:
        """The patient's, a guardian's, and theirs who is to take over. Raises DeniedError for all others, as for a
        patient who does not exist."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        opened = None if standing is None else await self._collecting.guardianship(standing)
        guardian = opened is not None and opened.names(caller.actor.id)
        if standing is None or not (guardian or self._is_concerned(caller, standing)):
            raise await self._hands.refusal(caller, standing, SHOW, "neither patient nor guardian")
        return await self._view(standing, guardian=guardian)

    async def finish_recovery(self, caller: Caller, subject: SubjectId) -> bytes:
        """Anybody's, once it is ready: the next controller's key. The gateway does it by itself too."""
        standing = await self._standings.asked_for(subject)
        recovery = None if standing is None else standing.control.recovery
        if standing is None or recovery is None:
            raise ConflictError("no recovery is pending", field=("patientId",))
        if self._succession.due(recovery) is Due.WAIT:
            raise ConflictError(f"ready at {_moment(recovery.ready_at).isoformat()}", field=("patientId",))
        try:
            async with asyncio.timeout(LANDING_SECONDS):
                while standing is not None and standing.control.recovery is not None:
                    await self._succession.advance(subject)
                    await asyncio.sleep(_EACH_SECONDS)
                    standing = await self._standings.current(subject)
        except TimeoutError as error:
            raise UpstreamError("not on chain in time; it goes on, ask again to see") from error
        return recovery.controller

    async def _view(self, standing: Standing, *, guardian: bool) -> RecoveryView:
        opened = await self._collecting.guardianship(standing)
        pending = standing.control.recovery
        return RecoveryView(
            subject=standing.subject.id,
            attempt=standing.control.attempt,
            guardians=0 if opened is None else len(opened.guardians),
            threshold=0 if opened is None else opened.threshold,
            objected=standing.control.objected,
            pending=None if pending is None else _pending(pending),
            proposals=await self._collecting.views(standing, opened) if guardian and opened is not None else (),
        )

    def _is_concerned(self, caller: Caller, standing: Standing) -> bool:
        pending = standing.control.recovery
        follows = pending is not None and caller.actor.key == pending.controller
        return follows or policy.owns(requester(caller), standing.epochs)


def check_controller(controller: bytes) -> None:
    """The form of an ERC-7913 signer; which verifiers there are the registry says."""
    if not SHORTEST_CONTROLLER <= len(controller) <= control.LONGEST_CONTROLLER or not any(controller):
        raise CallerError("a 20-byte address, or a verifier and its key", field=("controller",))


def _require_stoppable(recovery: Recovery | None) -> None:
    if recovery is None:
        raise ConflictError("no recovery is pending", field=("patientId",))
    if recovery.unstoppable:
        raise ConflictError("this recovery cannot be objected to: the one objection was made", field=("patientId",))


def _pending(recovery: Recovery) -> PendingView:
    return PendingView(
        controller=recovery.controller, ready_at=_moment(recovery.ready_at), stoppable=not recovery.unstoppable
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
