"""Columns as the database gives them to the row of the port. What no gateway wrote is an IntegrityError."""

from anchoring.stores.columns import decode_args
from gateway.errors import IntegrityError
from gateway.ports.releases import ReleasePaper, ReleasePaperRow, ReleaseRow, ReleaseStage
from gateway.ports.requests import FormRow, RequestRow
from gateway.ports.rows import (
    ConsentRow,
    EmergencyRow,
    ErasureRow,
    ErasureState,
    EventRow,
    NarrowingKind,
    NarrowingRow,
    RecordRow,
    StoredEntry,
    UploadRow,
)
from gateway.ports.sign_ins import IdentityRow, SessionRow
from gateway.ports.trials import StudyEntryKind, StudyEntryRow


def record_of(
    record: bytes, version: int, subject: bytes, digest: bytes, tree: int, seq: int, newest: int | None = None
) -> RecordRow:
    return RecordRow(
        record=record,
        version=version,
        subject=subject,
        digest=digest,
        tree=bool(tree),
        seq=seq,
        newest=newest or 0,
    )


def upload_of(
    upload: bytes,
    subject: bytes,
    owner: bytes,
    slot: int | None,
    size: int,
    sealed: bytes,
    expires_at: int,
    record: bytes,
) -> UploadRow:
    return UploadRow(
        upload=upload,
        subject=subject,
        owner=owner,
        slot=slot,
        size=size,
        sealed=sealed,
        expires_at=expires_at,
        record=record,
    )


def erasure_of(
    subject: bytes,
    state: int,
    begun_at: int,
    request: bytes,
    signature: bytes,
    call: bytes,
    shredded_at: int,
    key_epoch: bytes,
    domains: int,
    blocks: int,
    final_at: int,
    certificate: bytes,
    certify_call: bytes,
) -> ErasureRow:
    return ErasureRow(
        subject=subject,
        state=ErasureState(state),
        begun_at=begun_at,
        request=request,
        signature=signature,
        call=call,
        shredded_at=shredded_at,
        key_epoch=key_epoch,
        domains=domains,
        blocks=blocks,
        final_at=final_at,
        certificate=certificate,
        certify_call=certify_call,
    )


def consent_of(consent: bytes, subject: bytes, digest: bytes, call: bytes) -> ConsentRow:
    return ConsentRow(consent=consent, subject=subject, digest=digest, call=call)


def emergency_of(
    emergency: bytes, digest: bytes, decision: bytes, call: bytes, opened_at: int, expires_at: int, seq: int
) -> EmergencyRow:
    return EmergencyRow(
        emergency=emergency,
        digest=digest,
        decision=decision,
        call=call,
        opened_at=opened_at,
        expires_at=expires_at,
        seq=seq,
    )


def release_of(
    release: bytes,
    requester: bytes,
    stage: int,
    edition: int,
    cursor: bytes,
    looked_at: int,
    kept: int,
    builder: bytes,
    held_until: int,
    expires_at: int,
    seq: int,
) -> ReleaseRow:
    return ReleaseRow(
        release=release,
        requester=requester,
        stage=ReleaseStage(stage),
        edition=edition,
        cursor=cursor,
        looked_at=looked_at,
        kept=kept,
        builder=builder,
        held_until=held_until,
        expires_at=expires_at,
        seq=seq,
    )


def release_paper_of(release: bytes, number: int, kind: int, digest: bytes) -> ReleasePaperRow:
    return ReleasePaperRow(release=release, number=number, kind=ReleasePaper(kind), digest=digest)


def study_entry_of(
    study: bytes, number: int, kind: int, about: bytes, entry: bytes, digest: bytes, previous: bytes | None
) -> StudyEntryRow:
    try:
        known = StudyEntryKind(kind)
    except ValueError as error:
        raise IntegrityError("a row of the index is none that this gateway wrote") from error
    return StudyEntryRow(
        study=study,
        number=number,
        kind=known,
        about=about,
        entry=entry,
        digest=digest,
        previous=bytes(32) if number == 0 else previous or b"",
    )


def form_of(form: bytes, version: int, publisher: bytes, hash_: bytes, digest: bytes, seq: int) -> FormRow:
    return FormRow(form=form, version=version, publisher=publisher, hash=hash_, digest=digest, seq=seq)


def request_of(
    request: bytes,
    subject: bytes,
    asker: bytes,
    pair: bytes,
    asked_at: int,
    expires_at: int,
    sealed: bytes,
    withdrawn: int,
    declined: int,
    seq: int,
) -> RequestRow:
    return RequestRow(
        request=request,
        subject=subject,
        asker=asker,
        pair=pair,
        asked_at=asked_at,
        expires_at=expires_at,
        sealed=sealed,
        withdrawn=bool(withdrawn),
        declined=bool(declined),
        seq=seq,
    )


def entry_of(
    writer: bytes,
    seq: int,
    decision: bytes,
    previous: bytes,
    entry_hash: bytes,
    public: bytes,
    private: bytes,
    subject_token: bytes,
    receipt_digest: bytes,
) -> StoredEntry:
    return StoredEntry(
        writer=writer,
        seq=seq,
        decision=decision,
        previous=previous,
        hash=entry_hash,
        public=public,
        private=private,
        subject_token=subject_token,
        receipt_digest=receipt_digest,
    )


def session_of(
    session: bytes,
    token_digest: bytes,
    actor: bytes,
    opened_at: int,
    expires_at: int,
    ends_at: int,
    label: bytes,
    mark: bytes,
    rotations: int,
    seq: int,
) -> SessionRow:
    return SessionRow(
        session=session,
        token_digest=token_digest,
        actor=actor,
        opened_at=opened_at,
        expires_at=expires_at,
        ends_at=ends_at,
        label=label,
        mark=mark,
        rotations=rotations,
        seq=seq,
    )


def identity_of(name: bytes, actor: bytes, sealed: bytes, not_before: int) -> IdentityRow:
    return IdentityRow(name=name, actor=actor, sealed=sealed, not_before=not_before)


def narrowing_of(kind: int, subject: bytes, target: bytes, digest: bytes, call: bytes) -> NarrowingRow:
    try:
        known = NarrowingKind(kind)
    except ValueError as error:
        raise IntegrityError("a row of the index is none that this gateway wrote") from error
    return NarrowingRow(kind=known, subject=subject, target=target, digest=digest, call=call)


def args_of(text: str) -> dict[str, bytes | int]:
    try:
        return decode_args(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError("a row of the index is none that this gateway wrote") from error


def event_of(
    contract: str,
    name: str,
    key1: bytes | None,
    key2: bytes | None,
    key3: bytes | None,
    args: str,
    block_number: int,
    block_hash: bytes,
    log_index: int,
    transaction: bytes,
    orphaned_at: int | None,
) -> EventRow:
    return EventRow(
        contract=contract,
        name=name,
        keys=tuple(key for key in (key1, key2, key3) if key is not None),
        args=args_of(args),
        block_number=block_number,
        block_hash=block_hash,
        log_index=log_index,
        transaction=transaction,
        orphaned=orphaned_at is not None,
    )
