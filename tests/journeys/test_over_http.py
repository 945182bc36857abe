"""The audit suite of GraphQL over HTTP, by its own authors, against a running gateway."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.journeys.sites import Site
from tests.servers.pytest_fixtures import require_program, require_script_packages

AUDITS = 61


@pytest.mark.services
def test_all_audits_of_graphql_over_http_pass(site: Site) -> None:
    script = Path(__file__).with_name("over_http.mjs")
    done = subprocess.run(
        [require_program("node"), script, require_script_packages(), f"{site.gateway.base}/graphql"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    audits = json.loads(done.stdout)
    assert [one for one in audits if one[2] != "ok"] == []
    assert len(audits) == AUDITS
