"""The course of releases: what was approved is built, what a patient left is built anew without them, what is over is
destroyed. Each step is durable before the next, and taken up by whichever replica comes first.

    BUILDING   1. patients are looked at in the order of their names; the rows of some of them are a segment, durable
                  with how far that is
               2. who was withdrawn meanwhile is left out; the rows leave, sealed, and the manifest with them
    RELEASED   who is in it is looked at again and again; a withdrawal begins an edition without them
    EXPIRED    the release's key is destroyed, and what lay on IPFS

One replica builds a release at a time, and another takes it over when nothing was heard of the first for
`HELD_SECONDS`. Not done here: deciding who may ask, approve or download.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from gateway import eip712
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.names import guards_of
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import DomainKind, release_domain, study_domain, subject_domain
from gateway.crypto.releases import SECRET_SIZE, Binding, ReleaseKeys, wrap_secret
from gateway.deid.assembly import Verdict as Measured
from gateway.deid.generalizing import Levels
from gateway.deid.pseudonyms import pseudonym
from gateway.deid.tables import PERSON
from gateway.errors import ConflictError, ConsentryError, IntegrityError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import StudyId, SubjectId
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.releases import (
    ReleaseMoved,
    ReleasePeopleRow,
    ReleaseRow,
    ReleaseSegmentRow,
    ReleaseSegmentsGone,
    ReleaseStage,
)
from gateway.ports.rows import Bump, Guard, Row
from gateway.releases import papers
from gateway.releases.ahead import ahead
from gateway.releases.building import Building, Built
from gateway.releases.differencing import left_out
from gateway.releases.files import Seals, TableFiles
from gateway.releases.gathering import Gathered, Gathering, Undertaking
from gateway.releases.keeping import HeldRelease, Papers
from gateway.releases.membership import Looked, Membership
from gateway.releases.segments import Member, Segments, put_people, removed
from gateway.storage.model import Cid
from gateway.storage.service import Blocks

EACH_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 3.0
"""How often it is looked whether somebody withdrew from what was released."""
TIDY_SECONDS: Final = 60.0
"""How often it is looked whether what ended was destroyed."""
HELD_SECONDS: Final = 60
ALL: Final = b"\xff" * 32
"""The cursor of a release for which everybody was looked at."""
AT_ONCE: Final = 8
"""Patients of a segment."""
FIRST: Final = 2
"""Those of the first: workers have something to do sooner."""
AHEAD: Final = 4
"""Segments that are gathered at a time: while some wait for rows or a disk, the loop has another to look at."""
DAY_SECONDS: Final = 24 * 3600
WITHDRAWN: Final = "WITHDRAW_FROM_RELEASE"
"""In a patient's log: the recipient of a release was told to remove what was theirs."""
TRIES: Final = 5
PEOPLE: Final = hashlib.sha256(b"consentry/releases/people").digest()
"""The name whose version moves with each edition: two that are made at once are compared, too."""
PERSON_TOKEN: Final = b"release/person"
"""What a keyed token of somebody whose rows left is for."""
TOKEN_SIZE: Final = 16


class _LostError(Exception):
    """Another replica has the release, or it was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A release that is worked on: its papers, its keys, and in whose name."""

    held: HeldRelease
    undertaking: Undertaking
    keys: ReleaseKeys = field(repr=False)
    caller: Caller
    segments: Segments


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """An edition that is not committed yet."""

    built: Built
    levels: Levels
    organizations: frozenset[bytes]
    binding: Binding
    secret: bytes = field(repr=False)


class Sweep:
    """A step that is done again and again, for ever; `trouble` says what is in its way."""

    def __init__(self, step: Callable[[], Awaitable[None]], *, seconds: float) -> None:
        self._step = step
        self._seconds = seconds
        self._waking = asyncio.Event()
        self.trouble: str | None = None

    def wake(self) -> None:
        """At once, and not when its time comes."""
        self._waking.set()

    async def run(self) -> None:
        """What fails is tried again."""
        while True:
            self._waking.clear()
            try:
                await self._step()
                self.trouble = None
            except ConsentryError as error:
                self.trouble = type(error).__name__
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._waking.wait()


class Course:
    """See the module. `builder`: this replica's name, 32 bytes."""

    def __init__(
        self,
        *,
        identity: Identity,
        audit: Audit,
        index: Index,
        blocks: Blocks,
        keys: KeyRing,
        kept: Papers,
        gathering: Gathering,
        membership: Membership,
        files: TableFiles,
        clock: Clock,
        entropy: Entropy,
        builder: bytes,
    ) -> None:
        self._identity = identity
        self._audit = audit
        self._index = index
        self._blocks = blocks
        self._keys = keys
        self._papers = kept
        self._gathering = gathering
        self._membership = membership
        self._files = files
        self._clock = clock
        self._entropy = entropy
        self._builder = builder
        self._tidied = float("-inf")
        # Looks go on beside a build, however long that takes.
        self.building = Sweep(self.advance, seconds=EACH_SECONDS)
        self.looking = Sweep(self.look_through, seconds=LOOK_SECONDS)

    def wake(self) -> None:
        """There may be something to build."""
        self.building.wake()

    async def advance(self) -> None:
        """Destroys what ended, builds what was approved."""
        if self._clock.monotonic() >= self._tidied + TIDY_SECONDS:
            self._tidied = self._clock.monotonic()
            await self._tidy()
        await self._each(ReleaseStage.BUILDING, limit=1_000)

    async def look_through(self) -> None:
        """Whether somebody withdrew from what was released, or its time is over."""
        await self._each(ReleaseStage.RELEASED, limit=10_000)

    async def _each(self, stage: ReleaseStage, *, limit: int) -> None:
        """What is in the way of one release hinders no other. Raises the last."""
        trouble: ConsentryError | None = None
        for row in await self._index.releases(requester=None, stages=(stage,), limit=limit):
            trouble = await self._tried(row) or trouble
        if trouble is not None:
            raise trouble

    async def _tried(self, row: ReleaseRow) -> ConsentryError | None:
        try:
            if row.stage is ReleaseStage.BUILDING and 0 < row.expires_at <= self._clock.now():
                await self.expire(row)
            elif row.stage is ReleaseStage.BUILDING:
                await self._build(row)
            else:
                held = await self._papers.of(row)
                await (self.expire(row) if held.expires_at <= self._clock.now() else self.look(held))
        except (_LostError, ConflictError):
            return None
        except ConsentryError as error:
            return error
        return None

    # ---- who is in

    async def opened(self, held: HeldRelease) -> Opened | None:
        """What is needed to work on a release; None where who asked for it is gone or may not claim its purpose, and
        where no steward approved it, whatever the index says. IntegrityError once its key was destroyed."""
        caller = await self._identity.acting(held.requester)
        if caller is None or held.decision is None or not held.is_approved:
            return None
        if not policy.may_claim(caller.actor.roles, held.request.purpose):
            return None
        keys = ReleaseKeys.of(await self._keys.of(release_domain(held.release)))
        decided = datetime.fromtimestamp(held.decision.decision.at, UTC).date()
        undertaking = Undertaking(release=held.release, request=held.request, keys=keys, today=decided)
        segments = Segments(
            held.release,
            keys,
            blocks=self._blocks,
            entropy=self._entropy,
            subject_key=partial(self._subject_key, held.request.study),
        )
        return Opened(held=held, undertaking=undertaking, keys=keys, caller=caller, segments=segments)

    async def _subject_key(self, study: StudyId | None, subject: SubjectId) -> DomainKey | None:
        """What a patient's rows need besides the release's own key: theirs in the study where they are of one, so that
        they are shredded with what they were made of. None: they were erased, or took their data along."""
        own = await self._keys.existing(subject_domain(subject))
        return own if study is None or own is None else await self._keys.existing(study_domain(subject, study))

    async def _standing_of(self, opened: Opened, members: Sequence[Member]) -> Looked:
        async def tokens_of(subject: bytes) -> bytes:
            for number, root in await self._index.release_segments(opened.held.release):
                segment = await opened.segments.get(number, root)
                for member, person in zip(segment.members, segment.people, strict=True):
                    if member.subject == subject:
                        return person.permitted
            return b""

        return await self._membership.look(opened.caller, opened.undertaking, members, tokens_of)

    async def look(self, held: HeldRelease) -> HeldRelease:
        """Whoever withdrew is told to the recipient, and an edition without them is begun: durable on return. The
        release as it stands then."""
        opened = await self.opened(held)
        if opened is None or held.delivery is None:
            return held
        members = await opened.segments.members(held.delivery.edition, bytes.fromhex(held.delivery.members))
        looked = await self._standing_of(opened, members)
        row = held.row
        moved = replace(row, stage=ReleaseStage.BUILDING, edition=row.edition + 1, builder=b"", held_until=0)
        return await self._withdrawn(opened, looked.withdrawn, moved)

    async def _withdrawn(self, opened: Opened, subjects: Collection[bytes], row: ReleaseRow) -> HeldRelease:
        """Their tombstones, in a paper and in the patients' logs, and the release moved to `row`; as it was where all
        of them are told already."""
        held = opened.held
        names = {pseudonym(opened.keys.pseudonyms, PERSON, one): one for one in subjects}
        new = sorted(names.keys() - set(held.tombstones))
        if not new:
            return held
        paper = papers.withdrawal_paper(
            held.release,
            at=int(self._clock.now()),
            edition=held.row.edition,
            salt=self._entropy.bytes(32),
            tombstones=new,
        )
        # In the patients' logs first: a crash in between tells them once more, and not too little.
        for name in new:
            await self._audit.append(self._told(held, names[name]))
        # Commit point: before it nobody was withdrawn; after it no edition that holds them is given out.
        await self._moved(held, row, (paper,))
        self.wake()
        return await self._papers.held(held.release) or held

    def _told(self, held: HeldRelease, subject: bytes) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=held.requester,
            outcome=Outcome.PERMITTED,
            action=WITHDRAWN,
            purpose=held.request.purpose.value,
            subject=subject,
            record=held.release,
        )

    # ---- building

    async def _build(self, row: ReleaseRow) -> None:
        row = await self._taken(row)
        held = await self._papers.of(row)
        opened = await self.opened(held)
        if opened is None or not await self._is_signed(held):
            await self._end(held, ReleaseStage.FAILED, "no steward's approval stands, or who asked is gone")
            return
        holding = asyncio.create_task(self._hold(row.release), name="hold a release")
        try:
            # Of a build that goes on somebody may have been withdrawn meanwhile: it begins with what was gathered.
            building = None if row.cursor else self._building(opened, frozenset())
            row = await self._gathered(opened, row, building)
            company: frozenset[bytes] = frozenset()
            for _ in range(TRIES):
                more = await self._edition(row, company, building)
                if more is None:
                    return
                company, building = company | more, None
        finally:
            holding.cancel()
        raise StaleError("consents keep changing while the release is built")

    async def _hold(self, release: bytes) -> None:
        """Says again and again that this replica is at it, however long a step takes."""
        while True:
            await asyncio.sleep(HELD_SECONDS / 4)
            with contextlib.suppress(ConflictError, UpstreamError):
                row = await self._index.release(release)
                if row is None or row.builder != self._builder or row.stage is not ReleaseStage.BUILDING:
                    return
                later = replace(row, held_until=int(self._clock.now()) + HELD_SECONDS)
                await self._index.apply((ReleaseMoved(before=row, row=later),))

    async def _is_signed(self, held: HeldRelease) -> bool:
        """The approval is the steward's own word; once it was built on, their key may have changed."""
        signed = held.decision
        if signed is None or held.manifest is not None:
            return signed is not None
        steward = await self._identity.actor(signed.decision.steward)
        digest = eip712.digest(signed.typed_data)
        return steward is not None and await self._identity.signed_by(steward.key, digest, signed.signature)

    async def _taken(self, row: ReleaseRow) -> ReleaseRow:
        """The row in this replica's hand; _LostError while another has it."""
        now = int(self._clock.now())
        if row.builder not in (b"", self._builder) and row.held_until > now:
            raise _LostError
        mine = replace(row, builder=self._builder, held_until=now + HELD_SECONDS)
        await self._index.apply((ReleaseMoved(before=row, row=mine),))
        return mine

    async def _gathered(self, opened: Opened, row: ReleaseRow, building: Building | None) -> ReleaseRow:
        """Looks at whoever was not looked at yet; once it was looked at all, an edition takes nobody new. `building`
        observes them on the way."""
        if row.cursor == ALL:
            return row
        number = len(await self._index.release_segments(row.release))
        pieces = ahead(self._pieces(opened, row.cursor), most=AHEAD)
        async with self._gathering.begun(opened.undertaking), contextlib.aclosing(pieces) as parts:
            async for last, count, found in parts:
                rows: tuple[Row, ...] = ()
                if found.members or found.broken:
                    root = await opened.segments.put(number, found.segment)
                    rows = (ReleaseSegmentRow(release=row.release, number=number, root=root),)
                    if building is not None:
                        await building.observe(number, found.segment)
                    number += 1
                further = replace(
                    row,
                    cursor=last,
                    looked_at=row.looked_at + count,
                    kept=row.kept + len(found.members),
                    held_until=int(self._clock.now()) + HELD_SECONDS,
                )
                # Commit point: before it these patients are looked at again; after it their rows are in the release.
                await self._index.apply((ReleaseMoved(before=row, row=further), *rows))
                row = further
        whole = replace(row, cursor=ALL)
        await self._index.apply((ReleaseMoved(before=row, row=whole),))
        return whole

    async def _pieces(
        self, opened: Opened, after: bytes
    ) -> AsyncIterator[Coroutine[Any, Any, tuple[bytes, int, Gathered]]]:
        limit = FIRST
        while subjects := await self._index.subjects(after=after, limit=limit):
            after, limit = subjects[-1], AT_ONCE
            yield self._gather(opened, subjects)

    async def _gather(self, opened: Opened, subjects: Sequence[bytes]) -> tuple[bytes, int, Gathered]:
        """Of some patients the last, how many they are, and what was gathered."""
        caller = await self._identity.acting(opened.held.requester)
        if caller is None:
            raise StaleError("who asks for the data is no longer who they were")
        found = await self._gathering.gather(caller, opened.undertaking, [SubjectId(one) for one in subjects])
        return subjects[-1], len(subjects), found

    async def _edition(
        self, row: ReleaseRow, company: frozenset[bytes], building: Building | None
    ) -> frozenset[bytes] | None:
        """Builds and commits, without whoever is to be left out besides those who withdrew (`company`); else who must
        be left out, too, at the next try: none where somebody withdrew meanwhile. `building`: one that observed them
        already, for a try that leaves nobody out."""
        row = await self._taken(await self._index.release(row.release) or row)
        held = await self._papers.of(row)
        opened = await self.opened(held)
        key = None if opened is None else await self._identity.sealing_key(opened.caller.actor)
        if opened is None or key is None:
            await self._end(held, ReleaseStage.FAILED, "who asked for the data is gone, or has no encryption key")
            return None
        roots = await self._index.release_segments(row.release)
        excluded = await self._excluded(opened, roots, held) | company
        if building is None or excluded:
            building = self._building(opened, excluded)
        members = await building.members(roots)
        looked = await self._standing_of(opened, members)
        if looked.withdrawn:
            await self._told_of(opened, looked.withdrawn, row)
            return looked.withdrawn
        if len(members) == 0 or not building.organizations <= opened.caller.organizations:
            await self._end(held, ReleaseStage.FAILED, "no consent covers this use for who asks, or nobody is in")
            return None
        levels = await building.plan(None if held.delivery is None else tuple(held.delivery.levels))
        secret = self._entropy.bytes(SECRET_SIZE)
        binding = Binding(release=held.release, recipient=held.requester, encryption_key=key)
        half = opened.keys.half
        built = await building.release(Seals(binding=binding, secret=secret, half=half, entropy=self._entropy))
        if built.verdict.failed or not any(built.verdict.rows):
            await self._end(held, ReleaseStage.FAILED, "the release is below its bar", built)
            return None
        tokens = {self._keys.log.token(PERSON_TOKEN, one): one for one in built.left}
        guard = Guard(name=PEOPLE, version=(await self._index.versions_of((PEOPLE,)))[PEOPLE])
        alone = await self._left_out(held, tokens)
        if alone:
            return frozenset(tokens[one] for one in alone)
        again = await self._standing_of(opened, members)
        if again.withdrawn:
            await self._told_of(opened, again.withdrawn, row)
            return again.withdrawn
        made = _Made(built=built, levels=levels, organizations=building.organizations, binding=binding, secret=secret)
        await self._commit(opened, await self._taken(row), made, again, people=tuple(tokens), guard=guard)
        await self._cleared(held)
        return None

    async def _told_of(self, opened: Opened, subjects: Collection[bytes], row: ReleaseRow) -> None:
        """Of those who were in an edition before, their tombstones; the others were in none."""
        held = opened.held
        if held.delivery is not None:
            members = await opened.segments.members(held.delivery.edition, bytes.fromhex(held.delivery.members))
            await self._withdrawn(opened, {one.subject for one in members} & set(subjects), row)

    async def _cleared(self, before: HeldRelease) -> None:
        """What lies on IPFS of the edition that is over. A store that is away keeps it until the release's end."""
        with contextlib.suppress(UpstreamError):
            await removed(self._blocks, _named_by(before))

    async def _left_out(self, held: HeldRelease, tokens: Collection[bytes]) -> frozenset[bytes]:
        """Whoever would be told of by how this release differs from others."""
        earlier = []
        for sealed in await self._index.release_people(but=held.release):
            joined = self._keys.log.open(sealed, context=PERSON_TOKEN)
            earlier.append(frozenset(joined[at : at + TOKEN_SIZE] for at in range(0, len(joined), TOKEN_SIZE)))
        k = held.request.profile.anonymity.k
        return await asyncio.to_thread(left_out, tokens, earlier, k=k)

    def _building(self, opened: Opened, excluded: frozenset[bytes]) -> Building:
        return Building(
            opened.held.request,
            opened.segments,
            excluded=excluded,
            blocks=self._blocks,
            files=self._files,
        )

    async def _excluded(
        self, opened: Opened, roots: "tuple[tuple[int, bytes], ...]", held: HeldRelease
    ) -> frozenset[bytes]:
        """Whoever the papers say was withdrawn, by subject."""
        names = set(held.tombstones)
        if not names:
            return frozenset()
        found = set()
        for number, root in roots:
            for member in (await opened.segments.get(number, root)).members:
                if pseudonym(opened.keys.pseudonyms, PERSON, member.subject) in names:
                    found.add(member.subject)
        return frozenset(found)

    async def _commit(
        self,
        opened: Opened,
        row: ReleaseRow,
        made: _Made,
        looked: Looked,
        *,
        people: Sequence[bytes],
        guard: Guard,
    ) -> None:
        held, built, now = opened.held, made.built, int(self._clock.now())
        sealed = self._keys.log.seal(b"".join(sorted(people)), context=PERSON_TOKEN, entropy=self._entropy)
        expires = held.expires_at or now + held.request.days * DAY_SECONDS
        manifest = papers.manifest_paper(
            papers.Manifest(
                release=held.release,
                edition=row.edition,
                at=now,
                expires_at=expires,
                requester=held.requester,
                encryption_key=made.binding.encryption_key,
                request=held.request,
                decision=_decision_digest(held),
                block=(looked.as_of.block_number, looked.as_of.block_hash),
                verdict=built.verdict,
                files=built.files,
                tombstones=held.tombstones,
            )
        )
        delivery = papers.delivery_paper(
            held.release,
            at=now,
            edition=row.edition,
            salt=self._entropy.bytes(32),
            wrapped=wrap_secret(made.secret, made.binding, manifest=papers.digest_of(manifest)),
            members=await opened.segments.put_members(row.edition, built.members),
            people=await put_people(sealed, self._blocks),
            organizations=made.organizations,
            levels=made.levels,
            verdict=built.verdict,
            bars=built.bars,
        )
        released = replace(row, stage=ReleaseStage.RELEASED, builder=b"", held_until=0, expires_at=expires)
        named = ReleasePeopleRow(release=held.release, edition=row.edition, sealed=sealed)
        # Commit point: before it nothing of the edition can be opened; after it the recipient may ask for it. Whoever
        # released something else meanwhile made this one differ from more: then it is made anew.
        await self._moved(
            replace(held, row=row),
            released,
            (manifest, delivery),
            guards=(*guards_of(opened.caller), guard),
            beside=(named, Bump(name=PEOPLE)),
        )

    # ---- ends

    async def _tidy(self) -> None:
        """What ended and was not destroyed to the end, or whose key came back with a backup."""
        for domain in await self._keys.domains():
            row = await self._index.release(domain.name) if domain.kind == DomainKind.RELEASE.value else None
            if row is not None and row.stage > ReleaseStage.RELEASED:
                await self.destroy(row)

    async def expire(self, row: ReleaseRow) -> None:
        """COMMIT POINTS: the key is destroyed, and with it all that was sealed; the end is in the papers."""
        await self.destroy(row)
        held = await self._papers.of(row)
        await self._end(held, ReleaseStage.EXPIRED, "its time is over")

    async def destroy(self, row: ReleaseRow) -> None:
        """The release's key, then its blocks. Nothing of it opens again; done twice it destroys nothing more."""
        domain = release_domain(row.release)
        if domain in await self._keys.domains():
            await self._keys.turn(destroying=[domain])
        segments = [root for _, root in await self._index.release_segments(row.release)]
        held = await self._papers.of(row)
        await removed(self._blocks, [*segments, *_named_by(held)])
        await self._index.apply((ReleaseSegmentsGone(release=row.release),))

    async def _end(self, held: HeldRelease, stage: ReleaseStage, reason: str, built: Built | None = None) -> None:
        verdict: Measured | None = None if built is None else built.verdict
        paper = papers.end_paper(
            held.release,
            at=int(self._clock.now()),
            stage=stage.name,
            salt=self._entropy.bytes(32),
            reason=reason,
            verdict=verdict,
            bars=() if built is None else built.bars,
        )
        row = await self._index.release(held.release)
        if row is None:
            raise UpstreamError("the index does not hold a release that was begun")
        if row.stage in (ReleaseStage.BUILDING, ReleaseStage.RELEASED):
            await self._moved(replace(held, row=row), replace(row, stage=stage, builder=b"", held_until=0), (paper,))
        if stage is ReleaseStage.FAILED:
            await self.destroy(row)

    async def _moved(
        self,
        held: HeldRelease,
        row: ReleaseRow,
        added: tuple[bytes, ...],
        *,
        guards: tuple[Guard, ...] = (),
        beside: tuple[Row, ...] = (),
    ) -> None:
        """The release moves on, with its papers and an entry, or not at all (ConflictError)."""
        rows, sealed = await self._papers.rows(held.release, held.requester, held.octets, added)
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=held.requester,
            outcome=Outcome.PERMITTED,
            action=f"DATASET_{row.stage.name}",
            purpose=held.request.purpose.value,
            digest=papers.digest_of(added[-1]),
        )
        entry = await self._audit.append(
            event, guards=guards, rows=(ReleaseMoved(before=held.row, row=row), *rows, *beside)
        )
        if not isinstance(entry, Appended):
            raise ConflictError("the release moved on meanwhile")
        await self._papers.pin(sealed)


def _decision_digest(held: HeldRelease) -> bytes:
    for octets in held.octets:
        if papers.kind_of(octets) is papers.Kind.DECISION:
            return papers.digest_of(octets)
    raise IntegrityError("a release was built that nobody approved")


def _named_by(held: HeldRelease) -> list[bytes]:
    """Binary CIDs of the files and lists of every edition so far that go with it; whose rows left does not."""
    files = [bytes(Cid.parse(file.cid)) for one in held.manifests for file in papers.read_files(one)]
    return [*files, *(bytes.fromhex(one.members) for one in held.deliveries)]
