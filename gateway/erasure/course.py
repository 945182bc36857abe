"""The course of an erasure: each step is durable before the next, done again harmlessly, and taken up at any start.

    BEGUN       in force here; waits until the registry has taken it, for nothing that is destroyed comes back
    SHREDDED    the keys are destroyed with the epoch key that wrapped them
    EMPTIED     blocks, index rows and sessions are gone
    CERTIFYING  the certificate is on IPFS, its digest on the way to the chain
    CERTIFIED   it stands; a backup of keys may still be good
    FINALIZING  the last backup is past; the final certificate is on its way
    FINAL

Two replicas may work on the same erasure: each step is conditional on the one before, and doing it twice destroys
nothing more. Not done here: deciding who may erase.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gateway.consent.names import topic
from gateway.consent.requested import SUBJECT as ASKED
from gateway.consent.standing import Standings
from gateway.crypto.chunks import LARGEST_SEALED
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import Domain, actor_domain, domains_of
from gateway.erasure.model import Places
from gateway.erasure.rules import certificate
from gateway.errors import ConflictError, ConsentryError, UpstreamError
from gateway.identity.model import Actor, Role
from gateway.identity.service import Identity
from gateway.identity.versions import all_ended, moved
from gateway.ids import ActorId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, Landed, Reverted
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.rows import (
    Bump,
    ErasureRow,
    ErasureState,
    ErasureStep,
    EventRow,
    NarrowingKind,
    NarrowingLifted,
    NarrowingRow,
    Row,
    SubjectForgotten,
)
from gateway.ports.sign_ins import IdentitiesForgotten, SessionsEnded
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks

ERASED = b"erased:"
"""A message on a subject's topic: drop whatever is kept of it."""
CONTRACT = "ConsentRegistry"
IDENTITY = "IdentityRegistry"
OVER = frozenset({ErasureState.FINAL, ErasureState.REFUSED})
EACH_SECONDS = 2.0
LANDING_SECONDS = 0.2
_TREE = DagLimits(content=LARGEST_SEALED)
_ALREADY_FINAL = "CertificateFinal"


class Course:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        index: Index,
        chain: Chain,
        calls: Calls,
        keys: KeyRing,
        blocks: Blocks,
        bus: Bus,
        clock: Clock,
        places: Places,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._index = index
        self._chain = chain
        self._calls = calls
        self._keys = keys
        self._blocks = blocks
        self._bus = bus
        self._clock = clock
        self._places = places
        self._waking = asyncio.Event()
        self.trouble = ""

    def wake(self) -> None:
        """There may be something to do."""
        self._waking.set()

    async def run(self) -> None:
        """For ever. What fails is tried again; `trouble` says what is in the way."""
        while True:
            self.trouble = ""
            try:
                await self.catch_up()
            except ConsentryError as error:
                self.trouble = type(error).__name__
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EACH_SECONDS):
                    await self._waking.wait()
            self._waking.clear()

    async def catch_up(self) -> None:
        """Takes up every erasure that is not over, those that only the chain knows too; and where keys of an erased
        patient stand again (a key store that was restored), destroys them again. Before a gateway's first answer."""
        known = {row.subject: row for row in await self._index.erasures()}
        for subject in await self._index.erased_on_chain():
            if subject not in known or known[subject].state is ErasureState.REFUSED:
                known[subject] = await self._begin_from_chain(subject, known.get(subject))
        await self._shred_again([row.subject for row in known.values() if row.state >= ErasureState.SHREDDED])
        for row in known.values():
            if row.state not in OVER:
                await self.advance(row.subject)
            elif row.state is ErasureState.FINAL and await self._index.blocks_of(row.subject):
                await self._empty_again(row.subject)

    async def advance(self, subject: bytes) -> ErasureRow:
        """As far as it goes now. Raises what is in the way."""
        while True:
            row = await self._index.erasure(subject)
            if row is None:
                raise UpstreamError("the index does not hold an erasure that was begun")
            if row.state in OVER or not await self._step(row):
                return row

    async def _step(self, row: ErasureRow) -> bool:
        """One step; False where there is something to wait for. A step that another replica did first is done."""
        steps: dict[ErasureState, Callable[[ErasureRow], Awaitable[bool]]] = {
            ErasureState.BEGUN: self._shred,
            ErasureState.SHREDDED: self._empty,
            ErasureState.EMPTIED: self._certify,
            ErasureState.CERTIFYING: self._certified,
            ErasureState.CERTIFIED: self._finalize,
            ErasureState.FINALIZING: self._certified,
        }
        try:
            return await steps[row.state](row)
        except ConflictError:
            return True

    async def _begin_from_chain(self, subject: bytes, refused: ErasureRow | None) -> ErasureRow:
        """The patient sent it to the chain themselves, or this index is younger than the erasure."""
        row = ErasureRow(subject=subject, begun_at=int(self._clock.now()))
        narrowing = NarrowingRow(
            kind=NarrowingKind.ERASE, subject=subject, target=bytes(32), digest=bytes(32), call=bytes(16)
        )
        begun: Row = row if refused is None else ErasureStep(before=ErasureState.REFUSED, row=row)
        with contextlib.suppress(ConflictError):
            await self._index.apply((begun, narrowing, Bump(name=subject)))
        await self._tell(subject, None)
        return await self._index.erasure(subject) or row

    # ---- the steps

    async def _shred(self, row: ErasureRow) -> bool:
        if not await self._taken(row):
            return await self._refused(row)
        actor = await self._patient_of(row.subject)
        doomed = [*domains_of(row.subject, await self._keys.domains())]
        if actor is not None:
            doomed.append(actor_domain(actor.id))
        epoch = await self._keys.turn(destroying=doomed)
        now = int(self._clock.now())
        shredded = replace(
            row,
            state=ErasureState.SHREDDED,
            shredded_at=now,
            key_epoch=epoch,
            domains=len(doomed),
            final_at=now + self._places.backup_seconds,
        )
        # Commit point: before it the keys are gone and a later try destroys nothing more; after it that stands.
        await self._index.apply((ErasureStep(before=row.state, row=shredded), Bump(name=row.subject)))
        await self._tell(row.subject, actor)
        return True

    async def _empty(self, row: ErasureRow) -> bool:
        actor = await self._patient_of(row.subject)
        cids = await self._cids(row.subject, actor)
        await self._blocks.remove(cids)
        ended: tuple[Row, ...] = (
            () if actor is None else (SessionsEnded(actor=actor.id), IdentitiesForgotten(actor=actor.id))
        )
        moving = moved(row.subject) if actor is None else all_ended(actor.id, row.subject)
        emptied = replace(row, state=ErasureState.EMPTIED, blocks=len(cids))
        # Commit point: before it the rows still name blocks that are gone, and are found again; after it none does.
        await self._index.apply(
            (
                ErasureStep(before=row.state, row=emptied),
                await self._forgotten(row.subject),
                *moving,
                *ended,
            )
        )
        await self._tell(row.subject, actor)
        return True

    async def _certify(self, row: ErasureRow) -> bool:
        return await self._send(row, final=row.final_at <= row.shredded_at)

    async def _finalize(self, row: ErasureRow) -> bool:
        return row.final_at <= self._clock.now() and await self._send(row, final=True)

    async def _send(self, row: ErasureRow, *, final: bool) -> bool:
        facts = self._chain.facts
        text = certificate(
            row,
            self._places,
            chain_id=facts.chain_id,
            registry=facts.consent_registry,
            gateway=facts.gateway,
            final=final,
        )
        cid = await self._blocks.put(text)
        call = self._calls.certify_erasure(
            subject=row.subject, gateway=facts.gateway, certificate=cid.digest, is_final=final
        )
        state = ErasureState.FINALIZING if final else ErasureState.CERTIFYING
        sent = replace(row, state=state, certificate=cid.digest, certify_call=call.call)
        # Commit point: before it the certificate is a block that nothing names; after it its digest goes to the chain.
        await self._index.apply((ErasureStep(before=row.state, row=sent), call))
        self._chain.wake()
        return True

    async def _certified(self, row: ErasureRow) -> bool:
        outcome = await self._chain.outcome(row.certify_call, timeout=LANDING_SECONDS, confirmed=True)
        if isinstance(outcome, Reverted) and outcome.error == _ALREADY_FINAL:
            # An index that was restored erases again; what stands on chain is the first final certificate.
            after = ErasureState.FINAL
        elif isinstance(outcome, Landed):
            after = ErasureState.FINAL if row.state is ErasureState.FINALIZING else ErasureState.CERTIFIED
        elif isinstance(outcome, Reverted):
            raise UpstreamError("the registry refuses the certificate of an erasure")
        else:
            return False
        await self._index.apply((ErasureStep(before=row.state, row=replace(row, state=after)),))
        return True

    # ---- shared

    async def _taken(self, row: ErasureRow) -> bool:
        """Whether the registry has it, confirmed."""
        events = await self._index.events(row.subject, contract=CONTRACT)
        return any(_erases(event, row.subject) and self._confirmed(event) for event in events)

    def _confirmed(self, event: EventRow) -> bool:
        return self._chain.head().number - event.block_number >= self._chain.facts.confirmations

    async def _refused(self, row: ErasureRow) -> bool:
        """Nothing was destroyed; what the registry will never take is in force no longer."""
        if not row.call:
            return False
        outcome = await self._chain.outcome(row.call, timeout=LANDING_SECONDS, confirmed=True)
        if not isinstance(outcome, Reverted):
            return isinstance(outcome, Landed) and await self._taken(row)
        refused = replace(row, state=ErasureState.REFUSED)
        await self._index.apply(
            (
                ErasureStep(before=row.state, row=refused),
                NarrowingLifted(subject=row.subject),
                Bump(name=row.subject),
            )
        )
        self._standings.forget(row.subject)
        return True

    async def _shred_again(self, subjects: Sequence[bytes]) -> None:
        standing = await self._keys.domains() if subjects else ()
        again: list[Domain] = []
        for subject in subjects:
            again += [domain for domain in domains_of(subject, standing) if domain in standing]
        if again:
            await self._keys.turn(destroying=again)

    async def _empty_again(self, subject: bytes) -> None:
        """What a write under way left, or an index that was restored brought back."""
        await self._blocks.remove(await self._cids(subject, None))
        await self._index.apply((await self._forgotten(subject), Bump(name=subject)))

    async def _forgotten(self, subject: bytes) -> SubjectForgotten:
        """Requests for consent are found by a keyed token. Another erasure may be turning the keys just now."""
        await self._keys.refresh()
        return SubjectForgotten(subject=subject, asked=self._keys.log.token(ASKED, subject))

    async def _patient_of(self, subject: bytes) -> Actor | None:
        """The actor who signs in as this patient, if that is all that they are, and of nobody else."""
        found = await self._identity.subject(SubjectId(subject))
        if found is None or len(found.controller) < 20:
            return None
        name = await self._chain.actor_of_key(found.controller)
        actor = None if name is None else await self._identity.actor(ActorId(name))
        if actor is None or actor.roles != {Role.PATIENT}:
            return None
        others = set(await self._index.controlled_by(found.controller)) - {subject}
        return None if others else actor

    async def _cids(self, subject: bytes, actor: Actor | None) -> list[Cid]:
        """Every block that the index names for the subject, leaves of trees too, and the actor's profiles."""
        cids: list[Cid] = []
        for digest, tree in await self._index.blocks_of(subject):
            root = Cid.from_digest(digest, codec=Codec.DAG_PB if tree else Codec.RAW)
            if tree and await self._blocks.has(root):
                cids += await self._blocks.list_blocks(root, limits=_TREE)
            else:
                cids.append(root)
        if actor is not None:
            events = await self._index.events(actor.id, contract=IDENTITY)
            profiles = [event.args.get("profileDigest") for event in events]
            cids += [Cid.from_digest(one) for one in profiles if isinstance(one, bytes) and any(one)]
        return list(dict.fromkeys(cids))

    async def _tell(self, subject: bytes, actor: Actor | None) -> None:
        self._standings.forget(subject)
        await self._bus.publish(topic(subject), ERASED + (b"" if actor is None else actor.id))


def _erases(event: EventRow, subject: bytes) -> bool:
    return event.name == "SubjectErased" and event.keys[0] == subject and not event.orphaned
