"""The whole road: files first, then the gateway, then its steps one after the other, then the report.

Exit codes: 0, every step as it must be; 1, not so; 2, the call itself is wrong (a file that holds no FHIR, a view that
is refused, a folder that cannot be written, no key).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gateway.demo.datasets import report
from gateway.demo.datasets.cases import Cases, load_cases
from gateway.demo.datasets.cohort import Participant, consenting, gather
from gateway.demo.datasets.deciding import Asked, ask, await_edition, decide, look, paper_text, save_report
from gateway.demo.datasets.leaving import check_withdrawal, refuse_stranger, tell_patients, withdraw
from gateway.demo.datasets.papers import ANEW, OVER, RELEASED, check_papers
from gateway.demo.datasets.receiving import Edition, receive
from gateway.demo.datasets.tally import Tally
from gateway.demo.datasets.walk import Company, Walk, assemble
from gateway.demo.datasets.wish import TITLE, Wish, make_wish
from gateway.demo.model import NotABundleError, StepFailedError, WrongCallError
from gateway.demo.progress import Stages
from gateway.demo.reaching import Known, Place, StartGateway, choose_place, open_console, reach, require_writable


def run_demo_dataset(
    *,
    sources: Sequence[Path],
    views: Sequence[Path],
    profile: Path | None,
    out: Path,
    url: str | None,
    json_file: Path | None,
    registrar_key: str | None,
    rpc_url: str | None,
    start_gateway: StartGateway,
) -> int:
    """Walks the road and returns the exit code. `start_gateway` is used where there is no `url`; `registrar_key` (hex)
    and `rpc_url` go with `url`."""
    console, known = open_console(), Known()
    try:
        cases = load_cases(sources)
        total = len(cases.bundles)
        wish = make_wish(views, profile, consenting=consenting(total))
        place = choose_place(url, registrar_key, rpc_url, start_gateway)
        require_writable(json_file)
        _make_folder(out)
        resources = sum(len(bundle.resources) for bundle in cases.bundles)
        tally = Tally(title=TITLE, patients=total, resources=resources, warning=wish.warning)
        try:
            _go(known, tally, cases, wish, place, console, out)
            tally.finished = True
        except StepFailedError as error:
            tally.fail(str(error))
    except (NotABundleError, WrongCallError) as error:
        console.print(Text(str(error), style="red"))
        return 2
    if json_file is not None:
        report.write_json(json_file, tally, known)
    report.show(console, tally, out)
    return 0 if tally.ok else 1


def _make_folder(out: Path) -> None:
    """The recipient's alone, and there before anything is done. Raises WrongCallError."""
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.open("ab").close()
        probe.unlink()
    except OSError as error:
        raise WrongCallError(f"{out}: cannot be written: {error.strerror}") from error


def _go(known: Known, tally: Tally, cases: Cases, wish: Wish, place: Place, console: Console, out: Path) -> None:
    with ExitStack() as stack:
        reached = reach(place, stack, known)
        stages = stack.enter_context(Stages(console))
        stages.say(f"gateway {reached.at.base}, chain {reached.deployment.chain_id} at {known.rpc}")
        for note in cases.notes:
            stages.say(note)
        if wish.warning:
            stages.say(f"WARNING: {wish.warning}", style="bold yellow")
        walk = Walk(
            gateway=reached.gateway,
            chain=reached.chain,
            deployment=reached.deployment,
            out=out,
            tally=tally,
            stages=stages,
        )
        _steps(walk, assemble(walk, reached), cases, wish)


def _steps(walk: Walk, company: Company, cases: Cases, wish: Wish) -> None:
    asked = ask(walk, company, wish)
    participants = gather(walk, company, cases.bundles)
    decided = decide(walk, company, asked, wish)
    built = await_edition(walk, company, asked, edition=1, name="build")
    if built.state != "RELEASED":
        _say_failed(walk, company, asked)
    first = _received(walk, company, asked, name="open")
    check_papers(walk, company, asked, decided, kinds=RELEASED, name="papers")
    refuse_stranger(walk, company, asked, built)
    tell_patients(walk, asked, participants)
    leaving: Participant = participants[0]
    withdraw(walk, company, asked, leaving)
    anew = await_edition(walk, company, asked, edition=2, name="rebuild")
    is_over = anew.state != "RELEASED"
    if is_over:
        why = "nobody is left, or too few"
        walk.stages.say(f"without who withdrew the dataset is {anew.state}: {why}", style="yellow")
    second = None if is_over else _received(walk, company, asked, name="openAgain")
    told = check_papers(walk, company, asked, decided, kinds=OVER if is_over else ANEW, name="papersAgain")
    check_withdrawal(walk, asked, leaving, told, first=first, second=second)


def _received(walk: Walk, company: Company, asked: Asked, *, name: str) -> Edition:
    """The newest edition, and the steward's report on it."""
    edition = receive(walk, company, asked, name=name)
    save_report(walk, company, asked)
    return edition


def _say_failed(walk: Walk, company: Company, asked: Asked) -> None:
    """Raises StepFailedError in any case: with the measures below their bar, or the steward's word why."""
    seen = look(walk, asked, company.steward)
    if not seen.failed:
        reason = paper_text(seen.last("END")).get("reason") if seen.state == "FAILED" else ""
        raise StepFailedError(f"the dataset is {seen.state}: {reason or 'nobody says why'}")
    save_report(walk, company, asked)
    raise StepFailedError(
        f"the dataset is {seen.state}, below its bar in {', '.join(seen.failed)}: see {walk.out / 'report.html'}"
    )
