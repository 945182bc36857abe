"""Rotation and destruction of keys: new seals under new versions, old ones open as before, destroyed ones nowhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.keystore import SqlKeyStore
from gateway.crypto import envelope
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import (
    LOG_DOMAIN,
    ProfileFacts,
    actor_domain,
    audit_domain,
    domains_of,
    study_domain,
    subject_domain,
)
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import SystemEntropy
from gateway.ports.keys import Moved, Vault, WrappedKey

PATIENT, OTHER, STUDY = b"p" * 32, b"q" * 32, b"s" * 32
ENTROPY = SystemEntropy()


@pytest.fixture
def vault(tmp_path: Path) -> KeyFileVault:
    (tmp_path / "passphrase").write_bytes(b"correct horse\n")
    return KeyFileVault.create(tmp_path / "root.key", tmp_path / "passphrase")


@pytest.fixture
async def rings(tmp_path: Path, vault: Vault) -> AsyncIterator[tuple[KeyRing, KeyRing]]:
    """Two replicas on one key store."""
    stores = [await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db") for _ in range(2)]
    made = [KeyRing(store=store, vault=vault, entropy=ENTROPY) for store in stores]
    for ring in made:
        await ring.unlock()
    yield made[0], made[1]
    for store in stores:
        await store.close()


async def store_of(tmp_path: Path) -> SqlKeyStore:
    return await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db")


def document(ring: KeyRing, key: DomainKey) -> bytes:
    facts = ProfileFacts(salt=bytes(32), actor=PATIENT, name="x", encryption_key=b"", encryption_key_signature=b"")
    sealed = envelope.seal_document(facts, name=RecordId(bytes(16)), key=key, log=ring.log, entropy=ENTROPY)
    return sealed.block


async def opens(ring: KeyRing, block: bytes) -> bool:
    located = await envelope.locate_in(block, ring)
    try:
        return envelope.open_facts(located, await ring.by_id(located.key_id)).located is located
    except IntegrityError:
        return False


async def test_a_rotated_domain_seals_under_a_new_key_and_opens_the_old(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    old = await ring.of(subject_domain(PATIENT))
    block = document(ring, old)
    assert await ring.rotate(subject_domain(PATIENT)) == 2
    new = await ring.of(subject_domain(PATIENT))
    assert new.id != old.id
    assert {new.wrapping, new.facts, new.sealing}.isdisjoint({old.wrapping, old.facts, old.sealing})
    assert await opens(ring, block)
    assert await opens(ring, document(ring, new))


async def test_tokens_and_cursors_outlive_a_rotation(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    old = await ring.of(subject_domain(PATIENT))
    cursor = old.hide(7, context=b"c")
    await ring.rotate(subject_domain(PATIENT))
    await ring.rotate(subject_domain(PATIENT))
    new = await ring.of(subject_domain(PATIENT))
    assert (new.token(b"code", b"x"), new.reveal(cursor, context=b"c")) == (old.token(b"code", b"x"), 7)


async def test_another_replica_opens_what_a_new_version_sealed(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    await other.of(subject_domain(PATIENT))
    await ring.rotate(subject_domain(PATIENT))
    block = document(ring, await ring.of(subject_domain(PATIENT)))
    assert await opens(other, block)


async def test_another_replica_seals_under_the_new_version_once_it_looked(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    old = await other.of(subject_domain(PATIENT))
    await ring.rotate(subject_domain(PATIENT))
    assert await other.refresh()
    assert (await other.of(subject_domain(PATIENT))).id != old.id
    assert not await other.refresh()


async def test_rotations_at_once_agree_on_the_new_version(rings: tuple[KeyRing, KeyRing]) -> None:
    await rings[0].of(subject_domain(PATIENT))
    await asyncio.gather(*(ring.rotate(subject_domain(PATIENT)) for ring in rings))
    newest = [(await ring.of(subject_domain(PATIENT))).id for ring in rings]
    assert newest[0] == newest[1]


async def test_an_old_locator_opens_under_a_new_log_key(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    block = document(ring, await ring.of(actor_domain(PATIENT)))
    await ring.rotate(LOG_DOMAIN)
    await ring.rotate(LOG_DOMAIN)
    newer = document(ring, await ring.of(actor_domain(PATIENT)))
    for one in (block, newer):
        assert await opens(ring, one)
        assert await opens(other, one)
    assert len(ring.log.former) == 2


async def test_a_new_locator_does_not_open_under_the_old_log_key_alone(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    old = ring.log
    await ring.rotate(LOG_DOMAIN)
    with pytest.raises(IntegrityError):
        envelope.locate(document(ring, await ring.of(actor_domain(PATIENT))), old)


async def test_old_audit_entries_open_after_rotations(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    audit, elsewhere = AuditKeys(ring, ENTROPY), AuditKeys(other, ENTROPY)
    public = audit.seal_public(b"at")
    private, token = await audit.seal_private(PATIENT, b"who", context=b"1")
    cursor = audit.hide(3, context=b"c")
    for domain in (LOG_DOMAIN, audit_domain(PATIENT)):
        await ring.rotate(domain)
    newer = audit.seal_public(b"at")
    sealed, newer_token = await audit.seal_private(PATIENT, b"who", context=b"2")
    assert (token, token) == (newer_token, await elsewhere.subject_token(PATIENT))
    for keys in (audit, elsewhere):
        assert keys.open_public(public) == keys.open_public(newer) == b"at"
        assert await keys.open_private(PATIENT, private, context=b"1") == b"who"
        assert await keys.open_private(PATIENT, sealed, context=b"2") == b"who"
        assert keys.reveal(cursor, context=b"c") == 3


async def test_a_domain_without_keys_has_nothing_to_rotate(rings: tuple[KeyRing, KeyRing]) -> None:
    with pytest.raises(IntegrityError):
        await rings[0].rotate(subject_domain(PATIENT))


# ---- the epoch key


async def test_everything_opens_after_a_new_epoch_key_here_and_elsewhere(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    block = document(ring, await ring.of(subject_domain(PATIENT)))
    await other.of(subject_domain(OTHER))
    await ring.turn()
    for one in rings:
        assert await opens(one, block)
        assert (await one.of(subject_domain(OTHER))).domain == subject_domain(OTHER)


async def test_no_wrapped_key_is_the_same_after_a_turn(rings: tuple[KeyRing, KeyRing], tmp_path: Path) -> None:
    store = await store_of(tmp_path)
    await rings[0].of(subject_domain(PATIENT))
    before, epoch = {one.wrapped for one in await store.all()}, await store.epoch()
    await rings[0].turn()
    assert before.isdisjoint(one.wrapped for one in await store.all())
    assert await store.epoch() != epoch
    await store.close()


async def test_a_replica_with_the_former_epoch_key_makes_new_keys_under_the_standing_one(
    rings: tuple[KeyRing, KeyRing], tmp_path: Path
) -> None:
    ring, behind = rings
    await ring.turn()
    made = await behind.of(subject_domain(PATIENT))
    store = await store_of(tmp_path)
    standing, stored = await store.epoch(), await store.newest(1, PATIENT)
    await store.close()
    assert standing is not None
    assert stored is not None
    assert (stored.key_id, stored.epoch) == (made.id, standing.epoch)
    assert (await ring.of(subject_domain(PATIENT))).facts == made.facts


async def test_the_store_itself_refuses_a_key_of_a_former_epoch(rings: tuple[KeyRing, KeyRing], tmp_path: Path) -> None:
    store = await store_of(tmp_path)
    before = await store.epoch()
    assert before is not None
    await rings[0].turn()
    late = WrappedKey(key_id=b"l" * 16, kind=1, name=PATIENT, version=1, epoch=before.epoch, wrapped=bytes(40))
    assert isinstance(await store.add(late), Moved)
    await store.close()


async def test_turns_at_once_lose_no_key(rings: tuple[KeyRing, KeyRing]) -> None:
    blocks = [document(rings[0], await rings[0].of(subject_domain(bytes([at]) * 32))) for at in range(20)]
    adding = (rings[1].of(subject_domain(bytes([at]) * 32)) for at in range(20, 30))
    await asyncio.gather(rings[0].turn(), *adding, rings[1].turn())
    for ring in rings:
        assert all([await opens(ring, block) for block in blocks])
        for at in range(20, 30):
            assert await ring.existing(subject_domain(bytes([at]) * 32)) is not None


async def test_a_root_that_another_process_changed_wraps_no_new_epoch(
    rings: tuple[KeyRing, KeyRing], tmp_path: Path
) -> None:
    """What the old root wraps would open for nobody after the next start."""
    store = await store_of(tmp_path)
    standing = await store.epoch()
    assert standing is not None
    await store.rewrap_epoch(standing, b"\x01" + b"other-id" + bytes(60))
    with pytest.raises(IntegrityError):
        await rings[0].turn()
    after = await store.epoch()
    await store.close()
    assert after is not None
    assert after.epoch == standing.epoch


# ---- destruction


async def test_a_destroyed_domain_opens_nowhere_and_the_others_do(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, other = rings
    gone = document(ring, await ring.of(subject_domain(PATIENT)))
    left = document(ring, await ring.of(subject_domain(OTHER)))
    audit = AuditKeys(ring, ENTROPY)
    sealed, _ = await audit.seal_private(PATIENT, b"who", context=b"1")
    await other.of(subject_domain(PATIENT))
    await ring.turn(destroying=domains_of(PATIENT, await ring.domains()))
    await other.refresh()
    for one in rings:
        assert not await opens(one, gone)
        assert await opens(one, left)
        assert await AuditKeys(one, ENTROPY).open_private(PATIENT, sealed, context=b"1") == b"who"


async def test_a_destroyed_domain_gets_no_key_again(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    await ring.of(subject_domain(PATIENT))
    await ring.turn(destroying=(subject_domain(PATIENT),))
    for one in rings:
        await one.refresh()
        with pytest.raises(IntegrityError):
            await one.of(subject_domain(PATIENT))


async def test_a_study_is_destroyed_with_its_patient(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    for domain in (subject_domain(PATIENT), study_domain(PATIENT, STUDY), study_domain(OTHER, STUDY)):
        await ring.of(domain)
    await ring.turn(destroying=domains_of(PATIENT, await ring.domains()))
    assert await ring.existing(study_domain(PATIENT, STUDY)) is None
    assert await ring.existing(study_domain(OTHER, STUDY)) is not None


async def test_a_study_that_the_terms_keep_stays(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    kept = study_domain(PATIENT, STUDY)
    block = document(ring, await ring.of(kept))
    await ring.of(subject_domain(PATIENT))
    await ring.turn(destroying=domains_of(PATIENT, await ring.domains(), kept=(kept,)))
    assert await opens(ring, block)
    assert await ring.existing(subject_domain(PATIENT)) is None


async def test_destroying_twice_is_the_same_as_once(rings: tuple[KeyRing, KeyRing]) -> None:
    ring, _ = rings
    await ring.of(subject_domain(PATIENT))
    for _ in range(2):
        await ring.turn(destroying=(subject_domain(PATIENT),))
    assert await ring.existing(subject_domain(PATIENT)) is None
