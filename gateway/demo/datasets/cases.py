"""Files and folders of FHIR resources as cases: one Bundle for each patient. Pure, but for reading the files.

A Bundle of one patient is a case as it stands, with all that is in it. What holds several patients (the lines of a bulk
export, a folder of them, a Bundle) is split: each record goes to the patient it is about, by `subject`, `patient` or
`beneficiary`; what is about nobody (an organization, a location) is left out, and the notes say how much.
Source: FHIR Bulk Data Access 2 (NDJSON, a file for each type).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.bundles import Bundle, load_bundle, load_shipped
from gateway.demo.model import NotABundleError
from gateway.jsontext import JsonValue

_BUNDLES = (".json", ".json.gz")
_LINES = (".ndjson", ".ndjson.gz")
_ABOUT = ("subject", "patient", "beneficiary")
_PATIENT = re.compile(r"(?:^|/)(Patient/[A-Za-z0-9.-]{1,64})(?:/_history/.*)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """`bundles`: one for each patient. `notes`: what was split, and left out."""

    bundles: tuple[Bundle, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """`url`: its fullUrl, if any."""

    url: JsonValue
    resource: dict[str, JsonValue]


def load_cases(paths: Sequence[Path]) -> Cases:
    """Of the files and folders; without any, those of the two patients that ship. Raises NotABundleError."""
    bundles: list[Bundle] = []
    notes: list[str] = []
    for path in paths:
        for name, loaded in _sources(path):
            found = split(name, loaded)
            bundles += found.bundles
            notes += found.notes
    if not paths:
        bundles += load_shipped()
    if not bundles:
        raise NotABundleError("there is no patient in what was given")
    return Cases(bundles=tuple(bundles), notes=tuple(notes))


def split(name: str, loaded: Sequence[Bundle]) -> Cases:
    """The patients of one source: a file, or the lines of a folder taken together."""
    entries = [entry for bundle in loaded for entry in _entries(bundle)]
    owners = _owners(entries)
    patients = list(dict.fromkeys(owner for owner in owners if owner is not None))
    if not patients:
        return Cases(bundles=(), notes=(f"{name}: nobody's records; left out",))
    if len(patients) == 1 and len(loaded) == 1:
        bundle = loaded[0]
        return Cases(bundles=(bundle,), notes=(f"{name}: {bundle.note}",) if bundle.note else ())
    records: dict[str, list[_Entry]] = {patient: [] for patient in patients}
    for owner, entry in zip(owners, entries, strict=True):
        if owner is not None:
            records[owner].append(entry)
    bundles = [_case(f"{name}, patient {at}", records[patient]) for at, patient in enumerate(patients, 1)]
    left_out = owners.count(None)
    note = f"{name}: {len(patients)} patients" + (f"; {left_out} records of nobody are left out" if left_out else "")
    return Cases(bundles=tuple(bundles), notes=(note,))


def _sources(path: Path) -> Iterator[tuple[str, list[Bundle]]]:
    """Each to be split on its own: a Bundle, or lines. A folder's lines are one."""
    if not path.is_dir():
        yield path.name, [load_bundle(path)]
        return
    try:
        files = sorted(file for file in path.iterdir() if file.is_file())
    except OSError as error:
        raise NotABundleError(f"{path}: cannot be read: {error.strerror}") from error
    lines = [file for file in files if file.name.endswith(_LINES)]
    wholes = [file for file in files if file.name.endswith(_BUNDLES)]
    if not lines and not wholes:
        raise NotABundleError(f"{path}: no .json, .ndjson or gzip of one in this folder")
    if lines:
        yield path.name, [load_bundle(file) for file in lines]
    for file in wholes:
        yield file.name, [load_bundle(file)]


def _entries(bundle: Bundle) -> Iterator[_Entry]:
    listed = bundle.wire.get("entry") if isinstance(bundle.wire, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(resource, dict):
            yield _Entry(url=entry.get("fullUrl"), resource=resource)


def _owners(entries: Sequence[_Entry]) -> list[str | None]:
    """Whose each is, by one name for each patient; None for nobody's."""
    names: dict[str, str] = {}
    mine: dict[int, str] = {}
    for number, entry in enumerate(entries):
        if entry.resource.get("resourceType") == "Patient":
            id = entry.resource.get("id")
            called = [f"Patient/{id}"] if isinstance(id, str) else []
            called += [entry.url] if isinstance(entry.url, str) else []
            mine[number] = names.get(called[0], called[0]) if called else f"#{number}"
            names.update(dict.fromkeys(called, mine[number]))
    return [mine.get(number) or _about(entry.resource, names) for number, entry in enumerate(entries)]


def _about(resource: Mapping[str, JsonValue], names: Mapping[str, str]) -> str | None:
    for member in _ABOUT:
        reference = resource.get(member)
        text = reference.get("reference") if isinstance(reference, dict) else None
        if isinstance(text, str):
            found = _PATIENT.search(text)
            return names.get(text) or (names.get(found[1], found[1]) if found else None)
    return None


def _case(name: str, entries: Sequence[_Entry]) -> Bundle:
    listed: list[JsonValue] = [
        {"resource": entry.resource} if entry.url is None else {"fullUrl": entry.url, "resource": entry.resource}
        for entry in entries
    ]
    wire: JsonValue = {"resourceType": "Bundle", "type": "collection", "entry": listed}
    return Bundle(name=name, wire=wire, resources=tuple(entry.resource for entry in entries))
