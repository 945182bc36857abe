"""Proof files as a client makes them: two questions to the gateway, its deployment, and nothing else."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gateway import jsontext
from gateway.upkeep.saving import ENTRY_QUERY, RECORD_QUERY, proof_file
from tests.journeys.people import Person
from tests.servers.prepared import REPOSITORY

VERIFIER = REPOSITORY / "anchoring" / "verifier"
ALONE = "import runpy, sys; sys.modules.update(gateway=None, anchoring=None, schema=None); sys.argv = sys.argv[1:];"
PATIENCE = 60.0


def anchored_answer(person: Person, query: str, id: str, **given: str) -> Any:
    """The answer once it has a proof."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = person.ask(query, {"id": id, **given}).value
        if found is not None and found["anchor"]["proof"] is not None:
            return found
        time.sleep(0.3)
    raise AssertionError("not anchored in time")


def saved(person: Person, facts: Any, record: str, *, purpose: str = "TREAT") -> dict[str, Any]:
    """The proof file of a record that this person reads, with its receipt's audit entry."""
    read = anchored_answer(person, RECORD_QUERY, record, purpose=purpose)
    entry = anchored_answer(person, ENTRY_QUERY, read["receipt"]["decisionId"])
    made: dict[str, Any] = proof_file(facts, read, entry=entry)
    return made


def write(folder: Path, file: Any) -> Path:
    path = folder / "proof.json"
    path.write_bytes(jsontext.dumps(file))
    return path


def verify_alone(folder: Path, file: Any, rpc: str, *options: str) -> tuple[int, str]:
    """The one file, copied away, in an interpreter that cannot import this product. Exit code and output."""
    copy = folder / "verify.py"
    copy.write_bytes((VERIFIER / "verify.py").read_bytes())
    code = f"{ALONE} runpy.run_path({str(copy)!r}, run_name='__main__')"
    command = [sys.executable, "-I", "-c", code, "verify.py", str(write(folder, file)), "--rpc", rpc, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def check_alone(folder: Path, *words: Path | str) -> tuple[int, str]:
    """The checker of large content, copied away likewise."""
    copy = folder / "check.py"
    copy.write_bytes((VERIFIER / "content.py").read_bytes())
    command = [sys.executable, "-I", str(copy), *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def verify_in_node(folder: Path, file: Any, rpc: str) -> tuple[int, str]:
    """The JavaScript example; its packages are installed (`npm ci`)."""
    command = ["node", str(VERIFIER / "verify.mjs"), str(write(folder, file)), rpc]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()
