"""The domains' calls, encoded by anchoring's registries. Pure: nothing is sent here."""

from dataclasses import asdict

from anchoring.chain.registries import Proposal, Registries
from anchoring.model import Call
from gateway.ports.chain import RecoveryProposal
from gateway.ports.rows import CallRow


class CallPort:
    """`gateway.ports.chain.Calls` and `EmergencyCalls`."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def enrol(self, *, subject: bytes, controller: bytes, custodian: bytes) -> CallRow:
        return row_of(self._registries.enrol(subject=subject, controller=controller, custodian=custodian))

    def register_actor(self, *, actor: bytes, key: bytes, roles: int, profile: bytes, encryption_key: bytes) -> CallRow:
        return row_of(
            self._registries.register_actor(
                actor=actor, key=key, roles=roles, profile=profile, encryption_key=encryption_key
            )
        )

    def set_membership(
        self, *, org: bytes, member: bytes, role: int, not_after: int, seq: int, signature: bytes
    ) -> CallRow:
        return row_of(
            self._registries.set_membership(
                org=org, member=member, role=role, not_after=not_after, seq=seq, signature=signature
            )
        )

    def grant(
        self,
        *,
        type_hash: bytes,
        subject: bytes,
        effect: int,
        scope_hash: bytes,
        not_before: int,
        not_after: int,
        epoch: int,
        delegate: int,
        signature: bytes,
    ) -> CallRow:
        return row_of(
            self._registries.grant(
                type_hash=type_hash,
                subject=subject,
                effect=effect,
                scope_hash=scope_hash,
                not_before=not_before,
                not_after=not_after,
                epoch=epoch,
                delegate=delegate,
                signature=signature,
            )
        )

    def revoke(self, *, subject: bytes, consent: bytes, signature: bytes) -> CallRow:
        return row_of(self._registries.revoke(subject=subject, consent=consent, signature=signature))

    def revoke_all(self, *, subject: bytes, epoch: int, signature: bytes) -> CallRow:
        return row_of(self._registries.revoke_all(subject=subject, epoch=epoch, signature=signature))

    def end_custody(self, *, subject: bytes, controller: bytes, controller_signature: bytes) -> CallRow:
        return row_of(
            self._registries.end_custody(
                subject=subject, controller=controller, controller_signature=controller_signature
            )
        )

    def change_controller(
        self, *, subject: bytes, controller: bytes, signature: bytes, controller_signature: bytes
    ) -> CallRow:
        return row_of(
            self._registries.change_controller(
                subject=subject, controller=controller, signature=signature, controller_signature=controller_signature
            )
        )

    def set_credential(
        self, *, subject: bytes, actor: bytes, linked: bool, signature: bytes, actor_signature: bytes
    ) -> CallRow:
        return row_of(
            self._registries.set_credential(
                subject=subject, actor=actor, linked=linked, signature=signature, actor_signature=actor_signature
            )
        )

    def add_delegate(
        self, *, subject: bytes, delegate: bytes, limits: bytes, not_after: int, signature: bytes
    ) -> CallRow:
        return row_of(
            self._registries.add_delegate(
                subject=subject, delegate=delegate, limits=limits, not_after=not_after, signature=signature
            )
        )

    def remove_delegate(self, *, subject: bytes, number: int, signature: bytes) -> CallRow:
        return row_of(self._registries.remove_delegate(subject=subject, number=number, signature=signature))

    def set_guardians(self, *, subject: bytes, guardians: bytes, signature: bytes) -> CallRow:
        return row_of(self._registries.set_guardians(subject=subject, guardians=guardians, signature=signature))

    def propose_recovery(self, *, subject: bytes, proposal: RecoveryProposal) -> CallRow:
        return row_of(self._registries.propose_recovery(subject=subject, proposal=Proposal(**asdict(proposal))))

    def object_to_recovery(self, *, subject: bytes, signature: bytes) -> CallRow:
        return row_of(self._registries.object_to_recovery(subject=subject, signature=signature))

    def finish_recovery(self, *, subject: bytes, attempt: int) -> CallRow:
        return row_of(self._registries.finish_recovery(subject=subject, attempt=attempt))

    def erase(self, *, subject: bytes, signature: bytes) -> CallRow:
        return row_of(self._registries.erase(subject=subject, signature=signature))

    def certify_erasure(self, *, subject: bytes, gateway: bytes, certificate: bytes, is_final: bool) -> CallRow:
        return row_of(
            self._registries.certify_erasure(
                subject=subject, gateway=gateway, certificate=certificate, is_final=is_final
            )
        )

    def open_emergency(self, *, commitment: bytes, expires_at: int) -> CallRow:
        return row_of(self._registries.open_emergency(commitment=commitment, expires_at=expires_at))

    def close_emergency(self, *, commitment: bytes, review: bytes) -> CallRow:
        return row_of(self._registries.close_emergency(commitment=commitment, review=review))


def row_of(call: Call) -> CallRow:
    """As the domains know it."""
    return CallRow(call=call.call, lane=call.lane, priority=call.priority, contract=call.contract, data=call.data)
