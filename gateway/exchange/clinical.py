"""A study as one ODM document: definitions, people, sites, clinical data with who captured and changed it, when and
why, what was asked about it, and who signed it. Pure.

True here: each version of a form is there, in order, with all that it said, who, when, why and the SHA-256 of its
ciphertext; what was captured by an earlier definition than the newest version's is there without what it said. A
signature stands on the form whose version it names, as a further entry that
changes nothing. Users and sites have OIDs of this document.
Source: ODM 1.3.2 (FileType Transactional, AuditRecord, Signature); Queries as in ODM 2.0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from gateway.exchange.answers import Form, FormVersion, SubjectForms, Whole
from gateway.exchange.answers import Query as AskedQuery
from gateway.exchange.fetching import ReadForm, ReadSubject, Signed
from gateway.ids import to_global
from gateway.trials.definition.references import Directory
from gateway.trials.odm.forms import form_data
from gateway.trials.odm.marks import AuditRecord, Marks, Query, QueryState, Signature, Transaction
from gateway.trials.odm.model import (
    AdminData,
    ClinicalData,
    Document,
    EventData,
    FileType,
    FormData,
    Header,
    Location,
    SignatureDef,
    SubjectData,
    User,
    VersionRef,
)

MEANINGS: Final = ("AUTHORED", "REVIEWED", "APPROVED", "RESPONSIBLE", "VERIFIED")
LEGAL_REASON: Final = "21 CFR 11.50: the signer's own key signed this meaning and the digests of these forms (EIP-712)."
_TYPES: Final = {"SPONSOR": "Sponsor", "INVESTIGATOR": "Investigator"}
"""ODM's kinds of users, of our roles; Other for the rest."""


@dataclass(slots=True, kw_only=True)
class People:
    """Who is who: actors by their global ids, each with an OID of the document, in the order in which they came."""

    users: dict[str, User] = field(default_factory=dict)

    def add(self, id: str, name: str | None, *, type: str = "Other") -> str:
        known = self.users.get(id)
        if known is None:
            known = self.users[id] = User(oid=f"USR.{len(self.users) + 1}", type=type, full_name=name)
        return known.oid

    def add_study(self, whole: Whole) -> None:
        self.add(whole.sponsor.id, whole.sponsor.name, type="Sponsor")
        for one in whole.delegations:
            self.add(one.actor.id, one.actor.name, type=_TYPES.get(one.role, "Other"))

    def add_subject(self, told: SubjectForms) -> None:
        for form in told.forms:
            for version in form.versions:
                self.add(version.by.id, version.by.name)
        for query in told.queries:
            for word in query.words:
                self.add(word.by.id, word.by.name)


def signer_id(one: Signed) -> str:
    return to_global("Actor", bytes.fromhex(one.by))


def by_form(signatures: Iterable[Signed]) -> dict[tuple[str, int], list[Signed]]:
    """Signatures by record (its global id) and version."""
    made: dict[tuple[str, int], list[Signed]] = {}
    for one in signatures:
        for record, version in sorted(one.records):
            made.setdefault((to_global("Record", bytes.fromhex(record)), version), []).append(one)
    return made


def shell(whole: Whole, directories: Sequence[Directory], people: People, *, created: str, signs: bool) -> Document:
    """All but the subjects, with a ClinicalData for each definition. `created`: ISO 8601."""
    definitions = tuple(one.definition for one in directories)
    versions = tuple(
        VersionRef(study=one.oid, version=one.version_oid, since=told.at[:10])
        for one, told in zip(definitions, whole.definitions, strict=True)
    )
    locations = tuple(
        Location(oid=location_of(one.site), name=one.name or one.site, type="Site", versions=versions)
        for one in whole.sites
    )
    kinds = tuple(
        SignatureDef(oid=f"SIG.{one}", methodology="Digital", meaning=one, legal_reason=LEGAL_REASON)
        for one in MEANINGS
        if signs
    )
    return Document(
        header=Header(
            file_oid=f"STUDY.{whole.id}",
            file_type=FileType.TRANSACTIONAL,
            created_at=created,
            description=whole.title,
            source_system="Consentry",
        ),
        definitions=definitions,
        admin=(AdminData(users=tuple(people.users.values()), locations=locations, signature_definitions=kinds),),
        clinical=tuple(ClinicalData(study=one.oid, version=one.version_oid) for one in definitions),
    )


def location_of(site: str) -> str:
    return f"LOC.{site}"


def subject_data(
    read: ReadSubject, definition: int, people: People, signed: Mapping[tuple[str, int], Sequence[Signed]]
) -> SubjectData | None:
    """What was captured under one definition, from 1; None where nothing was."""
    location = location_of(read.subject.site)
    queries: dict[str, list[AskedQuery]] = {}
    for query in read.queries:
        queries.setdefault(query.record_id, []).append(query)
    events: dict[tuple[str, str | None], list[FormData]] = {}
    for one in read.forms:
        if one.form.definition != definition:
            continue
        made = events.setdefault((one.form.event, one.form.event_repeat_key), [])
        made += _versions(one, people, location, queries.get(one.form.record_id, ()))
        for version in one.form.versions:
            for signature in signed.get((one.form.record_id, version.version), ()):
                made.append(_signature(one.form, signature, people, location))
    if not events:
        return None
    return SubjectData(
        key=read.subject.key,
        site=location,
        transaction=Transaction.INSERT,
        events=tuple(
            EventData(oid=oid, repeat_key=repeat, transaction=Transaction.INSERT, forms=tuple(forms))
            for (oid, repeat), forms in events.items()
        ),
    )


def _versions(one: ReadForm, people: People, location: str, queries: Iterable[AskedQuery]) -> Iterator[FormData]:
    *older, newest = one.form.versions
    for at, version in enumerate(older):
        said = one.older[at] if at < len(one.older) else None
        bare = FormData(oid=one.form.form, repeat_key=one.form.form_repeat_key)
        yield replace(
            bare if said is None else form_data(said),
            transaction=_transaction(version),
            marks=Marks(audit=_audit(version, one.form, people, location)),
        )
    made = form_data(one.captured)
    marks = Marks(
        audit=_audit(newest, one.form, people, location),
        queries=tuple(_query(each, people, location) for each in queries),
    )
    yield replace(made, transaction=_transaction(newest), marks=marks)


def _transaction(version: FormVersion) -> Transaction:
    return Transaction.INSERT if version.version == 1 else Transaction.UPDATE


def _audit(version: FormVersion, form: Form, people: People, location: str) -> AuditRecord:
    return AuditRecord(
        user=people.add(version.by.id, version.by.name),
        location=location,
        at=version.at,
        reason=version.reason or None,
        source=f"{form.record_id} version {version.version}, SHA-256 {version.digest.removeprefix('0x')}",
    )


def _signature(form: Form, one: Signed, people: People, location: str) -> FormData:
    signature = Signature(
        user=people.add(signer_id(one), None),
        location=location,
        definition=f"SIG.{MEANINGS[one.meaning]}",
        at=datetime.fromtimestamp(one.at, UTC).isoformat(),
        manifest=one.signature,
    )
    return FormData(
        oid=form.form,
        repeat_key=form.form_repeat_key,
        transaction=Transaction.CONTEXT,
        marks=Marks(signature=signature),
    )


def _query(one: AskedQuery, people: People, location: str) -> Query:
    answered = QueryState.ANSWERED if one.words[-1].act == "answer-query" else QueryState.OPEN
    history = tuple(
        AuditRecord(user=people.add(word.by.id, word.by.name), location=location, at=word.at, reason=word.text or None)
        for word in one.words
    )
    return Query(
        oid=one.query.removeprefix("0x"),
        source="System" if one.rule else "Data Management",
        state=answered if one.is_open else QueryState.CLOSED,
        updated_at=one.words[-1].at,
        text=one.words[0].text,
        target=one.item or None,
        name=one.rule or None,
        history=history,
    )
