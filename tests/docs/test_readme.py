"""What README.md shows is run, and what it lists is what the program says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.records.explaining import DECISIONS_CEILING
from gateway.records.pages import ORDERED_CEILING
from gateway.underway import MOST_PARTS, MOST_RECORDS
from gateway.web.bodies import SHORT
from gateway.web.graphql import BODIES_TOGETHER
from gateway.web.options import WebOptions
from schema.context import MOST_FOLLOWED, MOST_FORMS, MOST_REFERENCES
from schema.gates import PAGE_CEILING
from schema.limits import Limits
from tests.docs import readme
from tests.journeys.sites import Site, running_site

_CHANGING = re.compile(r"0x[0-9a-f]{6,}…?|bafk[a-z2-7]+|\d{4}-\d\d-\d\dT[\d:]+Z|\b\d{1,4}$", re.I)
_NAMES_A_TARGET = re.compile(r"^make ([a-z ]+?)(?: ARGS=\S+)?(?: +#.*)?$", re.M)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway as `make run` starts it."""
    with running_site(tmp_path_factory.mktemp("readme")) as running:
        yield running


@pytest.fixture(scope="module")
def printed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the README's Python prints, line by line, run as it stands but for the port."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "consentry-data").mkdir()
    (folder / "consentry-data" / "registrar.key").write_text(site.gateway.registrar_key)
    program = "\n".join(readme.blocks("python")).replace("http://127.0.0.1:8000", site.gateway.base)
    (folder / "first.py").write_text(program)
    run = subprocess.run(
        [sys.executable, "first.py"], cwd=folder, capture_output=True, text=True, timeout=150, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def same_each_time(value: object) -> object:
    """The value with what differs from run to run (names, digests, times, block numbers) made alike."""
    if isinstance(value, dict):
        return {name: same_each_time(part) for name, part in value.items() if name not in ("asOfBlock", "blockNumber")}
    if isinstance(value, list):
        return [same_each_time(part) for part in value]
    return _CHANGING.sub("…", value) if isinstance(value, str) else value


def test_the_answer_is_the_one_that_is_shown(printed: list[str]) -> None:
    shown = json.loads("\n".join(readme.blocks("text")[0].splitlines()[1:-1]))
    answer = json.loads("\n".join(printed[1:-4]))
    for one in (shown, answer):
        one["anchor"]["status"] = {"ANCHORED": "FINAL"}.get(one["anchor"]["status"], one["anchor"]["status"])
    assert same_each_time(answer) == same_each_time(shown)


def test_the_statement_is_the_one_that_is_shown(printed: list[str]) -> None:
    assert same_each_time(printed[0]) == same_each_time(readme.blocks("text")[0].splitlines()[0])


def test_the_refusal_is_the_one_that_is_shown(printed: list[str]) -> None:
    assert printed[-4] == readme.blocks("text")[0].splitlines()[-1]


def test_a_reader_verifies_with_the_lines_that_are_shown(printed: list[str]) -> None:
    assert re.fullmatch(r"anchored in block [1-9]\d*", printed[-3])


def test_an_emergency_reads_and_is_told_as_it_is_shown(printed: list[str]) -> None:
    shown = next(block for block in readme.blocks("text") if "EMERGENCY" in block)
    assert printed[-2:] == shown.splitlines()


def test_every_setting_is_listed_as_it_is() -> None:
    assert readme.settings_table() in readme.text()


def test_no_setting_is_listed_that_does_not_exist() -> None:
    listed = set(re.findall(r"CONSENTRY_[A-Z_]+[A-Z]", readme.text()))
    known = set(re.findall(r"`(CONSENTRY_[A-Z_]+)`", readme.settings_table())) | {"CONSENTRY_CONFIG"}
    assert listed <= known


def test_every_limit_is_published_as_it_is() -> None:
    found = re.findall(r"`([a-z_]+)`(?: \|)? ([\d,]+)", readme.limits())
    listed = {name: int(most.replace(",", "")) for name, most in found}
    assert listed == {one.name: one.default for one in fields(Limits)}
    assert f"1 to {PAGE_CEILING} items" in readme.text()
    assert f"followed {MOST_REFERENCES} times, and for one MiB" in readme.text()
    assert MOST_FOLLOWED == 1 << 20
    assert f"captured forms it reads at most {MOST_FORMS}" in readme.text()
    options = WebOptions()
    assert (
        f"a socket has {options.socket_operations} operations, an address {options.sockets_each} sockets, "
        f"an actor {options.actor_operations} operations on all of them"
    ) in readme.text()
    assert f"at most {ORDERED_CEILING:,} records in order" in readme.text()
    assert f"at most {DECISIONS_CEILING:,} decisions" in readme.text()
    assert f"releases at most {MOST_RECORDS:,} records" in readme.text()
    assert f"at most {MOST_PARTS:,} items of lists" in readme.text()
    assert (BODIES_TOGETHER, SHORT) == (2, 64 * 1024)


def test_every_command_is_listed_as_its_help_says() -> None:
    assert readme.commands() in readme.blocks("text")


def test_every_make_target_that_is_named_exists() -> None:
    named = {target for line in _NAMES_A_TARGET.findall("\n".join(readme.blocks("sh"))) for target in line.split()}
    targets = set(re.findall(r"^([a-z]+):", (readme.REPOSITORY / "Makefile").read_text(), re.M))
    assert {"run", "demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", ["README.md", "SECURITY.md", "DECISIONS.md"])
def test_every_path_that_is_named_exists(document: str) -> None:
    text = (readme.REPOSITORY / document).read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    quoted = re.findall(r"`((?:gateway|schema|anchoring|tests|\.ci)/[^`:* ]+)`", text)
    assert [path for path in (*linked, *quoted) if not (readme.REPOSITORY / path).exists()] == []


def test_every_test_that_security_names_exists() -> None:
    text = (readme.REPOSITORY / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/.]+|anchoring/[\w/.]+)::(\w+)`", text)
    missing = [f"{path}::{name}" for path, name in named if name not in _read(path)]
    assert named
    assert missing == []


def _read(path: str) -> str:
    file: Path = readme.REPOSITORY / path
    return file.read_text() if file.is_file() else ""
