"""A study that went all the way, told as a file; and what a forger makes of it."""

import asyncio
import copy
import hashlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from anchoring.verifier.study.check import check_file
from anchoring.verifier.study.report import Report
from anchoring.verifier.verify import keccak256, leaf_of, root_of, word
from gateway import jsontext
from gateway.identity.model import Caller, Role
from tests.attacks.inside import Somebody
from tests.attacks.studies import anchored
from tests.attacks.study import Site, Subject

CRITERIA = {"inclusion": [{"text": "You are 18 or older.", "age": {"from": 18}}]}
OUTCOMES = [{"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 24"}]
Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A study's file, by lines, and where its chain is asked."""

    lines: tuple[Line, ...]
    octets: bytes
    rpc: str

    def entries(self, act: str | None = None) -> Iterator[int]:
        """Places of the lines of entries that tell of this act; of all entries."""
        for at, line in enumerate(self.lines):
            if line["line"] == "entry" and (act is None or act_of(line) == act):
                yield at

    def first(self, act: str) -> int:
        return next(self.entries(act))


def act_of(line: Line) -> str | None:
    if line["text"] is None:
        return None
    tree: Any = jsontext.loads(line["text"])
    found: str = tree["act"]["act"]
    return found


def check(told: Told, lines: list[Line] | tuple[Line, ...] | bytes, *, rpc: bool = True) -> Report:
    octets = lines if isinstance(lines, bytes) else written(lines)
    return check_file(io.BytesIO(octets), rpc=told.rpc if rpc else None)


def written(lines: list[Line] | tuple[Line, ...], *, ends: bool = True) -> bytes:
    """As octets, the last line made anew for those before it, as a forger would."""
    made = list(copy.deepcopy(lines))
    body = b"".join(jsontext.dumps(one) + b"\n" for one in made if one["line"] != "end")
    if not ends:
        return body
    entries = [one for one in made if one["line"] == "entry"]
    end = {
        "line": "end",
        "entries": entries[-1]["number"] + 1,
        "head": entries[-1]["sha256"],
        "sha256": "0x" + hashlib.sha256(body).hexdigest(),
    }
    return body + jsontext.dumps(end) + b"\n"


def rewritten(told: Told, at: int, change: Callable[[Any], None], *, relink: bool = True) -> list[Line]:
    """The act in a line changed, hashed anew, and every entry behind it linked anew, with no anchors: all that a forger
    can do who holds nobody's key and no chain."""
    lines = list(copy.deepcopy(told.lines))
    tree: Any = jsontext.loads(lines[at]["text"])
    change(tree)
    lines[at]["text"] = jsontext.canonical(tree).decode()
    return linked(lines, since=at) if relink else lines


def linked(lines: list[Line], *, since: int = 0) -> list[Line]:
    """Entries from a line on, numbered, hashed and linked as they stand there."""
    before = [one for one in lines[:since] if one["line"] == "entry"]
    number, previous = len(before), before[-1]["sha256"] if before else "0x" + "00" * 32
    for one in lines[since:]:
        if one["line"] == "form":
            one["entry"] = number - 1
        if one["line"] != "entry":
            continue
        if one["text"] is not None:
            one["sha256"] = "0x" + hashlib.sha256(one["text"].encode()).hexdigest()
        one["number"], one["previous"], one["anchor"] = number, previous, None
        number, previous = number + 1, one["sha256"]
    return lines


async def tell(world: Site, who: Somebody) -> Told:
    """The file, as this person has it."""
    files = world.inside.gateway.trail_files

    async def again() -> Caller | None:
        return await world.inside.caller(who)

    trail = await files.open(await world.caller(who), world.study)
    octets = b"".join([line async for line in files.lines(trail, again)])
    lines: Any = [jsontext.loads(line) for line in octets.splitlines()]
    return Told(lines=tuple(lines), octets=octets, rpc=world.inside.gateway.chain_url)


async def inspector(world: Site) -> Somebody:
    who = await world.inside.person(Role.AUDITOR)
    await world.delegate(who, "INSPECTOR", [])
    return who


async def whole_road(world: Site) -> tuple[Somebody, list[Subject]]:
    """Registered, captured, changed, asked, signed, assigned, unblinded, withdrawn, erased, frozen, locked, published.
    The inspector, and the subjects: the last was erased, the one before has withdrawn."""
    await world.prepare(allocate=True)
    seen = await inspector(world)
    subjects = [await world.enrol(f"701-100{at}") for at in range(5)]
    gateway, coordinator = world.inside.gateway, await world.caller(world.coordinator)
    for one in subjects:
        made = await world.capture(one, "190" if one is subjects[0] else "120")
        await gateway.allocations.assign(coordinator, world.study, one.subject, {})
        if one is subjects[0]:
            await _asked(world, one, made)
    for name in ("702-1", "702-2"):
        await world.capture(subjects[1], "130", repeat=name)
    await _signed(world, subjects[0])
    await world.act(world.sponsor, "recruit", criteria=CRITERIA, summary="A study of pressure.", open=True)
    willing = await world.caller(subjects[1].who)
    await world.inside.gateway.recruiting.say(willing, world.study, subjects[1].subject, yes=True)
    await world.act(world.investigator, "unblind", subject=subjects[0].subject.hex(), reason="An emergency.")
    await world.act(world.investigator, "withdraw", subject=subjects[3].subject.hex(), reason="Moved away.")
    await erase(world, subjects[4])
    await world.act(world.sponsor, "freeze", frozen=True, reason="A first look.")
    await world.act(world.sponsor, "freeze", frozen=False, reason="More to come.")
    await world.capture(subjects[2], "125", repeat="9")
    await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    await world.act(world.sponsor, "lock")
    await world.act(world.sponsor, "publish", outcomes=OUTCOMES, summary="As expected.")
    await _signed(world, subjects[1])
    await anchored(world.inside, study=world.study)
    return seen, subjects


async def _asked(world: Site, one: Subject, made: Any) -> None:
    """The form is changed, its query answered and closed."""
    capturing, record = world.inside.gateway.capturing, made.records[0].record
    coordinator, monitor = await world.caller(world.coordinator), await world.caller(world.monitor)
    changed = await world.response("140")
    await capturing.change(
        coordinator, world.study, one.subject, record, changed, expected_version=1, reason="A slip of the pen."
    )
    await capturing.answer_query(coordinator, world.study, one.subject, made.queries[0], text="It was 140.")
    await capturing.close_query(monitor, world.study, one.subject, made.queries[0])


async def _signed(world: Site, one: Subject) -> None:
    kept = await world.inside.gateway.capturing.forms(await world.caller(world.investigator), world.study, one.subject)
    forms = [
        {
            "record": form.record.hex(),
            "version": form.version,
            "digest": form.digest.hex(),
            "content": form.content.hex(),
        }
        for form in kept
    ]
    await world.act(world.investigator, "sign", subject=one.subject.hex(), meaning=1, forms=forms)


async def erase(world: Site, one: Subject) -> None:
    erasures = world.inside.gateway.erasures
    caller = await world.caller(one.who)
    draft = await erasures.draft_erasure(caller, subject=one.subject)
    signature = bytes.fromhex(one.who.wallet.sign_typed_data(dict(draft.typed_data))[2:])
    await erasures.erase_patient(caller, typed_data=draft.typed_data, signature=signature)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        entries = await world.inside.gateway.trials._journal.read(world.study, limit=1000)
        if any(entry.is_erased for entry in entries):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not erased in time")


def recommitted(told: Told, at: int, old: bytes, new: bytes) -> list[Line]:
    """The first form of a captured entry says something else, and everything that nobody signs is made to fit:
    commitments, hashes, roots of data, the head that is locked."""
    lines = list(copy.deepcopy(told.lines))
    form = next(one for one in lines[at:] if one["line"] == "form")
    assert old.decode() in form["content"]
    form["content"] = form["content"].replace(*(one.decode() for one in (old, new)))
    content = hashlib.sha256(b"\x01" + bytes.fromhex(form["salt"][2:]) + form["content"].encode()).hexdigest()
    _everywhere(lines, _act(lines[at])["forms"][0]["content"], content)
    lines = linked(lines)
    study, head = bytes.fromhex(told.lines[0]["study"][2:]), bytes(32)
    leaves: list[bytes] = []
    recorded = 0
    for place, line in enumerate(lines):
        if line["line"] != "entry":
            continue
        if line["text"] is not None and (act := _act(line))["act"] in ("record-data", "lock"):
            if act["act"] == "record-data":
                root = root_of(leaves[recorded : recorded + act["count"]])
                _change(line, root=root.hex())
                recorded += act["count"]
                head = keccak256(head + root + word(act["count"]))
            else:
                _change(line, head=head.hex())
            lines = linked(lines, since=place)
        number = int(line["number"]).to_bytes(4, "big")
        values = (study, number, bytes.fromhex(line["sha256"][2:]), bytes.fromhex(line["previous"][2:]))
        leaves.append(leaf_of(("bytes32", "uint32", "bytes32", "bytes32"), values))
    return lines


def _act(line: Line) -> Any:
    tree: Any = jsontext.loads(line["text"])
    return tree["act"]


def _change(line: Line, **members: Any) -> None:
    tree: Any = jsontext.loads(line["text"])
    tree["act"].update(members)
    line["text"] = jsontext.canonical(tree).decode()


def _everywhere(lines: list[Line], old: str, new: str) -> None:
    for line in lines:
        if line.get("text"):
            line["text"] = line["text"].replace(old, new)
