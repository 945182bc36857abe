"""Emergencies as they were sealed, found by what the index hints at.

What counts is the statement whose commitment is the emergency's name, sealed under its subject's audit key; a row that
says otherwise is refused. An emergency of which the patient's own log does not tell is none: nothing opens under it.
"""

from gateway.audit.service import Audit
from gateway.consent.model import OpenEmergency
from gateway.emergency import rules
from gateway.emergency.model import Emergency, Ending, Opening, Review, Stated
from gateway.errors import IntegrityError
from gateway.identity.model import Caller
from gateway.ids import ActorId, EmergencyId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.rows import EmergencyRow, EmergencyStep
from gateway.ports.sealing import SealingKeys

CONTRACT = "EmergencyRegistry"
NEWEST = 2**62
_BOTH, _SUBJECT, _CLINICIAN = b"emergency/both", b"emergency/subject", b"emergency/clinician"
_ORGANIZATION, _ALL = b"emergency/organization", b"emergency/all"
_MOST_OPEN = 16
"""Of one clinician for one patient, the newest that are looked at."""


class Openings:
    """Reads, and makes the tokens that emergencies are found by."""

    def __init__(self, *, index: Index, documents: Documents, audit: Audit, keys: SealingKeys, clock: Clock) -> None:
        self._index = index
        self._documents = documents
        self._audit = audit
        self._keys = keys
        self._clock = clock

    # ---- tokens: keyed, so that a thief of the rows cannot make one, and no two uses compare

    def token_of_both(self, clinician: ActorId, subject: SubjectId) -> bytes:
        return self._keys.mark(_BOTH, clinician, subject)

    def token_of_subject(self, subject: SubjectId) -> bytes:
        return self._keys.mark(_SUBJECT, subject)

    def token_of_clinician(self, clinician: ActorId) -> bytes:
        return self._keys.mark(_CLINICIAN, clinician)

    def token_of_organization(self, organization: ActorId) -> bytes:
        return self._keys.mark(_ORGANIZATION, organization)

    def token_of_all(self) -> bytes:
        return self._keys.mark(_ALL)

    def tokens(self, opening: Opening) -> tuple[bytes, ...]:
        """All that an emergency is found by."""
        return tokens_of(self._keys, opening)

    # ---- reading

    async def open_for(self, caller: Caller, subject: SubjectId) -> OpenEmergency | None:
        """The caller's newest emergency for a subject that nobody has ended. The version is read before what could end
        it, so that a change in between makes the guard fail. IntegrityError where only a forged one is found."""
        if not rules.may_open(caller):
            return None
        rows = await self._index.emergencies(
            self.token_of_both(caller.actor.id, subject), before=NEWEST, limit=_MOST_OPEN
        )
        live = [row for row in rows if row.expires_at > self._clock.now()]
        if not live:
            return None
        versions = await self._index.versions_of([row.emergency for row in live])
        forged: IntegrityError | None = None
        for row in live:
            try:
                found = await self._open(row, caller.actor.id, subject)
            except IntegrityError as error:
                forged = error
                continue
            if found is not None:
                return OpenEmergency(
                    emergency=EmergencyId(row.emergency),
                    subject=found.subject,
                    clinician=found.clinician,
                    opened_at=found.opened_at,
                    expires_at=found.expires_at,
                    version=versions[row.emergency],
                )
        if forged is not None:
            raise forged
        return None

    async def _open(self, row: EmergencyRow, clinician: ActorId, subject: SubjectId) -> Opening | None:
        """None: it has ended. IntegrityError: it is not what was stated, or the patient was not told."""
        if await self._index.emergency_steps(row.emergency):
            return None
        events = await self._index.events(row.emergency, contract=CONTRACT)
        if any(event.name == "EmergencyClosed" for event in events):
            return None
        opening, _ = await self._stated(row)
        if (opening.clinician, opening.subject) != (clinician, subject):
            raise IntegrityError("an emergency is another clinician's, or for another subject")
        if not await self._audit.told(subject, row.decision, emergency=row.emergency):
            raise IntegrityError("an emergency of which its patient's log does not tell")
        return opening

    async def load(self, row: EmergencyRow) -> Emergency:
        """All that was stated about one. Raises IntegrityError, UpstreamError."""
        opening, stated = await self._stated(row)
        ending: Ending | None = None
        review: Review | None = None
        for step in await self._index.emergency_steps(row.emergency):
            _, statement = await self._documents.statement(opening.subject, step.digest)
            if step.step is EmergencyStep.END:
                ending = rules.read_ending(statement.octets)
            else:
                review = rules.read_review(statement.octets)
        if any(said is not None and said.emergency != row.emergency for said in (ending, review)):
            raise IntegrityError("a statement is about another emergency")
        events = await self._index.events(row.emergency, contract=CONTRACT)
        opened = [event for event in events if event.name == "EmergencyOpened" and not event.orphaned]
        return Emergency(
            id=EmergencyId(row.emergency),
            opening=opening,
            stated=stated,
            ending=ending,
            review=review,
            transaction=opened[-1].transaction if opened else None,
            decision=row.decision,
        )

    async def _stated(self, row: EmergencyRow) -> tuple[Opening, Stated]:
        subject, statement = await self._documents.statement(None, row.digest)
        stated = Stated(
            octets=statement.octets, salt=statement.salt, commitment=rules.commit(statement.salt, statement.octets)
        )
        opening = rules.read_opening(statement.octets)
        if stated.commitment != row.emergency or opening.subject != subject:
            raise IntegrityError("a sealed emergency is not the one that its row names")
        if (opening.opened_at, opening.expires_at) != (row.opened_at, row.expires_at):
            raise IntegrityError("an emergency's row and its sealed statement differ")
        return opening, stated


def tokens_of(keys: SealingKeys, opening: Opening) -> tuple[bytes, ...]:
    """All that an emergency is found by."""
    return (
        keys.mark(_BOTH, opening.clinician, opening.subject),
        keys.mark(_SUBJECT, opening.subject),
        keys.mark(_CLINICIAN, opening.clinician),
        *(keys.mark(_ORGANIZATION, one) for one in opening.organizations),
        keys.mark(_ALL),
    )
