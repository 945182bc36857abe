"""Rows of tables while subjects are read: in order in the end, each once, and nothing left behind."""

import stat
from pathlib import Path

import pytest

from gateway.demo.model import StepFailedError
from gateway.exchange.spooling import Spool
from gateway.trials.tabulation.model import Missing, StoredVariable, Table, Variable
from tests.unit.gateway.trials.tabulation.studies import number, table, text


def _table() -> Table:
    plain = number()
    stored = Variable(name=plain.name, label="", type=plain.type, stored=StoredVariable(width=8, number=1))
    return table(text("USUBJID"), stored)


def test_rows_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    with Spool(tmp_path, {"AE": _table()}) as spool:
        for at, cell in ((2, 2.5), (0, None), (7, Missing.A), (1, -0.0)):
            spool.add("AE", at, (f"S{at}", cell))
        rows = spool.rows("AE")
    assert rows == [("S0", None), ("S1", -0.0), ("S2", 2.5), ("S7", Missing.A)]
    assert str(rows[1][1]) == "-0.0"


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with Spool(tmp_path, {"AE": _table()}) as spool:
        spool.add("AE", 0, ("S", 1.0))
        spool.add("AE", 0, ("S", 2.0))
        with pytest.raises(StepFailedError, match="the table AE has a row that is there twice"):
            spool.rows("AE")


def test_nothing_is_left_behind_whichever_way_it_ends(tmp_path: Path) -> None:
    def broken() -> None:
        with Spool(tmp_path, {"AE": _table()}) as spool:
            spool.add("AE", 0, ("S", 1.0))
            (folder,) = tmp_path.iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            raise StepFailedError("broken off")

    with pytest.raises(StepFailedError):
        broken()
    assert list(tmp_path.iterdir()) == []
