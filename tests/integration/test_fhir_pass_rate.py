"""All of Synthea and every valid HL7 R4 example passes the validator; the rate of each type is printed.

A sample by default; `CONSENTRY_FHIR_SAMPLE=all` takes every file. Skipped only where the data folder is absent.
"""

import gzip
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters.fhir_validator import FhirValidator
from gateway.jsontext import dumps, loads
from gateway.records.fhir import bundle_resources, read_facts

DATA = Path(os.environ.get("CONSENTRY_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "fhir"
SAMPLE = None if os.environ.get("CONSENTRY_FHIR_SAMPLE") == "all" else 12

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not beside the checkout"),
    pytest.mark.timeout(900),
]


def every(paths: list[Path]) -> list[Path]:
    """All, or a dozen spread over the list."""
    return paths if SAMPLE is None else paths[:: max(1, len(paths) // SAMPLE)]


def batches_of(folder: str) -> Iterator[tuple[Path, list[bytes]]]:
    for path in every(sorted((DATA / folder).iterdir())):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield path, raw.splitlines() if ".ndjson" in path.name else resources_of(raw)


def resources_of(raw: bytes) -> list[bytes]:
    """The entries of a Synthea bundle, as the import takes them apart."""
    return [dumps(entry.resource) for entry in bundle_resources(loads(raw))]


async def rates(batches: Iterator[tuple[Path, list[bytes]]]) -> tuple[Counter[str], list[str]]:
    """Resources by type, and the failures: file, index, path, rule."""
    validator = FhirValidator(workers=2)
    passed: Counter[str] = Counter()
    given: Counter[str] = Counter()
    failures = []
    for path, resources in batches:
        failed = {issue.index: issue for issue in await validator.check(resources)}
        failures += [f"{path.name}[{index}] {issue.path} {issue.message}" for index, issue in failed.items()]
        for index, resource in enumerate(resources):
            kind = read_facts(loads(resource)).resource_type
            given[kind] += 1
            passed[kind] += index not in failed
    await validator.close()
    print()
    for kind, count in given.most_common():
        print(f"{kind:36}{passed[kind]:>8} of {count:>8}  {passed[kind] / count:.2%}")
    print(f"{'all':36}{passed.total():>8} of {given.total():>8}")
    return given, failures


@pytest.mark.parametrize(
    "folder", ["synthea-2019", "synthea-2020", "bulk-10-patients", "bulk-100-patients", "bulk-1000-patients"]
)
async def test_all_of_synthea_passes(folder: str) -> None:
    given, failures = await rates(batches_of(folder))
    assert given.total() > 0
    assert failures == []


async def test_every_valid_hl7_example_passes() -> None:
    paths = sorted((DATA / "hl7-r4-examples").glob("*.json"))
    given, failures = await rates((path, [path.read_bytes()]) for path in paths)
    assert given.total() == len(paths)
    assert failures == []
