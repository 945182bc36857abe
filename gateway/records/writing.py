"""The write corridor: parse, label, decide(WRITE), seal, store durably, and one transaction for row, ticket and audit.

A bundle is all or nothing: one resource that is invalid or not permitted, and nothing of it is stored. Blocks of a
write that was not acknowledged are left without a row: nobody can find or open them through the gateway.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import Action, Deny, Permit, Purpose
from gateway.consent.names import requester, topic
from gateway.consent.standing import Standing, Standings
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import LargeFacts, RecordFacts, record_domain
from gateway.emergency.grounds import Ground, guards
from gateway.errors import (
    CallerError,
    ConflictError,
    DeniedError,
    LimitError,
    StaleError,
    UpstreamError,
)
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import RecordId, SubjectId
from gateway.ports.anchors import Anchors
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.fhir import FhirValidation
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Guard, IdempotencyRow, Row
from gateway.records import fhir
from gateway.records.admission import Admission, write_request
from gateway.records.facts import ResourceFacts
from gateway.records.incoming import (
    SealedVersion,
    Seen,
    StoredVersion,
    Target,
    ValidResource,
    acknowledged,
    checked_reason,
    draft_facts,
    given_labels,
    labels_of,
    octets_of,
    read_resource,
    require_kept,
    require_version,
    write_purpose,
)
from gateway.records.large import binary_of
from gateway.records.model import Amendment, NewBundle, NewLarge, NewRecord, StoredRecord
from gateway.records.opening import Opening, decision_facts
from gateway.records.repeats import Repeats
from gateway.records.sealing import rows_of, seal_versions
from gateway.storage.dag import LEAF_SIZE
from gateway.storage.service import Blocks
from gateway.underway import prolong

TRIES = 8
APPENDED = "study_entries"
"""The table whose next key an appendix takes: where somebody was quicker, its rows are made anew."""
VALIDATED_AT_ONCE = 256
"""Resources of a bundle."""
LARGEST_BUNDLE = 10_000
ENTRY_SECONDS, OCTETS_A_SECOND = 0.1, 1 << 20
"""What entries and large blocks add to the time that a write may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A WRITE that is permitted now: what the ledger compares, and what the audit would say."""

    permit: Permit
    guards: tuple[Guard, ...]
    event: Event


class Writing:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        admission: Admission,
        audit: Audit,
        index: Index,
        opening: Opening,
        blocks: Blocks,
        keys: KeyRing,
        anchors: Anchors,
        most_waiting: int,
        validation: FhirValidation,
        label: Callable[[ResourceFacts], frozenset[str]],
        bus: Bus,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._admission = admission
        self._audit = audit
        self._opening = opening
        self._blocks = blocks
        self._keys = keys
        self._anchors = anchors
        self._most_waiting = most_waiting
        self._repeats = Repeats(index=index, opening=opening, anchors=anchors, keys=keys)
        self._validation = validation
        self._label = label
        self._bus = bus
        self._clock = clock
        self._entropy = entropy

    async def create(self, caller: Caller, new: NewRecord) -> StoredRecord:
        """One record, by the patient, an actor with a WRITE consent, a custodian, or a clinician in an emergency."""
        purpose = write_purpose(caller.actor.roles, new.purpose, new.study)
        reason = checked_reason(new.reason, new.study)
        await self._admission.require_concern(caller, new.subject, b"", purpose, new.study)
        valid = await self._validate([(new.resource, ("resource",))])
        target = Target(
            subject=new.subject,
            previous=None,
            given=given_labels(new.labels),
            row=None,
            purpose=purpose,
            study=new.study,
            reason=reason,
            appendix=new.appendix,
        )
        return (await self._write(caller, valid, target, new.idempotency_key))[0]

    async def import_bundle(self, caller: Caller, new: NewBundle) -> tuple[StoredRecord, ...]:
        """Each resource of a collection, batch or transaction as a record of its own: all or nothing."""
        purpose = write_purpose(caller.actor.roles, new.purpose, new.study)
        reason = checked_reason(new.reason, new.study)
        await self._admission.require_concern(caller, new.subject, b"", purpose, new.study)
        try:
            entries = fhir.bundle_resources(new.bundle)  # type: ignore[arg-type]  # a JSON value, checked there
        except CallerError as error:
            raise CallerError(error.message, field=("bundle", *error.field)) from error
        if len(entries) > LARGEST_BUNDLE:
            raise LimitError(f"at most {LARGEST_BUNDLE} entries", field=("bundle", "entry"))
        prolong(len(entries) * ENTRY_SECONDS)
        valid = await self._validate(
            [(entry.resource, ("bundle", "entry", str(at), "resource")) for at, entry in enumerate(entries)],
            [entry.full_url for entry in entries],
        )
        target = Target(
            subject=new.subject,
            previous=None,
            given=None,
            row=None,
            purpose=purpose,
            study=new.study,
            reason=reason,
            appendix=new.appendix,
        )
        return await self._write(caller, valid, target, new.idempotency_key)

    async def consider(self, caller: Caller, new: NewLarge, large: LargeFacts) -> Considered:
        """The decision on large content that is still to come, and nothing more. DeniedError, audited; what is wrong
        with the content is told only to whom it is permitted."""
        purpose = write_purpose(caller.actor.roles, new.purpose)
        await self._admission.require_concern(caller, new.subject, new.record, purpose)
        valid, target = await self._large(new, large, purpose)
        ground = await self._admission.ground(caller, new.subject, new.record, purpose)
        standing = ground.standing
        if standing is None:
            raise DeniedError("no such subject")
        ground.require_current()
        (draft,) = await asyncio.to_thread(self._draft, caller, valid, target, None, standing)
        permit = self._decide(caller, draft, target, ground, standing)
        if isinstance(permit, Deny):
            raise await self._admission.refused(caller, standing, new.record, purpose, permit.reason)
        await self._require_room()
        event = self._event(caller, permit, permit.consents, [new.record])
        return Considered(permit=permit, guards=_held(caller, permit), event=event)

    async def create_large(
        self, caller: Caller, new: NewLarge, large: LargeFacts, rows: tuple[Row, ...]
    ) -> StoredRecord:
        """The record of large content that is durable, decided as any other; `rows` are of the same transaction."""
        purpose = write_purpose(caller.actor.roles, new.purpose)
        await self._admission.require_concern(caller, new.subject, new.record, purpose)
        valid, target = await self._large(new, large, purpose)
        return (await self._write(caller, valid, replace(target, rows=rows), None))[0]

    async def amend(self, caller: Caller, amendment: Amendment) -> StoredRecord:
        """The next version of a record. Type and the resource's own subject references stay as they are; so does the
        study, which whoever amends names, and to which they say why."""
        purpose = write_purpose(caller.actor.roles, amendment.purpose, amendment.study)
        reason = checked_reason(amendment.reason, amendment.study, needed=True)
        row, previous = await self._admission.present(caller, amendment.record, purpose, amendment.study)
        valid = await self._validate([(amendment.resource, ("resource",))])
        target = Target(
            subject=SubjectId(row.subject),
            previous=previous,
            given=given_labels(amendment.labels),
            row=row,
            expected=amendment.expected_version,
            purpose=purpose,
            study=amendment.study,
            reason=reason,
            appendix=amendment.appendix,
        )
        return (await self._write(caller, valid, target, amendment.idempotency_key))[0]

    # ---- the steps

    async def _large(self, new: NewLarge, large: LargeFacts, purpose: Purpose) -> tuple[list[ValidResource], Target]:
        valid = await self._validate([(binary_of(new.content_type, large), ("resource",))])
        given = given_labels(new.labels)
        target = Target(
            subject=new.subject, previous=None, given=given, row=None, purpose=purpose, named=new.record, large=large
        )
        return valid, target

    async def _require_room(self) -> None:
        """What is acknowledged must reach the chain: while too much waits for it, nothing is added."""
        if await self._anchors.waiting() >= self._most_waiting:
            raise UpstreamError("too much waits for the chain; try again once it anchors")

    async def _validate(
        self, inputs: Sequence[tuple[object, tuple[str, ...]]], full_urls: Sequence[str | None] = (None,)
    ) -> list[ValidResource]:
        """R4 or a CallerError with the path of the field. Heavy work is off the event loop, and what was found valid is
        read while the validator's process looks at what follows."""
        octets = await asyncio.to_thread(lambda: [octets_of(value, at) for value, at in inputs])
        valid: list[ValidResource] = []
        reading: asyncio.Future[list[ValidResource]] | None = None
        for start in range(0, len(inputs), VALIDATED_AT_ONCE):
            part = slice(start, start + VALIDATED_AT_ONCE)
            issues = await self._validation.check(octets[part])
            if reading is not None:
                valid += await reading
            if issues:
                first = issues[0]
                raise CallerError(first.message, field=(*inputs[start + first.index][1], first.path))
            reading = asyncio.ensure_future(asyncio.to_thread(_read, inputs[part], octets[part], full_urls[part]))
            # What was found wrong in it is told by whoever awaits it, or by nobody: the part after it may be refused.
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return valid if reading is None else [*valid, *await reading]

    async def _write(
        self, caller: Caller, valid: Sequence[ValidResource], target: Target, idempotency_key: str | None
    ) -> tuple[StoredRecord, ...]:
        key = await self._keys.of(record_domain(target.subject, target.of_study))
        seen = await self._repeats.seen(caller, target, valid, idempotency_key)
        for _ in range(TRIES):
            ground = await self._admission.ground(
                caller, target.subject, target.record or b"", target.purpose, target.study
            )
            standing = ground.standing
            if standing is None:
                raise DeniedError("no such subject")
            ground.require_current()  # the chain may have gone back since the caller was let in: wait, do not refuse
            # 1. One decision for each resource, on its facts and labels; one refusal refuses all.
            records = [target.record or target.named or RecordId(self._entropy.bytes(16)) for _ in valid]
            drafts = await asyncio.to_thread(self._draft, caller, valid, target, seen, standing)
            permits = [self._decide(caller, draft, target, ground, standing) for draft in drafts]
            denied = next((answer for answer in permits if isinstance(answer, Deny)), None)
            if denied is not None:
                raise await self._admission.refused(
                    caller, standing, target.record or b"", target.purpose, denied.reason
                )
            # 2. What was written before under the same key is answered alike; another version is a conflict.
            before = await self._repeats.answered(seen)
            if before is not None:
                entry = await self._acknowledge_again(caller, _permits(permits)[0], before)
                if isinstance(entry, Appended):
                    return before
                caller = await self._gather_again(caller, entry)
                continue
            require_kept(target, valid)
            require_version(target)
            await self._require_room()
            # 3. Sealed, and durable on IPFS, before any row names it.
            sealed = await asyncio.to_thread(
                seal_versions,
                _permits(permits),
                drafts,
                valid,
                records=records,
                target=target,
                key=key,
                log=self._keys.log,
                entropy=self._entropy,
            )
            stored = await self._store(sealed, key)
            # 4. One transaction. Commit point: before it nothing names the blocks; after it all is acknowledged.
            entry = await self._acknowledge(caller, _permits(permits), stored, target, seen)
            if isinstance(entry, Appended):
                if target.appendix is not None:
                    await target.appendix.done()
                await self._announce(target.subject, stored)
                return tuple(acknowledged(one) for one in stored)
            await self._opening.discard([one.row for one in stored])
            if isinstance(entry, Taken) and entry.table == "uploads":
                raise ConflictError("the upload went on elsewhere, or is over")
            if isinstance(entry, Taken) and entry.table == APPENDED:
                raise StaleError("the study's journal keeps changing; try again")
            if isinstance(entry, Taken) and entry.table != "idempotency" and await self._repeats.answered(seen) is None:
                raise ConflictError("the record has moved on", field=("expectedVersion",))
            caller = await self._gather_again(caller, entry)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def _gather_again(self, caller: Caller, entry: Stale | Taken) -> Caller:
        """Drops what was kept of the name that moved; the caller as it stands now."""
        if isinstance(entry, Taken):
            return caller
        self._admission.forget(entry.name)
        if entry.name == caller.actor.id or entry.name in caller.organizations:
            return await self._identity.refreshed(caller)
        return caller

    def _draft(
        self,
        caller: Caller,
        valid: Sequence[ValidResource],
        target: Target,
        seen: Seen | None,
        standing: Standing,
    ) -> list[RecordFacts]:
        # A label decides who reads: the patient takes it away in a session of their own, no app does; of what is a
        # study's nobody does.
        owner = caller.bearer is None and target.study is None and policy.owns(requester(caller), standing.epochs)
        now = int(self._clock.now() * 1000)
        return [
            draft_facts(
                one,
                target,
                author=caller.actor.id,
                seen=seen,
                place=(at, len(valid)),
                now=now,
                labels=labels_of(one, target, self._label(one.facts), owner=owner),
                entropy=self._entropy,
            )
            for at, one in enumerate(valid)
        ]

    def _decide(
        self, caller: Caller, facts: RecordFacts, target: Target, ground: Ground, standing: Standing
    ) -> Permit | Deny:
        """WRITE is decided like READ. Of an amendment the present version must be covered too."""
        now = self._clock.now()
        judged = [decision_facts(facts, target.record)]
        if target.previous is not None:
            judged.append(target.previous.known.decision_facts)
        request = write_request(caller, target.subject, target.record, target.purpose, ground.study)
        answers = [
            policy.decide(request, one, standing.grants, standing.epochs, ground.as_of, now, ground.emergency)
            for one in judged
        ]
        return next((answer for answer in answers if isinstance(answer, Deny)), answers[0])

    async def _store(self, versions: Sequence[SealedVersion], key: DomainKey) -> list[StoredVersion]:
        """Durable and pinned on return: one commit for all that fit a raw block, a tree for each that does not."""
        prolong(sum(len(one.sealed.block) for one in versions) / OCTETS_A_SECOND)
        small = [one for one in versions if len(one.sealed.block) <= LEAF_SIZE]
        cids = dict(zip(map(id, small), await self._blocks.put_many([one.sealed.block for one in small]), strict=True))
        for one in versions:
            if id(one) not in cids:
                cids[id(one)] = await self._blocks.put_content((one.sealed.block,))
        return await asyncio.to_thread(lambda: [rows_of(one, cids[id(one)], key, self._anchors) for one in versions])

    async def _acknowledge(
        self,
        caller: Caller,
        permits: Sequence[Permit],
        stored: Sequence[StoredVersion],
        target: Target,
        seen: Seen | None,
    ) -> Appended | Stale | Taken:
        permit = permits[0]
        consents = tuple(dict.fromkeys(consent for each in permits for consent in each.consents))
        event = self._event(caller, permit, consents, [one.row.record for one in stored])
        event = replace(event, digest=stored[0].row.digest if len(stored) == 1 else b"")
        rows: list[Row] = [row for one in stored for row in (one.row, one.ticket)]
        if seen is not None:
            result = b"".join(one.row.record + one.row.version.to_bytes(4, "big") for one in stored)
            rows.append(IdempotencyRow(key=seen.key, request=seen.request, result=result))
        rows += target.rows
        held = _held(caller, permit)
        if target.appendix is None:
            return await self._audit.append(event, guards=held, rows=rows)
        for _ in range(TRIES):
            try:
                added = await target.appendix.rows(stored)
            except CallerError:
                await self._opening.discard([one.row for one in stored])
                raise
            entry = await self._audit.append(event, guards=held, rows=(*rows, *added))
            if not isinstance(entry, Taken) or entry.table != APPENDED:
                break
        return entry

    async def _acknowledge_again(
        self, caller: Caller, permit: Permit, before: Sequence[StoredRecord]
    ) -> Appended | Stale | Taken:
        """An answer given before is given again only to whom it would be given now."""
        event = self._event(caller, permit, permit.consents, [one.record for one in before])
        event = replace(event, reason="answered before")
        return await self._audit.append(event, guards=_held(caller, permit))

    def _event(self, caller: Caller, permit: Permit, consents: tuple[bytes, ...], records: Sequence[bytes]) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=permit.decided_at,
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=Action.WRITE.value,
            purpose=permit.purpose.value,
            subject=permit.subject,
            record=records[0] if len(records) == 1 else b"",
            consents=consents,
            basis=permit.basis.value,
            emergency=b"" if permit.emergency is None else permit.emergency.emergency,
        )

    async def _announce(self, subject: SubjectId, stored: Sequence[StoredVersion]) -> None:
        for one in stored:
            await self._bus.publish(topic(subject), b"record:" + one.row.record)


def _held(caller: Caller, permit: Permit) -> tuple[Guard, ...]:
    """What the ledger compares for a permit."""
    return guards(caller, permit.subject, version=permit.version, emergency=permit.emergency, study=permit.study)


def _permits(answers: Sequence[Permit | Deny]) -> list[Permit]:
    return [answer for answer in answers if isinstance(answer, Permit)]


def _read(
    inputs: Sequence[tuple[object, tuple[str, ...]]], octets: Sequence[bytes], full_urls: Sequence[str | None]
) -> list[ValidResource]:
    return [
        read_resource(value, text, at, full_url)
        for (value, at), text, full_url in zip(inputs, octets, full_urls, strict=True)
    ]
