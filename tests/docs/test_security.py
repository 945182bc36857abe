"""SECURITY.md names tests: each is there, each threat has its row, and each promise names its proof."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)", TEXT)))


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name in functions_of(file)


def test_each_threat_has_its_row() -> None:
    rows = [row.split("|")[1] for row in TEXT.splitlines() if row.startswith("|")]
    numbers = {int(number) for cell in rows for number in re.findall(r"\d+", cell) if "B" not in cell}
    assert numbers == set(range(1, 36))


def test_each_promise_names_its_proof() -> None:
    section = TEXT.partition("## What is promised")[2].partition("\n## ")[0]
    promises = [line for line in section.splitlines() if line.startswith("- ")]
    assert len(promises) >= 9
    assert [line for line in promises if "`tests/" not in line] == []
