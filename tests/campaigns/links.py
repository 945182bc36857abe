"""B19 run: a gateway whose links to Kubo, chain, redis and PostgreSQL lead through proxies, and one cell after another.

Each cell has a patient of its own, whose consent stands before the fault. What was acknowledged is asked for again
after it; what was refused is asked again until it is done; and a clinician whose consent was ended reads nothing,
during the fault or after it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.campaigns.cells import Cell, Doing, Part, some
from tests.campaigns.model import Asked, Report, at_most, digest_of, none_of, told
from tests.campaigns.proxy import Proxy
from tests.campaigns.site import running_servers
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Answer, Crowd, Door, Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site

ANSWER_SECONDS = 5.0
RECOVERY_SECONDS = 10.0
HOLD_SECONDS = 0.3
"""How long a link is broken before somebody asks."""


@dataclass(slots=True, kw_only=True)
class Broken:
    """A site behind proxies."""

    site: Site
    proxies: Mapping[Part, Proxy]


@contextmanager
def broken_site(folder: Path, *, seed: int, settings: Mapping[str, str] | None = None) -> Iterator[Broken]:
    """Servers of the campaign's own. The first start goes straight to them; then every link leads through a proxy."""
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers())
        direct = servers.settings()
        names = {Part.KUBO: "IPFS_URL", Part.CHAIN: "CHAIN_URL", Part.REDIS: "REDIS_URL", Part.SQL: "DATABASE_URL"}
        proxies: dict[Part, Proxy] = {}
        through = dict(direct)
        for at, (part, name) in enumerate(names.items()):
            port = urlsplit(direct[name]).port
            assert port is not None
            proxies[part] = stack.enter_context(Proxy(port, seed=seed + at))
            through[name] = direct[name].replace(f":{port}", f":{proxies[part].port}", 1)
        gateway = GatewayProcess(
            folder, {**through, "ANSWER_SECONDS": "4.5", "REQUEST_RATE": "5000", **(settings or {})}
        )
        code, said = run_command("deploy", "--fund", settings=gateway.settings)
        assert code == 0, said
        gateway.start()
        stack.callback(gateway.stop)
        site = Site(gateway=gateway, crowd=Crowd(Door(gateway.base), gateway.registrar_key), servers=servers)
        yield Broken(site=site, proxies=proxies)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What went otherwise than written, and how long things took."""

    other: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    longest: float = 0.0
    recovery: float = 0.0


def break_links(asked: Asked) -> Report:
    """B19: `rounds` cells."""
    began = time.monotonic()
    tally = Tally()
    with broken_site(asked.folder, seed=asked.seed) as broken:
        reader = broken.site.crowd.clinician()
        cells = list(some(asked.rounds))
        set_up = [_set_up(broken, cell, reader) for cell in cells]
        for case in set_up:
            cell = case.cell
            _run(broken, case, reader, tally)
            asked.say(f"{cell.name}: {tally.answers[-1][1] or 'done'}")
    return Report(
        bar="B19",
        asked=asked,
        figures=(
            told("cells", len(cells)),
            none_of("answers other than the cell's outcome", tally.other),
            none_of("reads that no consent permits", tally.open),
            none_of("answers later than 5 s", tally.late),
            at_most("longest answer, s", round(tally.longest, 2), ANSWER_SECONDS),
            none_of("cells not well 10 s after the link's return", tally.slow),
            at_most("longest recovery, s", round(tally.recovery, 2), RECOVERY_SECONDS),
            told("cells whose fault was met by somebody", len(cells) - len(tally.unmet)),
        ),
        plan=digest_of([cell.name for cell in cells]),
        history=digest_of([name for name, _ in tally.answers]),
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell's own patient, and what will be asked during its fault, by whom."""

    cell: Cell
    record: str
    who: Person
    document: str
    given: Mapping[str, Any]


def _set_up(broken: Broken, cell: Cell, reader: Person) -> Case:
    """While all is well: a patient, a record, a consent where the cell needs one, and every draft and signature."""
    patient = broken.site.crowd.patient()
    record = patient.store(observation())
    consent = "" if cell.doing is Doing.GRANT else patient.consent(reader.id)
    document, given = _asking(cell, patient, reader, record, consent)
    who = reader if cell.doing is Doing.READ else patient.person
    return Case(cell=cell, record=record, who=who, document=document, given=given)


def _run(broken: Broken, case: Case, reader: Person, tally: Tally) -> None:
    cell, proxy = case.cell, broken.proxies[case.cell.part]
    if cell.doing is not Doing.GRANT:
        _recover(cell, tally, reader, documents.READ, {"id": case.record})  # every cache is warm
    struck = proxy.struck
    with proxy.broken(cell.fault):
        time.sleep(HOLD_SECONDS)
        answer = _timed(case.who, case.document, case.given, cell, tally)
        tally.answers.append((cell.name, answer.code))
        if answer.code not in cell.allowed:
            tally.other.append(f"{cell.name}: {answer}")
        if cell.doing is Doing.REVOKE and not answer.code:  # a grant in doubt may stand: its patient signed it
            _must_not_read(_timed(reader, documents.READ, {"id": case.record}, cell, tally), cell, tally)
    if proxy.struck == struck:
        tally.unmet.append(cell.name)
    _recover(cell, tally, case.who, case.document, case.given)
    if cell.doing is Doing.REVOKE:
        _must_not_read(reader.ask(documents.READ, {"id": case.record}), cell, tally)


def _asking(cell: Cell, patient: Patient, reader: Person, record: str, consent: str) -> tuple[str, dict[str, Any]]:
    """What is asked during the fault; drafts and signatures are made before it."""
    match cell.doing:
        case Doing.READ:
            return documents.READ, {"id": record}
        case Doing.WRITE:
            asked = {"patientId": patient.id, "resource": observation(value="7"), "idempotencyKey": cell.name}
            return documents.CREATE, {"input": asked}
        case Doing.GRANT:
            typed = patient.draft(reader.id).value["typedData"]
            return documents.GRANT, _signed(patient, typed)
        case Doing.REVOKE:
            return documents.REVOKE, _signed(patient, patient.revocation(consent))


def _signed(patient: Patient, typed: Mapping[str, Any]) -> dict[str, Any]:
    return {"input": {"typedData": typed, "signature": patient.person.wallet.sign_typed_data(typed)}}


def _timed(who: Person, document: str, given: Mapping[str, Any], cell: Cell, tally: Tally) -> Answer:
    began = time.monotonic()
    try:
        answer = who.once(document, given)
    except (httpx.HTTPError, ValueError) as error:
        raise AssertionError(f"{cell.name}: no answer ({type(error).__name__})") from error
    took = time.monotonic() - began
    tally.longest = max(tally.longest, took)
    if took > ANSWER_SECONDS:
        tally.late.append(f"{cell.name}: {took:.1f} s, {answer}")
    return answer


def _must_not_read(answer: Answer, cell: Cell, tally: Tally) -> None:
    if not answer.code:
        tally.open.append(f"{cell.name}: {answer}")


def _recover(cell: Cell, tally: Tally, who: Person, document: str, given: Mapping[str, Any]) -> None:
    """The same is asked until it is done; what is done already is answered alike."""
    began = time.monotonic()
    while (answer := who.once(document, given)).code:
        if time.monotonic() - began > 3 * RECOVERY_SECONDS:
            break
        time.sleep(0.1)
    took = time.monotonic() - began
    tally.recovery = max(tally.recovery, took)
    if answer.code or took > RECOVERY_SECONDS:
        tally.slow.append(f"{cell.name}: {took:.1f} s, {answer}")
