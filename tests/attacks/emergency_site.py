"""What break-glass's attackers have: the database's rows, the embedded chain's process, and keys on chain."""

import os
import signal
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

import psutil
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway import eip712
from gateway.adapters.sql.urls import sqlite_path
from gateway.demo.wallet import Wallet
from tests.journeys.people import Person
from tests.journeys.sites import Site
from tests.journeys.wallets import send

TABLES = ("emergencies", "emergency_tokens", "emergency_steps")


@dataclass(frozen=True, slots=True)
class Rows:
    """SQL write access to an embedded gateway's index. Tables and columns are the test's own words."""

    url: str

    def _run(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        path = sqlite_path(self.url)
        assert path is not None
        with closing(sqlite3.connect(path, timeout=10)) as database:
            found: list[tuple[object, ...]] = database.execute(sql, values).fetchall()
            database.commit()
        return found

    def change(self, table: str, column: str, value: object, key: str, name: object) -> None:
        self._run(f"update {table} set {column} = ? where {key} = ?", value, name)

    def delete(self, table: str, key: str, name: object) -> None:
        self._run(f"delete from {table} where {key} = ?", name)

    def value(self, table: str, column: str, key: str, name: object) -> object:
        return self._run(f"select {column} from {table} where {key} = ?", name)[0][0]

    def swap_tokens(self, one: bytes, other: bytes) -> None:
        """Each of two emergencies is found by the other's tokens."""
        between = bytes(32)
        for before, after in ((one, between), (other, one), (between, other)):
            self.change("emergency_tokens", "emergency", after, "emergency", before)

    def all_of(self, emergency: bytes) -> list[object]:
        """Every value that any table has of one emergency."""
        found: list[object] = []
        for table in TABLES:
            for row in self._run(f"select * from {table} where emergency = ?", emergency):
                found += row
        call = self.value("emergencies", "call", "emergency", emergency)
        decision = self.value("emergencies", "decision", "emergency", emergency)
        for sent in self._run("select * from calls where call = ?", call):
            found += sent
        found += self._run("select * from entries where decision = ?", decision)[0]
        return found

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """(emergency, decision) of each."""
        return [
            (name, decision)
            for name, decision in self._run("select emergency, decision from emergencies")
            if isinstance(name, bytes) and isinstance(decision, bytes)
        ]

    def count_calls(self, names: Mapping[str, bytes] | Iterable[str]) -> int:
        """How many of those emergencies are on their way to the chain."""
        sql = "select count(*) from calls c join emergencies e on e.call = c.call where e.emergency = ?"
        return sum(int(str(self._run(sql, bytes.fromhex(name[2:]))[0][0])) for name in names)


@dataclass(frozen=True, slots=True)
class ChainProcess:
    """The embedded chain of one gateway."""

    pid: int

    def suspend(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def chain_process(site: Site) -> ChainProcess:
    """The child of the gateway that is its chain."""
    gateway = psutil.Process(site.gateway.process.pid)
    (found,) = [
        child for child in gateway.children(recursive=True) if "anchoring.chain.embedded" in " ".join(child.cmdline())
    ]
    return ChainProcess(found.pid)


def rotate_key(site: Site, person: Person) -> None:
    """On chain, past the gateway: the session's key is the actor's no more."""
    fresh, facts = Wallet.new(), site.gateway.facts()
    full = eip712.typed_data(
        "KeyRotation",
        {"KeyRotation": (("actor", "bytes32"), ("key", "bytes"), ("epoch", "uint64"))},
        {"actor": person.actor, "key": fresh.signer, "epoch": 0},
        eip712.domain(chain_id=facts["chainId"], contract=facts["contracts"]["identity"]),
    )
    signatures = [bytes.fromhex(wallet.sign_typed_data(full)[2:]) for wallet in (person.wallet, fresh)]
    data = keccak(b"rotateKey(bytes32,bytes,bytes,bytes)")[:4] + encode(
        ["bytes32", "bytes", "bytes", "bytes"],
        [bytes.fromhex(person.actor[2:]), bytes.fromhex(fresh.signer[2:]), *signatures],
    )
    receipt = send(site.gateway.rpc, person.wallet._account, to=facts["contracts"]["identity"], data=data)
    assert int(receipt["status"], 16) == 1
