"""A change of root leaves the old one or the new one, wherever it is cut short, and never both, and never none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters import sealed_file
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.shares import read_share
from gateway.errors import CallerError, IntegrityError, SettingsError, UpstreamError
from gateway.ports.keys import EpochKey
from gateway.settings import Settings
from gateway.wiring.secrets import secrets_of
from gateway.wiring.vaults import NewShares, change_root, open_vault
from tests.servers.openbao import OpenBao, TransitKey

EPOCH_KEY, EPOCH = b"k" * 32, b"e" * 16


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlKeyStore]:
    """After a first start."""
    secrets_of(settings)
    opened = await SqlKeyStore.open(settings.keys_url)
    vault = await open_vault(settings, None)
    await opened.add_epoch(EPOCH, await vault.wrap(EPOCH_KEY, context=EPOCH))
    yield opened
    await opened.close()


def roots(settings: Settings) -> set[str]:
    return {path.name for path in settings.data_dir.iterdir() if path.name.startswith("root.")}


async def standing(store: SqlKeyStore) -> EpochKey:
    found = await store.epoch()
    assert found is not None
    return found


async def opened(settings: Settings, store: SqlKeyStore, shares: tuple[Path, ...] = ()) -> bytes:
    now = await standing(store)
    vault = await open_vault(settings.model_copy(update={"vault_shares": shares}), now)
    try:
        return await vault.unwrap(now.wrapped, context=EPOCH)
    finally:
        await vault.close()


def in_shares(tmp_path: Path, name: str = "shares") -> NewShares:
    return NewShares(threshold=2, total=3, folder=tmp_path / name)


async def test_a_new_root_opens_and_the_old_file_opens_nothing(settings: Settings, store: SqlKeyStore) -> None:
    old = (settings.data_dir / "root.key").read_bytes()
    assert await change_root(settings, store, given=(), fresh=None) == ()
    assert (await opened(settings, store), roots(settings)) == (EPOCH_KEY, {"root.key"})
    (settings.data_dir / "root.key").write_bytes(old)
    with pytest.raises(IntegrityError, match="another root"):
        await opened(settings, store)


async def test_a_split_root_lies_in_no_file(settings: Settings, store: SqlKeyStore, tmp_path: Path) -> None:
    paths = await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    assert (len(paths), roots(settings)) == (3, {"root.split"})
    for some in (paths[:2], paths[1:], (paths[2], paths[0])):
        assert await opened(settings, store, tuple(some)) == EPOCH_KEY


async def test_a_split_root_is_sealed_without_its_shares(
    settings: Settings, store: SqlKeyStore, tmp_path: Path
) -> None:
    paths = await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    for some in ((), paths[:1]):
        with pytest.raises(UpstreamError, match="sealed"):
            await opened(settings, store, tuple(some))


async def test_a_start_never_makes_a_root_beside_its_shares(
    settings: Settings, store: SqlKeyStore, tmp_path: Path
) -> None:
    await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    secrets_of(settings)
    assert roots(settings) == {"root.split"}


async def test_a_split_root_is_split_anew_by_m_of_its_shares(
    settings: Settings, store: SqlKeyStore, tmp_path: Path
) -> None:
    old = await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    with pytest.raises(UpstreamError, match="sealed"):
        await change_root(settings, store, given=old[:1], fresh=in_shares(tmp_path, "b"))
    new = await change_root(settings, store, given=old[1:], fresh=in_shares(tmp_path, "c"))
    assert await opened(settings, store, tuple(new[:2])) == EPOCH_KEY
    with pytest.raises(CallerError, match="another splitting"):
        await opened(settings, store, tuple(old[:2]))


async def test_a_split_root_does_not_become_one_file_unasked(
    settings: Settings, store: SqlKeyStore, tmp_path: Path
) -> None:
    paths = await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    with pytest.raises(CallerError, match="in shares"):
        await change_root(settings, store, given=paths[:2], fresh=None)
    assert await opened(settings, store, tuple(paths[:2])) == EPOCH_KEY


class _Cut(SqlKeyStore):
    """Dies at the commit point: `after` it, or before."""

    after: bool

    async def rewrap_epoch(self, standing: EpochKey, wrapped: bytes) -> bool:
        if self.after:
            await super().rewrap_epoch(standing, wrapped)
        raise KeyboardInterrupt


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_a_change_that_was_cut_short_is_tidied_up_at_the_next_start(
    settings: Settings, store: SqlKeyStore, tmp_path: Path, split: bool, after: bool
) -> None:
    cut = _Cut(store._engine)
    cut.after = after
    with pytest.raises(KeyboardInterrupt):
        await change_root(settings, cut, given=(), fresh=in_shares(tmp_path) if split else None)
    assert len(roots(settings)) == 2
    shares = tuple((tmp_path / "shares").iterdir()) if split and after else ()
    assert await opened(settings, store, shares[:2]) == EPOCH_KEY
    assert roots(settings) == ({"root.split"} if split and after else {"root.key"})


async def test_a_crash_between_tidying_steps_is_tidied_up(settings: Settings, store: SqlKeyStore) -> None:
    """The old file is zeros already, the new one not yet in its place."""
    cut = _Cut(store._engine)
    cut.after = True
    with pytest.raises(KeyboardInterrupt):
        await change_root(settings, cut, given=(), fresh=None)
    path = settings.data_dir / "root.key"
    path.write_bytes(bytes(path.stat().st_size))
    assert await opened(settings, store) == EPOCH_KEY


async def test_a_root_that_another_replica_changed_is_left_for_the_operator(
    settings: Settings, store: SqlKeyStore, tmp_path: Path
) -> None:
    other = Settings(data_dir=tmp_path / "other", keystore_url=settings.keys_url)
    (tmp_path / "other").mkdir()
    for name in ("passphrase", "root.key"):
        (tmp_path / "other" / name).write_bytes((settings.data_dir / name).read_bytes())
    await change_root(settings, store, given=(), fresh=None)
    with pytest.raises(IntegrityError, match="another root"):
        await opened(other, store)
    assert roots(other) == {"root.key"}


async def test_the_octets_of_an_old_root_are_overwritten(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    sealed_file.write_new(path, b"s" * 100)
    with path.open("rb") as held:
        sealed_file.shred(path)
        assert held.read() == bytes(100)
    assert not path.exists()


# ---- OpenBao


def with_openbao(settings: Settings, server: OpenBao, key: TransitKey) -> Settings:
    return settings.model_copy(
        update={"vault": "openbao", "vault_url": server.url, "vault_key": key.name, "vault_token_file": key.token_path}
    )


@pytest.mark.services
async def test_a_root_moves_into_openbao_and_back(settings: Settings, store: SqlKeyStore, openbao: OpenBao) -> None:
    moved = with_openbao(settings, openbao, openbao.fresh_key())
    with pytest.raises(SettingsError, match="rotate-root"):
        await opened(moved, store)
    await change_root(moved, store, given=(), fresh=None)
    assert (await opened(moved, store), roots(settings)) == (EPOCH_KEY, set())
    with pytest.raises(SettingsError, match="in OpenBao"):
        await opened(settings, store)
    back = moved.model_copy(update={"vault": "file"})
    await change_root(back, store, given=(), fresh=None)
    assert (await opened(settings, store), roots(settings)) == (EPOCH_KEY, {"root.key"})


@pytest.mark.services
async def test_a_root_in_openbao_is_renewed_and_the_old_version_is_gone(
    settings: Settings, store: SqlKeyStore, openbao: OpenBao
) -> None:
    moved = with_openbao(settings, openbao, openbao.fresh_key())
    await change_root(moved, store, given=(), fresh=None)
    former = (await standing(store)).wrapped
    await change_root(moved, store, given=(), fresh=None)
    assert await opened(moved, store) == EPOCH_KEY
    vault = await open_vault(moved, await standing(store))
    with pytest.raises(IntegrityError):
        await vault.unwrap(former, context=EPOCH)
    await vault.close()


@pytest.mark.services
async def test_shares_open_a_root_that_moves_into_openbao(
    settings: Settings, store: SqlKeyStore, openbao: OpenBao, tmp_path: Path
) -> None:
    paths = await change_root(settings, store, given=(), fresh=in_shares(tmp_path))
    moved = with_openbao(settings, openbao, openbao.fresh_key())
    await change_root(moved, store, given=paths[:2], fresh=None)
    assert (await opened(moved, store), roots(settings)) == (EPOCH_KEY, set())


def test_a_share_of_a_folder_that_is_not_there_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        read_share(tmp_path / "none.json")
