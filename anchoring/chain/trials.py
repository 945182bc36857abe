"""Clinical trials as TrialRegistry keeps them: how they are named, what is signed about them, how they stand. Pure.

Names, digests, commitments and roots have 32 bytes; none of what they are of is known here. Versions and results count
from 1, positions and roots of data from 0. Blocks are numbers, times seconds since 1970. Not done here: any call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from eth_abi.abi import encode

from anchoring.merkle import WORD, hash_leaf, keccak256

PLACE_ENCODING: Final = ("uint32", "uint32", "bytes32")
"""ABI types of a leaf in a list of allocations: stratum, position, commitment to the arm."""
MAX_PATH: Final = 32
"""TrialRegistry.assign takes no longer path: lists of up to 2^32 places."""
_SAFE_INTEGER: Final = 2**53 - 1
_DOMAIN_FIELDS: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)


class Meaning(IntEnum):
    """Why somebody signed (21 CFR 11.50(a)(3)); VERIFIED: compared with the source."""

    AUTHORED = 0
    REVIEWED = 1
    APPROVED = 2
    RESPONSIBLE = 3
    VERIFIED = 4


class Signed(StrEnum):
    """What an actor signs about a trial, by its EIP-712 primary type."""

    STUDY = "Study"
    PROTOCOL_VERSION = "ProtocolVersion"
    ALLOCATION = "Allocation"
    ENROLMENT = "Enrolment"
    FREEZE = "Freeze"
    LOCK = "Lock"
    RESULTS = "Results"
    SIGNATURE = "TrialSignature"
    UNBLINDING = "Unblinding"


FIELDS: Final[Mapping[Signed, tuple[tuple[str, str], ...]]] = {
    Signed.STUDY: (("sponsor", "bytes32"), ("salt", "bytes32"), ("gateway", "bytes32"), ("statistician", "bytes32")),
    Signed.PROTOCOL_VERSION: (
        ("study", "bytes32"),
        ("number", "uint32"),
        ("content", "bytes32"),
        ("reason", "bytes32"),
    ),
    Signed.ALLOCATION: (("study", "bytes32"), ("root", "bytes32"), ("size", "uint32"), ("by", "bytes32")),
    Signed.ENROLMENT: (("study", "bytes32"), ("version", "uint32"), ("allocation", "bytes32")),
    Signed.FREEZE: (("study", "bytes32"), ("frozen", "bool"), ("seq", "uint64")),
    Signed.LOCK: (
        ("study", "bytes32"),
        ("head", "bytes32"),
        ("records", "uint64"),
        ("assigned", "uint32"),
        ("seq", "uint64"),
    ),
    Signed.RESULTS: (("study", "bytes32"), ("number", "uint32"), ("content", "bytes32")),
    Signed.SIGNATURE: (
        ("study", "bytes32"),
        ("content", "bytes32"),
        ("meaning", "uint8"),
        ("signer", "bytes32"),
        ("signedAt", "uint64"),
    ),
    Signed.UNBLINDING: (("study", "bytes32"), ("subject", "bytes32"), ("reason", "bytes32"), ("by", "bytes32")),
}
"""(name, type) of each field, in the contract's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study at a block. `recorder`: the account on chain that alone assigns and records; `statistician`,
    `allocation` and `head`: zeros for none; `enrolled_at`, `locked_at`, `versions` and `results`: 0 before the first;
    `size`: for how many subjects the list is; `seq`: of the last freeze or thaw."""

    sponsor: bytes
    gateway: bytes
    statistician: bytes
    recorder: str
    enrolled_at: int
    locked_at: int
    allocation: bytes
    size: int
    assigned: int
    unblindings: int
    batches: int
    records: int
    frozen: bool
    head: bytes
    versions: int
    results: int
    enrolled_under: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolVersion:
    """`reason`: zeros for the first version. `recorded_at`: the block's time."""

    content: bytes
    reason: bytes
    block_number: int
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """`recorded_at`: the block's time."""

    content: bytes
    block_number: int
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSignature:
    """`signed_at`: the signer's word; `block_number`: when the chain had it."""

    signed_at: int
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list of allocations. `arm`: a commitment."""

    stratum: int
    position: int
    arm: bytes

    @property
    def leaf(self) -> bytes:
        """Double-hashed, as OpenZeppelin's StandardMerkleTree has it. Raises ProofInvalid unless two uint32 and 32
        bytes."""
        numbers = (self.stratum.to_bytes(WORD, "big"), self.position.to_bytes(WORD, "big"))
        return hash_leaf(PLACE_ENCODING, (*numbers, self.arm))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A subject's place, and how often its arm was told in an emergency."""

    place: Place
    unblindings: int
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinding:
    """Why an actor was told a subject's arm."""

    reason: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBatch:
    """A root of data: over `count` records, the study's `index`-th."""

    block_number: int
    index: int
    count: int


def study_id(sponsor: bytes, salt: bytes) -> bytes:
    """keccak256(abi.encode(sponsor, salt)), as TrialRegistry names a study. ValueError unless 32 bytes each."""
    if len(sponsor) != WORD or len(salt) != WORD:
        raise ValueError("sponsor and salt have 32 bytes")
    return keccak256(sponsor + salt)


def next_head(head: bytes, root: bytes, count: int) -> bytes:
    """keccak256(abi.encode(head, root, count)): a study's head after a root of data; zeros before the first."""
    return keccak256(encode(["bytes32", "bytes32", "uint32"], [head, root, count]))


def typed_data(signed: Signed, values: Mapping[str, bytes | int], *, chain_id: int, contract: str) -> dict[str, object]:
    """EIP-712 JSON, ready for eth_signTypedData_v4. Integers past 2^53 are decimal text, so that JavaScript keeps them.

    `values`: by the names in `FIELDS`, all of them; `contract`: the TrialRegistry's address. ValueError names a field
    that is missing, unknown or not of its type.
    """
    checked = _checked(signed, values)
    return {
        "types": {"EIP712Domain": _field_list(_DOMAIN_FIELDS), signed.value: _field_list(FIELDS[signed])},
        "primaryType": signed.value,
        "domain": {"name": "Consentry", "version": "1", "chainId": chain_id, "verifyingContract": contract},
        "message": {name: _json(value) for name, value in checked.items()},
    }


def digest(signed: Signed, values: Mapping[str, bytes | int], *, chain_id: int, contract: str) -> bytes:
    """What is signed: keccak-256(0x19 0x01 ‖ domain separator ‖ struct hash), 32 bytes. As `typed_data`."""
    checked = _checked(signed, values)
    kinds = [kind for _, kind in FIELDS[signed]]
    domain = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [_type_hash("EIP712Domain", _DOMAIN_FIELDS), keccak256(b"Consentry"), keccak256(b"1"), chain_id, contract],
    )
    struct = _type_hash(signed.value, FIELDS[signed]) + encode(kinds, list(checked.values()))
    return keccak256(b"\x19\x01" + keccak256(domain) + keccak256(struct))


def _checked(signed: Signed, values: Mapping[str, bytes | int]) -> dict[str, bytes | int]:
    """The values in the order of their fields."""
    fields = FIELDS[signed]
    for name in sorted(values.keys() ^ {name for name, _ in fields}):
        raise ValueError(f"{signed.value}: {name} is {'unknown' if name in values else 'missing'}")
    for name, kind in fields:
        if not _fits(kind, values[name]):
            raise ValueError(f"{signed.value}: {name} is no {kind}")
    return {name: values[name] for name, _ in fields}


def _fits(kind: str, value: bytes | int) -> bool:
    if kind == "bytes32":
        return isinstance(value, bytes) and len(value) == WORD
    if kind == "bool":
        return isinstance(value, bool)
    bits = int(kind.removeprefix("uint"))
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**bits


def _json(value: bytes | int) -> str | int:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if value <= _SAFE_INTEGER else str(value)


def _field_list(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak256(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())
