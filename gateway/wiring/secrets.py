"""The data folder's secrets, made on the first start: passphrase, root, receipt key, the accounts on chain, registrar.

Each file is written whole or not at all, mode 0600, so a first start that was cut short is simply begun again.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account

from gateway.adapters import sealed_file
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.notary import keyfile as receipt_keyfile
from gateway.adapters.sealed_file import Passphrase
from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.wiring.processes import refuse_shared, refuse_shared_file

ACCOUNT = "consentry.account-key/1"
ROOT_FILES = ("root.key", "root.key.next", "root.split", "root.split.next")
"""The root sealed under the passphrase, or what is known of its shares; `.next` while one takes another's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What a gateway opens at start. `instance`: 32 bytes that name this replica; `salt` made the gateway's id."""

    passphrase_path: Path
    receipt_path: Path
    relay_key: bytes = field(repr=False)
    anchor_key: bytes = field(repr=False)
    instance: bytes
    salt: bytes
    registrars: tuple[str, ...]
    made: tuple[str, ...]


def open_secrets(
    folder: Path, *, registrars: tuple[str, ...], instance: str, root: bool, passphrase: Passphrase
) -> Secrets:
    """Opens all but the root, and makes what is missing; the root too, where it lies in this folder (`root`).
    `passphrase`: of the folder. SettingsError for a folder or file that cannot be used."""
    refuse_shared(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".write-test"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(f"CONSENTRY_DATA_DIR: {folder} cannot be written to") from error
    made: list[str] = []
    passphrase_path = passphrase_file(folder)
    if not passphrase_path.exists():
        if (folder / "root.key").exists():
            raise SettingsError("the data folder has a root.key and no passphrase file: put the file back")
        sealed_file.write_new(passphrase_path, secrets.token_hex(32).encode() + b"\n")
        made.append("passphrase")
    sealed_file.read_passphrase(passphrase_path)  # what is wrong with it is told before anything is made
    if root and not any((folder / name).exists() for name in ROOT_FILES):
        KeyFileVault.create(folder / "root.key", passphrase_path, passphrase)
        made.append("root.key")
    if not (folder / "receipt.key").exists():
        receipt_keyfile.create(folder / "receipt.key", passphrase)
        made.append("receipt.key")
    if not registrars:
        registrars = (_registrar(folder / "registrar.key", made),)
    salt = _name(folder / "gateway.salt")
    return Secrets(
        passphrase_path=passphrase_path,
        receipt_path=folder / "receipt.key",
        relay_key=_account(folder / "relay.key", passphrase, made),
        anchor_key=_account(folder / "anchor.key", passphrase, made),
        instance=hashlib.sha256(b"consentry/instance" + salt + instance.encode()).digest(),
        salt=salt,
        registrars=registrars,
        made=tuple(made),
    )


def passphrase_file(folder: Path) -> Path:
    return folder / "passphrase"


def secrets_of(settings: Settings, passphrase: Passphrase | None = None) -> Secrets:
    """`open_secrets` of these settings; `passphrase`: the folder's, for whoever opens the root next."""
    for path, name in _named_secrets(settings):
        refuse_shared_file(path, name)
    return open_secrets(
        settings.data_dir,
        registrars=settings.registrars,
        instance=settings.instance,
        root=settings.vault == "file",
        passphrase=passphrase or Passphrase(passphrase_file(settings.data_dir)),
    )


def _named_secrets(settings: Settings) -> list[tuple[Path, str]]:
    token = [(settings.vault_token_file, "CONSENTRY_VAULT_TOKEN_FILE")] if settings.vault_token_file else []
    return [*token, *((path, "CONSENTRY_VAULT_SHARES") for path in settings.vault_shares)]


def address_of(key: bytes) -> str:
    """EIP-55 address of a secp256k1 key."""
    return str(Account.from_key(key).address)


def _account(path: Path, passphrase: Passphrase, made: list[str]) -> bytes:
    if not path.exists():
        key = secrets.token_bytes(32)
        public = address_of(key).encode()
        sealed_file.create(path, kind=ACCOUNT, public=public, secret=key, passphrase=passphrase)
        made.append(path.name)
    return sealed_file.open_secret(path, kind=ACCOUNT, passphrase=passphrase)[1]


def _registrar(path: Path, made: list[str]) -> str:
    if not path.exists():
        sealed_file.write_new(path, secrets.token_hex(32).encode() + b"\n")
        made.append(path.name)
    try:
        return address_of(bytes.fromhex(path.read_text().strip().removeprefix("0x")))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path.name} is no key: 64 hex digits") from error


def _name(path: Path) -> bytes:
    if not path.exists():
        sealed_file.write_new(path, secrets.token_hex(32).encode() + b"\n")
    try:
        name = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path.name} is damaged: restore it") from error
    if len(name) != 32:
        raise SettingsError(f"{path.name} is damaged: restore it")
    return name
