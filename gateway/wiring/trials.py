"""Studies on chain, as the domains see them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from anchoring.chain import trials
from anchoring.chain.abi import ANCHOR, IDENTITY, TRIAL
from anchoring.chain.deploy import Deployment
from anchoring.chain.trial_registry import TrialRegistry
from anchoring.merkle import MerkleTree, hash_leaf, hash_pair
from gateway import eip712
from gateway.errors import UpstreamError
from gateway.ports.rows import CallRow
from gateway.ports.study_registry import Meaning, SignedKind, StudyOnChain
from gateway.trials.randomization.commitments import Merkle
from gateway.trials.trail_file import Origin
from gateway.wiring.calls import row_of
from gateway.wiring.chain import ChainParts, asked
from gateway.wiring.secrets import Secrets, address_of

FILED: Final = {"identity": IDENTITY, "anchor": ANCHOR, "trial": TRIAL}
"""The contracts that a study's file names."""
MERKLE: Final = Merkle(hash_leaf=hash_leaf, hash_pair=hash_pair, grow=MerkleTree)
ACT: Final = "StudyAct"
ACT_TYPES: Final = {
    ACT: (
        ("study", "bytes32"),
        ("statement", "string"),
        ("content", "bytes32"),
        ("by", "bytes32"),
        ("at", "uint64"),
    )
}


def origin_of(deployment: Deployment) -> Origin:
    """As a study's file says where it is anchored."""
    standing = deployment.by_name()
    named = {name: contract for name, contract in FILED.items() if contract in standing}
    return Origin(
        chain_id=deployment.chain_id,
        genesis=deployment.genesis,
        gateway=deployment.gateway,
        contracts={name: standing[contract] for name, contract in named.items()},
        codes={name: deployment.codes[contract] for name, contract in named.items()},
    )


class TrialPort:
    """`gateway.ports.study_registry.TrialRegistries`, over the chain's parts."""

    def __init__(self, parts: ChainParts, secrets: Secrets) -> None:
        self._parts = parts
        self._gateway = bytes.fromhex(parts.deployment.gateway[2:])
        self._recorder = address_of(secrets.anchor_key)
        self._registry = TrialRegistry(parts.deployment.addresses, parts.client)

    def study_id(self, sponsor: bytes, salt: bytes) -> bytes:
        return trials.study_id(sponsor, salt)

    def typed_data(self, signed: SignedKind, values: Mapping[str, bytes | int]) -> dict[str, object]:
        given = {"gateway": self._gateway, **values} if signed is SignedKind.STUDY else values
        chain_id = self._parts.deployment.chain_id
        return trials.typed_data(trials.Signed(signed.value), given, chain_id=chain_id, contract=self.contract)

    def act_data(self, values: Mapping[str, str | int]) -> dict[str, object]:
        domain = eip712.domain(chain_id=self._parts.deployment.chain_id, contract=self.contract)
        made: dict[str, Any] = eip712.typed_data(ACT, ACT_TYPES, values, domain)
        return made

    def next_head(self, head: bytes, root: bytes, count: int) -> bytes:
        return trials.next_head(head, root, count)

    def open_study(self, *, sponsor: bytes, salt: bytes, statistician: bytes, signature: bytes) -> CallRow:
        return row_of(
            self._there.open_study(
                sponsor=sponsor,
                salt=salt,
                gateway=self._gateway,
                statistician=statistician,
                recorder=self._recorder,
                signature=signature,
            )
        )

    def record_protocol(self, *, study: bytes, number: int, content: bytes, reason: bytes, signature: bytes) -> CallRow:
        return row_of(
            self._there.record_protocol(study=study, number=number, content=content, reason=reason, signature=signature)
        )

    def commit_allocation(self, *, study: bytes, root: bytes, size: int, by: bytes, signature: bytes) -> CallRow:
        return row_of(self._there.commit_allocation(study=study, root=root, size=size, by=by, signature=signature))

    def open_enrolment(self, *, study: bytes, version: int, allocation: bytes, signature: bytes) -> CallRow:
        return row_of(
            self._there.open_enrolment(study=study, version=version, allocation=allocation, signature=signature)
        )

    def set_frozen(self, *, study: bytes, frozen: bool, seq: int, signature: bytes) -> CallRow:
        return row_of(self._there.set_frozen(study=study, frozen=frozen, seq=seq, signature=signature))

    def lock(self, *, study: bytes, head: bytes, records: int, assigned: int, seq: int, signature: bytes) -> CallRow:
        return row_of(
            self._there.lock(study=study, head=head, records=records, assigned=assigned, seq=seq, signature=signature)
        )

    def publish_results(self, *, study: bytes, number: int, content: bytes, signature: bytes) -> CallRow:
        return row_of(self._there.publish_results(study=study, number=number, content=content, signature=signature))

    def record_signature(
        self, *, study: bytes, content: bytes, meaning: Meaning, signer: bytes, signed_at: int, signature: bytes
    ) -> CallRow:
        return row_of(
            self._there.record_signature(
                study=study,
                content=content,
                meaning=trials.Meaning(int(meaning)),
                signer=signer,
                signed_at=signed_at,
                signature=signature,
            )
        )

    def assign(
        self, *, study: bytes, subject: bytes, stratum: int, position: int, arm: bytes, path: Sequence[bytes]
    ) -> CallRow:
        place = trials.Place(stratum=stratum, position=position, arm=arm)
        return row_of(self._there.assign(study=study, subject=subject, place=place, path=path))

    def record_data(self, *, study: bytes, root: bytes, count: int) -> CallRow:
        return row_of(self._there.record_data(study=study, root=root, count=count))

    def record_unblinding(self, *, study: bytes, subject: bytes, reason: bytes, by: bytes, signature: bytes) -> CallRow:
        return row_of(
            self._there.record_unblinding(study=study, subject=subject, reason=reason, by=by, signature=signature)
        )

    async def study(self, study: bytes) -> StudyOnChain | None:
        registry = self._there
        async with asked(self._parts.follower):
            found = await registry.study_of(study, block="latest")
        if found is None:
            return None
        return StudyOnChain(
            sponsor=found.sponsor,
            statistician=found.statistician,
            allocation=found.allocation,
            size=found.size,
            assigned=found.assigned,
            is_open=found.enrolled_at > 0,
            is_frozen=found.frozen,
            is_locked=found.locked_at > 0,
            head=found.head,
            records=found.records,
            versions=found.versions,
            results=found.results,
            seq=found.seq,
        )

    async def next_position(self, study: bytes, stratum: int) -> int:
        registry = self._there
        async with asked(self._parts.follower):
            return await registry.next_position(study, stratum, block="latest")

    async def is_assigned(self, study: bytes, subject: bytes) -> bool:
        registry = self._there
        async with asked(self._parts.follower):
            return await registry.assignment_of(study, subject, block="latest") is not None

    @property
    def _there(self) -> TrialRegistry:
        if not self._parts.deployment.trial_registry:
            raise UpstreamError("this deployment keeps no studies: run `consentry deploy` once more")
        return self._registry

    @property
    def contract(self) -> str:
        return self._there.address
