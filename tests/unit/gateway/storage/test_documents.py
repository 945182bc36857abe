"""Papers come back as they were put, for the patient that they are of and for no other; and none is a signed text."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.packs import PackStore
from gateway.crypto.keys import KeyRing
from gateway.errors import IntegrityError
from gateway.ports.clock import SystemEntropy
from gateway.ports.documents import Paper, PaperKind, SignedDocument
from gateway.storage.documents import SealedDocuments
from gateway.storage.service import Blocks

SUBJECT, OTHER = b"s" * 32, b"o" * 32
PAPER = Paper(kind=PaperKind.GUARDIANS, name=b"n" * 32, octets=b'{"kind":"guardians"}')


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SealedDocuments]:
    (tmp_path / "passphrase").write_bytes(b"correct horse\n")
    KeyFileVault.create(tmp_path / "root.key", tmp_path / "passphrase")
    store = await SqlKeyStore.open(f"sqlite:///{tmp_path / 'keys.db'}")
    vault = KeyFileVault.open(tmp_path / "root.key", tmp_path / "passphrase")
    keys = KeyRing(store=store, vault=vault, entropy=SystemEntropy())
    await keys.unlock()
    packs = PackStore.open(tmp_path / "blocks")
    yield SealedDocuments(blocks=Blocks(packs), keys=keys, entropy=SystemEntropy())
    await packs.close()
    await store.close()


async def test_a_paper_comes_back_as_it_was_put(documents: SealedDocuments) -> None:
    assert await documents.paper(SUBJECT, await documents.put_paper(SUBJECT, PAPER)) == PAPER


async def test_a_paper_of_another_patient_is_refused(documents: SealedDocuments) -> None:
    await documents.put_paper(OTHER, PAPER)
    with pytest.raises(IntegrityError):
        await documents.paper(OTHER, await documents.put_paper(SUBJECT, PAPER))


async def test_a_paper_is_no_signed_text_and_a_signed_text_no_paper(documents: SealedDocuments) -> None:
    signed = await documents.put_signed(SUBJECT, SignedDocument(typed_data=b"{}", signature=b"s"))
    with pytest.raises(IntegrityError):
        await documents.paper(SUBJECT, signed)
    with pytest.raises(IntegrityError):
        await documents.signed(SUBJECT, await documents.put_paper(SUBJECT, PAPER))
