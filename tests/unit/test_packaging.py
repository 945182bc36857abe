"""The wheel holds what the program reads, and nothing else; the lock files are whole and agree."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGES = ("gateway", "schema", "anchoring")
_PROJECT = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text())
_LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")
_READ_AT_RUN_TIME = (
    "anchoring/contracts/abi/AnchorRegistry.json",
    "anchoring/contracts/abi/ConsentRegistry.json",
    "anchoring/contracts/abi/ERC7913P256Verifier.json",
    "anchoring/contracts/abi/ERC7913WebAuthnVerifier.json",
    "anchoring/contracts/abi/IdentityRegistry.json",
    "gateway/adapters/fhir_schema/fhir.schema.json.gz",
    "gateway/adapters/fhir_schema/required_bindings.json",
    "gateway/adapters/sql/migrations/versions/0001_gateway.py",
    "gateway/adapters/sql/migrations/versions/0002_anchoring.py",
    "gateway/deid/catalogue.json",
    "gateway/deid/profiles/expert-determination.json",
    "gateway/deid/profiles/safe-harbor.json",
    "gateway/deid/zip3_population_2010.csv",
    "gateway/records/labelling.toml",
    "gateway/web/graphiql/console.css",
    "gateway/web/graphiql/console.js",
    "gateway/web/graphiql/LICENCES.txt",
    "schema/fhir/types.json",
    "schema/schema.graphql",
    "schema/words.toml",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Names of the files in a wheel built from this checkout, by the locked backend, with no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=_REPOSITORY, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return frozenset(archive.namelist())


def pins(name: str) -> dict[str, str]:
    """Package -> version, from a lock file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (_REPOSITORY / name).read_text(), re.M)
    return {package.lower().replace("_", "-").replace(".", "-"): version for package, version in found}


@pytest.mark.parametrize("path", _READ_AT_RUN_TIME)
def test_the_wheel_has_what_the_program_reads(wheel: frozenset[str], path: str) -> None:
    assert path in wheel


def test_the_wheel_has_the_demos_bundles(wheel: frozenset[str]) -> None:
    assert sum(name.startswith("gateway/demo/bundles/") and name.endswith(".json.gz") for name in wheel) == 2


def test_the_wheel_has_every_module(wheel: frozenset[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *(f"{package}/*.py" for package in _PACKAGES)],
        cwd=_REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    modules = {path for path in tracked if not path.startswith(("anchoring/contracts/", "schema/clients/"))}
    assert modules <= wheel


def test_the_wheel_has_no_sources_of_other_programs(wheel: frozenset[str]) -> None:
    unwanted = re.compile(
        r"node_modules/|/contracts/(src|test|lib|out|cache)/|graphiql/source/|package-lock|^tests/|^schema/clients/"
    )
    assert not [name for name in wheel if unwanted.search(name)]


def test_the_wheel_has_the_licence(wheel: frozenset[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


@pytest.mark.parametrize("name", _LOCKS)
def test_every_locked_package_has_a_hash(name: str) -> None:
    text = (_REPOSITORY / name).read_text()
    requirements = [part for part in re.split(r"^(?=[A-Za-z])", text, flags=re.M) if part.strip()]
    assert all("--hash=sha256:" in requirement for requirement in requirements)


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    assert "://" not in (_REPOSITORY / name).read_text()


def test_what_the_gateway_runs_on_is_what_is_tested() -> None:
    tested = pins("requirements-dev.lock")
    assert {name: tested.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


@pytest.mark.parametrize("requirement", _PROJECT["project"]["dependencies"])
def test_every_dependency_is_locked(requirement: str) -> None:
    name = re.split(r"[\[>=<]", requirement)[0]
    assert name.lower().replace(".", "-") in pins("requirements.lock")


def test_the_chain_that_runs_embedded_is_pinned_exactly() -> None:
    assert "py-evm==0.12.1b1" in _PROJECT["project"]["dependencies"]
