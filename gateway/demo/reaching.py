"""Reaching a gateway and its chain: one that was named, or one that is started for the run. What it says of its chain
is checked there before anything is done."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.demo.client import Gateway, open_http, shaped
from gateway.demo.model import DemoGateway, Deployment, StepFailedError, WrongCallError, octets
from gateway.demo.rpc import Chain

PIPE_COLUMNS = 120
WELL_KNOWN = "/.well-known/consentry"
Place = Callable[[ExitStack], DemoGateway]
StartGateway = Callable[[], AbstractContextManager[DemoGateway]]


@dataclass(slots=True, kw_only=True)
class Known:
    """What is known so far, so that a report can be written wherever the run ends. `gateway`: its URL."""

    gateway: str = ""
    rpc: str | None = None
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A gateway that answers, of a chain that agrees with what it says."""

    at: DemoGateway
    gateway: Gateway
    chain: Chain
    deployment: Deployment


def open_console() -> Console:
    """As wide as the terminal; into a file or a pipe, wide enough for the tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, PIPE_COLUMNS))


def require_writable(path: Path | None) -> None:
    """Better said before the run than after it. Raises WrongCallError."""
    try:
        if path is not None:
            path.open("ab").close()
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be written: {error.strerror}") from error


def choose_place(url: str | None, registrar_key: str | None, rpc_url: str | None, start_gateway: StartGateway) -> Place:
    """How to come by a gateway; nothing is started yet. Raises WrongCallError."""
    if url is None:
        return lambda stack: stack.enter_context(start_gateway())
    if registrar_key is None:
        raise WrongCallError("with --url the registrar's key is needed: name its file with --registrar-key")
    given = DemoGateway(url=url, rpc_url=rpc_url, registrar_key=registrar_key)
    return lambda stack: given


def reach(place: Place, stack: ExitStack, known: Known) -> Reached:
    """Starts the gateway where that is how to come by it. Raises WrongCallError, StepFailedError."""
    at = place(stack)
    known.gateway = at.base
    gateway = Gateway(at.base, stack.enter_context(open_http(at.base)))
    known.deployment = deployment = deployment_of(gateway)
    known.rpc = at.rpc_url or deployment.rpc
    if known.rpc is None:
        raise WrongCallError("the gateway names no RPC endpoint of its chain: name one with --rpc")
    chain = Chain(known.rpc)
    _check_deployment(chain, deployment)
    return Reached(at=at, gateway=gateway, chain=chain, deployment=deployment)


def deployment_of(gateway: Gateway) -> Deployment:
    """What the gateway says of its chain. Raises StepFailedError."""
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
