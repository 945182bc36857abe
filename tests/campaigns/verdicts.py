"""A campaign's report as a test judges it: every figure that is not met is named, with its seed."""

from tests.campaigns.model import Report


def accept(report: Report) -> None:
    """AssertionError naming each unmet figure and how to replay it."""
    asked = report.asked
    unmet = [f"{one.name}: {one.value}, {one.examples}" for one in report.figures if not one.met]
    again = f"python -m tests.campaigns {report.bar} --rounds {asked.rounds} --seed {asked.seed}"
    assert report.met, f"{again} --servers {asked.servers}: {unmet}"
