"""The data folder's secrets: each in a file of its own, all under one passphrase, whenever each was made."""

import json
from pathlib import Path

import pytest

from gateway.adapters import sealed_file
from gateway.adapters.keyfile import KeyFileVault, open_key
from gateway.adapters.notary import keyfile as receipt_keyfile
from gateway.adapters.sealed_file import Passphrase
from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.wiring.secrets import passphrase_file, secrets_of

SEALED = ("root.key", "receipt.key", "relay.key", "anchor.key")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def parts(folder: Path, field: str) -> list[str]:
    return [json.loads((folder / name).read_text())[field] for name in SEALED]


def test_what_is_made_together_shares_a_salt_and_no_nonce(settings: Settings) -> None:
    secrets_of(settings)
    assert len(set(parts(settings.data_dir, "salt"))) == 1
    assert len(set(parts(settings.data_dir, "nonce"))) == len(SEALED)


def test_two_folders_share_no_salt(settings: Settings, tmp_path: Path) -> None:
    secrets_of(settings)
    secrets_of(Settings(data_dir=tmp_path / "other"))
    assert set(parts(settings.data_dir, "salt")).isdisjoint(parts(tmp_path / "other", "salt"))


def test_files_of_before_with_salts_of_their_own_open_beside_others(settings: Settings) -> None:
    made = secrets_of(settings)
    (settings.data_dir / "anchor.key").unlink()
    again = secrets_of(settings)
    assert (again.made, again.relay_key) == (("anchor.key",), made.relay_key)
    assert len(set(parts(settings.data_dir, "salt"))) == 2
    assert secrets_of(settings).anchor_key == again.anchor_key != made.anchor_key


def test_a_passphrase_that_opened_the_others_opens_the_root(settings: Settings) -> None:
    passphrase = Passphrase(passphrase_file(settings.data_dir))
    secrets_of(settings, passphrase)
    root, file = settings.data_dir / "root.key", passphrase_file(settings.data_dir)
    assert open_key(root, file, passphrase) == open_key(root, file)


def test_a_file_of_one_kind_does_not_open_as_another(settings: Settings) -> None:
    """Though their keys are one."""
    secrets_of(settings)
    passphrase = Passphrase(passphrase_file(settings.data_dir))
    content = json.loads((settings.data_dir / "relay.key").read_text())
    forged = {**content, "format": "consentry.receipt-key/1"}
    (settings.data_dir / "forged.key").write_text(json.dumps(forged))
    with pytest.raises(SettingsError, match="damaged"):
        receipt_keyfile.open_private(settings.data_dir / "forged.key", passphrase)


def test_a_secret_under_another_public_half_does_not_open(settings: Settings) -> None:
    secrets_of(settings)
    relay, anchor = (json.loads((settings.data_dir / name).read_text()) for name in ("relay.key", "anchor.key"))
    (settings.data_dir / "relay.key").write_text(json.dumps({**anchor, "public": relay["public"]}))
    with pytest.raises(SettingsError, match="damaged"):
        secrets_of(settings)


@pytest.mark.parametrize("first_line", [b"", b"\n"])
def test_without_a_passphrase_nothing_is_made(settings: Settings, first_line: bytes) -> None:
    settings.data_dir.mkdir(mode=0o700)
    sealed_file.write_new(passphrase_file(settings.data_dir), first_line)
    with pytest.raises(SettingsError, match="passphrase is empty"):
        secrets_of(settings)
    assert [path.name for path in settings.data_dir.iterdir()] == ["passphrase"]


def test_another_passphrase_opens_no_file_that_one_opened(tmp_path: Path) -> None:
    """What one derived is its own."""
    for name, text in (("right", b"correct horse"), ("wrong", b"battery staple")):
        (tmp_path / name).write_bytes(text)
    KeyFileVault.create(tmp_path / "root.key", tmp_path / "right", Passphrase(tmp_path / "right"))
    with pytest.raises(SettingsError, match="another"):
        open_key(tmp_path / "root.key", tmp_path / "wrong", Passphrase(tmp_path / "wrong"))
