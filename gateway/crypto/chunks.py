"""Large content, sealed chunk by chunk: a range opens without the rest, and what is cut, moved or repeated is seen.

STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM: the nonce holds the chunk's counter and whether it
is the last. A resumed upload may seal the same place again with other octets, so each run of sealing has a key of its
own, derived from the data key and 16 random octets that stand before each chunk: no nonce ever repeats under a key.
Each chunk is bound to record, patient and key id. Layout of one sealed chunk, in octets: magic 8, salt of the run 16,
ciphertext and tag; in all 1 MiB, one leaf of the tree on IPFS. Only where there is a single chunk, and in the index at
the end, is it less: a power of two of at least 4 KiB, so that a leaf tells its size to a power of two.

The last chunk is the index: the commitments of all others. The data key is random, wrapped by the patient's key, and
works for a `Permit` alone: WRITE seals, READ opens.
"""

from dataclasses import dataclass, field

from gateway.consent.model import Action, Permit
from gateway.consent.studies import name_of
from gateway.crypto import hazmat
from gateway.crypto.chunktree import DIGEST_SIZE, commit_chunk
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import LargeFacts, record_domain
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import Entropy

MAGIC = b"CSNTRY\x02\x01"
SALT_SIZE = 16
SEALED_SIZE = 1 << 20
SMALLEST = 4096
OVERHEAD = len(MAGIC) + SALT_SIZE + hazmat.TAG_SIZE
CHUNK_SIZE = SEALED_SIZE - OVERHEAD
"""Octets of content in each chunk but the last of them."""
LARGEST = 4 << 30
"""Octets of content; one index would have room for eight times as many."""


def count_of(size: int) -> int:
    """How many chunks so many octets (at least one) are, without the index."""
    return -(-size // CHUNK_SIZE)


def size_at(size: int, number: int) -> int:
    """Octets of content in chunk `number`, or of the index where `number` is the count of chunks."""
    if number == count_of(size):
        return DIGEST_SIZE * number
    return min(CHUNK_SIZE, size - number * CHUNK_SIZE)


def leaf_size(size: int, number: int) -> int:
    """Octets of the sealed chunk."""
    if number < count_of(size) and count_of(size) > 1:
        return SEALED_SIZE
    return max(SMALLEST, 1 << (size_at(size, number) + OVERHEAD - 1).bit_length())


def sealed_size(size: int) -> int:
    """Octets of all sealed chunks and the index."""
    count = count_of(size)
    return count * leaf_size(size, 0) + leaf_size(size, count)


LARGEST_SEALED = sealed_size(LARGEST)
"""What no tree of large content has more octets than."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedChunk:
    """`digest`: SHA-256 of the octets, as their CID has it. `commitment`: the plaintext's leaf; an index has none."""

    number: int
    octets: bytes = field(repr=False)
    digest: bytes
    commitment: bytes


def new_data_key(permit: Permit, record: RecordId, key: DomainKey, entropy: Entropy) -> bytes:
    """A fresh data key for a record's content, wrapped (40 octets). Raises IntegrityError."""
    _require(permit, Action.WRITE, record, key)
    return hazmat.wrap(key.wrapping, entropy.bytes(hazmat.KEY_SIZE))


class ChunkSealer:
    """One run of sealing under WRITE permits, forward only: no place is sealed twice under the run's key."""

    __slots__ = ("_associated", "_key", "_next", "_permit", "_record", "_run", "_salt", "_size", "_stream_key")

    def __init__(
        self,
        permit: Permit,
        *,
        record: RecordId,
        key: DomainKey,
        wrapped: bytes,
        size: int,
        salt: bytes,
        first: int,
        entropy: Entropy,
    ) -> None:
        """`wrapped`: the data key; `size`: octets of the whole content; `salt`: of its commitment; `first`: the first
        chunk that is to be sealed."""
        _require(permit, Action.WRITE, record, key)
        self._permit = permit
        self._record = record
        self._key = key
        self._size = size
        self._salt = salt
        self._next = first
        self._run = entropy.bytes(SALT_SIZE)
        self._stream_key = _run_key(hazmat.unwrap(key.wrapping, wrapped), self._run)
        self._associated = _associated(record, key)

    def renew(self, permit: Permit) -> None:
        """Goes on under a newer permit for the same."""
        _require(permit, Action.WRITE, self._record, self._key)
        self._permit = permit

    def take(self, now: float) -> int:
        """The number of the next chunk, given out once. Raises IntegrityError where the permit has expired."""
        if not self._permit.decided_at <= now < self._permit.expires:
            raise IntegrityError("this permit has expired, or the clock was set back")
        if self._next > count_of(self._size):
            raise IntegrityError("all of the content is sealed already")
        self._next += 1
        return self._next - 1

    def seal(self, number: int, plaintext: bytes) -> SealedChunk:
        """A chunk whose number was taken; for a thread."""
        if len(plaintext) != size_at(self._size, number) or not number < self._next:
            raise IntegrityError("not a chunk of this content")
        is_index = number == count_of(self._size)
        padded = plaintext + bytes(leaf_size(self._size, number) - OVERHEAD - len(plaintext))
        nonce = hazmat.stream_nonce(number, is_last=is_index)
        octets = MAGIC + self._run + hazmat.seal(self._stream_key, nonce, padded, self._associated)
        return SealedChunk(
            number=number,
            octets=octets,
            digest=hazmat.sha256(octets),
            commitment=b"" if is_index else commit_chunk(self._salt, number, plaintext),
        )


class ChunkOpener:
    """Opens a record's chunks under a READ permit, until it expires."""

    __slots__ = ("_associated", "_data_key", "_large", "_permit", "_runs")

    def __init__(self, permit: Permit, *, record: RecordId, large: LargeFacts, key: DomainKey) -> None:
        _require(permit, Action.READ, record, key)
        if permit.record != record or permit.obligations or key.id != large.key_id:
            raise IntegrityError("this permit does not open this content")
        self._permit = permit
        self._large = large
        self._data_key = hazmat.unwrap(key.wrapping, large.wrapped)
        self._associated = _associated(record, key)
        self._runs: dict[bytes, bytes] = {}

    def check(self, now: float) -> None:
        """Raises IntegrityError where the permit has expired."""
        if not self._permit.decided_at <= now < self._permit.expires:
            raise IntegrityError("this permit has expired, or the clock was set back")

    def open(self, number: int, octets: bytes) -> bytes:
        """The plaintext of chunk `number`. Raises IntegrityError; for a thread, after `check`."""
        size = self._large.size
        if octets[: len(MAGIC)] != MAGIC or not 0 <= number <= count_of(size):
            raise IntegrityError("not a chunk of large content")
        if len(octets) != leaf_size(size, number):
            raise IntegrityError("a chunk is not as long as its place says")
        run = octets[len(MAGIC) : len(MAGIC) + SALT_SIZE]
        stream_key = self._runs.get(run) or self._runs.setdefault(run, _run_key(self._data_key, run))
        nonce = hazmat.stream_nonce(number, is_last=number == count_of(size))
        sealed = memoryview(octets)[len(MAGIC) + SALT_SIZE :]
        plain = hazmat.open_sealed(stream_key, nonce, sealed, self._associated)
        wanted = size_at(size, number)
        return plain if len(plain) == wanted else plain[:wanted]


def is_chunk(head: bytes) -> bool:
    """Whether octets begin as a sealed chunk does."""
    return head[: len(MAGIC)] == MAGIC


def _require(permit: Permit, action: Action, record: RecordId, key: DomainKey) -> None:
    if permit.action is not action or permit.record not in (None, record):
        raise IntegrityError("this permit is not for this content")
    if key.domain != record_domain(permit.subject, name_of(permit.study)):
        raise IntegrityError("this key is not the subject's")


def _run_key(data_key: bytes, run: bytes) -> bytes:
    return hazmat.derive(data_key, "chunks/" + run.hex())


def _associated(record: bytes, key: DomainKey) -> bytes:
    return MAGIC + record + key.domain.name + key.id
