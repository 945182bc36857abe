"""The short form's kinds of bad input, some hundred of them (bar B9)."""

from pathlib import Path

from tests.campaigns.model import Asked
from tests.campaigns.nonsense import send_nonsense

ROUNDS = 400


def test_no_nonsense_is_answered_with_what_nobody_foresaw(tmp_path: Path) -> None:
    report = send_nonsense(Asked(rounds=ROUNDS, seed=9, servers="embedded", folder=tmp_path))
    assert [figure for figure in report.figures if not figure.met] == []
