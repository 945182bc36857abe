"""The example app in schema/clients/typescript: installed by its lock, generated, type-checked, and run."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.wallet import typed_data_digest
from tests.journeys.sites import Site, running_site
from tests.servers.pytest_fixtures import require_program

# npm and tsc take their time on a slow machine.
pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]
APP = Path(__file__).resolve().parents[2] / "schema" / "clients" / "typescript"
SIGNS = """
import { readFileSync } from "node:fs";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { sign } from "./dist/signing.js";
const { draft, expected } = JSON.parse(readFileSync(0, "utf8"));
await sign(privateKeyToAccount(generatePrivateKey()), draft, "Consent", expected)
  .then(({ signature }) => console.log(signature.length), ({ message }) => console.log(message));
"""


def run(*command: str | Path, given: str = "", seconds: float = 150) -> str:
    done = subprocess.run(command, cwd=APP, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def node() -> Path:
    """With the app built beside it."""
    program, npm = require_program("node"), require_program("npm")
    lock, installed = (APP / "package-lock.json").read_text(), APP / "node_modules" / ".installed"
    if not installed.is_file() or installed.read_text() != lock:
        run(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", seconds=500)
        installed.write_text(lock)
    for script in ("generate", "build"):
        run(npm, "run", "--silent", script)
    return program


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("typescript")) as running:
        yield running


def test_it_does_the_main_job(node: Path, site: Site, tmp_path: Path) -> None:
    key = tmp_path / "registrar.key"
    key.write_text(site.gateway.registrar_key)
    said = run(node, "dist/main.js", site.gateway.base, key).splitlines()
    shown = (APP / "README.md").read_text().split("```text\n")[1].split("```")[0].splitlines()
    assert said[0].startswith('I allow "Dr. Grey" ')
    assert said[1:] == shown


@pytest.fixture(scope="module")
def typed_data(site: Site) -> dict[str, Any]:
    patient, grantee = site.crowd.patient(), site.crowd.clinician()
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    typed: dict[str, Any] = patient.draft(grantee.id, minutes="", notAfter=until).value["typedData"]
    return typed


def signed(node: Path, full: dict[str, Any], *, id: str | None = None) -> str:
    expected = {"purposes": ["TREAT"], "actions": ["READ"], "effect": 0}
    given = {"draft": {"id": id or typed_data_digest(full), "typedData": full}, "expected": expected}
    return run(node, "--input-type=module", "-e", SIGNS, given=json.dumps(given)).strip()


def test_it_signs_what_was_asked_for(node: Path, typed_data: dict[str, Any]) -> None:
    assert signed(node, typed_data) == str(2 + 2 * 65)


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "purposes": lambda full: full["message"]["scope"]["purposes"].append("HPAYMT"),
    "actions": lambda full: full["message"]["scope"]["actions"].append("WRITE"),
    "effect": lambda full: full["message"].update(effect=1),
}


@pytest.mark.parametrize("name", LIES)
def test_it_does_not_sign_what_was_not_asked_for(name: str, node: Path, typed_data: dict[str, Any]) -> None:
    bent = json.loads(json.dumps(typed_data))
    LIES[name](bent)
    assert signed(node, bent) == f"not signed: the draft's {name} differs"


def test_it_does_not_sign_under_another_id(node: Path, typed_data: dict[str, Any]) -> None:
    assert signed(node, typed_data, id="0x" + "00" * 32) == "not signed: the draft's id is not its digest"
