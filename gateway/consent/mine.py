"""What is the caller's own of others' patients: whom they are, act for or guard, and which consents name them.

A list is where to look, never what counts: each patient's standing is gathered as for a decision, and a consent is
shown only while it lets the caller in. What ended, or was erased, is not there; denies never are. Consents are those
that name the caller, newest first, then those of each organization of theirs. A consent that is shown stands in its
patient's log, as wherever a grantee is shown one; being told whose delegate or guardian one is says nothing of the
patient but a random name, and leaves no entry.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.listing import CONSENTS, GUARDED, Listings
from gateway.consent.model import AsOf, ConsentStatus, ConsentView, Effect, Grant
from gateway.consent.names import guards_of, requester, require_proven
from gateway.consent.papers import Papers
from gateway.consent.standing import Standing, Standings
from gateway.consent.ties import Granted, GrantedFilter, GrantedPage, Relation, Tie, TiePage
from gateway.errors import CallerError, IntegrityError, LimitError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.listings import ListingRow
from gateway.ports.rows import Guard
from gateway.ports.sealing import SealingKeys
from gateway.slices import Slice

PAGE_CEILING: Final = 100
MOST_LOOKED_AT: Final = 200
"""Patients whose standing is gathered for one page; then it ends, whatever it holds."""
MOST_GUARDED: Final = 1_000
"""Places of the list of whom one guards that are looked at, the newest first: anybody can name anybody."""
TRIES: Final = 5
SHOW: Final = "SHOW_CONSENTS"
_SCAN: Final = 32
_CURSOR: Final = b"granted"
_SUBJECT: Final = 32
_PAST_ALL: Final = b"\xff" * (_SUBJECT + 1)


class Mine:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        listings: Listings,
        papers: Papers,
        audit: Audit,
        index: Index,
        keys: SealingKeys,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._listings = listings
        self._papers = papers
        self._audit = audit
        self._index = index
        self._keys = keys
        self._clock = clock

    # ---- consents that name the caller

    async def consents(self, caller: Caller, *, wanted: GrantedFilter, part: Slice) -> GrantedPage:
        """Those that are in force, or, asked for, those that are not yet. Raises StaleError where that cannot be told
        now, CallerError for a status that is over."""
        _check(part)
        if wanted.status not in (ConsentStatus.ACTIVE, ConsentStatus.NOT_YET):
            raise CallerError("consents that have ended are not shown", field=("filter", "status"))
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            require_proven(caller)
            page = await self._page(caller, wanted, part)
            if page is not None:
                return page
        raise UpstreamError("the consents keep changing; try again")

    async def _page(self, caller: Caller, wanted: GrantedFilter, part: Slice) -> GrantedPage | None:
        """None: something moved meanwhile, and nothing of it is told."""
        whose = tuple(one for one in (caller.actor.id, *sorted(caller.organizations)) if wanted.grantee in (None, one))
        asked = _Asked(
            caller=caller,
            wanted=wanted,
            whose=whose,
            counts=tuple([await self._listings.count(one, CONSENTS) for one in whose]),
            after=self._revealed(caller, whose, part.after, "after"),
            before=self._revealed(caller, whose, part.before, "before"),
            as_of=self._standings.as_of(),
            now=self._clock.now(),
        )
        walked = await self._walked(asked, part)
        shown = walked.found[: part.size]
        views = [await self._view(one) for one in shown]
        if not await self._told(caller, shown):
            return None
        granted = [
            Granted(view=view, cursor=self._hidden(asked, one.place)) for view, one in zip(views, shown, strict=True)
        ]
        more = walked.more or len(walked.found) > part.size
        edge = shown[-1].place if len(walked.found) > part.size else walked.last
        reached = None if edge is None else self._hidden(asked, edge)
        begun = granted[0].cursor if granted else None
        return GrantedPage(
            granted=tuple(reversed(granted)) if part.backwards else tuple(granted),
            has_next=part.before is not None if part.backwards else more,
            has_previous=more if part.backwards else part.after is not None,
            start=reached if part.backwards else begun,
            end=begun if part.backwards else reached,
        )

    async def _walked(self, asked: "_Asked", part: Slice) -> "_Walked":
        """Up to one more than asked for, so that what follows is told by what may be shown."""
        found: list[_Found] = []
        last: _Place | None = None
        looked_at = 0
        parts = _parts(asked, backwards=part.backwards)
        for rank, numbers in parts:
            rows = await self._listings.places(asked.whose[rank], CONSENTS, numbers)
            standings = await self._gathered(
                {row.subject for row in rows.values() if asked.wanted.subject in (None, row.subject)}
            )
            for number in numbers:
                last = _Place(rank, number)
                row = rows.get(number)
                standing = None if row is None else standings.get(row.subject)
                grant = None if row is None or standing is None else _named(row, standing, asked.whose[rank])
                if grant is not None and standing is not None and _is_wanted(grant, standing, asked):
                    Standings.require_current(standing)
                    found.append(_Found(place=last, grant=grant, standing=standing))
                    if len(found) > part.size:
                        return _Walked(found=found, last=last, more=True)
            looked_at += len(numbers)
            if looked_at >= MOST_LOOKED_AT:
                break
        return _Walked(found=found, last=last, more=next(parts, None) is not None)

    async def _gathered(self, subjects: Iterable[bytes]) -> Mapping[bytes, Standing | None]:
        asked = sorted(subjects)
        found = await asyncio.gather(*(self._standings.current(SubjectId(one)) for one in asked))
        return dict(zip(asked, found, strict=True))

    async def _view(self, one: "_Found") -> ConsentView:
        row = await self._index.consent(one.grant.consent)
        if row is None:
            raise UpstreamError("the consents keep changing; try again")
        return self._standings.view(one.standing, one.grant.consent, await self._standings.signed(row))

    async def _told(self, caller: Caller, shown: Sequence["_Found"]) -> bool:
        """Whether each patient's log has it, and the caller and all of them still are what they were."""
        consents: dict[bytes, list[bytes]] = {}
        for one in shown:
            consents.setdefault(one.standing.subject.id, []).append(one.grant.consent)
        versions: dict[bytes, int] = {one.standing.subject.id: one.standing.epochs.version for one in shown}
        # One await for all: the ledger commits what arrives together in one transaction.
        answers = await asyncio.gather(
            *(
                self._audit.append(
                    Event(
                        decision=self._audit.new_decision(),
                        at=self._clock.now(),
                        actor=caller.actor.id,
                        outcome=Outcome.PERMITTED,
                        action=SHOW,
                        subject=subject,
                        consents=tuple(named),
                    ),
                    guards=(*guards_of(caller), Guard(name=subject, version=versions[subject])),
                )
                for subject, named in consents.items()
            )
        )
        return all(isinstance(answer, Appended) for answer in answers)

    def _hidden(self, asked: "_Asked", place: "_Place") -> str:
        whose = asked.whose[place.rank]
        return self._keys.hide(place.number, context=_CURSOR + asked.caller.actor.id + whose)

    def _revealed(self, caller: Caller, whose: Sequence[ActorId], text: str | None, field: str) -> "_Place | None":
        """A cursor fits one list alone: which one is found by trying."""
        for rank, one in enumerate(whose) if text is not None else ():
            with contextlib.suppress(CallerError):
                return _Place(rank, self._keys.reveal(text or "", context=_CURSOR + caller.actor.id + one))
        if text is None:
            return None
        raise CallerError("not a cursor of this connection", field=(field,))

    # ---- patients

    async def patients(self, caller: Caller, *, part: Slice) -> TiePage:
        """Those whom the caller is, acts for or guards, in the order of their names."""
        _check(part)
        caller = await self._identity.current(caller)
        guarded = await self._guarded(caller)
        near, far = (part.before, part.after) if part.backwards else (part.after, part.before)
        past = _subject(near, "before" if part.backwards else "after")
        if past is None:
            past = _PAST_ALL if part.backwards else b""
        until = _subject(far, "after" if part.backwards else "before")
        found: list[Tie] = []
        looked_at, more = 0, True
        while more and looked_at < MOST_LOOKED_AT and len(found) <= part.size:
            names, more = await self._names(caller, guarded, past, backwards=part.backwards)
            for name in names:
                if until is not None and (name <= until if part.backwards else name >= until):
                    more = False
                    break
                relations = await self._relations(caller, name, guarded.get(name, frozenset()))
                if relations:
                    found.append(Tie(subject=SubjectId(name), relations=relations, cursor=name.hex()))
                if len(found) > part.size:
                    break
                past = name
            looked_at += len(names)
        shown = found[: part.size]
        more = more or len(found) > part.size
        reached = past.hex() if len(past) == _SUBJECT else None
        begun = shown[0].cursor if shown else None
        return TiePage(
            ties=tuple(reversed(shown)) if part.backwards else tuple(shown),
            has_next=part.before is not None if part.backwards else more,
            has_previous=more if part.backwards else part.after is not None,
            start=reached if part.backwards else begun,
            end=begun if part.backwards else reached,
        )

    async def _guarded(self, caller: Caller) -> Mapping[bytes, frozenset[bytes]]:
        """Subject -> the papers by which the caller was named a guardian, the newest of them."""
        count = await self._listings.count(caller.actor.id, GUARDED)
        numbers = range(max(0, count - MOST_GUARDED), count)
        papers: dict[bytes, set[bytes]] = {}
        for row in (await self._listings.places(caller.actor.id, GUARDED, numbers)).values():
            papers.setdefault(row.subject, set()).add(row.name)
        return {subject: frozenset(names) for subject, names in papers.items()}

    async def _names(
        self, caller: Caller, guarded: Iterable[bytes], past: bytes, *, backwards: bool
    ) -> tuple[Sequence[bytes], bool]:
        """The next patients to look at, in order, and whether there may be others behind them."""
        chained = await self._index.held_by(
            signer=caller.actor.key, actor=caller.actor.id, past=past, limit=_SCAN, backwards=backwards
        )
        more = len(chained) == _SCAN
        ahead = {one for one in guarded if (one < past if backwards else one > past)}
        if more:
            ahead = {one for one in ahead if (one > chained[-1] if backwards else one < chained[-1])}
        names = sorted({*chained, *ahead}, reverse=backwards)
        return names[:_SCAN], more or len(names) > _SCAN

    async def _relations(self, caller: Caller, subject: bytes, papers: Collection[bytes]) -> tuple[Relation, ...]:
        standing = await self._standings.current(SubjectId(subject))
        if standing is None:
            return ()
        asking = requester(caller)
        linked = asking.actor in standing.epochs.credentials
        by_key = policy.owns(asking, standing.epochs) and asking.key == standing.epochs.controller
        acts = bool(self._standings.mandates_of(asking, standing))
        current = standing.control.guardians.at(self._standings.last_block().block_time).current
        opened = await self._papers.guardianship(standing.subject.id, current) if current in papers else None
        found = {
            Relation.CONTROLLER: by_key,
            Relation.CREDENTIAL: linked and policy.owns(asking, standing.epochs),
            Relation.DELEGATE: acts,
            Relation.GUARDIAN: opened is not None and opened.names(asking.actor),
        }
        return tuple(relation for relation, holds in found.items() if holds)


@dataclass(frozen=True, slots=True)
class _Place:
    """`rank`: which list. A list's places are told the highest number first."""

    rank: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One page's question. `whose`: the lists in their order; `counts`: how many places each has."""

    caller: Caller
    wanted: GrantedFilter
    whose: tuple[ActorId, ...]
    counts: tuple[int, ...]
    after: _Place | None
    before: _Place | None
    as_of: AsOf
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    place: _Place
    grant: Grant
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walked:
    """`last`: how far it came; `more`: there are places behind it."""

    found: Sequence[_Found]
    last: _Place | None
    more: bool


def _check(part: Slice) -> None:
    if not 1 <= part.size <= PAGE_CEILING:
        raise LimitError(f"a page has 1 to {PAGE_CEILING}", field=("last" if part.backwards else "first",))


def _subject(cursor: str | None, field: str) -> bytes | None:
    if cursor is None:
        return None
    try:
        found = bytes.fromhex(cursor)
    except ValueError:
        found = b""
    if len(found) != _SUBJECT:
        raise CallerError("not a cursor of this connection", field=(field,))
    return found


def _parts(asked: _Asked, *, backwards: bool) -> Iterator[tuple[int, Sequence[int]]]:
    """Places between two, a few of one list at a time, in the order of the walk."""
    for rank in sorted(range(len(asked.counts)), reverse=backwards):
        above, below = -1, asked.counts[rank]
        if asked.after is not None and rank <= asked.after.rank:
            below = min(below, asked.after.number) if rank == asked.after.rank else 0
        if asked.before is not None and rank >= asked.before.rank:
            above = asked.before.number if rank == asked.before.rank else below
        numbers = range(above + 1, below) if backwards else range(below - 1, above, -1)
        for start in range(0, len(numbers), _SCAN):
            yield rank, numbers[start : start + _SCAN]


def _named(row: ListingRow, standing: Standing, whose: ActorId) -> Grant | None:
    """What stands at a place, as it was signed; None where nothing of it counts any more. IntegrityError where it names
    somebody else than whose list it is in."""
    for grant in standing.grants:
        if grant.consent == row.name and isinstance(grant, Grant):
            if grant.terms.scope.grantee != whose or grant.terms.effect is not Effect.PERMIT:
                raise IntegrityError("a list has a consent that does not name whose list it is")
            return grant
    return None


def _is_wanted(grant: Grant, standing: Standing, asked: _Asked) -> bool:
    wanted, scope = asked.wanted, grant.terms.scope
    if wanted.purpose is not None and wanted.purpose not in scope.purposes:
        return False
    if wanted.action is not None and wanted.action not in scope.actions:
        return False
    if wanted.status is ConsentStatus.NOT_YET:
        return standing.folded.status(grant.consent, grant.terms, asked.now) is ConsentStatus.NOT_YET
    asking, block_time = requester(asked.caller), asked.as_of.block_time
    return policy.names_in_time(grant, asking, standing.epochs, block_time=block_time, now=asked.now)
