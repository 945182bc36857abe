"""A whole import, and a whole export: what was given is read first, then a gateway is reached, then come the steps.

Exit codes: 0, all of it was done; 1, not so; 2, the call itself is wrong (a folder that holds no study, no key).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from gateway.demo.client import Gateway
from gateway.demo.model import StepFailedError, WrongCallError
from gateway.demo.progress import Stages
from gateway.demo.reaching import (
    Known,
    Place,
    StartGateway,
    choose_place,
    open_console,
    reach,
    require_writable,
)
from gateway.demo.report import where, write_pretty
from gateway.demo.roles import sign_in
from gateway.demo.wallet import Wallet
from gateway.exchange.acts import Acts, registry_of
from gateway.exchange.capturing import Work, capture_all
from gateway.exchange.exporting import export_odm, export_tables
from gateway.exchange.fetching import Reader
from gateway.exchange.folder import read_folder
from gateway.exchange.formats import Format
from gateway.exchange.keys import KeyRing, load_keys, make_keys
from gateway.exchange.model import StudyFolder
from gateway.exchange.people import SPONSOR, AskedTerms, assemble
from gateway.exchange.preparing import prepare, steps
from gateway.exchange.tally import Tally

SHOWN: Final = 12
"""Findings that are told; the report has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is asked for. `key`: the key file; `title`: of the study, else as its definition says."""

    folder: Path
    key: Path
    title: str | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is asked for. `study`: its global id; `out`: the folder for the files."""

    study: str
    format: Format
    out: Path
    key: Path


def run_import(
    asked: Import,
    *,
    url: str | None,
    json_file: Path | None,
    registrar_key: str | None,
    rpc_url: str | None,
    start_gateway: StartGateway,
) -> int:
    """Returns the exit code. As `run_demo` otherwise."""

    def work(known: Known, tally: Tally, console: Console) -> None:
        folder = read_folder(asked.folder, title=asked.title, strict=asked.strict)
        tally.title, tally.subjects, tally.findings = folder.title, len(folder.subjects), folder.findings
        tally.tables = {one.name: len(one.rows) for one in folder.tables}
        tally.notes += folder.notes
        place = choose_place(url, registrar_key, rpc_url, start_gateway)
        _import(known, tally, folder, make_keys(asked.key), place, console, strict=asked.strict)

    return _run(work, json_file)


def run_export(
    asked: Export,
    *,
    url: str | None,
    json_file: Path | None,
    rpc_url: str | None,
    start_gateway: StartGateway,
) -> int:
    """Returns the exit code. As `run_demo` otherwise; no registrar is needed."""

    def work(known: Known, tally: Tally, console: Console) -> None:
        keys = load_keys(asked.key)
        _make_folder(asked.out)
        place = choose_place(url, "", rpc_url, start_gateway)
        _export(known, tally, asked, keys, place, console)

    return _run(work, json_file)


def _run(work: Callable[[Known, Tally, Console], None], json_file: Path | None) -> int:
    console, known, tally = open_console(), Known(), Tally()
    try:
        require_writable(json_file)
        try:
            work(known, tally, console)
            tally.finished = True
        except StepFailedError as error:
            tally.problems.append(str(error))
    except WrongCallError as error:
        console.print(Text(str(error), style="red"))
        return 2
    if json_file is not None:
        write_pretty(json_file, {**tally.to_json(), **where(known.gateway, known.rpc, known.deployment)})
    _show(console, tally)
    return 0 if tally.ok else 1


# ---- in


def _import(
    known: Known, tally: Tally, folder: StudyFolder, keys: KeyRing, place: Place, console: Console, *, strict: bool
) -> None:
    with ExitStack() as stack:
        reached = reach(place, stack, known)
        stages = stack.enter_context(Stages(console))
        stages.say(f"gateway {reached.at.base}, chain {reached.deployment.chain_id} at {known.rpc}")
        for note in folder.notes:
            stages.say(note)
        for found in folder.findings[:SHOWN]:
            stages.say(f"{found.times} times: {found.text}", style="yellow")
        durations = tally.durations
        with stages.stage("signing in", total=0, durations=durations, key="people"):
            registrar = sign_in(reached.gateway, reached.deployment, wallet=Wallet.of_hex(reached.at.registrar_key))
            company = assemble(reached.gateway, reached.deployment, registrar=registrar, keys=keys)
        acts = Acts(reached.gateway, registry_of(reached.gateway, reached.deployment))
        with stages.stage("preparing the study", total=steps(folder), durations=durations, key="prepare") as advance:
            hash = prepare(reached.gateway, acts, company, folder, advance)
        tally.study = acts.id
        if acts.name is None:
            raise StepFailedError("the study has no name")
        if not folder.has_data:
            tally.state = "PLANNED"
            return
        work = Work(
            gateway=reached.gateway,
            deployment=reached.deployment,
            acts=acts,
            company=company,
            keys=keys,
            folder=folder,
            terms=AskedTerms(study=acts.id, name=acts.name, hash=hash, now=int(time.time())),
            tally=tally,
            strict=strict,
        )
        subjects = folder.subjects
        with stages.stage("capturing subjects", total=len(subjects), durations=durations, key="capture") as advance:
            capture_all(work, subjects, advance)
        tally.state = "OPEN"


# ---- out


def _export(known: Known, tally: Tally, asked: Export, keys: KeyRing, place: Place, console: Console) -> None:
    with ExitStack() as stack:
        reached = reach(place, stack, known)
        stages = stack.enter_context(Stages(console))
        gateway: Gateway = reached.gateway
        who = sign_in(gateway, reached.deployment, wallet=keys.role(SPONSOR))
        reader = Reader(gateway, who, asked.study)
        tally.study, tally.title = reader.whole.id, reader.whole.title
        subjects = list(reader.subjects())
        tally.subjects = len(subjects)
        write = export_odm if asked.format is Format.ODM else export_tables
        write(reader, subjects, asked.out, asked.format, stages, tally)


def _make_folder(out: Path) -> None:
    """Its owner's alone. Raises WrongCallError."""
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongCallError(f"{out}: cannot be written: {error.strerror}") from error


# ---- what a person sees


def _show(console: Console, tally: Tally) -> None:
    lines: Sequence[tuple[str, str]] = [
        (f"study {tally.study}: {tally.title}", "") if tally.study else ("no study", ""),
        (f"{tally.subjects} subjects, {tally.forms} forms with {tally.items} values", ""),
        *((f"written: {name}", "") for name in tally.files),
        *((note, "yellow") for note in tally.notes),
        *((f"problem: {problem}", "red") for problem in tally.problems),
        ("Done." if tally.ok else "Not all of it was done.", "bold green" if tally.ok else "bold red"),
    ]
    for line, style in lines:
        console.print(Text(line, style=style))
