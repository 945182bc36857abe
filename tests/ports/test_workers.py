"""One suite for all workers: results, own errors, and what a death costs, which is time."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.adapters.dask_pool import DaskPool
from gateway.adapters.local_pool import LocalPool
from gateway.errors import DeniedError, IntegrityError, UpstreamError
from gateway.ports.workers import TRIES, outcome_of, result_of
from tests.ports.worker_pools import DaskCluster, running_cluster, running_scheduler, running_workers
from tests.ports.worker_tasks import gone, pid_in, task, work
from tests.servers.process import descendants

Pool = LocalPool | DaskPool
SIZE = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture(params=["local", "dask"])
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    if request.param == "local":
        made: Pool = LocalPool(SIZE, work=work)
    else:
        of = request.getfixturevalue("cluster")
        made = DaskPool(of.url, work=work, certificates=of.certificates)
        await made.open()
    yield made
    await made.close()


async def until_exists(path: Path) -> int:
    return await asyncio.to_thread(pid_in, path)


async def test_results_come_back_each_to_its_own_task_in_any_order(pool: Pool) -> None:
    slow = asyncio.ensure_future(pool.run(task("upper", "slow", "0.3")))
    quick = await asyncio.gather(*(pool.run(task("upper", f"n{number}")) for number in range(6)))
    assert quick == [f"N{number}".encode() for number in range(6)]
    assert await slow == b"SLOW"


async def test_as_many_tasks_as_it_says_are_under_way_at_once(pool: Pool, tmp_path: Path) -> None:
    assert pool.size == SIZE
    both = [asyncio.ensure_future(pool.run(task("once", tmp_path / name))) for name in "ab"]
    pids = [await until_exists(tmp_path / name) for name in "ab"]
    assert len({os.getpid(), *pids}) == 3
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert await asyncio.gather(*both) == [b"done", b"done"]


async def test_octets_of_any_kind_and_length_pass(pool: Pool) -> None:
    text = "ß" * 1_000_000
    assert await pool.run(task("upper", text)) == b"S" * 2_000_000


async def test_what_the_work_raises_of_the_products_errors_comes_back_as_it_was(pool: Pool) -> None:
    with pytest.raises(IntegrityError, match=r"^block 17 is not what was anchored$"):
        await pool.run(task("refuse", "IntegrityError", "block 17 is not what was anchored"))
    with pytest.raises(DeniedError) as denied:
        await pool.run(task("refuse", "DeniedError", "revoked"))
    assert denied.value.reason == "revoked"


@pytest.mark.parametrize(("what", "kind"), [("stumble", "ValueError"), ("leave", "SystemExit")])
async def test_what_else_it_raises_is_told_by_kind_and_place_and_not_tried_again(
    pool: Pool, what: str, kind: str
) -> None:
    with pytest.raises(UpstreamError, match=rf"failed: {kind} at .*worker_tasks\.py:\d+$"):
        await pool.run(task(what, "text"))
    assert await pool.run(task("upper", "on")) == b"ON"


async def test_a_worker_that_is_killed_in_the_middle_of_a_task_costs_time_only(pool: Pool, tmp_path: Path) -> None:
    under_way = asyncio.ensure_future(pool.run(task("once", tmp_path / "a", "x" * 1_000_000)))
    others = [asyncio.ensure_future(pool.run(task("upper", f"n{number}"))) for number in range(4)]
    os.kill(await until_exists(tmp_path / "a"), signal.SIGKILL)
    assert await under_way == b"done"
    assert await asyncio.gather(*others) == [b"N0", b"N1", b"N2", b"N3"]


async def test_a_task_that_always_kills_its_worker_fails_and_the_others_do_not(pool: Pool) -> None:
    with pytest.raises(UpstreamError, match="workers, and each died"):
        await pool.run(task("die"))
    assert await asyncio.gather(*(pool.run(task("upper", text)) for text in "abc")) == [b"A", b"B", b"C"]


async def test_closing_fails_what_is_under_way_and_what_comes_later(pool: Pool, tmp_path: Path) -> None:
    hanging = [asyncio.ensure_future(pool.run(task("once", tmp_path / str(number)))) for number in range(SIZE + 1)]
    await until_exists(tmp_path / "0")
    started = time.monotonic()
    await pool.close()
    ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert time.monotonic() - started < 5.0
    assert [(type(error), str(error)) for error in ended] == [(UpstreamError, "the workers are closed")] * (SIZE + 1)
    with pytest.raises(UpstreamError, match="closed"):
        await pool.run(task("upper", "late"))
    pids = [int(path.read_text()) for path in tmp_path.iterdir() if not path.suffix]
    if isinstance(pool, DaskPool):
        for pid in pids:  # go on with what nobody waits for; the next test wants them
            os.kill(pid, signal.SIGKILL)
    gone(*pids)


async def test_a_local_task_that_is_given_up_ends_at_once(tmp_path: Path) -> None:
    pool = LocalPool(1, work=work)
    given_up = asyncio.ensure_future(pool.run(task("hang", tmp_path / "a")))
    pid = await until_exists(tmp_path / "a")
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await pool.run(task("upper", "next")) == b"NEXT"
    gone(pid)
    await pool.close()


async def test_whoever_waits_behind_a_local_task_that_kills_its_workers_loses_no_try_by_it() -> None:
    pool = LocalPool(1, work=work)
    for _ in range(TRIES):  # more often than one may be given to workers that die
        deadly, waiting = (asyncio.ensure_future(pool.run(one)) for one in (task("die"), task("upper", "on")))
        assert await waiting == b"ON"
        with pytest.raises(UpstreamError, match="workers, and each died"):
            await deadly
    await pool.close()


async def test_a_local_worker_that_died_idle_is_not_missed_by_many_large_tasks_at_once() -> None:
    pool = LocalPool(1, work=work)
    large = "x" * 5_000_000
    for _ in range(5):
        os.kill(int(await pool.run(task("pid"))), signal.SIGKILL)
        both = await asyncio.gather(pool.run(task("upper", large)), pool.run(task("upper", large)))
        assert both == [large.upper().encode()] * 2
    await pool.close()


async def test_no_moment_of_a_death_or_of_giving_up_holds_up_a_local_pool() -> None:
    pool = LocalPool(1, work=work)
    large = task("zeros", "40000000")  # arrives for some hundredths of a second
    for number in range(8):
        pid = int(await pool.run(task("pid")))
        under_way = asyncio.ensure_future(pool.run(large))
        await asyncio.sleep(number * 0.01)
        if number % 2:
            under_way.cancel()
            continue
        os.kill(pid, signal.SIGKILL)
        assert len(await under_way) == 40_000_000
    await asyncio.wait_for(pool.close(), 10.0)


async def test_local_workers_begin_with_the_first_task_and_end_when_there_is_none() -> None:
    pool = LocalPool(SIZE, work=work, idle_seconds=0.2)
    before = descendants(os.getpid())
    assert (pool.size, descendants(os.getpid())) == (SIZE, before)
    first = int(await pool.run(task("pid")))
    assert first in descendants(os.getpid())
    await asyncio.to_thread(gone, first)
    assert int(await pool.run(task("pid"))) != first
    await pool.close()


async def test_a_local_worker_serves_one_task_after_the_other() -> None:
    pool = LocalPool(SIZE, work=work)
    assert len({await pool.run(task("pid")) for _ in range(3)}) == 1
    await pool.close()


async def test_a_local_task_that_kills_its_workers_costs_another_that_is_under_way_nothing(tmp_path: Path) -> None:
    pool = LocalPool(SIZE, work=work)
    hanging = asyncio.ensure_future(pool.run(task("hang", tmp_path / "a")))
    pid = await until_exists(tmp_path / "a")
    with pytest.raises(UpstreamError):
        await pool.run(task("die"))
    assert pid in descendants(os.getpid())
    assert not hanging.done()
    await pool.close()
    await asyncio.gather(hanging, return_exceptions=True)


PARENT = """
import asyncio, sys
from gateway.adapters.local_pool import LocalPool
from tests.ports.worker_tasks import task, work

async def main():
    pool = LocalPool(2, work=work)
    await asyncio.gather(pool.run(task("hang", sys.argv[1])), pool.run(task("hang", sys.argv[2])))

asyncio.run(main())
"""


def test_no_worker_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    busy = [tmp_path / name for name in "ab"]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *map(str, busy)], cwd=Path(__file__).parents[2])
    pids = [pid_in(path) for path in busy]
    below = descendants(parent.pid)
    assert set(pids) <= set(below)
    parent.kill()
    parent.wait()
    gone(*below)


def test_an_outcome_of_another_version_is_no_result() -> None:
    assert result_of(outcome_of(bytes.upper, b"a")) == b"A"
    for octets in (b"", b"\x02result", b"\x01", b"\x01\x93"):
        with pytest.raises(UpstreamError, match="version"):
            result_of(octets)


async def test_a_scheduler_that_is_lost_fails_what_it_had_and_is_found_again() -> None:
    with running_scheduler(tls=True) as scheduler:
        pool = DaskPool(scheduler.url, work=work, certificates=scheduler.certificates)
        await pool.open()
        waiting = asyncio.ensure_future(pool.run(task("upper", "a")))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(scheduler.process.kill)
        with pytest.raises(UpstreamError, match="scheduler is gone"):
            await waiting
        await asyncio.to_thread(scheduler.process.start)
        with running_workers(scheduler):
            assert await pool.run(task("upper", "a")) == b"A"
        await pool.close()
