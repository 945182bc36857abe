"""Requests for consent: somebody asks with a reason, the patient sees, drafts and signs, or declines.

A request confers nothing: what counts is the consent that is signed. Who asks is answered alike for a patient, an
erased one and nobody, and sees a decline as silence, until the request is over. What is asked of a patient is durable
with the entry in the patient's log; how much one may ask is counted in the same transaction, so no race and no restart
gets round it.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import limits, policy
from gateway.consent.hands import Hand, Hands
from gateway.consent.languages import Language
from gateway.consent.model import Terms
from gateway.consent.names import guards_of, requester, topic
from gateway.consent.relaying import Relaying
from gateway.consent.requested import (
    ASKER,
    COUNT,
    KEPT_SECONDS,
    MOST_OPEN,
    PAIR,
    SUBJECT,
    WINDOW_SECONDS,
    ConsentRequest,
    RequestInput,
    RequestPage,
    RequestState,
    RequestView,
    granted,
    may_ask,
    read,
    request_of,
    state_of,
    terms_of,
    written,
)
from gateway.consent.service import Consents
from gateway.consent.standing import Standing, Standings
from gateway.errors import ConflictError, IntegrityError, LimitError, UpstreamError
from gateway.identity.model import Caller, Draft
from gateway.identity.service import Identity
from gateway.ids import RequestId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import LAST_SEQ, Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.requests import RequestDeclined, RequestRow, RequestsOver, RequestWithdrawn
from gateway.ports.rows import Bump, Guard
from gateway.ports.sealing import RequestSealing, SealingKeys
from gateway.slices import Slice

TRIES = 8
LOOKED_AT = 50
"""Rows at once, of which some may not be shown."""
ASK, WITHDRAW, DECLINE, SHOW = "REQUEST_CONSENT", "WITHDRAW_REQUEST", "DECLINE_REQUEST", "SHOW_REQUESTS"


class ConsentRequests:
    """See the module. `each`: how many requests one asker may make in 24 hours."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        hands: Hands,
        consents: Consents,
        relaying: Relaying,
        audit: Audit,
        index: Index,
        keys: SealingKeys,
        sealing: RequestSealing,
        bus: Bus,
        clock: Clock,
        entropy: Entropy,
        each: int,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._hands = hands
        self._consents = consents
        self._relaying = relaying
        self._audit = audit
        self._index = index
        self._keys = keys
        self._sealing = sealing
        self._bus = bus
        self._clock = clock
        self._entropy = entropy
        self._each = each

    # ---- who asks

    async def ask(self, caller: Caller, asked: RequestInput) -> RequestView:
        """Durable, and in the patient's log, when it returns; and the same where there is no such patient. CallerError,
        LimitError; DeniedError for who is a patient and nothing else."""
        subject = asked.terms.subject
        for _ in range(TRIES):
            if not may_ask(caller):
                raise await self._hands.refusal(caller, None, ASK, "no role that asks")
            made = request_of(
                asked,
                caller,
                id=RequestId(self._entropy.bytes(16)),
                salt=self._entropy.bytes(32),
                now=self._clock.now(),
            )
            # 1. Versions first: whoever asks meanwhile, or erases the patient, moves them.
            guards = await self._guards(made)
            near = await self._standings.nearest(subject)
            known = near is not None and near.subject.id == subject
            await self._require_room(caller, made, near if known else None)
            # 2. Sealed under the patient's key, or, where there is none, under the asker's.
            like = None if near is None else near.subject.id
            row = await self._row(made, subject if known else None, like)
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.PERMITTED,
                action=ASK,
                subject=subject if known else None,
                like=like,
            )
            over = RequestsOver(asker=row.asker, before=made.asked_at - KEPT_SECONDS)
            bumps = (Bump(name=guard.name) for guard in guards if guard.name != subject)
            # 3. Commit point: before it nobody has asked; after it the request stands, and its entry.
            entry = await self._audit.append(event, guards=(*guards_of(caller), *guards), rows=(row, over, *bumps))
            if isinstance(entry, Appended):
                await self._bus.publish(topic(subject), b"request:" + made.id)
                return RequestView(request=made, state=RequestState.OPEN, consent=None)
            if isinstance(entry, Stale):
                self._standings.forget(entry.name)
                caller = await self._identity.refreshed(caller)
        raise UpstreamError("too much is asked at once; try again")

    async def withdraw(self, caller: Caller, request: RequestId) -> RequestView:
        """The asker's own. What is withdrawn already is success; a consent that was granted stands."""
        row, made = await self._found(caller, request, WITHDRAW)
        near = await self._standings.nearest(made.subject)
        known = near if near is not None and near.subject.id == made.subject else None
        if made.asker != caller.actor.id:
            raise await self._hands.refusal(caller, known, WITHDRAW, "another's request")
        if not row.withdrawn:
            subject = None if known is None else made.subject
            await self._relaying.record(caller, subject, action=WITHDRAW, rows=(RequestWithdrawn(request=row.request),))
            row = replace(row, withdrawn=True)
        theirs = made.terms.grantee in (caller.actor.id, *caller.organizations)
        return self._view(row, made, known if theirs else None, declined=False)

    async def sent(self, caller: Caller, part: Slice) -> RequestPage:
        """The caller's own, newest first; those whose patient was erased are gone."""
        caller = await self._identity.current(caller)
        token = self._keys.mark(ASKER, caller.actor.id)

        def own(made: ConsentRequest) -> bool:
            if made.asker != caller.actor.id:
                raise IntegrityError("a request lies among another asker's")
            return True

        found, page = await self._page(part, own, asker=token, context=ASKER + caller.actor.id)
        views = []
        for row, made in found:
            # Whether it was granted is told to whom the consent lets in, as they stand now.
            theirs = made.terms.grantee in (caller.actor.id, *caller.organizations)
            known = await self._standings.asked_for(made.subject) if theirs else None
            cursor = self._keys.hide(row.seq, context=ASKER + caller.actor.id)
            views.append((cursor, self._view(row, made, known, declined=False)))
        return replace(page, views=tuple(views))

    # ---- whom it is asked of

    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> RequestPage:
        """The patient's, and a delegate's where the patient lets them see all, or they could sign it; an empty page for
        all others. What a delegate is shown stands in the patient's log."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        owner = standing is not None and policy.owns(requester(caller), standing.epochs)
        mandates = () if standing is None or owner else self._standings.mandates_of(requester(caller), standing)
        if standing is None or not (owner or mandates):
            return RequestPage(views=())
        hand, context = Hand(standing=standing, mandates=mandates), SUBJECT + subject

        def shown(made: ConsentRequest) -> bool:
            if made.subject != subject:
                raise IntegrityError("a request lies among another patient's")
            return self._may_see(hand, made)

        found, page = await self._page(part, shown, subject=self._keys.mark(SUBJECT, subject), context=context)
        views = [
            (self._keys.hide(row.seq, context=context), self._view(row, made, standing, declined=row.declined))
            for row, made in found
        ]
        if not owner:
            self._standings.require_current(standing)
            await self._relaying.record(caller, subject, action=SHOW, rows=(), standing_on=hand.guard)
        return replace(page, views=tuple(views))

    async def draft(self, caller: Caller, request: RequestId, *, language: Language) -> Draft:
        """The consent that is asked for, to be signed by the patient or a delegate within their limits."""
        row, made, hand = await self._answering(caller, request, "GRANT")
        self._require_open(row, made, hand)
        return await self._consents.draft(caller, replace(made.terms, language=language), salt=made.salt)

    async def decline(self, caller: Caller, request: RequestId) -> RequestView:
        """The patient's, or a delegate's who could sign it. Nobody else is told. What is declined already is
        success."""
        row, made, hand = await self._answering(caller, request, DECLINE)
        if not row.declined:
            self._require_open(row, made, hand)
            rows = (RequestDeclined(request=row.request),)
            await self._relaying.record(caller, made.subject, action=DECLINE, rows=rows, standing_on=hand.guard)
            row = replace(row, declined=True)
        return self._view(row, made, hand.standing, declined=True)

    def terms(self, request: ConsentRequest) -> Terms:
        """What is asked for, as it would be signed now."""
        return terms_of(request, now=self._clock.now())

    # ---- the steps

    async def _guards(self, made: ConsentRequest) -> list[Guard]:
        """The counts that the request goes into, and the patient's name, as they stand before anything is read."""
        names = [self._count_name(token) for token in (self._asker_of(made), self._pair_of(made))]
        versions = await self._index.versions_of([*names, made.subject])
        return [Guard(name=name, version=version) for name, version in versions.items()]

    def _count_name(self, token: bytes) -> bytes:
        """32 bytes that name a count among the guards."""
        return token + self._keys.mark(COUNT, token)

    def _asker_of(self, made: ConsentRequest) -> bytes:
        return self._keys.mark(ASKER, made.asker)

    def _pair_of(self, made: ConsentRequest) -> bytes:
        return self._keys.mark(PAIR, made.asker, made.subject)

    async def _require_room(self, caller: Caller, made: ConsentRequest, known: Standing | None) -> None:
        """LimitError, audited, where a bound is reached: the same for a patient and for none."""
        since = made.asked_at - WINDOW_SECONDS
        if await self._index.count_requests(asker=self._asker_of(made), since=since) >= self._each:
            await self._hands.refusal(caller, known, ASK, "the bound of who asks")
            raise LimitError(f"{self._each} requests in 24 hours are the most for you")
        if await self._index.open_requests(pair=self._pair_of(made), now=made.asked_at) >= MOST_OPEN:
            await self._hands.refusal(caller, known, ASK, "the bound of who asks, of this patient")
            raise LimitError(f"{MOST_OPEN} requests to one patient are the most until one is over")

    async def _row(self, made: ConsentRequest, subject: SubjectId | None, like: bytes | None) -> RequestRow:
        sealed = await self._sealing.seal(subject, made.asker, written(made), context=_context(made.id), like=like)
        return RequestRow(
            request=made.id,
            subject=self._keys.mark(SUBJECT, made.subject),
            asker=self._asker_of(made),
            pair=self._pair_of(made),
            asked_at=made.asked_at,
            expires_at=made.expires_at,
            sealed=sealed,
        )

    async def _found(self, caller: Caller, request: RequestId, action: str) -> tuple[RequestRow, ConsentRequest]:
        row = await self._index.request(request)
        made = None if row is None else await self._opened(row)
        if row is None or made is None:
            raise await self._hands.refusal(caller, None, action, "no such request")
        return row, made

    async def _opened(self, row: RequestRow) -> ConsentRequest | None:
        """None where the key is no more: its patient was erased. Raises IntegrityError where the row and what was
        sealed differ."""
        found = await self._sealing.open(row.sealed, context=_context(RequestId(row.request)))
        if found is None:
            return None
        whose, octets = found
        made = read(RequestId(row.request), octets)
        tokens = (self._keys.mark(SUBJECT, made.subject), self._asker_of(made), self._pair_of(made))
        if (
            whose not in (made.subject, made.asker)
            or tokens != (row.subject, row.asker, row.pair)
            or (made.asked_at, made.expires_at) != (row.asked_at, row.expires_at)
        ):
            raise IntegrityError("a request's row and what was sealed differ")
        return made

    async def _answering(
        self, caller: Caller, request: RequestId, action: str
    ) -> tuple[RequestRow, ConsentRequest, Hand]:
        """What is answered, and by whose hand: the patient's, or a delegate's who could sign it."""
        row, made = await self._found(caller, request, action)
        hand = await self._hands.acting(caller, made.subject, action)
        if not self._could_sign(hand, made):
            raise await self._hands.refusal(caller, hand.standing, action, "outside of a delegate's limits")
        return row, made, hand

    def _require_open(self, row: RequestRow, made: ConsentRequest, hand: Hand) -> None:
        view = self._view(row, made, hand.standing, declined=row.declined)
        if view.state is not RequestState.OPEN:
            raise ConflictError("the request is no longer open", field=("requestId",))

    def _view(self, row: RequestRow, made: ConsentRequest, standing: Standing | None, *, declined: bool) -> RequestView:
        consent = None if standing is None else granted(made, standing.grants)
        now = self._clock.now()
        state = state_of(made, consent=consent, declined=declined, withdrawn=row.withdrawn, now=now)
        return RequestView(request=made, state=state, consent=consent)

    def _could_sign(self, hand: Hand, made: ConsentRequest) -> bool:
        terms = self.terms(made)
        return not hand.mandates or any(limits.exceeded(one.limits, terms) is None for one in hand.mandates)

    def _may_see(self, hand: Hand, made: ConsentRequest) -> bool:
        return self._could_sign(hand, made) or any(mandate.limits.lists for mandate in hand.mandates)

    async def _page(
        self,
        part: Slice,
        shown: Callable[[ConsentRequest], bool],
        *,
        subject: bytes | None = None,
        asker: bytes | None = None,
        context: bytes,
    ) -> tuple[list[tuple[RequestRow, ConsentRequest]], RequestPage]:
        """Those that are `shown`, newest first, and an empty page that says whether there are more of them on either
        side: what is not shown is passed over, and cannot be counted."""
        before = LAST_SEQ if part.after is None else self._keys.reveal(part.after, context=context)
        after = 0 if part.before is None else self._keys.reveal(part.before, context=context)
        limit = max(part.size + 1, LOOKED_AT)
        found: list[tuple[RequestRow, ConsentRequest]] = []
        more = True
        while more and len(found) <= part.size:
            rows = await self._index.requests(
                subject=subject, asker=asker, after=after, before=before, limit=limit, backwards=part.backwards
            )
            for row in rows:
                made = await self._opened(row)
                if made is not None and shown(made):
                    found.append((row, made))
            more = len(rows) == limit
            if more and part.backwards:
                after = rows[-1].seq
            elif more:
                before = rows[-1].seq
        seen, more = found[: part.size], len(found) > part.size
        if part.backwards:
            return seen[::-1], RequestPage(views=(), has_previous=more)
        return seen, RequestPage(views=(), has_next=more)


def _context(request: RequestId) -> bytes:
    return b"consent-request" + request
