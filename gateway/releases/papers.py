"""Papers of a release, in order: request, decision, manifests and deliveries, withdrawals, end. Pure.

A paper is RFC 8785 text that holds its kind, the release, and 32 random bytes or what nobody can guess; its SHA-256,
with that of the paper before, is a leaf on chain. So whoever is shown a paper can prove what was asked, decided and
given out, and in which order, without asking us.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from gateway import eip712, jsontext
from gateway.consent.messages import bytes_in, hex_of, integer_in, read_message
from gateway.deid.assembly import Verdict as Measured
from gateway.errors import CallerError, IntegrityError
from gateway.ids import ActorId, ReleaseId
from gateway.jsontext import JsonValue
from gateway.releases.model import Decision, ReleaseFile, SignedDecision, Verdict
from gateway.releases.request import DatasetRequest, parse_request
from gateway.releases.shape import Bars, dictionary

LONGEST_REASON: Final = 1_000
MOST_PARSED: Final = 16
DECISION: Final = "DatasetDecision"
DECISION_TYPES: Final = {
    DECISION: {
        DECISION: (
            ("release", "bytes16"),
            ("request", "bytes32"),
            ("verdict", "string"),
            ("reason", "string"),
            ("departures", "string[]"),
            ("steward", "bytes32"),
            ("at", "uint64"),
        )
    }
}
M = TypeVar("M", bound=msgspec.Struct)


class Kind(StrEnum):
    """What a paper is, as its octets and the index have it."""

    REQUEST = "dataset-request"
    DECISION = "dataset-decision"
    MANIFEST = "dataset-manifest"
    DELIVERY = "dataset-delivery"
    WITHDRAWAL = "dataset-withdrawal"
    END = "dataset-end"


KINDS: Final = tuple(Kind)
"""By their numbers in the index."""


class _Paper(msgspec.Struct, frozen=True, rename="camel", tag_field="kind", forbid_unknown_fields=True):
    release: str
    at: int


class _Request(_Paper, frozen=True, tag="dataset-request"):
    requester: str
    salt: str
    request: msgspec.Raw


class _Decision(_Paper, frozen=True, tag="dataset-decision"):
    typed_data: msgspec.Raw
    signature: str


class Delivery(_Paper, frozen=True, rename="camel", tag="dataset-delivery", forbid_unknown_fields=True):
    """How an edition is opened, and by whom it is to be looked through: the wrapped secret, the list of members, the
    report's figures. Hexadecimal; `members`: a binary CID; `organizations`: of who asked, on which permits may have
    stood; `levels`: how far each quasi-identifier is generalized; `people`: a binary CID of keyed tokens of whose rows
    left, by which later releases are compared with it when it is long over."""

    edition: int
    salt: str
    wrapped: str
    members: str
    organizations: list[str]
    levels: list[int]
    verdict: Measured
    bars: list[Bars]
    people: str = ""


class Withdrawal(_Paper, frozen=True, rename="camel", tag="dataset-withdrawal", forbid_unknown_fields=True):
    """Patients who are in the edition and must be in none: their pseudonyms."""

    edition: int
    salt: str
    tombstones: list[str]


class End(_Paper, frozen=True, rename="camel", tag="dataset-end", forbid_unknown_fields=True):
    """`stage`: the release's last. `failed`: the measures below their bar; `verdict`, `bars`: for the report."""

    stage: str
    salt: str
    reason: str
    failed: list[str]
    verdict: Measured | None
    bars: list[Bars]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was made, and out of what: all of it may be told to whoever has the data. `block`: the number and hash of
    the one at which every consent was in force; `verdict`: of the rows that left."""

    release: ReleaseId
    edition: int
    at: int
    expires_at: int
    requester: ActorId
    encryption_key: bytes
    request: DatasetRequest = field(repr=False)
    decision: bytes
    block: tuple[int, bytes]
    verdict: Measured
    files: tuple[ReleaseFile, ...]
    tombstones: tuple[str, ...]


def digest_of(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def kind_of(octets: bytes) -> Kind:
    try:
        return Kind(msgspec.json.decode(octets, type=dict[str, Any])["kind"])
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise IntegrityError("a paper of a release is not of its form") from error


# ---- the request


def request_paper(request: DatasetRequest, *, release: ReleaseId, requester: ActorId, salt: bytes, at: int) -> bytes:
    return _written(
        Kind.REQUEST,
        release,
        at,
        requester=requester.hex(),
        salt=salt.hex(),
        request=jsontext.loads(request.text),
    )


def read_request(octets: bytes) -> tuple[DatasetRequest, ActorId, int]:
    """What was asked, by whom, when (seconds since 1970)."""
    found = _read(octets, _Request)
    return _asked(bytes(found.request)), ActorId(bytes.fromhex(found.requester)), found.at


@lru_cache(maxsize=MOST_PARSED)
def _asked(text: bytes) -> DatasetRequest:
    """Compiled once: whoever waits for a release reads its papers again and again."""
    return parse_request(jsontext.loads(text))


# ---- the decision


def decision_typed_data(decision: Decision, domain: Mapping[str, Any]) -> dict[str, Any]:
    """EIP-712 JSON, for the steward to sign."""
    said = {
        "release": hex_of(decision.release),
        "request": hex_of(decision.request),
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "departures": list(decision.departures),
        "steward": hex_of(decision.steward),
        "at": decision.at,
    }
    return eip712.typed_data(DECISION, DECISION_TYPES[DECISION], said, domain)


def read_decision_data(typed_data: Mapping[str, Any], domain: Mapping[str, Any]) -> Decision:
    """Raises CallerError that names the member."""
    message = read_message(typed_data, DECISION, domain, types=DECISION_TYPES)
    at = ("typedData", "message")
    try:
        verdict = Verdict(str(message["verdict"]))
    except ValueError as error:
        raise CallerError(", ".join(Verdict), field=(*at, "verdict")) from error
    departures = message["departures"]
    if not isinstance(departures, list) or not all(isinstance(one, str) for one in departures):
        raise CallerError("a list of texts", field=(*at, "departures"))
    return Decision(
        release=ReleaseId(bytes_in(message, "release", 16)),
        request=bytes_in(message, "request", 32),
        verdict=verdict,
        reason=checked_reason(message["reason"], field=(*at, "reason")),
        departures=tuple(departures),
        steward=ActorId(bytes_in(message, "steward", 32)),
        at=integer_in(message, "at"),
    )


def checked_reason(value: object, *, field: tuple[str, ...]) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_REASON:
        raise CallerError(f"1 to {LONGEST_REASON} characters", field=field)
    if not all(character.isprintable() or character == "\n" for character in value):
        raise CallerError("printable characters and line ends", field=field)
    return value


def decision_paper(signed: SignedDecision, *, at: int) -> bytes:
    return _written(
        Kind.DECISION,
        signed.decision.release,
        at,
        typedData=dict(signed.typed_data),
        signature=signed.signature.hex(),
    )


def read_decision(octets: bytes, domain: Mapping[str, Any]) -> SignedDecision:
    found = _read(octets, _Decision)
    full: Any = jsontext.loads(bytes(found.typed_data))
    try:
        decision = read_decision_data(full, domain)
    except CallerError as error:
        raise IntegrityError("a paper holds no decision of this gateway") from error
    return SignedDecision(decision=decision, typed_data=full, signature=bytes.fromhex(found.signature))


def read_verdict(octets: bytes) -> Verdict:
    """What a decision's paper says, whichever chain it was signed for."""
    message = msgspec.json.decode(bytes(_read(octets, _Decision).typed_data), type=dict[str, Any])["message"]
    return Verdict(message["verdict"])


# ---- what was made


def manifest_paper(made: Manifest) -> bytes:
    request, verdict = made.request, made.verdict
    tables: list[JsonValue] = [
        {
            "name": table.name,
            "resource": table.view.resource,
            "rows": rows,
            "columns": [
                {"name": one.name, "type": one.type, "readFrom": list(one.reads), "done": one.done}
                for one in dictionary(table, request.profile)
            ],
        }
        for table, rows in zip(request.tables, verdict.rows, strict=True)
    ]
    return _written(
        Kind.MANIFEST,
        made.release,
        made.at,
        edition=made.edition,
        expiresAt=made.expires_at,
        recipient={"actor": made.requester.hex(), "encryptionKey": made.encryption_key.hex()},
        request=jsontext.loads(request.text),
        requestDigest=request.digest.hex(),
        decision=made.decision.hex(),
        profile={
            "name": request.profile.name,
            "digest": request.profile.digest.hex(),
            "departures": list(request.profile.departures),
        },
        consents={"block": made.block[0], "hash": "0x" + made.block[1].hex()},
        counts={
            "released": verdict.measures.people,
            "suppressedAtMost": _banded(verdict.suppressed, request.profile.anonymity.k),
        },
        anonymity={
            "k": verdict.measures.k,
            "l": verdict.measures.diversity,
            "t": round(verdict.measures.t, 6),
            "classes": verdict.measures.classes,
        },
        tables=tables,
        files=[
            {
                "name": one.name,
                "table": one.table,
                "rows": one.rows,
                "size": one.size,
                "sha256": one.sha256.hex(),
                "cid": one.cid,
            }
            for one in made.files
        ],
        tombstones=list(made.tombstones),
    )


def _banded(count: int, k: int) -> int:
    """A count of people, up to the next multiple of k: exact ones of two releases could be subtracted."""
    return -(-count // k) * k


def read_files(manifest: bytes) -> tuple[ReleaseFile, ...]:
    """The files that a manifest of ours names."""
    tree = msgspec.json.decode(manifest, type=dict[str, Any])
    return tuple(
        ReleaseFile(
            name=one["name"],
            table=one["table"],
            rows=one["rows"],
            size=one["size"],
            sha256=bytes.fromhex(one["sha256"]),
            cid=one["cid"],
        )
        for one in tree["files"]
    )


def read_expiry(manifest: bytes) -> int:
    """Seconds since 1970."""
    return int(msgspec.json.decode(manifest, type=dict[str, Any])["expiresAt"])


def read_recipient(manifest: bytes) -> bytes:
    """The encryption key that it is sealed to."""
    return bytes.fromhex(msgspec.json.decode(manifest, type=dict[str, Any])["recipient"]["encryptionKey"])


def delivery_paper(
    release: ReleaseId,
    *,
    at: int,
    edition: int,
    salt: bytes,
    wrapped: bytes,
    members: bytes,
    people: bytes,
    organizations: Iterable[bytes],
    levels: Sequence[int],
    verdict: Measured,
    bars: Sequence[Bars],
) -> bytes:
    return _written(
        Kind.DELIVERY,
        release,
        at,
        edition=edition,
        salt=salt.hex(),
        wrapped=wrapped.hex(),
        members=members.hex(),
        people=people.hex(),
        organizations=sorted(one.hex() for one in organizations),
        levels=list(levels),
        verdict=msgspec.to_builtins(verdict),
        bars=msgspec.to_builtins(list(bars)),
    )


def read_delivery(octets: bytes) -> Delivery:
    return _read(octets, Delivery)


# ---- what comes after


def withdrawal_paper(release: ReleaseId, *, at: int, edition: int, salt: bytes, tombstones: Sequence[str]) -> bytes:
    return _written(Kind.WITHDRAWAL, release, at, edition=edition, salt=salt.hex(), tombstones=sorted(tombstones))


def read_withdrawal(octets: bytes) -> Withdrawal:
    return _read(octets, Withdrawal)


def end_paper(
    release: ReleaseId,
    *,
    at: int,
    stage: str,
    salt: bytes,
    reason: str,
    verdict: Measured | None = None,
    bars: Sequence[Bars] = (),
) -> bytes:
    return _written(
        Kind.END,
        release,
        at,
        stage=stage,
        salt=salt.hex(),
        reason=reason,
        failed=list(verdict.failed) if verdict is not None else [],
        verdict=None if verdict is None else msgspec.to_builtins(verdict),
        bars=msgspec.to_builtins(list(bars)),
    )


def read_end(octets: bytes) -> End:
    return _read(octets, End)


def _written(kind: Kind, release: ReleaseId, at: int, **members: Any) -> bytes:
    return jsontext.canonical({"kind": kind.value, "release": release.hex(), "at": at, **members})


def _read(octets: bytes, form: type[M]) -> M:
    try:
        return msgspec.json.decode(octets, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError("a paper of a release is not of its form") from error
