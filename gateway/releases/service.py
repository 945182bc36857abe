"""Releases as people meet them: a researcher asks, a data steward decides, the researcher opens what was made, a
patient sees who used what was theirs.

Whoever may not see a release is answered as for one that is not there. What is asked and decided is durable with its
entry, and a leaf on its way to the chain. A download stands on a decision of its own: the recipient's, before the
expiry, of an edition that holds nobody who withdrew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway import eip712
from gateway.audit.model import AccessFilter, Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.names import guards_of, requester
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import release_domain
from gateway.crypto.releases import ReleaseKeys
from gateway.deid.elements import refuse_unknown
from gateway.deid.profile import check_departures
from gateway.deid.pseudonyms import pseudonym
from gateway.deid.tables import PERSON
from gateway.errors import CallerError, ConflictError, DeniedError, IntegrityError, LimitError, UpstreamError
from gateway.identity.model import Caller, Draft, Role
from gateway.identity.service import Identity
from gateway.ids import ReleaseId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.releases import ReleaseMoved, ReleaseRow, ReleaseStage
from gateway.ports.sealing import SealingKeys
from gateway.releases import papers
from gateway.releases.course import ALL, WITHDRAWN, Course
from gateway.releases.gathering import ACTION
from gateway.releases.keeping import HeldRelease, Papers
from gateway.releases.model import (
    AnchoredPaper,
    Decision,
    OpenedRelease,
    PatientRelease,
    PatientReleasePage,
    ReleaseFile,
    ReleasePage,
    ReleaseView,
    SignedDecision,
    Verdict,
)
from gateway.releases.papers import Kind
from gateway.releases.report import to_html
from gateway.releases.request import parse_request
from gateway.slices import Slice, between, page_of

TRIES: Final = 5
MOST_OPEN: Final = 20
"""Releases of one requester that are neither released nor over."""
OPEN: Final = (ReleaseStage.REQUESTED, ReleaseStage.BUILDING)
BELOW: Final = "bar"
"""What who asked is told of a release that failed, whatever failed."""
CANCELLABLE: Final = (*OPEN, ReleaseStage.RELEASED)
SIGNED_SECONDS: Final = 24 * 3600
"""How old a decision may be when it is handed in."""
_CURSOR: Final = b"datasets"
_HIDDEN: Final = frozenset({Kind.DELIVERY, Kind.END})
"""Papers that hold a steward's figures."""
_STAGES: Final = {
    Verdict.APPROVED: ReleaseStage.BUILDING,
    Verdict.REFUSED: ReleaseStage.REFUSED,
    Verdict.CHANGES_WANTED: ReleaseStage.CHANGES_WANTED,
}


class Releases:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        audit: Audit,
        index: Index,
        ring: KeyRing,
        keys: SealingKeys,
        kept: Papers,
        course: Course,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._index = index
        self._ring = ring
        self._keys = keys
        self._papers = kept
        self._course = course
        self._clock = clock
        self._entropy = entropy

    # ---- who asks

    async def request(self, caller: Caller, asked: JsonValue) -> ReleaseView:
        """Durable when it returns. CallerError naming the member; DeniedError; LimitError."""
        request = parse_request(asked)
        for table in request.tables:
            refuse_unknown(table.view, field=("dataset", "tables", table.name))
        for _ in range(TRIES):
            if not policy.may_claim(caller.actor.roles, request.purpose):
                raise await self._refused(caller, "REQUEST_DATASET", "not a purpose of the caller's roles")
            if not caller.actor.encryption_key:
                raise ConflictError("register with an encryption key first: what is released is sealed to it")
            token = self._papers.token(caller.actor.id)
            if len(await self._index.releases(requester=token, stages=OPEN, limit=MOST_OPEN)) == MOST_OPEN:
                raise LimitError(f"{MOST_OPEN} requests that are not over are the most for you")
            release, now = ReleaseId(self._entropy.bytes(16)), int(self._clock.now())
            paper = papers.request_paper(
                request, release=release, requester=caller.actor.id, salt=self._entropy.bytes(32), at=now
            )
            rows, sealed = await self._papers.rows(release, caller.actor.id, (), (paper,))
            event = self._event(caller, "REQUEST_DATASET", Outcome.PERMITTED, digest=request.digest)
            row = ReleaseRow(release=release, requester=token)
            # Commit point: before it nobody has asked; after it stewards see the request.
            entry = await self._audit.append(event, guards=guards_of(caller), rows=(row, *rows))
            if isinstance(entry, Appended):
                await self._papers.pin(sealed)
                return await self._view(caller, await self._held(release))
            caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def get(self, caller: Caller, release: ReleaseId) -> ReleaseView | None:
        """To who asked for it, and to data stewards; None to all others."""
        caller = await self._identity.current(caller)
        held = await self._papers.held(release)
        return None if held is None or not _may_see(caller, held) else await self._view(caller, held)

    async def mine(self, caller: Caller, part: Slice) -> ReleasePage:
        """What the caller asked for."""
        caller = await self._identity.current(caller)
        return await self._page(caller, part, requester=self._papers.token(caller.actor.id))

    async def asked_of_stewards(self, caller: Caller, part: Slice, *, waiting: bool) -> ReleasePage:
        """Everybody's, or those that wait for a decision; an empty page to who is no data steward."""
        caller = await self._identity.current(caller)
        if Role.DATA_STEWARD not in caller.actor.roles:
            return ReleasePage(views=())
        return await self._page(caller, part, stages=(ReleaseStage.REQUESTED,) if waiting else ())

    async def cancel(self, caller: Caller, release: ReleaseId) -> ReleaseView:
        """By who asked for it, or a data steward; what was made can be opened no longer. What is cancelled already is
        success."""
        held = await self._shown(caller, release, "CANCEL_DATASET")
        if held.row.stage is not ReleaseStage.CANCELLED:
            if held.row.stage not in CANCELLABLE:
                raise ConflictError("the release is over", field=("id",))
            paper = papers.end_paper(
                release,
                at=int(self._clock.now()),
                stage=ReleaseStage.CANCELLED.name,
                salt=self._entropy.bytes(32),
                reason="cancelled by who asked for it" if _owns(caller, held) else "cancelled by a data steward",
            )
            stopped = replace(held.row, stage=ReleaseStage.CANCELLED, builder=b"", held_until=0)
            # Commit point: before it the build goes on; after it nothing of it is ever committed.
            await self._moved(caller, held, stopped, paper, action="CANCEL_DATASET")
            await self._course.destroy(stopped)
        return await self._view(caller, await self._held(release))

    # ---- who decides

    async def draft_decision(
        self, caller: Caller, release: ReleaseId, *, verdict: Verdict, reason: str, departures: Sequence[str]
    ) -> Draft:
        """Typed data for the steward to sign."""
        held = await self._deciding(caller, release)
        decision = Decision(
            release=release,
            request=papers.digest_of(held.octets[0]),
            verdict=verdict,
            reason=papers.checked_reason(reason, field=("reason",)),
            departures=tuple(sorted(set(departures))),
            steward=caller.actor.id,
            at=int(self._clock.now()),
        )
        self._check(held, decision)
        full = papers.decision_typed_data(decision, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def decide(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ReleaseView:
        """A signed decision: durable and on its way to the chain when it returns; a build begins with an approval. The
        same decision again is success."""
        decision = papers.read_decision_data(typed_data, self._standings.domain)
        full = papers.decision_typed_data(decision, self._standings.domain)
        held = await self._shown(caller, decision.release, "DECIDE_DATASET")
        if held.decision is not None and held.decision.decision == decision and decision.steward == caller.actor.id:
            return await self._view(caller, held)
        held = await self._deciding(caller, decision.release)
        at = ("typedData", "message")
        if decision.steward != caller.actor.id:
            raise CallerError("signed for another steward", field=(*at, "steward"))
        if decision.request != papers.digest_of(held.octets[0]):
            raise CallerError("another request than this release's", field=(*at, "request"))
        if not 0 <= self._clock.now() - decision.at + 60 <= SIGNED_SECONDS:
            raise CallerError("not drafted within a day; draft it again", field=(*at, "at"))
        self._check(held, decision)
        if not await self._identity.signed_by(caller.actor.key, eip712.digest(full), signature):
            raise CallerError("not signed by the steward's key, or not this text", field=("signature",))
        signed = SignedDecision(decision=decision, typed_data=full, signature=signature)
        paper = papers.decision_paper(signed, at=int(self._clock.now()))
        stage = _STAGES[decision.verdict]
        edition = 1 if stage is ReleaseStage.BUILDING else 0
        # Commit point: before it nothing is decided; after it an approved release is built.
        await self._moved(caller, held, replace(held.row, stage=stage, edition=edition), paper, action="DECIDE_DATASET")
        self._course.wake()
        return await self._view(caller, await self._held(decision.release))

    async def report(self, caller: Caller, release: ReleaseId) -> str:
        """HTML, for a data steward. ConflictError before there is something to report."""
        held = await self._shown(caller, release, "SHOW_DATASET_REPORT")
        if Role.DATA_STEWARD not in caller.actor.roles or _owns(caller, held):
            raise await self._refused(caller, "SHOW_DATASET_REPORT", "no data steward, or who asked for it")
        if held.end is not None and held.end.verdict is not None:
            return to_html(held.request, held.end.verdict, held.end.bars)
        if held.delivery is None:
            raise ConflictError("nothing was built yet", field=("id",))
        return to_html(held.request, held.delivery.verdict, held.delivery.bars)

    # ---- who receives

    async def open(self, caller: Caller, release: ReleaseId) -> OpenedRelease:
        """What opens the files: to the recipient, until it expires. ConflictError while an edition without those who
        withdrew is made."""
        held = await self._receiving(caller, release, "OPEN_DATASET")
        if held.manifest is None or held.delivery is None:
            raise IntegrityError("a release has no manifest")
        key = await self._ring.existing(release_domain(release))
        if key is None:
            raise IntegrityError("the key of a release that is not over is gone")
        keys = ReleaseKeys.of(key)
        return OpenedRelease(
            view=await self._view(caller, held),
            manifest=held.manifest,
            wrapped=bytes.fromhex(held.delivery.wrapped),
            half=keys.half,
        )

    async def file(self, caller: Caller, release: ReleaseId, name: str) -> ReleaseFile:
        """One sealed file, to be sent. As `open`."""
        held = await self._receiving(caller, release, "DOWNLOAD_DATASET", name=name)
        return next(file for file in papers.read_files(held.manifest or b"") if file.name == name)

    async def stands(self, caller: Caller, release: ReleaseId, *, edition: int) -> bool:
        """Whether a download under way may go on: of this edition, from which nobody withdrew. Nothing is audited."""
        row = await self._index.release(release)
        return (
            row is not None
            and row.requester == self._papers.token(caller.actor.id)
            and (row.stage, row.edition) == (ReleaseStage.RELEASED, edition)
            and row.expires_at > self._clock.now()
        )

    # ---- whose data it is

    async def of_patient(self, caller: Caller, subject: SubjectId, *, part: Slice) -> PatientReleasePage:
        """Releases that used the patient's records, out of their access log; nothing to others."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            return PatientReleasePage()
        wanted = AccessFilter(actions=frozenset({ACTION, WITHDRAWN}))
        page = await self._audit.search(subject, wanted, part=part)
        told = {bytes(event.record or b"") for event in page.events if event.action == WITHDRAWN}
        found: dict[ReleaseId, PatientRelease] = {}
        for event in page.events:
            release = ReleaseId(event.record or b"")
            held = None if release in found else await self._papers.held(release)
            if held is None:
                continue
            held = await self._course.look(held) if held.row.stage is ReleaseStage.RELEASED else held
            found[release] = PatientRelease(
                release=release,
                title=held.request.title,
                requester=held.requester,
                data_use=tuple(sorted(held.request.data_use)),
                stage=held.row.stage,
                at=int(event.at.timestamp()),
                withdrawn=bytes(release) in told or await self._is_told(held, subject),
                cursor=event.cursor,
            )
        return PatientReleasePage(
            releases=tuple(found.values()),
            has_next=page.has_next,
            has_previous=page.has_previous,
            start=page.start,
            end=page.end,
        )

    async def _is_told(self, held: HeldRelease, subject: SubjectId) -> bool:
        """Whether the recipient has the patient's tombstone."""
        if not held.tombstones:
            return False
        key = await self._ring.existing(release_domain(held.release))
        if key is None:
            return False  # the release is over, and destroyed
        return pseudonym(ReleaseKeys.of(key).pseudonyms, PERSON, subject) in held.tombstones

    # ---- the steps

    async def _held(self, release: ReleaseId) -> HeldRelease:
        held = await self._papers.held(release)
        if held is None:
            raise UpstreamError("the index does not hold a release that was asked for")
        return held

    async def _shown(self, caller: Caller, release: ReleaseId, action: str) -> HeldRelease:
        held = await self._papers.held(release)
        if held is None or not _may_see(caller, held):
            raise await self._refused(caller, action, "no such release, or not the caller's")
        return held

    async def _deciding(self, caller: Caller, release: ReleaseId) -> HeldRelease:
        held = await self._shown(caller, release, "DECIDE_DATASET")
        if Role.DATA_STEWARD not in caller.actor.roles or _owns(caller, held):
            raise await self._refused(caller, "DECIDE_DATASET", "no data steward, or who asked for it")
        if held.row.stage is not ReleaseStage.REQUESTED:
            raise ConflictError("decided already", field=("id",))
        return held

    def _check(self, held: HeldRelease, decision: Decision) -> None:
        if decision.verdict is Verdict.APPROVED:
            check_departures(held.request.profile, decision.departures)
        elif decision.departures:
            raise CallerError("departures are named to approve them", field=("departures",))

    async def _receiving(
        self, caller: Caller, release: ReleaseId, action: str, *, name: str | None = None
    ) -> HeldRelease:
        """COMMIT POINT: the entry is durable before anything is given out. `name`: of the file that is asked for."""
        for _ in range(TRIES):
            held = await self._papers.held(release)
            if held is None or not _owns(caller, held):
                raise await self._refused(caller, action, "no such release, or another's")
            over = held.row.stage > ReleaseStage.RELEASED or 0 < held.expires_at <= self._clock.now()
            if over:
                raise await self._refused(caller, action, "the release is over")
            if held.row.stage is ReleaseStage.RELEASED:
                held = await self._course.look(held)
            if held.row.stage is not ReleaseStage.RELEASED:
                raise ConflictError("nothing to open yet: it is not approved, or is being made", field=("id",))
            if held.manifest is None or held.delivery is None or not held.is_approved:
                raise IntegrityError("a release has no approval, or no manifest")
            stood_on = {bytes.fromhex(one) for one in held.delivery.organizations}
            claims = policy.may_claim(caller.actor.roles, held.request.purpose)
            if not claims or not stood_on <= caller.organizations:
                raise await self._refused(caller, action, "made for who the caller was, and is no longer")
            if caller.actor.encryption_key != papers.read_recipient(held.manifest):
                raise ConflictError("sealed to an encryption key that is yours no longer", field=("id",))
            if name is not None and name not in {file.name for file in papers.read_files(held.manifest)}:
                raise await self._refused(caller, action, "no such file of the release")
            event = self._event(caller, action, Outcome.PERMITTED, digest=papers.digest_of(held.octets[-1]))
            entry = await self._audit.append(event, guards=guards_of(caller))
            if isinstance(entry, Appended):
                return held
            caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def _moved(self, caller: Caller, held: HeldRelease, row: ReleaseRow, paper: bytes, *, action: str) -> None:
        rows, sealed = await self._papers.rows(held.release, held.requester, held.octets, (paper,))
        event = self._event(caller, action, Outcome.PERMITTED, digest=papers.digest_of(paper))
        moved = ReleaseMoved(before=held.row, row=row)
        entry = await self._audit.append(event, guards=guards_of(caller), rows=(moved, *rows))
        if isinstance(entry, Stale):
            raise ConflictError("your own standing changed meanwhile; try again")
        if not isinstance(entry, Appended):
            raise ConflictError("the release moved on meanwhile; look at it again", field=("id",))
        await self._papers.pin(sealed)

    async def _page(
        self,
        caller: Caller,
        part: Slice,
        *,
        requester: bytes | None = None,
        stages: Sequence[ReleaseStage] = (),
    ) -> ReleasePage:
        context = _CURSOR + caller.actor.id
        after, before = between(part, lambda cursor: self._keys.reveal(cursor, context=context))
        rows = await self._index.releases(
            requester=requester,
            stages=stages,
            after=after,
            before=before,
            limit=part.size + 1,
            backwards=part.backwards,
        )
        page = page_of(rows, part)
        views = [
            replace(
                await self._view(caller, await self._papers.of(row)), cursor=self._keys.hide(row.seq, context=context)
            )
            for row in page.items
        ]
        return ReleasePage(views=tuple(views), has_next=page.has_next, has_previous=page.has_previous)

    async def _view(self, caller: Caller, held: HeldRelease) -> ReleaseView:
        row = held.row
        return ReleaseView(
            release=held.release,
            stage=row.stage,
            edition=row.edition,
            requester=held.requester,
            request=held.request,
            asked_at=held.asked_at,
            decision=held.decision,
            progress=_progress(row),
            expires_at=row.expires_at or None,
            papers=await self._shown_papers(caller, held),
            files=() if held.manifest is None else papers.read_files(held.manifest),
            tombstones=held.tombstones,
            failed=self._failed(caller, held),
        )

    def _failed(self, caller: Caller, held: HeldRelease) -> tuple[str, ...]:
        """To who asked one word for all of it: a measure that failed tells how many were in."""
        if held.end is None or held.row.stage is not ReleaseStage.FAILED:
            return ()
        return (BELOW,) if _owns(caller, held) else tuple(held.end.failed)

    async def _shown_papers(self, caller: Caller, held: HeldRelease) -> tuple[AnchoredPaper, ...]:
        found = await self._papers.anchored(held)
        if Role.DATA_STEWARD in caller.actor.roles and not _owns(caller, held):
            return found
        return tuple(replace(one, octets=None) if Kind(one.kind) in _HIDDEN else one for one in found)

    def _event(self, caller: Caller, action: str, outcome: Outcome, *, digest: bytes = b"", reason: str = "") -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=action,
            digest=digest,
            reason=reason,
        )

    async def _refused(self, caller: Caller, action: str, reason: str) -> DeniedError:
        """To be raised: it stands in the log already."""
        event = self._event(caller, action, Outcome.DENIED, reason=reason)
        await self._audit.append(event)
        return DeniedError(reason, decision_id=event.decision)


def _owns(caller: Caller, held: HeldRelease) -> bool:
    return caller.actor.id == held.requester


def _may_see(caller: Caller, held: HeldRelease) -> bool:
    return _owns(caller, held) or Role.DATA_STEWARD in caller.actor.roles


def _progress(row: ReleaseRow) -> float:
    """By the patient that was looked at last: names are random, and evenly spread."""
    if row.cursor == ALL or row.stage is ReleaseStage.RELEASED:
        return 1.0
    return int.from_bytes(row.cursor[:2], "big") / 65_536 if row.cursor else 0.0
