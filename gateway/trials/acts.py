"""Acts of a study: what somebody does in it, as the entry of its journal tells it, and what of it is signed. Pure.

An entry is RFC 8785 text of an act and, where it was signed, of the signature. Each act holds 32 random bytes, so that
a digest of it, which outlives an erasure, can be guessed by nobody. What TrialRegistry checks is signed as the contract
has it; every other signed act by its EIP-712 `StudyAct`, which shows the signer in plain words what they do.
Not done here: who may do what and when (`rules`), what follows from it (`standing`).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway import jsontext
from gateway.consent.model import StudyRole
from gateway.errors import CallerError, IntegrityError
from gateway.jsontext import JsonValue
from gateway.ports.study_registry import Meaning, SignedKind
from gateway.ports.trials import StudyEntryKind

NOTHING: Final = bytes(32)
_PATH = re.compile(r"(?:\.([A-Za-z]\w*)|\[(\d+|\.\.\.)\])")


class _Act(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="act", forbid_unknown_fields=True):
    """`study` 32, `by` (whose act it is) 32 and `salt` 32 octets, hexadecimal; `at`: seconds since 1970."""

    study: str
    by: str
    at: int
    salt: str


class Register(_Act, frozen=True, kw_only=True, tag="register"):
    """The study's name is of sponsor (`by`) and salt. `statistician`: an actor who may commit to the allocation and
    sees arms, or empty."""

    title: str
    statistician: str = ""


class Protocol(_Act, frozen=True, kw_only=True, tag="protocol"):
    """A version of what is promised. `registration`: as `registration.declared` reads it; `reason`: of an amendment."""

    number: int
    registration: dict[str, Any]
    reason: str = ""


class Define(_Act, frozen=True, kw_only=True, tag="define"):
    """Forms and items: an ODM or Define-XML document, as zlib-compressed base64. `name`: of its file."""

    number: int
    name: str
    sha256: str
    document: str


class Describe(_Act, frozen=True, kw_only=True, tag="describe"):
    """A table of the study without its rows (`tabulation.model.Table` as JSON); `rows`: of a table about no subject."""

    table: str
    description: dict[str, Any]
    rows: list[list[str | None]] | None = None


class Terms(_Act, frozen=True, kw_only=True, tag="terms"):
    """A version of the informed consent: `terms` the hash of its consent form (`termsHash`), hexadecimal; `keeps`:
    whether it says that what was collected stays after a withdrawal."""

    number: int
    terms: str
    keeps: bool


class Site(_Act, frozen=True, kw_only=True, tag="site"):
    site: str
    name: str


class Delegate(_Act, frozen=True, kw_only=True, tag="delegate"):
    """`actor` has `role` until `until` (seconds since 1970), at `sites` (none: at all). The newest of an actor and role
    counts; one that is past ends it."""

    actor: str
    role: StudyRole
    sites: list[str]
    until: int


class Enrol(_Act, frozen=True, kw_only=True, tag="enrol"):
    """`subject` 32 octets; `key`: what the subject is called in the study; `consent`: the signed one."""

    subject: str
    key: str
    site: str
    consent: str


class Withdraw(_Act, frozen=True, kw_only=True, tag="withdraw"):
    """Collection from the subject ends. `goes`: what was collected goes, as the terms say that the subject signed."""

    subject: str
    reason: str
    goes: bool


class Allocate(_Act, frozen=True, kw_only=True, tag="allocate"):
    """`scheme`: as `randomization.scheme` reads it; `root`: of the list; `seed`: sealed, opens the list."""

    scheme: dict[str, Any]
    root: str
    size: int
    seed: str


class Open(_Act, frozen=True, kw_only=True, tag="open"):
    """Enrolment opens under protocol version `version`; `allocation`: the list's root, or 32 zero octets."""

    version: int
    allocation: str


class Freeze(_Act, frozen=True, kw_only=True, tag="freeze"):
    frozen: bool
    seq: int
    reason: str


class Lock(_Act, frozen=True, kw_only=True, tag="lock"):
    """`head` over all roots of data with `records` entries; `assigned` subjects."""

    head: str
    records: int
    assigned: int
    seq: int


class Publish(_Act, frozen=True, kw_only=True, tag="publish"):
    """`outcomes`: as they are reported, in the form of a registration's."""

    number: int
    outcomes: list[dict[str, Any]]
    summary: str


class SignedForm(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A version of a captured form. `digest`: SHA-256 in its CID; `content`: commitment to its RFC 8785 form."""

    record: str
    version: int
    digest: str
    content: str


class Sign(_Act, frozen=True, kw_only=True, tag="sign"):
    """An electronic signature (21 CFR 11.50, 11.70) under just these versions of forms."""

    subject: str
    meaning: int
    forms: list[SignedForm]


class Unblind(_Act, frozen=True, kw_only=True, tag="unblind"):
    """`by` is told the subject's arm. `name`: the subject's on chain, as they were assigned."""

    subject: str
    name: str
    reason: str


class CapturedVersion(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A version of a form as it was captured. `digest`: SHA-256 in its block's CID; `content`: commitment to its RFC
    8785 form. The rest: where it belongs in the study's definition."""

    record: str
    version: int
    digest: str
    content: str
    event: str
    form: str
    event_repeat_key: str | None = None
    form_repeat_key: str | None = None


class Recruit(_Act, frozen=True, kw_only=True, tag="recruit"):
    """`criteria`: as `recruitment.criteria` reads them; `open` False: the study looks for nobody any more."""

    criteria: dict[str, Any]
    summary: str
    open: bool


class Interest(_Act, frozen=True, kw_only=True, tag="interest"):
    """The patient's own word: whether the study may know of them."""

    subject: str
    yes: bool


class Capture(_Act, frozen=True, kw_only=True, tag="capture"):
    """`reason`: of a change, else empty; `definition`: number of the one that the forms are of."""

    subject: str
    definition: int
    forms: list[CapturedVersion]
    reason: str = ""


class RaiseQuery(_Act, frozen=True, kw_only=True, tag="raise-query"):
    """`query` 16 octets; `record`: the form; `item`: linkId, or empty for the whole form. `rule`: of the edit check
    that raised it, empty for a person's."""

    subject: str
    query: str
    record: str
    version: int
    item: str
    text: str
    rule: str = ""


class AnswerQuery(_Act, frozen=True, kw_only=True, tag="answer-query"):
    subject: str
    query: str
    text: str


class CloseQuery(_Act, frozen=True, kw_only=True, tag="close-query"):
    subject: str
    query: str
    text: str = ""


class Assign(_Act, frozen=True, kw_only=True, tag="assign"):
    """`name`: the subject's on chain, in this list; `arm`: the place's commitment; `path`: up to the list's root."""

    subject: str
    name: str
    stratum: int
    position: int
    arm: str
    path: list[str]


class RecordData(_Act, frozen=True, kw_only=True, tag="record-data"):
    """A root over the leaves of all entries from number `first` up to this one, `count` of them."""

    first: int
    count: int
    root: str


Act = (
    Register
    | Protocol
    | Define
    | Describe
    | Terms
    | Site
    | Delegate
    | Enrol
    | Withdraw
    | Allocate
    | Open
    | Freeze
    | Lock
    | Publish
    | Sign
    | Unblind
    | Recruit
    | Interest
    | Capture
    | RaiseQuery
    | AnswerQuery
    | CloseQuery
    | Assign
    | RecordData
)
KINDS: Final[Mapping[type, StudyEntryKind]] = {
    Register: StudyEntryKind.REGISTRATION,
    Protocol: StudyEntryKind.REGISTRATION,
    Define: StudyEntryKind.REGISTRATION,
    Describe: StudyEntryKind.REGISTRATION,
    Terms: StudyEntryKind.REGISTRATION,
    Site: StudyEntryKind.SITE,
    Delegate: StudyEntryKind.DELEGATION,
    Enrol: StudyEntryKind.ENROLMENT,
    Withdraw: StudyEntryKind.ENROLMENT,
    Allocate: StudyEntryKind.ALLOCATION,
    Open: StudyEntryKind.STATE,
    Freeze: StudyEntryKind.STATE,
    Lock: StudyEntryKind.STATE,
    RecordData: StudyEntryKind.STATE,
    Publish: StudyEntryKind.RESULTS,
    Sign: StudyEntryKind.SIGNATURE,
    Unblind: StudyEntryKind.UNBLINDING,
    Recruit: StudyEntryKind.RECRUITMENT,
    Interest: StudyEntryKind.RECRUITMENT,
    Capture: StudyEntryKind.CAPTURE,
    RaiseQuery: StudyEntryKind.QUERY,
    AnswerQuery: StudyEntryKind.QUERY,
    CloseQuery: StudyEntryKind.QUERY,
    Assign: StudyEntryKind.ASSIGNMENT,
}
SIGNED: Final = (
    Register,
    Protocol,
    Define,
    Describe,
    Terms,
    Site,
    Delegate,
    Enrol,
    Withdraw,
    Allocate,
    Open,
    Freeze,
    Lock,
    Publish,
    Sign,
    Unblind,
    Recruit,
)
"""Acts that count with their actor's signature alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An act with the signature under it; empty: none."""

    act: Act
    signature: bytes = b""


def tree_of(act: Act) -> dict[str, Any]:
    """The act as JSON."""
    made: dict[str, Any] = msgspec.to_builtins(act)
    return made


def content_of(act: Act) -> bytes:
    """SHA-256 of the act's RFC 8785 text: what is signed of it."""
    return hashlib.sha256(jsontext.canonical(tree_of(act))).digest()


def digest_of_text(salt: str, text: str) -> bytes:
    """Of a reason, so that the chain has its digest and nobody can guess it."""
    return hashlib.sha256(bytes.fromhex(salt) + text.encode()).digest()


def octets_of(done: Done) -> bytes:
    """The entry's text."""
    return jsontext.canonical({"act": tree_of(done.act), "signature": done.signature.hex()})


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    act: Act
    signature: str


_entry = msgspec.json.Decoder(_Entry)


def read_entry(octets: bytes) -> Done:
    """Raises IntegrityError for a text that no entry has."""
    try:
        found = _entry.decode(octets)
        return Done(act=found.act, signature=bytes.fromhex(found.signature))
    except (msgspec.DecodeError, ValueError) as error:
        raise IntegrityError("an entry of a study is not of its form") from error


def read_act(tree: JsonValue, *, field: tuple[str, ...] = ("act",)) -> Act:
    """What a client gives back. Raises CallerError that names the member."""
    try:
        found: Any = msgspec.convert(tree, Act)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        path = tuple(name or number for name, number in _PATH.findall(at))
        raise CallerError(message[:200], field=(*field, *path)) from error
    act: Act = found
    return act


# ---- what is signed


def signed_values(act: Act) -> tuple[SignedKind, dict[str, bytes | int]] | None:
    """What TrialRegistry checks of it; None for an act that it does not know."""
    study, by = bytes.fromhex(act.study), bytes.fromhex(act.by)
    match act:
        case Register():
            named = bytes.fromhex(act.statistician) or NOTHING
            return SignedKind.STUDY, {"sponsor": by, "salt": bytes.fromhex(act.salt), "statistician": named}
        case Protocol():
            reason = digest_of_text(act.salt, act.reason) if act.number > 1 else NOTHING
            return SignedKind.PROTOCOL_VERSION, {
                "study": study,
                "number": act.number,
                "content": protocol_digest(act),
                "reason": reason,
            }
        case Allocate():
            return SignedKind.ALLOCATION, {
                "study": study,
                "root": bytes.fromhex(act.root),
                "size": act.size,
                "by": by,
            }
        case Open():
            allocation = bytes.fromhex(act.allocation)
            return SignedKind.ENROLMENT, {"study": study, "version": act.version, "allocation": allocation}
        case Freeze():
            return SignedKind.FREEZE, {"study": study, "frozen": act.frozen, "seq": act.seq}
        case Lock():
            return SignedKind.LOCK, {
                "study": study,
                "head": bytes.fromhex(act.head),
                "records": act.records,
                "assigned": act.assigned,
                "seq": act.seq,
            }
        case Publish():
            return SignedKind.RESULTS, {"study": study, "number": act.number, "content": content_of(act)}
        case Sign():
            return SignedKind.SIGNATURE, {
                "study": study,
                "content": content_of(act),
                "meaning": act.meaning,
                "signer": by,
                "signedAt": act.at,
            }
        case Unblind():
            return SignedKind.UNBLINDING, {
                "study": study,
                "subject": bytes.fromhex(act.name),
                "reason": digest_of_text(act.salt, act.reason),
                "by": by,
            }
        case _:
            return None


def protocol_digest(act: Protocol) -> bytes:
    """What a version is anchored by: sha-256(0x08 ‖ salt ‖ RFC 8785 form of the registration)."""
    return hashlib.sha256(b"\x08" + bytes.fromhex(act.salt) + jsontext.canonical(act.registration)).digest()


def statement(act: Act, *, names: Mapping[str, str]) -> str:
    """What a signer is shown, in plain words. `names`: of actors, by their ids, where they are told."""

    def who(actor: str) -> str:
        name = names.get(actor)
        return f"actor {actor[:8]}" if name is None else f"{_quoted(name)} (actor {actor[:8]})"

    of = f"study {act.study[:8]}"
    match act:
        case Define():
            return f"Forms of {of}, number {act.number}: {_quoted(act.name)}, SHA-256 {act.sha256}."
        case Describe():
            return f"Table {_quoted(act.table)} of {of} is described."
        case Terms():
            stays = "stays" if act.keeps else "goes"
            return (
                f"From now on subjects of {of} agree to the form {act.terms} (number {act.number});"
                f" what was collected {stays} after a withdrawal."
            )
        case Site():
            return f"Site {_quoted(act.site)} of {of}: {_quoted(act.name)}."
        case Delegate():
            where = f"at {', '.join(map(_quoted, act.sites))}" if act.sites else "at all sites"
            return f"In {of} {who(act.actor)} is {act.role.value} {where} until {act.until} (seconds since 1970)."
        case Enrol():
            return (
                f"Subject {_quoted(act.key)} is enrolled in {of} at site {_quoted(act.site)}, on consent {act.consent}."
            )
        case Recruit():
            return f"{of[0].upper()}{of[1:]} {'looks' if act.open else 'no longer looks'} for subjects."
        case Withdraw():
            then = "What was collected is destroyed." if act.goes else "What was collected stays."
            return f"Collection from a subject of {of} ends: {_quoted(act.reason)}. {then}"
        case _:
            return f"{type(act).__name__} in {of}."


def _quoted(text: str) -> str:
    return f"“{text}”"


def chain_name(salt: bytes, subject: bytes) -> bytes:
    """A subject's name in one study on chain, 32 octets. The subject's own stands there for all to read: only who has
    the salt can tell that the two are one."""
    return hashlib.sha256(b"consentry/trials/1/subject" + salt + subject).digest()


def meaning_of(act: Sign) -> Meaning:
    return Meaning(act.meaning)


def tag_of(act: Act) -> str:
    """The act's name in its text."""
    return str(type(act).__struct_config__.tag)


def subject_of(act: Act) -> bytes | None:
    """Whom it is about; None: nobody."""
    subject = getattr(act, "subject", None)
    return None if subject is None else bytes.fromhex(subject)
