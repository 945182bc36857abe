"""A Dask cluster of processes on loopback, for the workers' tests."""

import datetime
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.adapters.dask_pool import Certificates
from tests.servers.process import ServerProcess, free_port

_REPOSITORY = Path(__file__).resolve().parents[2]
OFF_DISK = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{name}": "False" for name in ("TARGET", "SPILL")}
_REGISTERED = "Registered to:"
DEATHS = 2
"""The scheduler's bound: a task may kill so many workers and one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskCluster:
    """`url` as a pool takes it; `process` is the scheduler's; the logs lie in `folder`."""

    url: str
    certificates: Certificates | None
    process: ServerProcess
    folder: Path

    def logs(self) -> str:
        return "".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log")))


@contextmanager
def running_scheduler(*, tls: bool = False, host: str = "127.0.0.1") -> Iterator[DaskCluster]:
    """A scheduler alone."""
    with tempfile.TemporaryDirectory(prefix="consentry-dask-") as scratch:
        folder, port = Path(scratch), free_port()
        certificates = make_certificates(folder) if tls else None
        scheme = "tls" if tls else "tcp"
        process = ServerProcess(
            (*_dask("scheduler"), "--host", host, "--port", str(port), "--protocol", scheme, *_files(certificates)),
            log=folder / "scheduler.log",
            answers=lambda: _answers(port),
            env=_environment(folder),
        )
        url = f"{scheme}://127.0.0.1:{port}"
        with _served(process):
            yield DaskCluster(url=url, certificates=certificates, process=process, folder=folder)


@contextmanager
def running_workers(
    cluster: DaskCluster, *words: str, number: int = 1, variables: Mapping[str, str] = OFF_DISK
) -> Iterator[ServerProcess]:
    """Workers of one thread each under one nanny process, which starts another for one that dies."""
    log = cluster.folder / "workers.log"
    before = log.read_text().count(_REGISTERED) if log.exists() else 0
    alone = ("--host", "127.0.0.1", "--nthreads", "1", "--nworkers", str(number))
    process = ServerProcess(
        (*_dask("worker"), cluster.url, *alone, *_files(cluster.certificates), *words),
        log=log,
        answers=lambda: log.read_text().count(_REGISTERED) >= before + number,
        env={**_environment(cluster.folder), **variables},
    )
    with _served(process):
        yield process


@contextmanager
def running_cluster() -> Iterator[DaskCluster]:
    """As a site should have it: with TLS, two workers, nothing kept on a disk."""
    with running_scheduler(tls=True) as cluster, running_workers(cluster, number=2):
        yield cluster


@contextmanager
def _served(process: ServerProcess) -> Iterator[None]:
    try:
        process.start()
        yield
    finally:
        process.stop()


def _dask(what: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "dask", what, "--no-dashboard", "--dashboard-address", "127.0.0.1:0")


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(_REPOSITORY),
        "DASK_CONFIG": str(folder),
        "DASK_TEMPORARY_DIRECTORY": str(folder),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(DEATHS),
    }


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2.0):
        return True


def _files(certificates: Certificates | None) -> tuple[str, ...]:
    if certificates is None:
        return ()
    ca, certificate, key = map(str, (certificates.ca, certificates.certificate, certificates.key))
    return ("--tls-ca-file", ca, "--tls-cert", certificate, "--tls-key", key)


def make_certificates(folder: Path) -> Certificates:
    """Of a CA that is used once."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    made = Certificates(ca=folder / "ca.pem", certificate=folder / "one.pem", key=folder / "one.key")
    made.ca.write_bytes(_certificate("ca", ca_key, by=ca_key))
    made.certificate.write_bytes(_certificate("one", key, by=ca_key))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, *, by: ec.EllipticCurvePrivateKey) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=key is by, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
