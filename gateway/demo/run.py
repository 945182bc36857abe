"""The whole run: files first, then the gateway, then one journey for each bundle, then the report.

Exit codes: 0, every step as it must be; 1, not so; 2, the call itself is wrong (a file that holds no FHIR, no key).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gateway.demo import report
from gateway.demo.bundles import Bundle, load_bundle, load_shipped
from gateway.demo.journey import Journey, enrol, grant, import_bundle, read_all, revoke
from gateway.demo.looking_up import look_up
from gateway.demo.model import NotABundleError, StepFailedError, WrongCallError
from gateway.demo.progress import Stages
from gateway.demo.proving import await_anchors, check_all
from gateway.demo.reaching import Known, Place, StartGateway, choose_place, open_console, reach, require_writable
from gateway.demo.refusals import refuse_after, refuse_stranger
from gateway.demo.roles import assemble
from gateway.demo.tally import Tally


@dataclass(slots=True, kw_only=True)
class _Run(Known):
    """Of all bundles."""

    tallies: list[Tally] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run_demo(
    *,
    bundles: Sequence[Path],
    url: str | None,
    json_file: Path | None,
    registrar_key: str | None,
    rpc_url: str | None,
    start_gateway: StartGateway,
) -> int:
    """Does the main job and returns the exit code. `start_gateway` is used where there is no `url`; `registrar_key`
    (hex) and `rpc_url` go with `url`."""
    console = open_console()
    run = _Run()
    try:
        require_writable(json_file)
        loaded = [load_bundle(path) for path in bundles] if bundles else load_shipped()
        _go(run, loaded, choose_place(url, registrar_key, rpc_url, start_gateway), console)
    except (NotABundleError, WrongCallError) as error:
        console.print(Text(str(error), style="red"))
        return 2
    except StepFailedError as error:
        run.problems.append(str(error))
    if json_file is not None:
        report.write_json(
            json_file, run.tallies, run.problems, gateway=run.gateway, rpc=run.rpc, deployment=run.deployment
        )
    report.show(console, run.tallies, run.problems)
    return 0 if report.is_ok(run.tallies, run.problems) else 1


def _go(run: _Run, loaded: list[Bundle], place: Place, console: Console) -> None:
    with ExitStack() as stack:
        reached = reach(place, stack, run)
        stages = stack.enter_context(Stages(console))
        stages.say(f"gateway {reached.at.base}, chain {reached.deployment.chain_id} at {run.rpc}")
        cast = assemble(reached.gateway, reached.deployment, registrar_key=reached.at.registrar_key)
        for bundle in loaded:
            tally = Tally(bundle=bundle.name, resources=len(bundle.resources), note=bundle.note)
            run.tallies.append(tally)
            _one(
                Journey(
                    gateway=reached.gateway,
                    chain=reached.chain,
                    deployment=reached.deployment,
                    cast=cast,
                    bundle=bundle,
                    tally=tally,
                    stages=stages,
                )
            )


def _one(journey: Journey) -> None:
    """One bundle; what stops it is its own problem, and the next bundle goes on."""
    tally, say = journey.tally, journey.stages.say
    if tally.note:
        say(f"{tally.title}: {tally.note}")
    try:
        if journey.bundle.resources:
            _steps(journey)
        tally.finished = True
    except StepFailedError as error:
        tally.fail(str(error))
    if tally.last_rows:
        journey.stages.show(report.log_table(tally))
    seconds = sum(tally.durations.values())
    say(
        f"{tally.title}: {tally.resources} resources, {'all as it must be' if tally.ok else 'NOT as it must be'}, "
        f"{seconds:.1f} s",
        style="green" if tally.ok else "red",
    )


def _steps(journey: Journey) -> None:
    patient = enrol(journey)
    stored = import_bundle(journey, patient)
    consent = grant(journey, patient)
    journey.stages.say(f"{journey.tally.title}: the patient signed: {journey.tally.statement}")
    records = read_all(journey, patient, stored)
    refuse_stranger(journey, patient, stored)
    proofs = await_anchors(journey, patient, records)
    check_all(journey, patient, records, proofs, consent=consent)
    returned = revoke(journey, patient, consent)
    refuse_after(journey, patient, stored, returned=returned)
    look_up(journey, patient, stored)
