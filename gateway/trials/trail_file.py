"""A whole study as one file, for whoever inspects it: each entry of its journal, each captured form, and what proves
them, line by line. `anchoring.verifier.study.lines` says the form of each line.

True here: the sponsor and an inspector have it, where their role reaches every site; both are asked anew while it is
sent. A page of entries is in the subjects' logs before it is told, and each form is a decision and an entry of its own,
at the version that the entry names. A form that may not be read (any more) is withheld, and its commitment stands. The
list of arms is opened once the study is locked. No more of it is in memory than a page.
Not done here: sending it (`gateway.web.studies`), checking it (`anchoring.verifier.study`).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway import jsontext
from gateway.consent.model import Purpose, StudyRole
from gateway.errors import DeniedError, IntegrityError, UnauthenticatedError
from gateway.identity.model import Caller
from gateway.ids import RecordId, StudyId
from gateway.jsontext import JsonValue
from gateway.ports.anchors import AnchorState
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.trials import StudyEntryKind
from gateway.records.service import Records
from gateway.trials import acts
from gateway.trials.allocation import Allocations
from gateway.trials.journal import Journal
from gateway.trials.keeping import Studies
from gateway.trials.showing import Showing, TrailEntry

FORMAT: Final = "consentry-study/1"
HAVE_IT: Final = frozenset({StudyRole.SPONSOR, StudyRole.INSPECTOR})
PAGE: Final = 32
"""Entries that are read, audited and told together."""
FORMS_AT_ONCE: Final = 16
LOOK_SECONDS: Final = 1.0
"""Between two looks at the session."""
Again = Callable[[], Awaitable[Caller | None]]
"""The caller as it stands now; None: nobody any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a study is anchored. Hex is 0x; `codes`: keccak-256 of each contract's code."""

    chain_id: int
    genesis: str
    gateway: str
    contracts: Mapping[str, str]
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrail:
    """A file that was decided on. `last`: number of the last entry in it."""

    study: StudyId
    caller: Caller
    last: int


@dataclass(slots=True, kw_only=True)
class _Written:
    """What the last line is about, as lines go out. `signers`: whose keys were told."""

    entries: int = 0
    head: bytes = bytes(32)
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    signers: set[str] = field(default_factory=set)

    def line(self, name: str, members: Mapping[str, JsonValue]) -> bytes:
        made = jsontext.dumps({"line": name, **members}) + b"\n"
        self.hash.update(made)
        return made


class TrailFiles:
    """See the module."""

    def __init__(
        self,
        *,
        studies: Studies,
        journal: Journal,
        showing: Showing,
        allocations: Allocations,
        records: Records,
        index: Index,
        clock: Clock,
        origin: Origin,
    ) -> None:
        self._studies = studies
        self._journal = journal
        self._showing = showing
        self._allocations = allocations
        self._records = records
        self._index = index
        self._clock = clock
        self._origin = origin

    async def open(self, caller: Caller, study: StudyId) -> OpenTrail:
        """The file as the study stands now. DeniedError, also where there is no such study."""
        held = await self._studies.held(study)
        actors = (caller.actor.id, *caller.organizations)
        mine = frozenset() if held is None else held.study.roles_everywhere(actors, self._clock.now())
        if caller.bearer is not None or not mine & HAVE_IT:
            raise await self._studies.refused(caller, "STUDY_TRAIL", "no role that takes the whole study away")
        head = await self._journal.head(study)
        assert head is not None
        return OpenTrail(study=study, caller=caller, last=head.number)

    async def lines(self, trail: OpenTrail, again: Again) -> AsyncGenerator[bytes, None]:
        """The file, a line or a few at a time. Raises ConsentryError where it may not go on: it then has no last
        line."""
        caller, looked_at, written = trail.caller, self._clock.now(), _Written()
        yield written.line("header", self._header(trail))
        after = -1
        while after < trail.last:
            if self._clock.now() - looked_at >= LOOK_SECONDS:
                caller, looked_at = await self._still(trail, again), self._clock.now()
            page = await self._showing.trail(caller, trail.study, after=after, limit=min(PAGE, trail.last - after))
            for one in page:
                async for line in self._told(caller, trail, one, written):
                    yield line
            after = page[-1].entry.number
        caller = await self._still(trail, again)
        seed = await self._allocations.opened(caller, trail.study)
        if seed is not None:
            yield written.line("allocation", {"seed": _hex(seed)})
        told: dict[str, JsonValue] = {
            "entries": written.entries,
            "head": _hex(written.head),
            "sha256": "0x" + written.hash.hexdigest(),
        }
        yield written.line("end", told)

    async def _still(self, trail: OpenTrail, again: Again) -> Caller:
        caller = await again()
        if caller is None:
            raise UnauthenticatedError("the session is over")
        await self.open(caller, trail.study)
        return caller

    def _header(self, trail: OpenTrail) -> dict[str, JsonValue]:
        origin = self._origin
        return {
            "format": FORMAT,
            "study": _hex(trail.study),
            "deployment": {
                "chainId": origin.chain_id,
                "genesis": origin.genesis,
                "gateway": origin.gateway,
                "contracts": dict(origin.contracts),
                "codes": dict(origin.codes),
            },
            "madeAt": int(self._clock.now()),
            "madeBy": _hex(trail.caller.actor.id),
        }

    # ---- an entry

    async def _told(
        self, caller: Caller, trail: OpenTrail, one: TrailEntry, written: _Written
    ) -> AsyncGenerator[bytes, None]:
        entry = one.entry
        if one.octets is None and entry.octets is not None and entry.kind is not StudyEntryKind.QUERY:
            raise DeniedError("no role that reaches every subject any more")
        done = None if one.octets is None else acts.read_entry(one.octets)
        if done is not None and done.signature and done.act.by not in written.signers:
            written.signers.add(done.act.by)
            yield written.line("signer", await self._signer(done.act.by))
        written.entries, written.head = entry.number + 1, entry.entry
        yield written.line(
            "entry",
            {
                "number": entry.number,
                "kind": entry.kind.name,
                "sha256": _hex(entry.entry),
                "previous": _hex(entry.previous),
                "text": None if one.octets is None else one.octets.decode(),
                "anchor": _anchor(one.anchor),
            },
        )
        forms = done.act.forms if done is not None and isinstance(done.act, acts.Capture) else []
        for at in range(0, len(forms), FORMS_AT_ONCE):
            some = forms[at : at + FORMS_AT_ONCE]
            texts = await asyncio.gather(*(self._form(caller, trail.study, form) for form in some))
            for form, text in zip(some, texts, strict=True):
                named: dict[str, JsonValue] = {
                    "entry": entry.number,
                    "record": "0x" + form.record,
                    "version": form.version,
                }
                yield written.line("form", {**named, **text})

    async def _signer(self, actor: str) -> dict[str, JsonValue]:
        """Every key that the actor had, the first one first."""
        name = bytes.fromhex(actor)
        events = await self._index.events(name, contract="IdentityRegistry")
        keys = [
            one.args.get("key")
            for one in sorted(events, key=lambda event: (event.block_number, event.log_index))
            if one.name in ("ActorRegistered", "KeyRotated") and one.keys[0] == name and not one.orphaned
        ]
        return {"actor": "0x" + actor, "keys": [_hex(key) for key in keys if isinstance(key, bytes)]}

    async def _form(self, caller: Caller, study: StudyId, form: acts.CapturedVersion) -> dict[str, JsonValue]:
        """What a version of a form says, and its salt; neither where it is withheld."""
        withheld: dict[str, JsonValue] = {"content": None, "salt": None}
        try:
            read = await self._records.read(
                caller,
                RecordId(bytes.fromhex(form.record)),
                purpose=Purpose.CLINTRCH,
                study=study,
                version=form.version,
            )
        except DeniedError:
            return withheld
        if read.content_salt is None:
            return withheld  # a part of it is hidden, and what is left is not what was committed to
        text = jsontext.canonical(jsontext.loads(read.content))
        if hashlib.sha256(b"\x01" + read.content_salt + text).hexdigest() != form.content:
            raise IntegrityError("a captured form is another than its entry says")
        return {"content": text.decode(), "salt": _hex(read.content_salt)}


def _anchor(state: AnchorState) -> JsonValue:
    proof = state.proof
    if proof is None:
        return None
    return {
        "log": _hex(proof.log),
        "path": _hexes(proof.path),
        "root": _hex(proof.root),
        "blockNumber": proof.block_number,
        "transactionHash": _hex(proof.transaction),
    }


def _hexes(found: Sequence[bytes]) -> list[JsonValue]:
    return [_hex(one) for one in found]


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
