"""What `is_plain` passes, the models pass: it saves their work and never their verdict."""

import copy
import importlib
import os
import pkgutil
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fhir.resources.R4B as models
import msgspec
import pytest
from fhir_core.fhirabstractmodel import FHIRAbstractModel

from gateway import jsontext
from gateway.adapters.fhir_schema import plain
from gateway.adapters.fhir_schema.models import check_model
from gateway.adapters.fhir_schema.plain import is_plain
from gateway.adapters.fhir_schema.r4 import R4Schema
from gateway.demo.bundles import load_bundle, load_shipped
from tests.journeys.resources import observation

SHARED = Path(os.environ.get("CONSENTRY_SHARED_DATA") or Path(__file__).resolve().parents[5] / "shared" / "data")
MUTANTS = int(os.environ.get("CONSENTRY_FHIR_MUTANTS", "3000"))
SEED = 4
ODD: tuple[Any, ...] = (
    "", " ", "a  b", " a", "a ", "x" * 65, "a\tb", "\u00a0", "\u2028", "é" * 3, "#", "Patient/1", "http://[",
    "urn:oid:1.2", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "mailto:a", "<div/>", "====", "QUJD", "QUJ D",
    "0001", "2016-13", "2016-12-31T23:59:60Z", "2016-06-15T23:59:60+14:00", "9999-12-31T23:59:59.99999999999-12:00",
    "0001-01-01T00:00:00+14:00", "2020-02-30", "2020-01-01T10:00:00", "2020-01-01T24:00:00Z", "23:59:60", "24:00:00",
    "10:00", "10:00:00.1234567890123", 0, -1, 1, 2**31 - 1, 2**31, -(2**31), 2**53, 1.0, 0.1, 1e300, 5e-324, -0.0, True,
    False, None, [], {}, [None],
)  # fmt: skip


@cache
def schema() -> R4Schema:
    return R4Schema()


def known() -> list[dict[str, Any]]:
    """Synthea's patients that are shipped; HL7's own examples, where the shared data is."""
    found = [msgspec.json.decode(jsontext.dumps(one)) for bundle in load_shipped() for one in bundle.resources]
    folder = SHARED / "fhir" / "hl7-r4-examples"
    if folder.is_dir():
        files = sorted(file for file in folder.rglob("*.json*") if file.stat().st_size < 200_000)
        for file in files:
            for one in load_bundle(file).resources:
                found.append(msgspec.json.decode(jsontext.dumps(one)))
    return found


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each (container, key) inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


def mutated(resource: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One change anywhere: something taken away, repeated under another name, or put in another's place."""
    made = copy.deepcopy(resource)
    holder, key = chance.choice([at for at in places(made) if at[1] != "resourceType"])
    deed = chance.randrange(6)
    if deed == 0:
        del holder[key]
    elif deed == 1 and isinstance(holder, dict):
        stem = next((key[:at] for at in range(len(key), 0, -1) if key[:at] in ("value", "effective", "onset")), key)
        holder[stem + chance.choice(["String", "Boolean", "Quantity", "DateTime", "Period", "Age"])] = chance.choice(
            ["x", True, {"value": 1}, "2020-01-01", {"start": "2020"}]
        )
    elif deed == 2 and isinstance(holder, dict):
        holder["_" + key] = chance.choice([{"extension": [{"url": "http://x", "valueCode": "a"}]}, {"id": "a"}, [None]])
    elif deed == 3 and isinstance(holder, dict):
        del holder[key]
        holder["_" + key] = {"extension": [{"url": "http://x", "valueUrl": "http://x"}]}
    elif deed == 4 and isinstance(holder, list):
        holder.append(chance.choice([None, holder[key], {}]))
    else:
        holder[key] = chance.choice(ODD)
    return made


def is_valid(resource: dict[str, Any]) -> bool:
    text = jsontext.dumps(jsontext.loads(msgspec.json.encode(resource)))
    return schema().check(resource, has_null=b"null" in text) is None


def test_what_is_plain_is_what_the_models_pass() -> None:
    resources = known()
    passed = [one for one in resources if is_valid(one) and is_plain(one)]
    assert [one["resourceType"] for one in passed if check_model(one) is not None] == []
    assert len(passed) > len(resources) / 2


def test_no_change_of_a_resource_makes_it_plain_and_wrong() -> None:
    chance = random.Random(SEED)
    resources = known()
    counted = {"plain": 0, "wrong": 0}
    for number in range(MUTANTS):
        one = mutated(chance.choice(resources), chance)
        if not is_valid(one):
            continue
        verdict = check_model(one)
        counted["wrong"] += verdict is not None
        if is_plain(one):
            counted["plain"] += 1
            assert verdict is None, f"mutant {number} of seed {SEED}: {verdict}"
    assert min(counted.values()) > MUTANTS / 100, counted


@pytest.mark.parametrize(
    "changed",
    [
        {"valueString": "x", "valueInteger": 1},
        {"status": None},
        {"note": [{"text": "x", "authorReference": {"display": "x"}, "authorString": "x"}]},
        {"derivedFrom": [None]},
        {"extension": [{"url": "http://x", "valueUrl": "http://["}]},
        {"extension": [{"url": "http://x", "valueBase64Binary": "QUJD"}]},
        {"contained": [{"resourceType": "MedicinalProduct"}]},
        {"contained": [{"resourceType": "Patient", "link": [{"other": {"display": "x"}}]}]},
        {"unheard": 1},
        {"issued": "\u2028"},
    ],
)
def test_what_the_models_may_object_to_is_not_plain(changed: dict[str, Any]) -> None:
    resource: dict[str, Any] = {**observation(), **changed}
    assert not is_plain({name: value for name, value in resource.items() if value is not None})


def test_rules_are_read_off_every_model() -> None:
    for module in pkgutil.iter_modules(models.__path__):
        if module.name != "tests":
            importlib.import_module(f"{models.__name__}.{module.name}")
    pending, seen = [FHIRAbstractModel], set()
    while pending:
        model = pending.pop()
        pending += model.__subclasses__()
        if model.__module__.startswith(models.__name__) and model not in seen:
            seen.add(model)
            assert plain._rules_of(model) is not None
    assert len(seen) > 600
