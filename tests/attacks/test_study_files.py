"""A study's file is checked with the gateway out of reach, and whatever was done to it is found."""

import copy
import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from anchoring.verifier.study.check import check_file
from anchoring.verifier.study.report import Flaw, Report
from anchoring.verifier.verify import Refused, Unchecked
from gateway.cli import app
from tests.attacks.inside import inside
from tests.attacks.studies import anchored
from tests.attacks.study import Site, sign, site
from tests.attacks.trail_files import (
    Line,
    Told,
    act_of,
    check,
    linked,
    recommitted,
    rewritten,
    tell,
    whole_road,
    written,
)
from tests.servers.prepared import REPOSITORY

pytestmark = pytest.mark.asyncio(loop_scope="module")
VERDICT = "COMPLETE AND UNCHANGED, but for what was not compared"
"""Somebody was erased."""
NOBODY = "0x" + "66" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A study from its registration to its results, another that has begun, and the file of each."""

    study: Site
    told: Told
    other: Told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with inside(Path(tmp_path_factory.mktemp("files"))) as running:
        one = await site(running)
        seen, _ = await whole_road(one)
        other = await site(running)
        await other.prepare()
        await other.capture(await other.enrol("701-1"))
        await anchored(running, study=other.study)
        yield World(study=one, told=await tell(one, seen), other=await tell(other, other.sponsor))


def flaws(report: Report) -> set[Flaw]:
    return {one.flaw for one in report.faults}


def changed(told: Told, at: int, **members: Any) -> list[Line]:
    lines = list(copy.deepcopy(told.lines))
    lines[at].update(members)
    return lines


def line_of(told: Told, name: str, **members: Any) -> int:
    return next(
        at
        for at, one in enumerate(told.lines)
        if one["line"] == name and all(one[member] == value for member, value in members.items())
    )


# ---- what holds


async def test_the_file_holds_against_the_chain(world: World) -> None:
    report = check(world.told, world.told.octets)
    assert report.faults == []
    assert report.counts["anchored entries"] == report.counts["entries"] > 40
    assert (report.counts["subjects"], report.counts["forms"], report.counts["versions of forms"]) == (4, 7, 8)
    assert report.counts["places of the list"] == 40 // 2


async def test_without_a_chain_it_says_what_it_did_not_compare(world: World) -> None:
    report = check(world.told, world.told.octets, rpc=False)
    assert report.faults == []
    assert any("the chain" in one for one in report.unknown)
    assert report.verdict.startswith("NO FAULT WITHIN THE FILE")
    assert not any("the chain" in one for one in check(world.told, world.told.octets).unknown)


async def test_a_study_that_is_under_way_holds_as_far_as_it_goes(world: World) -> None:
    report = check(world.other, world.other.octets)
    assert report.faults == []
    assert any("not locked" in one for one in report.unknown)


async def test_the_folder_alone_checks_it(world: World, tmp_path: Path) -> None:
    """Copied away, in an interpreter that has nothing else of this repository."""
    folder = tmp_path / "anchoring" / "verifier"
    (folder / "study").mkdir(parents=True)
    source = REPOSITORY / "anchoring" / "verifier"
    for one in (source / "verify.py", *sorted((source / "study").glob("*.py"))):
        (folder / one.relative_to(source)).write_bytes(one.read_bytes())
    (tmp_path / "file").write_bytes(world.told.octets)
    run = (
        "import sys, runpy, types; sys.argv = sys.argv[1:]; found = types.ModuleType('anchoring');"
        f" found.__path__ = [{str(folder.parent)!r}]; sys.modules.update(anchoring=found, gateway=None, schema=None);"
        " runpy.run_module('anchoring.verifier.study', run_name='__main__', alter_sys=True)"
    )
    report = tmp_path / "report.json"
    words = ["study", str(tmp_path / "file"), "--rpc", world.told.rpc, "--json", str(report)]
    done = subprocess.run([sys.executable, "-I", "-c", run, *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, VERDICT), done.stderr
    assert json.loads(report.read_text())["holds"] is True


async def test_the_command_says_by_its_exit_code_what_it_found(world: World, tmp_path: Path) -> None:
    whole, packed, cut, none = (tmp_path / name for name in ("whole", "packed", "cut", "none"))
    whole.write_bytes(world.told.octets)
    packed.write_bytes(gzip.compress(world.told.octets))
    cut.write_bytes(world.told.octets[:-10])
    none.write_bytes(b"{}")
    report = tmp_path / "report.json"

    def run(*words: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["verify-study", *map(str, words)])
        return done.exit_code, done.stdout.splitlines()[-1] if done.stdout else ""

    assert run(whole, "--rpc", world.told.rpc, "--json", report) == (0, VERDICT)
    told = json.loads(report.read_text())
    assert (told["holds"], told["onChain"], told["faults"]) == (True, True, [])
    assert told["counts"]["versions of forms"] == 8
    assert run(packed)[0] == 0
    assert run(cut, "--json", report) == (1, "REFUSED: 2 faults")
    assert {one["flaw"] for one in json.loads(report.read_text())["faults"]} == {"FORM", "END"}
    for words in ((none,), (tmp_path / "nowhere",), (tmp_path,), (whole, "--rpc", "http://127.0.0.1:9"), ()):
        assert run(*words)[0] == 2
    half = tmp_path / "half"
    half.write_bytes(gzip.compress(world.told.octets)[:-100])
    assert run(half)[0] == 2


# ---- entries


async def test_no_entry_can_be_left_out(world: World) -> None:
    told = world.told
    held = []
    for at in told.entries():
        number = told.lines[at]["number"]
        lines = [one for one in told.lines if not (one is told.lines[at] or one.get("entry") == number)]
        assert flaws(check(told, lines, rpc=False)) >= {Flaw.LINK} or number == told.lines[-1]["entries"] - 1
        if check(told, linked(copy.deepcopy(lines))).holds:
            held.append(number)
    assert held == []


async def test_no_entries_change_their_places(world: World) -> None:
    told = world.told
    lock = told.lines[told.first("lock")]["number"]
    places = list(told.entries())
    for one, other in pairwise(places):
        lines = list(copy.deepcopy(told.lines))
        moved = [lines[one], *_forms(lines, one)], [lines[other], *_forms(lines, other)]
        start, stop = one, other + len(moved[1])
        between = [line for line in lines[start:stop] if line["line"] == "signer"]
        swapped = [*lines[:start], *between, *moved[1], *moved[0], *lines[stop:]]
        if one % 3 == 0:
            assert Flaw.NUMBER in flaws(check(told, swapped, rpc=False))
        report = check(told, linked(swapped))
        if told.lines[other]["number"] <= lock:
            assert not report.holds, told.lines[one]["number"]
        else:
            assert not report.holds or any("nothing but the file" in note for note in report.unknown)


def _forms(lines: list[Line], at: int) -> list[Line]:
    number = lines[at]["number"]
    return [one for one in lines if one["line"] == "form" and one["entry"] == number]


async def test_an_entry_of_another_study_is_found(world: World) -> None:
    told, other = world.told, world.other
    for at in list(other.entries())[1:]:
        lines = list(copy.deepcopy(told.lines))
        place = told.first("open")
        lines[place:place] = [copy.deepcopy(other.lines[at]), *copy.deepcopy(_forms(list(other.lines), at))]
        assert Flaw.ORDER in flaws(check(told, linked(lines), rpc=False))


async def test_another_study_does_not_pass_under_this_ones_name(world: World) -> None:
    lines = list(copy.deepcopy(world.other.lines))
    lines[0] = copy.deepcopy(world.told.lines[0])
    assert flaws(check(world.told, lines, rpc=False)) >= {Flaw.ORDER, Flaw.ANCHOR}


async def test_a_file_that_was_cut_short_is_found(world: World) -> None:
    octets = world.told.octets
    ends = [at + 1 for at, one in enumerate(octets) if one == ord("\n")]
    for stop in (*ends[:-1:7], ends[-2]):
        assert Flaw.END in flaws(check(world.told, octets[:stop], rpc=False))
    for stop in (ends[5] + 3, len(octets) - 1):
        assert Flaw.END in flaws(check(world.told, octets[:stop], rpc=False))


async def test_a_file_that_ends_early_in_good_order_is_found_by_the_chain(world: World) -> None:
    told = world.told
    places = list(told.entries())
    for stop in places[1:]:
        report = check(told, [one for one in told.lines[:stop] if one["line"] != "allocation"])
        assert flaws(report) >= {Flaw.CHAIN}, told.lines[stop]["number"]


@pytest.mark.parametrize("behind", [b"\n", b"{}\n", b'{"line":"end"}\n', b"x"])
async def test_nothing_stands_behind_the_end(world: World, behind: bytes) -> None:
    assert not check(world.told, world.told.octets + behind, rpc=False).holds


# ---- acts


Change = Callable[[Any], None]


def set_to(name: str, value: Any) -> Change:
    def change(tree: Any) -> None:
        tree["act"][name] = value

    return change


CHANGES = [
    ("register", set_to("title", "Another"), Flaw.DATA),  # the contract takes no title: the roots hold it
    ("register", set_to("salt", "11" * 32), Flaw.ORDER),
    ("protocol", set_to("registration", {"title": "Other outcomes"}), Flaw.SIGNATURE),
    ("define", set_to("name", "other.xml"), Flaw.SIGNATURE),
    ("terms", set_to("terms", "22" * 32), Flaw.SIGNATURE),
    ("terms", set_to("keeps", False), Flaw.SIGNATURE),
    ("site", set_to("name", "Another hospital"), Flaw.SIGNATURE),
    ("site", set_to("at", 1_700_000_000), Flaw.SIGNATURE),
    ("delegate", set_to("role", "SPONSOR"), Flaw.SIGNATURE),
    ("delegate", set_to("until", 1 << 40), Flaw.SIGNATURE),
    ("allocate", set_to("root", "33" * 32), Flaw.SIGNATURE),
    ("allocate", set_to("size", 19), Flaw.SIGNATURE),
    ("open", set_to("allocation", "44" * 32), Flaw.SIGNATURE),
    ("enrol", set_to("consent", "55" * 32), Flaw.SIGNATURE),
    ("enrol", set_to("key", "701-9999"), Flaw.SIGNATURE),
    ("capture", set_to("at", 1_700_000_000), Flaw.TIME),
    ("capture", set_to("at", 1 << 40), Flaw.TIME),
    ("capture", set_to("by", "66" * 32), Flaw.DATA),
    ("capture", set_to("definition", 2), Flaw.ORDER),
    ("capture", set_to("reason", "None was needed."), Flaw.VERSION),
    ("assign", set_to("position", 3), Flaw.ALLOCATION),
    ("assign", set_to("arm", "77" * 32), Flaw.ALLOCATION),
    ("raise-query", set_to("text", "Nothing."), Flaw.DATA),
    ("answer-query", set_to("query", "88" * 16), Flaw.ORDER),
    ("unblind", set_to("name", "99" * 32), Flaw.ORDER),
    ("unblind", set_to("reason", "Curiosity."), Flaw.SIGNATURE),
    ("sign", set_to("meaning", 2), Flaw.SIGNATURE),
    ("withdraw", set_to("reason", "Another."), Flaw.SIGNATURE),
    ("freeze", set_to("frozen", False), Flaw.ORDER),
    ("freeze", set_to("reason", "Another."), Flaw.DATA),
    ("record-data", set_to("root", "aa" * 32), Flaw.DATA),
    ("record-data", set_to("count", 3), Flaw.DATA),
    ("lock", set_to("head", "bb" * 32), Flaw.SIGNATURE),
    ("lock", set_to("records", 1), Flaw.DATA),
    ("lock", set_to("assigned", 4), Flaw.DATA),
    ("publish", set_to("summary", "Better than expected."), Flaw.SIGNATURE),
]


@pytest.mark.parametrize(("act", "change", "flaw"), CHANGES, ids=[f"{one[0]}-{at}" for at, one in enumerate(CHANGES)])
async def test_a_changed_act_is_found_whatever_else_is_made_to_fit(
    world: World, act: str, change: Change, flaw: Flaw
) -> None:
    told, at = world.told, world.told.first(act)
    assert flaws(check(told, rewritten(told, at, change, relink=False), rpc=False)) >= {Flaw.HASH}
    forged = rewritten(told, at, change)
    assert flaws(check(told, forged, rpc=False)) >= {flaw}
    assert not check(told, forged).holds


async def test_forged_roots_do_not_hide_a_changed_value(world: World) -> None:
    """The forger makes up commitments, roots and the head as well: what the sponsor locked is not theirs to sign."""
    told, at = world.told, world.told.first("capture")
    forged = recommitted(told, at, b"190", b"155")
    report = check(told, forged, rpc=False)
    assert flaws(report) == {Flaw.SIGNATURE}
    assert Flaw.CHAIN in flaws(check(told, forged))


async def test_a_signature_of_somebody_else_is_found(world: World) -> None:
    """And of a key that the file tells to be the sponsor's, by the chain."""
    told, study = world.told, world.study
    at = told.first("site")
    lines = list(copy.deepcopy(told.lines))
    tree = json.loads(lines[at]["text"])
    typed = study.inside.gateway.trials._typed(_act(tree["act"]))
    signature = sign(study.monitor, typed).hex()
    forged = rewritten(told, at, lambda one: one.update(signature=signature))
    assert flaws(check(told, forged, rpc=False)) >= {Flaw.SIGNATURE}
    told_key = "0x" + study.monitor.wallet.signer[2:]
    signer = line_of(told, "signer", actor="0x" + tree["act"]["by"])
    forged[signer]["keys"].append(told_key)
    assert Flaw.SIGNATURE not in flaws(check(told, forged, rpc=False))
    assert flaws(check(told, forged)) >= {Flaw.SIGNATURE, Flaw.CHAIN}


def _act(tree: Any) -> Any:
    from gateway.trials import acts

    return acts.read_act(tree)


@pytest.mark.parametrize("signature", ["", "00" * 65, "ff" * 65, "11" * 64])
async def test_what_is_no_signature_is_found(world: World, signature: str) -> None:
    at = world.told.first("terms")
    forged = rewritten(world.told, at, lambda tree: tree.update(signature=signature))
    assert Flaw.SIGNATURE in flaws(check(world.told, forged, rpc=False))


async def test_an_act_that_nobody_signs_takes_no_signature(world: World) -> None:
    forged = rewritten(world.told, world.told.first("capture"), lambda tree: tree.update(signature="11" * 65))
    assert Flaw.SIGNATURE in flaws(check(world.told, forged, rpc=False))


async def test_results_before_the_lock_are_found(world: World) -> None:
    told = world.told
    publish, lock = told.first("publish"), told.first("lock")
    lines = list(copy.deepcopy(told.lines))
    lines.insert(lock, lines.pop(publish))
    assert Flaw.ORDER in flaws(check(told, linked(lines), rpc=False))


@pytest.mark.parametrize("act", ["capture", "enrol", "assign", "site", "answer-query"])
async def test_nothing_is_done_behind_the_lock(world: World, act: str) -> None:
    told = world.told
    lines = list(copy.deepcopy(told.lines))
    taken = [copy.deepcopy(lines[told.first(act)]), *copy.deepcopy(_forms(lines, told.first(act)))]
    place = told.first("publish")
    lines[place:place] = taken
    assert Flaw.ORDER in flaws(check(told, linked(lines), rpc=False))


@pytest.mark.parametrize(("act", "before"), [("enrol", "open"), ("enrol", "terms"), ("open", "protocol")])
async def test_nothing_comes_before_what_it_stands_on(world: World, act: str, before: str) -> None:
    told = world.told
    lines = list(copy.deepcopy(told.lines))
    signers = [one for one in lines if one["line"] == "signer"]
    lines.insert(told.first(before), lines.pop(told.first(act)))
    lines[1:1] = signers
    assert Flaw.ORDER in flaws(check(told, linked(lines), rpc=False))


# ---- forms


async def test_a_changed_value_is_found(world: World) -> None:
    for at, line in enumerate(world.told.lines):
        if line["line"] == "form":
            lines = changed(world.told, at, content=line["content"].replace("1", "2", 1))
            assert flaws(check(world.told, lines, rpc=False)) == {Flaw.CONTENT}
            assert flaws(check(world.told, changed(world.told, at, salt=NOBODY), rpc=False)) == {Flaw.CONTENT}


async def test_no_version_of_a_form_is_left_out_or_told_in_anothers_place(world: World) -> None:
    told = world.told
    places = [at for at, one in enumerate(told.lines) if one["line"] == "form"]
    for one, other in zip(places, [*places[1:], places[0]], strict=True):
        without = [line for at, line in enumerate(told.lines) if at != one]
        assert flaws(check(told, without, rpc=False)) == {Flaw.CONTENT}
        lines = list(copy.deepcopy(told.lines))
        lines[one], lines[other] = lines[other], lines[one]
        assert flaws(check(told, lines, rpc=False)) == {Flaw.CONTENT}
        twice = [*told.lines[: one + 1], told.lines[one], *told.lines[one + 1 :]]
        assert flaws(check(told, twice, rpc=False)) == {Flaw.CONTENT}


async def test_a_version_that_was_skipped_is_found(world: World) -> None:
    def skip(tree: Any) -> None:
        tree["act"]["forms"][0]["version"] = 3

    at = next(at for at in world.told.entries("capture") if '"reason":"A slip' in world.told.lines[at]["text"])
    assert Flaw.VERSION in flaws(check(world.told, rewritten(world.told, at, skip), rpc=False))


async def test_what_is_withheld_is_counted(world: World) -> None:
    at = line_of(world.told, "form")
    report = check(world.told, changed(world.told, at, content=None, salt=None), rpc=False)
    assert report.holds
    assert any("1 versions of forms are withheld" in one for one in report.unknown)


# ---- what was erased


async def test_an_erased_entry_takes_no_other_text(world: World) -> None:
    told = world.told
    erased = [at for at in told.entries() if told.lines[at]["text"] is None]
    assert len(erased) == 3
    for at in erased:
        lines = changed(told, at, text=told.lines[told.first("capture")]["text"])
        assert Flaw.HASH in flaws(check(told, lines, rpc=False))


async def test_nothing_passes_for_erased_where_nobody_was(world: World) -> None:
    for at in world.other.entries():
        if world.other.lines[at]["kind"] != "ENROLMENT":
            lines = [
                one
                for one in changed(world.other, at, text=None)
                if one.get("entry") != world.other.lines[at]["number"]
            ]
            assert Flaw.ORDER in flaws(check(world.other, lines, rpc=False))


async def test_what_is_about_nobody_is_never_erased(world: World) -> None:
    for act in ("site", "delegate", "terms", "open", "lock", "publish", "record-data"):
        lines = changed(world.told, world.told.first(act), text=None)
        assert Flaw.ORDER in flaws(check(world.told, lines, rpc=False))


# ---- the list of arms


async def test_another_list_is_found(world: World) -> None:
    at = line_of(world.told, "allocation")
    assert flaws(check(world.told, changed(world.told, at, seed=NOBODY), rpc=False)) == {Flaw.ALLOCATION}
    without = [one for one in world.told.lines if one["line"] != "allocation"]
    assert any("not opened" in one for one in check(world.told, without, rpc=False).unknown)


async def test_a_list_is_not_opened_before_the_lock(world: World) -> None:
    lines = [*world.other.lines[:-1], world.told.lines[line_of(world.told, "allocation")]]
    assert Flaw.ALLOCATION in flaws(check(world.other, lines, rpc=False))


# ---- anchors, deployment, form


async def test_no_changed_value_of_a_line_is_accepted(world: World) -> None:
    """But for who had the file and when, and what an erased entry is said to be: nothing proves those."""
    told, accepted = world.told, []
    for at in (*range(12), *range(12, len(told.lines) - 2, 4), len(told.lines) - 2):
        line = told.lines[at]
        for name, value in line.items():
            if (name in ("madeAt", "madeBy")) or (name == "kind" and line["text"] is None):
                continue
            lines = changed(told, at, **{name: _spoilt(value)})
            try:
                if check(told, lines, rpc=False).holds and check(told, lines).holds:
                    accepted.append((at, name))
            except (Refused, Unchecked):
                continue
    assert accepted == []


def _spoilt(value: Any) -> Any:
    if isinstance(value, dict):
        return {**value, next(iter(value)): _spoilt(next(iter(value.values())))}
    if isinstance(value, list):
        return [*value[:-1], _spoilt(value[-1])]
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1] != "1" else "2")
    return 7 if value is None else value + 1


@pytest.mark.parametrize("member", ["log", "root", "blockNumber", "transactionHash", "path"])
async def test_a_changed_anchor_is_found(world: World, member: str) -> None:
    at = list(world.told.entries())[3]
    anchor = dict(world.told.lines[at]["anchor"])
    anchor[member] = _spoilt(anchor[member] or [NOBODY])
    assert flaws(check(world.told, changed(world.told, at, anchor=anchor))) == {Flaw.ANCHOR}


@pytest.mark.parametrize("member", ["chainId", "genesis", "gateway", "contracts", "codes"])
async def test_another_deployment_is_none_of_this_chain(world: World, member: str) -> None:
    header = copy.deepcopy(world.told.lines[0])
    header["deployment"][member] = _spoilt(header["deployment"][member])
    lines = [header, *world.told.lines[1:]]
    try:
        assert not check(world.told, lines).holds
    except (Refused, Unchecked):
        return


async def test_the_deployment_that_one_knows_is_compared(world: World) -> None:
    import io

    facts = json.loads(json.dumps(dict(world.study.inside.gateway.deployment_facts)))
    assert check_file(io.BytesIO(world.told.octets), known=facts).holds
    with pytest.raises(Refused, match="another deployment"):
        check_file(io.BytesIO(world.told.octets), known={**facts, "chainId": 1})


@pytest.mark.parametrize(
    "octets", [b"", b"\n", b"{}\n", b"[1]\n", b'{"line":"end","entries":0}\n', b"\xff\n", b"[" * 100_000 + b"\n"]
)
async def test_what_is_no_such_file_is_refused_as_a_whole(world: World, octets: bytes) -> None:
    with pytest.raises(Refused):
        check(world.told, octets, rpc=False)


@pytest.mark.parametrize("text", ["[1,1]", '{"a":1,"a":2}', "NaN", '"\\ud800"', "[" * 100_000, "9" * 5_000, "{"])
async def test_a_line_that_is_none_is_a_fault_and_the_others_are_read(world: World, text: str) -> None:
    at = world.told.first("open")
    octets = b"".join(written((one,), ends=False) for one in world.told.lines[:at])
    octets += text.encode() + b"\n" + b"".join(written((one,), ends=False) for one in world.told.lines[at:-1])
    report = check(world.told, octets, rpc=False)
    assert Flaw.FORM in flaws(report)
    assert report.counts["entries"] == world.told.lines[-1]["entries"]


async def test_an_rpc_that_does_not_answer_gives_no_verdict(world: World) -> None:
    import io

    with pytest.raises(Unchecked):
        check_file(io.BytesIO(world.told.octets), rpc="http://127.0.0.1:9")


async def test_every_kind_of_act_is_in_the_file(world: World) -> None:
    """What is not in it, nothing here tries to forge."""
    from anchoring.verifier.study.acts import FORMS

    told = {act_of(world.told.lines[at]) for at in world.told.entries()}
    assert FORMS.keys() - told == {"describe"}
