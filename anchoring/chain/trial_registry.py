"""TrialRegistry in calldata and back: intended calls, and reads at a block. Sends nothing.

The relay lane's account owns the gateway: it opens studies, and relays what others signed. The anchor lane's account is
a study's recorder: it assigns, records data and unblindings. The lanes do not wait for each other, and what reverted is
not sent again by itself: intend what the recorder does once what it stands on has landed.
"""

from collections.abc import Sequence
from typing import Any, Final

from eth_utils.address import to_checksum_address

from anchoring.chain.abi import TRIAL, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.registries import ANCHORS, FIRST, RELAY, SECOND, Addresses, name_of
from anchoring.chain.trials import (
    Assignment,
    DataBatch,
    Meaning,
    Place,
    ProtocolVersion,
    Results,
    Study,
    TrialSignature,
    Unblinding,
)
from anchoring.errors import ChainMismatch
from anchoring.model import Call


class TrialRegistry:
    """Calls and reads of one deployment. Calls raise ChainMismatch where it has no TrialRegistry; reads too, and
    ChainUnavailable and ChainRefused. Reads answer None for what does not stand."""

    def __init__(self, addresses: Addresses, client: ChainClient) -> None:
        self._addresses: Final = addresses
        self._client = client

    @property
    def address(self) -> str:
        """Checksummed; also the `contract` of `trials.typed_data`."""
        if not self._addresses.trial:
            raise ChainMismatch(
                "this deployment has no TrialRegistry: run `consentry deploy`, which adds what is missing"
            )
        return self._addresses.trial

    # Calls that the relay lane sends

    def open_study(
        self, *, sponsor: bytes, salt: bytes, gateway: bytes, statistician: bytes, recorder: str, signature: bytes
    ) -> Call:
        """For the gateway's owner to send. `statistician`: zeros for none; `recorder`: the anchor lane's account."""
        return self._relayed("openStudy", SECOND, sponsor, salt, gateway, statistician, recorder, signature)

    def set_recorder(self, *, study: bytes, recorder: str) -> Call:
        """For the gateway's owner to send."""
        return self._relayed("setRecorder", SECOND, study, recorder)

    def record_protocol(self, *, study: bytes, number: int, content: bytes, reason: bytes, signature: bytes) -> Call:
        """`reason`: zeros for version 1 alone."""
        return self._relayed("recordProtocol", SECOND, study, number, content, reason, signature)

    def commit_allocation(self, *, study: bytes, root: bytes, size: int, by: bytes, signature: bytes) -> Call:
        """`root`: of a `merkle.MerkleTree` over `Place.leaf`; `by`: the sponsor or the study's statistician."""
        return self._relayed("commitAllocation", SECOND, study, root, size, by, signature)

    def open_enrolment(self, *, study: bytes, version: int, allocation: bytes, signature: bytes) -> Call:
        """`allocation`: zeros where nothing is allocated, and then never is."""
        return self._relayed("openEnrolment", SECOND, study, version, allocation, signature)

    def set_frozen(self, *, study: bytes, frozen: bool, seq: int, signature: bytes) -> Call:
        # A freeze stops what the other lane does.
        return self._relayed("setFrozen", FIRST if frozen else SECOND, study, frozen, seq, signature)

    def lock(self, *, study: bytes, head: bytes, records: int, assigned: int, seq: int, signature: bytes) -> Call:
        """`head`, `records` and `assigned` as they stand; `seq`: the study's plus one."""
        return self._relayed("lock", FIRST, study, head, records, assigned, seq, signature)

    def publish_results(self, *, study: bytes, number: int, content: bytes, signature: bytes) -> Call:
        return self._relayed("publishResults", SECOND, study, number, content, signature)

    def record_signature(
        self, *, study: bytes, content: bytes, meaning: Meaning, signer: bytes, signed_at: int, signature: bytes
    ) -> Call:
        """`signed_at`: at most ten minutes ahead of the block's time."""
        return self._relayed("recordSignature", SECOND, study, content, int(meaning), signer, signed_at, signature)

    # Calls that the anchor lane sends

    def assign(self, *, study: bytes, subject: bytes, place: Place, path: Sequence[bytes]) -> Call:
        """`place`: its stratum's next; `path`: from `place.leaf` to the list's root, at most 32 nodes."""
        # Somebody waits for an arm; data can wait.
        values = (place.stratum, place.position, place.arm)
        return self._recorded("assign", FIRST, study, subject, values, list(path))

    def record_data(self, *, study: bytes, root: bytes, count: int) -> Call:
        return self._recorded("recordData", SECOND, study, root, count)

    def record_unblinding(self, *, study: bytes, subject: bytes, reason: bytes, by: bytes, signature: bytes) -> Call:
        """`by`: the actor who was told, and signed."""
        return self._recorded("recordUnblinding", FIRST, study, subject, reason, by, signature)

    # Reads

    async def study_of(self, study: bytes, *, block: int | str) -> Study | None:
        (found,) = await self._read("studyOf", study, block=block)
        sponsor, gateway, statistician, recorder, enrolled_at, locked_at, allocation, *rest = found
        size, assigned, unblindings, batches, records, frozen, head, versions, results, enrolled_under, seq = rest
        if not any(sponsor):
            return None
        return Study(
            sponsor=sponsor,
            gateway=gateway,
            statistician=statistician,
            recorder=to_checksum_address(recorder),
            enrolled_at=enrolled_at,
            locked_at=locked_at,
            allocation=allocation,
            size=size,
            assigned=assigned,
            unblindings=unblindings,
            batches=batches,
            records=records,
            frozen=frozen,
            head=head,
            versions=versions,
            results=results,
            enrolled_under=enrolled_under,
            seq=seq,
        )

    async def protocol_of(self, study: bytes, number: int, *, block: int | str) -> ProtocolVersion | None:
        content, reason, block_number, recorded_at = await self._read("protocolOf", study, number, block=block)
        if not block_number:
            return None
        return ProtocolVersion(content=content, reason=reason, block_number=block_number, recorded_at=recorded_at)

    async def results_of(self, study: bytes, number: int, *, block: int | str) -> Results | None:
        content, block_number, recorded_at = await self._read("resultsOf", study, number, block=block)
        if not block_number:
            return None
        return Results(content=content, block_number=block_number, recorded_at=recorded_at)

    async def signature_of(
        self, study: bytes, content: bytes, meaning: Meaning, signer: bytes, *, block: int | str
    ) -> TrialSignature | None:
        asked = (study, content, int(meaning), signer)
        signed_at, block_number = await self._read("signatureOf", *asked, block=block)
        return TrialSignature(signed_at=signed_at, block_number=block_number) if block_number else None

    async def next_position(self, study: bytes, stratum: int, *, block: int | str) -> int:
        """What a stratum's next subject gets; 0 too where there is no such stratum."""
        (position,) = await self._read("nextPosition", study, stratum, block=block)
        return int(position)

    async def assignment_of(self, study: bytes, subject: bytes, *, block: int | str) -> Assignment | None:
        arm, stratum, position, unblindings, number = await self._read("assignmentOf", study, subject, block=block)
        if not number:
            return None
        place = Place(stratum=stratum, position=position, arm=arm)
        return Assignment(place=place, unblindings=unblindings, block_number=number)

    async def unblinding_of(self, study: bytes, subject: bytes, by: bytes, *, block: int | str) -> Unblinding | None:
        reason, block_number = await self._read("unblindingOf", study, subject, by, block=block)
        return Unblinding(reason=reason, block_number=block_number) if block_number else None

    async def data_of(self, study: bytes, root: bytes, *, block: int | str) -> DataBatch | None:
        block_number, index, count = await self._read("dataOf", study, root, block=block)
        return DataBatch(block_number=block_number, index=index, count=count) if block_number else None

    async def _read(self, name: str, *values: object, block: int | str) -> tuple[Any, ...]:
        method = contract(TRIAL).methods[name]
        return method.decode(await self._client.eth_call(self.address, method.encode(*values), block=block))

    def _relayed(self, name: str, priority: int, *values: object) -> Call:
        return self._call(name, *values, lane=RELAY, priority=priority)

    def _recorded(self, name: str, priority: int, *values: object) -> Call:
        return self._call(name, *values, lane=ANCHORS, priority=priority)

    def _call(self, name: str, *values: object, lane: str, priority: int) -> Call:
        data = contract(TRIAL).methods[name].encode(*values)
        call = name_of(self.address, data)
        return Call(call=call, lane=lane, priority=priority, contract=self.address, data=data)
