"""Consents as signed, papers, profiles, statements about emergencies, as sealed blocks: what survives the database."""

from collections.abc import Sequence

from gateway.crypto import envelope
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import (
    ConsentFacts,
    Domain,
    Facts,
    FormFacts,
    PaperFacts,
    ProfileFacts,
    ReleaseFacts,
    StatementFacts,
    StudyFacts,
    actor_domain,
    audit_domain,
    study_entry_domain,
    subject_domain,
)
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import Entropy
from gateway.ports.documents import Paper, PaperKind, SealedPaper, SignedDocument, Statement, StudyPaper
from gateway.ports.rows import UnpinnedRow
from gateway.storage.lines import StudyLine, extended
from gateway.storage.model import Cid
from gateway.storage.service import Blocks


class SealedDocuments:
    """Implements `gateway.ports.documents.Documents`."""

    def __init__(self, *, blocks: Blocks, keys: KeyRing, entropy: Entropy) -> None:
        self._blocks = blocks
        self._keys = keys
        self._entropy = entropy

    async def seal_signed(self, subject: bytes, document: SignedDocument) -> UnpinnedRow:
        block = (await self._sealed(self._consent(subject, document), subject_domain(subject))).block
        return _unpinned(block)

    async def put_signed(self, subject: bytes, document: SignedDocument) -> bytes:
        return await self._put(self._consent(subject, document), subject_domain(subject))

    def _consent(self, subject: bytes, document: SignedDocument) -> ConsentFacts:
        return ConsentFacts(
            salt=self._entropy.bytes(32),
            subject=subject,
            typed_data=document.typed_data,
            signature=document.signature,
        )

    async def signed(self, subject: bytes, digest: bytes) -> SignedDocument:
        facts = await self._open(digest, subject_domain(subject))
        if not isinstance(facts, ConsentFacts) or facts.subject != subject:
            raise IntegrityError("the block is no signed document of this subject")
        return SignedDocument(typed_data=facts.typed_data, signature=facts.signature)

    async def put_statement(self, subject: bytes, statement: Statement) -> bytes:
        facts = StatementFacts(salt=statement.salt, subject=subject, octets=statement.octets)
        return await self._put(facts, audit_domain(subject))

    async def statement(self, subject: bytes | None, digest: bytes) -> tuple[bytes, Statement]:
        facts, domain = await self._open_any(digest)
        if not isinstance(facts, StatementFacts) or domain != audit_domain(facts.subject):
            raise IntegrityError("the block is no statement about an emergency")
        if subject not in (None, facts.subject):
            raise IntegrityError("the block is a statement about another subject")
        return facts.subject, Statement(octets=facts.octets, salt=facts.salt)

    async def put_paper(self, subject: bytes, paper: Paper) -> bytes:
        salt = self._entropy.bytes(32)
        facts = PaperFacts(salt=salt, subject=subject, kind=paper.kind.value, name=paper.name, octets=paper.octets)
        return await self._put(facts, subject_domain(subject))

    async def paper(self, subject: bytes, digest: bytes) -> Paper:
        facts = await self._open(digest, subject_domain(subject))
        if not isinstance(facts, PaperFacts) or facts.subject != subject:
            raise IntegrityError("the block is no paper of this subject")
        return Paper(kind=PaperKind(facts.kind), name=facts.name, octets=facts.octets)

    async def seal_form(self, publisher: bytes, octets: bytes) -> UnpinnedRow:
        facts = FormFacts(salt=self._entropy.bytes(32), publisher=publisher, octets=octets)
        return _unpinned((await self._sealed(facts, actor_domain(publisher))).block)

    async def pin(self, sealed: UnpinnedRow) -> None:
        await self._blocks.put(sealed.block)

    async def pin_each(self, sealed: Sequence[UnpinnedRow]) -> None:
        await self._blocks.put_many([one.block for one in sealed])

    async def form(self, publisher: bytes, digest: bytes) -> bytes:
        facts = await self._open(digest, actor_domain(publisher))
        if not isinstance(facts, FormFacts) or facts.publisher != publisher:
            raise IntegrityError("the block is no form of this publisher")
        return facts.octets

    async def seal_release(
        self, requester: bytes, release: bytes, *, number: int, kind: int, octets: bytes
    ) -> SealedPaper:
        salt = self._entropy.bytes(32)
        facts = ReleaseFacts(salt=salt, release=release, requester=requester, number=number, kind=kind, octets=octets)
        sealed = await self._sealed(facts, actor_domain(requester))
        return SealedPaper(unpinned=_unpinned(sealed.block), locator=sealed.locator)

    async def release(self, release: bytes, digest: bytes, *, number: int, kind: int) -> tuple[bytes, bytes]:
        facts, domain = await self._open_any(digest)
        if not isinstance(facts, ReleaseFacts) or domain != actor_domain(facts.requester):
            raise IntegrityError("the block is no paper of a release")
        if (facts.release, facts.number, facts.kind) != (release, number, kind):
            raise IntegrityError("the block is another paper than its row says")
        return facts.requester, facts.octets

    async def seal_study_entry(self, paper: StudyPaper, *, about: bytes) -> SealedPaper:
        facts = StudyFacts(
            salt=self._entropy.bytes(32),
            study=paper.study,
            sponsor=paper.sponsor,
            subject=paper.subject,
            number=paper.number,
            kind=paper.kind,
            octets=paper.octets,
            previous=paper.previous,
            standing=paper.standing,
        )
        sealed = await self._sealed(facts, study_entry_domain(facts))
        unpinned, line = _unpinned(sealed.block), StudyLine.of(facts, about=about)
        locator = extended(sealed.locator, line, digest=unpinned.digest, log=self._keys.log, entropy=self._entropy)
        return SealedPaper(unpinned=unpinned, locator=locator)

    async def study_entry(self, study: bytes, digest: bytes, *, number: int, kind: int) -> StudyPaper | None:
        located = await self._located(digest)
        try:
            facts, domain = await self._facts(located)
        except IntegrityError:
            if await self._keys.is_gone(located.key_id):
                return None
            raise
        if not isinstance(facts, StudyFacts) or domain != study_entry_domain(facts):
            raise IntegrityError("the block is no entry of a study")
        if (facts.study, facts.number, facts.kind) != (study, number, kind):
            raise IntegrityError("the block is another entry than its row says")
        return StudyPaper(
            study=facts.study,
            sponsor=facts.sponsor,
            subject=facts.subject,
            number=facts.number,
            kind=facts.kind,
            previous=facts.previous,
            octets=facts.octets,
            standing=facts.standing,
        )

    async def put_profile(
        self, actor: bytes, *, name: str, encryption_key: bytes, encryption_key_signature: bytes
    ) -> bytes:
        facts = ProfileFacts(
            salt=self._entropy.bytes(32),
            actor=actor,
            name=name,
            encryption_key=encryption_key,
            encryption_key_signature=encryption_key_signature,
        )
        return await self._put(facts, actor_domain(actor))

    async def profile_name(self, actor: bytes, digest: bytes) -> str:
        return (await self._profile(actor, digest)).name

    async def profile_key(self, actor: bytes, digest: bytes) -> tuple[bytes, bytes]:
        facts = await self._profile(actor, digest)
        return facts.encryption_key, facts.encryption_key_signature

    async def _profile(self, actor: bytes, digest: bytes) -> ProfileFacts:
        facts = await self._open(digest, actor_domain(actor))
        if not isinstance(facts, ProfileFacts) or facts.actor != actor:
            raise IntegrityError("the block is no profile of this actor")
        return facts

    async def _put(self, facts: Facts, domain: Domain) -> bytes:
        return (await self._blocks.put((await self._sealed(facts, domain)).block)).digest

    async def _sealed(self, facts: Facts, domain: Domain) -> envelope.Sealed:
        return envelope.seal_document(
            facts,
            name=RecordId(self._entropy.bytes(16)),
            key=await self._keys.of(domain),
            log=self._keys.log,
            entropy=self._entropy,
        )

    async def _open(self, digest: bytes, domain: Domain) -> Facts:
        facts, found = await self._open_any(digest)
        if found != domain:
            raise IntegrityError("the block is sealed under another key")
        return facts

    async def _open_any(self, digest: bytes) -> tuple[Facts, Domain]:
        return await self._facts(await self._located(digest))

    async def _located(self, digest: bytes) -> envelope.Located:
        cid = Cid.from_digest(digest)
        block = self._blocks.get_now(cid) or await self._blocks.get(cid)
        return await envelope.locate_in(block, self._keys)

    async def _facts(self, located: envelope.Located) -> tuple[Facts, Domain]:
        key = await self._keys.by_id(located.key_id)
        return envelope.open_facts(located, key).facts, key.domain


def _unpinned(block: bytes) -> UnpinnedRow:
    return UnpinnedRow(digest=Cid.of(block).digest, block=block)
