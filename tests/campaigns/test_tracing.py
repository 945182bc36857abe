"""B3 in the form that CI runs, and that its judge sees what it must."""

from pathlib import Path

import pytest

from tests.campaigns.catalogue import CATALOGUE
from tests.campaigns.model import Asked
from tests.campaigns.tracing import Judge, trace_writes
from tests.campaigns.verdicts import accept

WRITE = '7 1.0 pwritev2(9</d/blocks/00000000.pack>, [{iov_base="x"..., iov_len=4096}], 1, 56, 0) = 4096'
SYNC = "7 1.1 fdatasync(9</d/blocks/00000000.pack>) = 0"
ANSWER = '7 1.2 sendto(5<socket:[1]>, "HTTP/1.1 200 OK\\r\\n{StoredRecord", 30, 0, NULL, 0) = 30'


@pytest.mark.services
@pytest.mark.timeout(300)
def test_every_acknowledgement_leaves_after_fsync(tmp_path: Path) -> None:
    accept(trace_writes(Asked(rounds=CATALOGUE["B3"].short, seed=0, servers="embedded", folder=tmp_path)))


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([WRITE, SYNC, ANSWER], 0),
        ([WRITE, ANSWER, SYNC], 1),
        ([WRITE, "7 1.1 fdatasync(9</d/blocks/00000000.pack>) = -1 EIO", ANSWER], 1),
        ([WRITE, "7 1.1 fdatasync(9</d/blocks/00000000.pack> <unfinished ...>", ANSWER], 1),
        (['7 0.9 openat(AT_FDCWD</d>, "/d/blocks/00000000.pack", O_RDWR|O_CREAT, 0600) = 9', WRITE, SYNC, ANSWER], 1),
    ],
)
def test_the_judge_of_traces_sees_an_answer_before_its_sync(lines: list[str], faults: int) -> None:
    judge = Judge()
    judge.read(lines)
    assert (judge.acknowledged, len(judge.faults)) == (1, faults)
