"""Who sees what workers are given: nobody who reaches a port, no disk, no error, no log, no other process."""

import asyncio
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed.utils import get_ip

from gateway.adapters.dask_pool import Certificates, DaskPool
from gateway.adapters.local_pool import LocalPool
from gateway.errors import ConsentryError, SettingsError, UpstreamError
from tests.ports.worker_pools import OFF_DISK, DaskCluster, make_certificates, running_scheduler, running_workers
from tests.ports.worker_tasks import task, work

CANARY = "canary-7b1d"
NOWHERE = Certificates(ca=Path("/nowhere/ca"), certificate=Path("/nowhere/one"), key=Path("/nowhere/key"))


own_address: Any = get_ip
needs_a_network = pytest.mark.skipif(own_address().startswith("127."), reason="no address but loopback")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[DaskCluster]:
    """On loopback, without workers."""
    with running_scheduler() as running:
        yield running


@pytest.mark.parametrize(
    "url", ["tcp://10.0.0.7:8786", "tcp://dask.example:8786", "tcp://[2001:db8::1]:8786", "tcp://0.0.0.0:8786"]
)
def test_a_scheduler_without_tls_is_of_this_machine_alone(url: str) -> None:
    with pytest.raises(SettingsError, match="takes code from anybody: use tls://"):
        DaskPool(url, work=work)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8786", "ws://127.0.0.1:8786", "inproc://1/2", "tcp://me@127.0.0.1:8786", "tls:///x", "tls://dask"],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="tls://HOST:PORT"):
        DaskPool(url, work=work)


def test_tls_without_certificates_is_refused_and_so_are_certificates_without_tls() -> None:
    with pytest.raises(SettingsError, match="needs the files"):
        DaskPool("tls://dask.example:8786", work=work)
    with pytest.raises(SettingsError, match="cannot be read"):
        DaskPool("tls://dask.example:8786", work=work, certificates=NOWHERE)
    with pytest.raises(SettingsError, match="no use with tcp"):
        DaskPool("tcp://127.0.0.1:8786", work=work, certificates=NOWHERE)


@needs_a_network
async def test_a_scheduler_that_others_can_reach_is_refused_though_it_is_named_by_loopback() -> None:
    with running_scheduler(host="0.0.0.0") as reached, pytest.raises(SettingsError, match="takes code from anybody"):
        await DaskPool(reached.url, work=work).open()


@needs_a_network
async def test_a_worker_that_others_can_reach_is_refused_also_when_it_comes_later(scheduler: DaskCluster) -> None:
    pool = DaskPool(scheduler.url, work=work)
    await pool.open()
    with running_workers(scheduler, "--host", "0.0.0.0"):
        for asked in (pool.run(task("upper", "a")), DaskPool(scheduler.url, work=work).open()):
            with pytest.raises(SettingsError, match="takes code from anybody"):
                await asked
    await pool.close()


async def test_without_a_certificate_by_the_clusters_ca_nobody_speaks_to_it(tmp_path: Path) -> None:
    with running_scheduler(tls=True) as cluster:
        of_another = DaskPool(cluster.url, work=work, certificates=make_certificates(tmp_path))
        with_none = DaskPool(cluster.url.replace("tls://", "tcp://"), work=work)
        for pool in (of_another, with_none):
            with pytest.raises(UpstreamError, match="does not answer"):
                await asyncio.wait_for(pool.open(), 30.0)
        member = DaskPool(cluster.url, work=work, certificates=cluster.certificates)
        await member.open()
        await member.close()


async def test_no_scheduler_is_told_with_what_to_do() -> None:
    with pytest.raises(UpstreamError, match=r"does not answer at tcp://127\.0\.0\.1:9: start it \(dask scheduler\)"):
        await DaskPool("tcp://127.0.0.1:9", work=work, open_seconds=0.5).open()


async def test_a_cluster_without_workers_is_told_in_time(scheduler: DaskCluster) -> None:
    pool = DaskPool(scheduler.url, work=work, patience=0.5)
    with pytest.raises(UpstreamError, match=r"no worker: start one \(dask worker\)"):
        await pool.run(task("upper", "a"))
    await pool.close()


@pytest.mark.parametrize("left", [{name: "False"} for name in OFF_DISK])
async def test_a_worker_that_may_write_results_to_its_disk_is_refused(
    scheduler: DaskCluster, left: dict[str, str]
) -> None:
    with (
        running_workers(scheduler, variables=left),
        pytest.raises(SettingsError, match=r"MEMORY__TARGET=False and .*_SPILL=False"),
    ):
        await DaskPool(scheduler.url, work=work).open()


async def test_a_worker_that_may_write_to_its_disk_is_refused_when_it_comes_later(scheduler: DaskCluster) -> None:
    pool = DaskPool(scheduler.url, work=work)
    await pool.open()
    with running_workers(scheduler, variables={}), pytest.raises(SettingsError, match="may write results to its disk"):
        await pool.run(task("upper", "a"))
    await pool.close()


FAILING = [task("stumble", CANARY), task("leave", CANARY), task("die", CANARY), task("upper", "a", CANARY)]


async def _told(pool: LocalPool | DaskPool) -> str:
    """All that the errors of tasks that fail say, and what they were raised from."""
    said = []
    for one in FAILING:
        with pytest.raises(ConsentryError) as error:
            await pool.run(one)
        said += [repr(error.value), *traceback.format_exception(error.value)]
    return "".join(said)


async def test_no_error_and_no_log_quotes_a_task(
    scheduler: DaskCluster, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    local = LocalPool(1, work=work)
    said = await _told(local)
    await local.close()
    with running_workers(scheduler):
        dask = DaskPool(scheduler.url, work=work)
        said += await _told(dask)
        await dask.close()
    assert said.count("UpstreamError") >= 2 * len(FAILING)
    for texts in (said, scheduler.logs(), caplog.text, *capfd.readouterr()):
        assert CANARY not in texts


async def test_a_local_worker_keeps_to_itself_and_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_PASSWORD", "canary")
    pool = LocalPool(1, work=work)
    told = dict(line.split("=") for line in (await pool.run(task("self"))).decode().splitlines())
    await pool.close()
    assert int(told.pop("niceness")) > os.nice(0)
    assert int(told.pop("session")) > os.nice(0)
    assert set(told.pop("environment").split(",")) <= {"PYTHONPATH", "LC_CTYPE"}  # Python sets the latter itself
    assert told == {"core": "0", "dumpable": "0", "output": "/dev/null,/dev/null"}
