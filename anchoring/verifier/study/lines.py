"""The lines of a study's file: their form, and nothing of what they mean. All hex is 0x, lower case.

    header      format "consentry-study/1", study, deployment {chainId, genesis, gateway, contracts {identity, anchor,
                trial}, codes {…: keccak-256 of the code}}, madeAt (seconds since 1970), madeBy (an actor)
    signer      actor, keys: its ERC-7913 keys, the first one first; before the first entry of that actor's
    entry       number, kind, sha256, previous, text (null: its key was destroyed, or withheld), anchor {log, path,
                root, blockNumber, transactionHash} (null: not anchored yet)
    form        entry, record, version, content and salt (both null: withheld); behind its entry, in its order
    allocation  seed: of the list of arms, once the study is locked
    end         entries, head: SHA-256 of the last, sha256: of all lines before this one

Each is one JSON object with a member `line` that names it, and ends with a line feed. `text` and `content` are RFC 8785
texts, as JSON strings: their very octets were hashed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from anchoring.verifier.verify import Refused, integer, listed, members, octets, read_json

FORMAT: Final = "consentry-study/1"
LONGEST: Final = 64 << 20
"""Octets of a line."""
LARGEST_ENTRY: Final = 1_000_000
LONGEST_PATH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    study: bytes
    deployment: Any
    chain_id: int
    contract: bytes
    gateway: bytes
    made_at: int
    made_by: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    actor: bytes
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    log: bytes
    path: tuple[bytes, ...]
    root: bytes
    block: int
    transaction: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """`text` None: erased, or withheld."""

    number: int
    kind: str
    sha256: bytes
    previous: bytes
    text: bytes | None = field(repr=False)
    anchor: Anchor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLine:
    """`content` None: withheld."""

    entry: int
    record: bytes
    version: int
    content: bytes | None = field(repr=False)
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationLine:
    seed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLine:
    """`before`: SHA-256 of the lines before it, as they came."""

    entries: int
    head: bytes
    sha256: bytes
    before: bytes


Line: TypeAlias = Header | Signer | EntryLine | FormLine | AllocationLine | EndLine
_ENTRY: Final = ("line", "number", "kind", "sha256", "previous", "text", "anchor")
_FORM: Final = ("line", "entry", "record", "version", "content", "salt")


class Readable(Protocol):
    """A file, open for octets; packed or not."""

    def readline(self, size: int, /) -> bytes: ...


class Lines:
    """A file, line by line. `octets`: how far it was read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.octets = 0

    def __iter__(self) -> Iterator[Line | Refused]:
        """Refused for one that is not of its form; nothing is read behind one that has no end."""
        while raw := self._file.readline(LONGEST + 1):
            self.octets += len(raw)
            if not raw.endswith(b"\n"):
                yield Refused("a line without an end, or longer than any may be")
                return
            try:
                yield self._read(raw)
            except Refused as error:
                yield error
            self._hash.update(raw)

    def _read(self, raw: bytes) -> Line:
        value = read_json(raw)
        match value.get("line") if isinstance(value, dict) else None:
            case "form":
                return _form(members(value, *_FORM))
            case "entry":
                return _entry(members(value, *_ENTRY))
            case "signer":
                found = members(value, "line", "actor", "keys")
                return Signer(actor=octets(found["actor"], 32), keys=tuple(map(octets, listed(found["keys"]))))
            case "header":
                return _header(value)
            case "allocation":
                return AllocationLine(seed=octets(members(value, "line", "seed")["seed"], 32))
            case "end":
                found = members(value, "line", "entries", "head", "sha256")
                return EndLine(
                    entries=integer(found["entries"]),
                    head=octets(found["head"], 32),
                    sha256=octets(found["sha256"], 32),
                    before=self._hash.digest(),
                )
        raise Refused("no line of a study's file")


def _header(value: object) -> Header:
    found = members(value, "line", "format", "study", "deployment", "madeAt", "madeBy")
    if found["format"] != FORMAT:
        raise Refused(f"not a file of {FORMAT}")
    deployment = members(found["deployment"], "chainId", "genesis", "gateway", "contracts", "codes")
    contracts = members(deployment["contracts"], "identity", "anchor", "trial")
    return Header(
        study=octets(found["study"], 32),
        deployment=deployment,
        chain_id=integer(deployment["chainId"]),
        contract=octets(str(contracts["trial"]).lower(), 20),
        gateway=octets(deployment["gateway"], 32),
        made_at=integer(found["madeAt"]),
        made_by=octets(found["madeBy"], 32),
    )


def _entry(found: dict[str, Any]) -> EntryLine:
    text = None if found["text"] is None else _text(found["text"])
    if text is not None and len(text) > LARGEST_ENTRY:
        raise Refused("an entry of more octets than one may have")
    return EntryLine(
        number=integer(found["number"]),
        kind=str(found["kind"]),
        sha256=octets(found["sha256"], 32),
        previous=octets(found["previous"], 32),
        text=text,
        anchor=None if found["anchor"] is None else _anchor(found["anchor"]),
    )


def _anchor(value: object) -> Anchor:
    found = members(value, "log", "path", "root", "blockNumber", "transactionHash")
    path = listed(found["path"])
    if len(path) > LONGEST_PATH:
        raise Refused("a path of more nodes than one may have")
    return Anchor(
        log=octets(found["log"], 32),
        path=tuple(octets(node, 32) for node in path),
        root=octets(found["root"], 32),
        block=integer(found["blockNumber"]),
        transaction=octets(found["transactionHash"], 32),
    )


def _form(found: dict[str, Any]) -> FormLine:
    withheld = found["content"] is None
    if withheld != (found["salt"] is None):
        raise Refused("content without a salt, or a salt without content")
    return FormLine(
        entry=integer(found["entry"]),
        record=octets(found["record"], 16),
        version=integer(found["version"]),
        content=None if withheld else _text(found["content"]),
        salt=b"" if withheld else octets(found["salt"], 32),
    )


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise Refused("not a text")
    return value.encode()
