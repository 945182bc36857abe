"""`python -m tests.campaigns.walking PROGRAM`: schemathesis over every query and mutation, as a signed-in clinician.

An error in an answer is no finding by itself: what is drawn names nobody and says nonsense, and is to be refused. What
is: a 5xx, an answer of another form than GraphQL's, none in time, a failure that nobody foresaw in the gateway's log.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.campaigns.nonsense import ENDS_SESSIONS
from tests.journeys.sites import running_site

ROOT = Path(__file__).resolve().parents[2]
HOOKS = Path(__file__).with_name("schemathesis_hooks")
"""By themselves, because nothing else of ours can be imported where schemathesis runs."""
ANSWER_SECONDS = 5


def main() -> int:
    """Exit code 1 for any finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.walking", description=__doc__)
    parser.add_argument("program", type=Path, help="schemathesis, in an environment of its own")
    parser.add_argument("--examples", type=int, default=20, help="requests of each field")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="consentry-walk-") as folder, running_site(Path(folder)) as site:
        words = [
            "run", ROOT / "schema" / "schema.graphql", "--url", f"{site.gateway.base}/graphql",
            "--header", f"Authorization: Bearer {site.crowd.clinician().token}",
            "--max-examples", asked.examples, "--seed", asked.seed, "--request-timeout", ANSWER_SECONDS,
            "--exclude-name-regex", rf"^Mutation\.({'|'.join(ENDS_SESSIONS)})$|^Subscription\.",
            "--checks", "answers_as_graphql_does", "--phases", "fuzzing", "--no-color",
        ]  # fmt: skip
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HOOKS)}
        done = subprocess.run([asked.program, *map(str, words)], env=environment, cwd=folder, check=False)
        unforeseen = site.gateway.log.read_text().count("unexpected failure")
        print(f"failures in the gateway's log that nobody foresaw: {unforeseen}")
    return 1 if done.returncode or unforeseen else 0


if __name__ == "__main__":
    sys.exit(main())
