"""The nouns of a run: where the gateway is, what a client knows of its deployment, and the two ways to fail."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class DemoError(Exception):
    """Root of what this package raises; the message is for the person at the terminal, without health data."""


class NotABundleError(DemoError):
    """A file that holds no FHIR resources: nothing of the run is started."""


class WrongCallError(DemoError):
    """The run lacks something that only its caller can give: a registrar's key, an RPC endpoint."""


class StepFailedError(DemoError):
    """A step was not as it must be. `problem` is one line for the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGateway:
    """`url`: http(s)://host:port, with or without /graphql. `rpc_url`: the chain's JSON-RPC; None: as the gateway names
    it. `registrar_key`: 32 bytes as hex, with or without 0x."""

    url: str
    rpc_url: str | None
    registrar_key: str = field(repr=False)

    @property
    def base(self) -> str:
        return self.url.rstrip("/").removesuffix("/graphql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """As /.well-known/consentry has it. Contracts are addresses in lower case; `gateway` is its 32-byte name on chain.
    What of it can be checked against the chain is checked."""

    chain_id: int
    rpc: str | None
    identity: str
    consent: str
    anchor: str
    gateway: bytes


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    return urlsplit(url).hostname in LOOPBACK


def octets(text: str) -> bytes:
    """`0x…` -> bytes. Raises StepFailedError."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise StepFailedError("the gateway answers with something that is no hexadecimal") from error
