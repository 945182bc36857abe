"""The root in shares: n files of which any m open it, and fewer than m tell nothing. No single operator opens the root.

True here: a root in shares lies in no file. `root.split` in the data folder names the splitting: threshold, number of
shares, the root's id, and a check of each share, so that a wrong, damaged or swapped share is told by its number before
m are there. A gateway without m shares holds nothing that opens anything.

Shamir's scheme (pycryptodome) splits 16 octets and takes a wrong share in silence; hence two halves with the same share
numbers, a check of each share (SHA-256 over splitting, number and value: the value has 256 random bits, so its check
tells nothing of it) and one of the root.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from Crypto.Protocol.SecretSharing import Shamir

from gateway.adapters import sealed_file
from gateway.adapters.root import ID_SIZE, SIZE, Root, root_id
from gateway.errors import CallerError, SettingsError, UpstreamError

SHARE = "consentry.root-share/1"
SPLIT = "consentry.root-split/1"
MOST = 32
_HALF = 16
_SET_SIZE = 8


class _ShareFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    set: str
    root: str
    number: int
    threshold: int
    total: int
    value: str


class _SplitFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    set: str
    root: str
    threshold: int
    total: int
    checks: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One share of one splitting: `number` 1 to `total`, of which `threshold` are needed. `value`: two halves."""

    set: bytes
    root: bytes
    number: int
    threshold: int
    total: int
    value: bytes = field(repr=False)

    @property
    def check(self) -> bytes:
        named = bytes((self.number, self.threshold, self.total))
        return hashlib.sha256(b"consentry/root-share" + self.set + self.root + named + self.value).digest()

    def encode(self) -> bytes:
        content = _ShareFile(
            format=SHARE,
            set=self.set.hex(),
            root=self.root.hex(),
            number=self.number,
            threshold=self.threshold,
            total=self.total,
            value=self.value.hex(),
        )
        return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"

    @classmethod
    def decode(cls, octets: bytes) -> "Share":
        """CallerError for what is no share file."""
        try:
            read = msgspec.json.decode(octets, type=_ShareFile)
            share = cls(
                set=bytes.fromhex(read.set),
                root=bytes.fromhex(read.root),
                number=read.number,
                threshold=read.threshold,
                total=read.total,
                value=bytes.fromhex(read.value),
            )
        except ValueError as error:
            raise CallerError("not a share file") from error
        sizes = (len(share.set), len(share.root), len(share.value))
        if read.format != SHARE or sizes != (_SET_SIZE, ID_SIZE, SIZE):
            raise CallerError("not a share file of this form")
        if not 2 <= share.threshold <= share.total <= MOST or not 1 <= share.number <= share.total:
            raise CallerError("a share file with numbers that cannot be")
        return share


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitting:
    """What the gateway knows of its shares. Nothing here is secret."""

    set: bytes
    root: bytes
    threshold: int
    checks: tuple[bytes, ...]

    def require(self, share: Share) -> None:
        """CallerError naming the share that is not one of this splitting."""
        if share.set != self.set or share.root != self.root:
            raise CallerError(f"share {share.number} is of another splitting")
        if share.number > len(self.checks) or share.check != self.checks[share.number - 1]:
            raise CallerError(f"share {share.number} is not the one that was made: damaged, or another's number")

    def encode(self) -> bytes:
        content = _SplitFile(
            format=SPLIT,
            set=self.set.hex(),
            root=self.root.hex(),
            threshold=self.threshold,
            total=len(self.checks),
            checks=[check.hex() for check in self.checks],
        )
        return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"

    @classmethod
    def read(cls, path: Path) -> "Splitting":
        """SettingsError for a damaged file."""
        try:
            read = msgspec.json.decode(path.read_bytes(), type=_SplitFile)
            checks = tuple(bytes.fromhex(check) for check in read.checks)
            found = cls(
                set=bytes.fromhex(read.set), root=bytes.fromhex(read.root), threshold=read.threshold, checks=checks
            )
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path.name} is damaged: restore it") from error
        whole = read.format == SPLIT and len(checks) == read.total and 2 <= read.threshold <= read.total
        if not whole or any(len(check) != 32 for check in checks):
            raise SettingsError(f"{path.name} is damaged: restore it")
        return found


def split(key: bytes, *, threshold: int, total: int) -> tuple[Splitting, tuple[Share, ...]]:
    """Shares of a root. CallerError for numbers that make no sense: one share alone must never open it."""
    if not 2 <= threshold <= total <= MOST:
        raise CallerError(f"two shares at least must be needed, of at most {MOST}: 2 <= M <= N <= {MOST}")
    halves = [Shamir.split(threshold, total, key[at : at + _HALF], ssss=False) for at in (0, _HALF)]
    made, of = secrets.token_bytes(_SET_SIZE), root_id(key)
    shares = tuple(
        Share(set=made, root=of, number=first[0], threshold=threshold, total=total, value=first[1] + second[1])
        for first, second in zip(*halves, strict=True)
    )
    checks = tuple(share.check for share in shares)
    return Splitting(set=made, root=of, threshold=threshold, checks=checks), shares


def combine(splitting: Splitting, shares: Sequence[Share]) -> Root:
    """The root from exactly `threshold` shares, each of which `require` took. CallerError where it is not the root."""
    halves = [
        Shamir.combine([(share.number, share.value[at : at + _HALF]) for share in shares], ssss=False)
        for at in (0, _HALF)
    ]
    root = Root(b"".join(halves))
    if root.id != splitting.root:
        raise CallerError("these shares do not give the root that was split")
    return root


def read_share(path: Path) -> Share:
    """SettingsError for a file that cannot be read, CallerError for what is no share."""
    try:
        return Share.decode(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read") from error


def write_shares(shares: Sequence[Share], folder: Path) -> list[Path]:
    """One file each, mode 0600, durable and read back on return. SettingsError where one exists already."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made") from error
    paths = [folder / f"share-{share.number}-{share.set.hex()}.json" for share in shares]
    for path, share in zip(paths, shares, strict=True):
        sealed_file.write_new(path, share.encode())
    if [read_share(path) for path in paths] != list(shares):
        raise UpstreamError(f"the share files in {folder} do not read back as they were written")
    return paths


class SharesVault:
    """Implements `gateway.ports.keys.Vault`. Sealed until `give` was called with enough shares."""

    def __init__(self, splitting: Splitting) -> None:
        self._splitting = splitting
        self._given: dict[int, Share] = {}
        self._root: Root | None = None

    @property
    def missing(self) -> int:
        """How many more shares are needed; 0: unsealed."""
        return 0 if self._root is not None else self._splitting.threshold - len(self._given)

    def give(self, share: Share) -> int:
        """Takes a share; how many more are needed. CallerError naming the share that is none of this root's."""
        self._splitting.require(share)
        if self._root is not None:
            return 0
        self._given[share.number] = share
        if len(self._given) == self._splitting.threshold:
            given = list(self._given.values())
            self._given.clear()
            self._root = combine(self._splitting, given)
        return self.missing

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        return self._opened().wrap(key, context=context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        return self._opened().unwrap(wrapped, context=context)

    async def check(self) -> None:
        self._opened()

    async def close(self) -> None:
        """Nothing is held open."""

    def _opened(self) -> Root:
        if self._root is None:
            raise UpstreamError(
                f"the key vault is sealed: {self.missing} more of its shares are needed (consentry keys unseal)"
            )
        return self._root
