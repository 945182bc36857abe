"""The whole run: files first, then the gateway, then one journey for each bundle, then the report.

Exit codes: 0, every step as it must be; 1, not so; 2, the call itself is wrong (a file that holds no FHIR, no key).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.demo import report
from gateway.demo.bundles import Bundle, load_bundle, load_shipped
from gateway.demo.client import Gateway, open_http, shaped
from gateway.demo.journey import Journey, enrol, grant, import_bundle, read_all, revoke
from gateway.demo.looking_up import look_up
from gateway.demo.model import (
    DemoGateway,
    Deployment,
    NotABundleError,
    StepFailedError,
    WrongCallError,
    octets,
)
from gateway.demo.progress import Stages
from gateway.demo.proving import await_anchors, check_all
from gateway.demo.refusals import refuse_after, refuse_stranger
from gateway.demo.roles import assemble
from gateway.demo.rpc import Chain
from gateway.demo.tally import Tally

PIPE_COLUMNS = 120
WELL_KNOWN = "/.well-known/consentry"


@dataclass(slots=True, kw_only=True)
class _Run:
    """What is known so far, so that a report can be written wherever the run ends."""

    gateway: str = ""
    rpc: str | None = None
    deployment: Deployment | None = None
    tallies: list[Tally] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run_demo(
    *,
    bundles: Sequence[Path],
    url: str | None,
    json_file: Path | None,
    registrar_key: str | None,
    rpc_url: str | None,
    start_gateway: Callable[[], AbstractContextManager[DemoGateway]],
) -> int:
    """Does the main job and returns the exit code. `start_gateway` is used where there is no `url`; `registrar_key`
    (hex) and `rpc_url` go with `url`."""
    console = open_console()
    run = _Run()
    try:
        _require_writable(json_file)
        loaded = [load_bundle(path) for path in bundles] if bundles else load_shipped()
        _go(run, loaded, _place(url, registrar_key, rpc_url, start_gateway), console)
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


def _require_writable(path: Path | None) -> None:
    """Better said before the run than after it."""
    try:
        if path is not None:
            path.open("ab").close()
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be written: {error.strerror}") from error


def open_console() -> Console:
    """As wide as the terminal; into a file or a pipe, wide enough for the tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, PIPE_COLUMNS))


def _place(
    url: str | None,
    registrar_key: str | None,
    rpc_url: str | None,
    start_gateway: Callable[[], AbstractContextManager[DemoGateway]],
) -> Callable[[ExitStack], DemoGateway]:
    """How to come by a gateway; nothing is started yet."""
    if url is None:
        return lambda stack: stack.enter_context(start_gateway())
    if registrar_key is None:
        raise WrongCallError("with --url the registrar's key is needed: name its file with --registrar-key")
    given = DemoGateway(url=url, rpc_url=rpc_url, registrar_key=registrar_key)
    return lambda stack: given


def _go(run: _Run, loaded: list[Bundle], place: Callable[[ExitStack], DemoGateway], console: Console) -> None:
    with ExitStack() as stack:
        at = place(stack)
        run.gateway = at.base
        http = stack.enter_context(open_http(at.base))
        gateway = Gateway(at.base, http)
        deployment = _deployment(gateway)
        run.deployment = deployment
        run.rpc = at.rpc_url or deployment.rpc
        if run.rpc is None:
            raise WrongCallError("the gateway names no RPC endpoint of its chain: name one with --rpc")
        chain = Chain(run.rpc)
        _check_deployment(chain, deployment)
        stages = stack.enter_context(Stages(console))
        stages.say(f"gateway {at.base}, chain {deployment.chain_id} at {run.rpc}")
        cast = assemble(gateway, deployment, registrar_key=at.registrar_key)
        for bundle in loaded:
            tally = Tally(bundle=bundle.name, resources=len(bundle.resources), note=bundle.note)
            run.tallies.append(tally)
            _one(
                Journey(
                    gateway=gateway,
                    chain=chain,
                    deployment=deployment,
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


def _deployment(gateway: Gateway) -> Deployment:
    """What the gateway says of its chain."""
    said = shaped(gateway.page(WELL_KNOWN), dict[str, Any])
    contracts = shaped(said.get("contracts"), dict[str, str])
    chain_id, rpc, name = said.get("chainId"), said.get("rpc"), said.get("gateway")
    if (
        type(chain_id) is not int
        or not isinstance(name, str)
        or not {"identity", "consent", "anchor"} <= set(contracts)
    ):
        raise StepFailedError(f"{WELL_KNOWN} is not as it must be")
    return Deployment(
        chain_id=chain_id,
        rpc=rpc if isinstance(rpc, str) else None,
        identity=contracts["identity"].lower(),
        consent=contracts["consent"].lower(),
        anchor=contracts["anchor"].lower(),
        gateway=octets(name),
    )


def _check_deployment(chain: Chain, deployment: Deployment) -> None:
    """The RPC endpoint is of the same chain, and the registries belong together there."""
    if chain.chain_id() != deployment.chain_id:
        raise StepFailedError("the RPC endpoint is of another chain than the gateway's")
    if chain.identity_of(deployment.anchor) != deployment.identity:
        raise StepFailedError("the anchor registry does not stand on the gateway's identity registry")
