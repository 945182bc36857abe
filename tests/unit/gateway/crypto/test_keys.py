"""Keys are made once, found again, bound to their domain and use, and gone once destroyed."""

import asyncio
import itertools
import json
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import sealed_file
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.keystore import SqlKeyStore
from gateway.crypto import hazmat, keys
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import LOG_DOMAIN, Domain, DomainKind, actor_domain, audit_domain, subject_domain
from gateway.errors import CallerError, IntegrityError, SettingsError, UpstreamError
from gateway.ports.clock import SystemEntropy
from tests.unit.gateway.crypto.blocks import KEY, FixedEntropy, domain_key

PATIENT, OTHER = b"p" * 32, b"q" * 32
ENTROPY = SystemEntropy()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a root key file and its passphrase: scrypt takes its time, so one for all."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "passphrase").write_bytes(b"correct horse\n")
    KeyFileVault.create(folder / "root.key", folder / "passphrase")
    return folder


@pytest.fixture(scope="module")
def passphrase(root: Path) -> sealed_file.Passphrase:
    return sealed_file.Passphrase(root / "passphrase")


@pytest.fixture
async def vault(root: Path, passphrase: sealed_file.Passphrase) -> KeyFileVault:
    return KeyFileVault.open(root / "root.key", root / "passphrase", passphrase)


async def ring_of(folder: Path, vault: KeyFileVault) -> KeyRing:
    ring = KeyRing(store=await SqlKeyStore.open(f"sqlite:///{folder}/keys.db"), vault=vault, entropy=ENTROPY)
    await ring.unlock()
    return ring


async def test_a_domain_has_one_key_however_many_ask_at_once(tmp_path: Path, vault: KeyFileVault) -> None:
    ring = await ring_of(tmp_path, vault)
    made = await asyncio.gather(*(ring.of(subject_domain(PATIENT)) for _ in range(20)))
    assert len({key.id for key in made}) == 1


async def test_processes_that_start_at_once_share_their_keys(tmp_path: Path, vault: KeyFileVault) -> None:
    rings = await asyncio.gather(*(ring_of(tmp_path, vault) for _ in range(4)))
    made = await asyncio.gather(*(ring.of(subject_domain(PATIENT)) for ring in rings))
    assert len({key.facts for key in made}) == 1
    assert len({ring.log.wrapping for ring in rings}) == 1


async def test_keys_are_the_same_after_reopening(tmp_path: Path, vault: KeyFileVault) -> None:
    first = await (await ring_of(tmp_path, vault)).of(subject_domain(PATIENT))
    again = await ring_of(tmp_path, vault)
    assert await again.by_id(first.id) == first == await again.existing(subject_domain(PATIENT))


async def test_asking_for_an_existing_key_makes_none(tmp_path: Path, vault: KeyFileVault) -> None:
    ring = await ring_of(tmp_path, vault)
    assert await ring.existing(subject_domain(PATIENT)) is None
    assert ring.held_of(subject_domain(PATIENT)) is None


async def test_domains_of_one_name_have_keys_of_their_own(tmp_path: Path, vault: KeyFileVault) -> None:
    ring = await ring_of(tmp_path, vault)
    made = [await ring.of(domain(PATIENT)) for domain in (subject_domain, audit_domain, actor_domain)]
    assert len({key.facts for key in made}) == 3


async def test_keys_that_are_loaded_at_once_wait_for_no_store(
    tmp_path: Path, vault: KeyFileVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await ring_of(tmp_path, vault)
    made = [await first.of(domain) for domain in (subject_domain(PATIENT), audit_domain(PATIENT))]
    await first.rotate(subject_domain(PATIENT))
    ring = await ring_of(tmp_path, vault)
    await ring.load([subject_domain(PATIENT), audit_domain(PATIENT), subject_domain(OTHER)])
    monkeypatch.setattr(ring._store, "newest", None)
    assert await ring.existing(audit_domain(PATIENT)) == made[1]
    rotated = await ring.existing(subject_domain(PATIENT))
    assert rotated is not None
    assert rotated.id != made[0].id
    assert ring.held_of(subject_domain(OTHER)) is None


async def test_what_does_not_load_at_once_is_told_to_who_asks_for_it(tmp_path: Path, vault: KeyFileVault) -> None:
    first = await ring_of(tmp_path, vault)
    whole, broken = [await first.of(subject_domain(name)) for name in (PATIENT, OTHER)]
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("update domain_keys set wrapped = zeroblob(40) where key_id = ?", (broken.id,))
    ring = await ring_of(tmp_path, vault)
    await ring.load([subject_domain(OTHER), subject_domain(PATIENT)])
    assert ring.held_of(subject_domain(PATIENT)) == whole
    with pytest.raises(IntegrityError):
        await ring.existing(subject_domain(OTHER))


async def test_another_root_does_not_unlock(tmp_path: Path, vault: KeyFileVault) -> None:
    await ring_of(tmp_path, vault)
    (tmp_path / "passphrase").write_bytes(b"correct horse\n")
    with pytest.raises(IntegrityError):
        await ring_of(tmp_path, KeyFileVault.create(tmp_path / "root.key", tmp_path / "passphrase"))


async def test_a_destroyed_key_is_refused(tmp_path: Path, vault: KeyFileVault) -> None:
    key = await (await ring_of(tmp_path, vault)).of(subject_domain(PATIENT))
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("delete from domain_keys where key_id = ?", (key.id,))
    again = await ring_of(tmp_path, vault)
    with pytest.raises(IntegrityError):
        await again.by_id(key.id)
    assert await again.existing(subject_domain(PATIENT)) is None


async def test_a_key_that_was_changed_in_the_store_is_refused(tmp_path: Path, vault: KeyFileVault) -> None:
    key = await (await ring_of(tmp_path, vault)).of(subject_domain(PATIENT))
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("update domain_keys set wrapped = zeroblob(40) where key_id = ?", (key.id,))
    with pytest.raises(IntegrityError):
        await (await ring_of(tmp_path, vault)).by_id(key.id)


async def test_a_key_of_an_epoch_that_is_no_more_is_refused(tmp_path: Path, vault: KeyFileVault) -> None:
    key = await (await ring_of(tmp_path, vault)).of(subject_domain(PATIENT))
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("update domain_keys set epoch = zeroblob(16) where key_id = ?", (key.id,))
    with pytest.raises(IntegrityError):
        await (await ring_of(tmp_path, vault)).by_id(key.id)


async def test_a_locked_ring_gives_nothing(tmp_path: Path, vault: KeyFileVault) -> None:
    store = await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db")
    ring = KeyRing(store=store, vault=vault, entropy=ENTROPY)
    with pytest.raises(UpstreamError):
        _ = ring.log
    with pytest.raises(UpstreamError):
        await ring.of(subject_domain(PATIENT))


async def test_what_is_held_is_bounded_and_the_least_used_go_first(
    tmp_path: Path, vault: KeyFileVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "HELD", 3)
    ring = await ring_of(tmp_path, vault)
    first = await ring.of(subject_domain(bytes(32)))
    for number in range(1, 6):
        await ring.of(subject_domain(bytes([number]) * 32))
        assert ring.held(first.id) is first
    assert ring.held_of(subject_domain(bytes([3]) * 32)) is None
    assert len(ring._by_id) == len(ring._newest) == 3


async def test_no_key_is_ever_printed(tmp_path: Path, vault: KeyFileVault) -> None:
    key = await (await ring_of(tmp_path, vault)).of(subject_domain(PATIENT))
    secrets = [getattr(key, name) for name in ("wrapping", "facts", "search", "sealing", "cursor")]
    assert not any(repr(secret)[2:-1] in repr(key) or secret.hex() in repr(key) for secret in secrets)


async def test_no_unwrapped_key_lies_in_the_store(tmp_path: Path, vault: KeyFileVault) -> None:
    drawn: list[bytes] = []

    class Watched(SystemEntropy):
        def bytes(self, size: int) -> bytes:
            drawn.append(super().bytes(size))
            return drawn[-1]

    store = await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db")
    ring = KeyRing(store=store, vault=vault, entropy=Watched())
    await ring.unlock()
    await ring.of(subject_domain(PATIENT))
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [secret for secret in drawn if len(secret) == 32 and secret in disk] == []


def test_each_use_has_a_subkey_of_its_own() -> None:
    subkeys = {KEY.wrapping, KEY.facts, KEY.search, KEY.sealing, KEY.cursor, b"K" * 32}
    assert len(subkeys) == 6


def test_subkeys_are_hkdf_expand_of_rfc_5869() -> None:
    info = b"consentry/1/facts"
    assert hazmat.derive(b"K" * 32, "facts") == hazmat.mac(b"K" * 32, info + b"\x01") == KEY.facts


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_tokens_are_equal_only_for_equal_parts(one: list[bytes], two: list[bytes]) -> None:
    assert (KEY.token(*one) == KEY.token(*two)) is (one == two)


def test_parts_of_a_token_cannot_be_shifted_into_each_other() -> None:
    pieces = [(b"type", b"codeX"), (b"typecode", b"X"), (b"type", b"code", b"X"), (b"typecodeX",), (b"", b"typecodeX")]
    assert len({KEY.token(*parts) for parts in pieces}) == len(pieces)


def test_tokens_of_two_patients_never_compare() -> None:
    other = domain_key(subject_domain(OTHER), b"O" * 32)
    assert KEY.token(b"code", b"a|1") != other.token(b"code", b"a|1")


@given(st.integers(0, 2**64 - 1), st.binary(max_size=40))
def test_a_cursor_reads_back_in_its_own_context(number: int, context: bytes) -> None:
    assert KEY.reveal(KEY.hide(number, context=context), context=context) == number


def test_a_cursor_tells_nothing_of_its_number_nor_of_its_neighbours() -> None:
    shown = [KEY.hide(number, context=b"records") for number in range(50)]
    alike = [sum(a == b for a, b in zip(one, two, strict=True)) for one, two in itertools.pairwise(shown)]
    assert len(set(shown)) == 50
    assert max(alike) < 16


@pytest.mark.parametrize(
    "text",
    ["", "0" * 32, "f" * 32, "zz" * 16, " " * 32, "0" * 31, "0" * 33, "é" * 32, "\x00" * 32, "0" * 10_000],
)
def test_what_is_no_cursor_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(CallerError) as refused:
        KEY.reveal(text, context=b"records")
    assert refused.value.field == ("after",)


def test_a_cursor_fits_no_other_context_and_no_other_patient() -> None:
    shown = KEY.hide(7, context=b"records")
    for key, context in ((KEY, b"access-log"), (domain_key(subject_domain(OTHER), b"O" * 32), b"records")):
        with pytest.raises(CallerError):
            key.reveal(shown, context=context)


def test_a_changed_cursor_is_refused() -> None:
    shown = KEY.hide(7, context=b"records")
    for at in range(32):
        with pytest.raises(CallerError):
            KEY.reveal(shown[:at] + ("0" if shown[at] != "0" else "1") + shown[at + 1 :], context=b"records")


def test_a_sealed_row_opens_in_its_context_alone() -> None:
    sealed = KEY.seal(b"row", context=b"audit", entropy=FixedEntropy())
    assert KEY.open(sealed, context=b"audit") == b"row"
    with pytest.raises(IntegrityError):
        KEY.open(sealed, context=b"other")


@pytest.mark.parametrize("size", [0, 1, 11, 12, 27])
def test_a_cut_row_is_refused(size: int) -> None:
    with pytest.raises(IntegrityError):
        KEY.open(KEY.seal(b"row", context=b"", entropy=FixedEntropy())[:size], context=b"")


@pytest.mark.parametrize("wrapped", [b"", bytes(39), bytes(40), bytes(41), bytes(48)])
def test_a_key_that_was_not_wrapped_so_is_refused(wrapped: bytes) -> None:
    with pytest.raises(IntegrityError):
        hazmat.unwrap(b"w" * 32, wrapped)


async def test_an_audit_entry_opens_for_its_own_patient_alone(tmp_path: Path, vault: KeyFileVault) -> None:
    audit = AuditKeys(await ring_of(tmp_path, vault), ENTROPY)
    sealed, token = await audit.seal_private(PATIENT, b"who saw it", context=b"1")
    await audit.seal_private(OTHER, b"", context=b"1")
    assert await audit.open_private(PATIENT, sealed, context=b"1") == b"who saw it"
    assert (token, await audit.subject_of(sealed)) == (await audit.subject_token(PATIENT), PATIENT)
    for subject, context in ((OTHER, b"1"), (PATIENT, b"2")):
        with pytest.raises(IntegrityError):
            await audit.open_private(subject, sealed, context=context)


async def test_an_audit_entry_without_a_patient_names_none(tmp_path: Path, vault: KeyFileVault) -> None:
    audit = AuditKeys(await ring_of(tmp_path, vault), ENTROPY)
    sealed, token = await audit.seal_private(None, b"", context=b"1")
    assert (token, await audit.subject_of(sealed), await audit.subject_token(PATIENT)) == (b"", None, None)


def test_the_root_is_its_owners_alone(root: Path) -> None:
    assert stat.S_IMODE((root / "root.key").stat().st_mode) == 0o600


def test_a_root_is_not_made_over_another(root: Path) -> None:
    before = (root / "root.key").read_bytes()
    with pytest.raises(SettingsError):
        KeyFileVault.create(root / "root.key", root / "passphrase")
    assert (root / "root.key").read_bytes() == before
    assert sorted(path.name for path in root.iterdir()) == ["passphrase", "root.key"]


def test_another_passphrase_is_a_setting_that_is_wrong(root: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_bytes(b"battery staple\n")
    with pytest.raises(SettingsError):
        KeyFileVault.open(root / "root.key", tmp_path / "wrong")


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_without_a_passphrase_it_says_so(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").write_bytes(b"\nsecond line\n")
    with pytest.raises(SettingsError):
        KeyFileVault.open(root / "root.key", tmp_path / name)


@pytest.mark.parametrize("field", ["salt", "nonce", "sealed", "public", "format"])
@pytest.mark.parametrize("value", ["", "zz", "00", 7])
def test_a_damaged_root_is_a_setting_that_is_wrong(root: Path, tmp_path: Path, field: str, value: object) -> None:
    content = json.loads((root / "root.key").read_text())
    if field == "public" and value == "":
        return
    (tmp_path / "root.key").write_text(json.dumps({**content, field: value}))
    with pytest.raises(SettingsError):
        sealed_file.open_secret(
            tmp_path / "root.key",
            kind="consentry.root-key/1",
            passphrase=sealed_file.Passphrase(root / "passphrase"),
        )


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"null"])
def test_what_is_no_key_file_is_a_setting_that_is_wrong(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.key").write_bytes(content)
    with pytest.raises(SettingsError):
        sealed_file.read_public(tmp_path / "root.key", kind="consentry.root-key/1")


def test_a_root_that_cannot_be_made_is_a_setting_that_is_wrong(root: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        KeyFileVault.create(tmp_path / "no" / "folder" / "root.key", root / "passphrase")


def test_the_log_is_a_domain_of_its_own() -> None:
    assert Domain(DomainKind.LOG.value, bytes(32)) == LOG_DOMAIN


def test_cursors_of_a_page_are_those_of_its_numbers() -> None:
    hidden = KEY.hide_each((1, 7, 2**40), context=b"records")
    assert hidden == tuple(KEY.hide(number, context=b"records") for number in (1, 7, 2**40))
    assert [KEY.reveal(text, context=b"records") for text in hidden] == [1, 7, 2**40]


def test_page_of_nothing_has_no_cursor() -> None:
    assert KEY.hide_each((), context=b"records") == ()
