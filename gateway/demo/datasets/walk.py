"""The road's company and its steps: what every step needs, and what is noted of each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.client import Gateway
from gateway.demo.datasets.tally import Step, Tally
from gateway.demo.model import Deployment
from gateway.demo.opening_files import EncryptionKey
from gateway.demo.progress import Advance, Stages
from gateway.demo.reaching import Reached
from gateway.demo.roles import Person, register, sign_in
from gateway.demo.rpc import Chain
from gateway.demo.wallet import Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`out`: the folder for what was opened."""

    gateway: Gateway
    chain: Chain
    deployment: Deployment
    out: Path
    tally: Tally
    stages: Stages

    @contextmanager
    def step(self, name: str, words: str, *, total: int = 0) -> Iterator[Advance]:
        """Noted with its seconds, and as not as it must be where a problem came up in it, or ended it."""
        before, started, ended = self.tally.problem_count, time.perf_counter(), False
        try:
            with self.stages.stage(words, total=total, durations=self.tally.durations, key=name) as advance:
                yield advance
            ended = True
        finally:
            good = ended and self.tally.problem_count == before
            self.tally.steps.append(Step(name=name, ok=good, seconds=time.perf_counter() - started))


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`key`: the researcher's, to which files are sealed. `stranger`: another researcher."""

    registrar: Person
    researcher: Person
    key: EncryptionKey
    steward: Person
    stranger: Person


def assemble(walk: Walk, reached: Reached) -> Company:
    """Signs the registrar in and registers the rest. Raises WrongCallError, StepFailedError."""
    with walk.step("register", "registering a researcher, a data steward and a stranger"):
        gateway, deployment = walk.gateway, walk.deployment
        registrar = sign_in(gateway, deployment, wallet=Wallet.of_hex(reached.at.registrar_key))
        key = EncryptionKey.new()

        def person(role: str, name: str, *, encryption_key: bytes | None = None) -> Person:
            return register(
                gateway, deployment, registrar=registrar, role=role, name=name, encryption_key=encryption_key
            )

        return Company(
            registrar=registrar,
            researcher=person("RESEARCHER", "Dr. Demo Researcher", encryption_key=key.public),
            key=key,
            steward=person("DATA_STEWARD", "Demo Data Steward"),
            stranger=person("RESEARCHER", "Dr. Demo Stranger"),
        )
