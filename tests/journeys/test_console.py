"""GraphiQL in a real browser: served by the gateway alone, under its own content security policy."""

import subprocess
from pathlib import Path

import pytest

from tests.journeys.sites import Site
from tests.servers.pytest_fixtures import require_program

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=8000",
)  # fmt: skip


@pytest.mark.services
def test_the_console_shows_operations_ready_to_try(site: Site, tmp_path: Path) -> None:
    browser = require_program("chromium")
    done = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--dump-dom",
         f"{site.gateway.base}/graphql"],
        capture_output=True,
        timeout=90,
        check=True,
    )  # fmt: skip
    page = done.stdout.decode()
    assert "graphiql-container" in page
    for operation in ("SignInChallenge", "SignIn", "Viewer", "PatientPage", "Record", "DraftConsent"):
        assert f">{operation}<" in page
    assert "Content Security Policy" not in done.stderr.decode()
