"""By which actors a patient signs in: linked and unlinked by signatures alone, on chain.

A link needs the controller's word and the actor's, so nobody is bound to a patient whom they do not know; its end needs
either. Whether a subject exists is not told here: a draft for one that does not is a draft that nobody can use.
"""

from collections.abc import Mapping
from typing import Any

from gateway import eip712
from gateway.consent import messages, policy
from gateway.consent.hands import Hands
from gateway.consent.names import requester
from gateway.consent.relaying import Relaying
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, ConflictError
from gateway.identity.model import Caller, CredentialLink, Draft
from gateway.identity.service import Identity
from gateway.ids import ActorId, SubjectId
from gateway.ports.chain import Calls


class Credentials:
    """See the module."""

    def __init__(
        self, *, identity: Identity, standings: Standings, hands: Hands, calls: Calls, relaying: Relaying
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._calls = calls
        self._relaying = relaying

    async def draft_credential(self, caller: Caller, *, subject: SubjectId, actor: ActorId, linked: bool) -> Draft:
        """For the patient, or for the actor that is to be linked or leaves. Both sign it."""
        standing = await self._standings.asked_for(subject)
        await self._require_concerned(caller, standing, actor, linked)
        nonce = 0 if standing is None else standing.control.nonce
        full = messages.credential_typed_data(subject, actor, linked=linked, nonce=nonce, domain=self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def set_credential(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, actor_signature: bytes
    ) -> CredentialLink:
        """Returns once it stands on chain. Either signature may be empty in an
        unlinking. Raises CallerError for signatures that do not hold, ConflictError for an outdated draft."""
        domain = self._standings.domain
        subject, actor, linked, nonce = messages.read_credential(typed_data, domain)
        standing = await self._standings.asked_for(subject)
        await self._require_concerned(caller, standing, actor, linked)
        full = messages.credential_typed_data(subject, actor, linked=linked, nonce=nonce, domain=domain)
        await self._require_signed(standing, actor, linked, eip712.digest(full), signature, actor_signature)
        if standing is None:
            raise await self._hands.refusal(caller, None, _action(linked), "no such subject")
        if (actor in standing.epochs.credentials) is linked:
            return CredentialLink(subject=subject, actor=actor, linked=linked)  # what stands is success
        if nonce != standing.control.nonce:
            raise ConflictError("drafted before another change; draft it again", field=("typedData", "message"))
        call = self._calls.set_credential(
            subject=subject, actor=actor, linked=linked, signature=signature, actor_signature=actor_signature
        )
        await self._relaying.relay(caller, subject, call, action=_action(linked), confirmed=linked)
        return CredentialLink(subject=subject, actor=actor, linked=linked)

    async def credentials(self, caller: Caller, subject: SubjectId) -> tuple[ActorId, ...]:
        """The patient's own; for others there are none."""
        caller = await self._identity.current(caller)
        standing = await self._standings.current(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            return ()
        return tuple(sorted(standing.epochs.credentials))

    async def _require_concerned(self, caller: Caller, standing: Standing | None, actor: ActorId, linked: bool) -> None:
        owner = standing is not None and policy.owns(requester(caller), standing.epochs)
        if not owner and caller.actor.id != actor:
            raise await self._hands.refusal(caller, standing, _action(linked), "neither the patient nor the actor")

    async def _require_signed(
        self,
        standing: Standing | None,
        actor: ActorId,
        linked: bool,
        digest: bytes,
        signature: bytes,
        actor_signature: bytes,
    ) -> None:
        controller = b"" if standing is None else standing.subject.controller
        found = await self._identity.actor(actor)
        by_patient = bool(controller) and await self._identity.signed_by(controller, digest, signature)
        by_actor = found is not None and await self._identity.acknowledged_by(found.key, digest, actor_signature)
        if not by_patient and (linked or not by_actor):
            raise CallerError("not signed by the patient's key, or not this text", field=("signature",))
        if linked and not by_actor:
            raise CallerError("not signed by the actor's key, or not this text", field=("actorSignature",))


def _action(linked: bool) -> str:
    return "LINK" if linked else "UNLINK"
