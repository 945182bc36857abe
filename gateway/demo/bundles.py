"""Files of FHIR R4 resources, as Bundles that a gateway imports.

Bundles of type collection, batch or transaction go in as they are where every entry is a creation. Anything else that
holds resources (a searchset, a document, NDJSON of a bulk export, one resource) is repackaged as a collection, and the
note says so. Numbers keep their text. Not done here: validation; that is the gateway's.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeGuard

from gateway import jsontext
from gateway.demo.model import NotABundleError
from gateway.errors import CallerError
from gateway.jsontext import JsonValue

INLINE_LABEL = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
"""HL7 FHIR Data Segmentation for Privacy 1.0."""
_IMPORTABLE = ("collection", "batch", "transaction")
_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """`wire` is what is sent; `resources` are those of its entries, in their order. `note`: what was changed, or ""."""

    name: str
    wire: JsonValue = field(repr=False)
    resources: tuple[dict[str, JsonValue], ...] = field(repr=False)
    note: str = ""


def load_bundle(path: Path) -> Bundle:
    """A `.json`, `.ndjson` or gzip of one. Raises NotABundleError naming the file; content is never quoted."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise NotABundleError(f"{path}: cannot be read: {_reason(error)}") from error
    return to_bundle(path.name, raw.removeprefix(_MARK))


def load_shipped() -> list[Bundle]:
    """The two small Synthea patients of this package, by name."""
    found = sorted((files(__package__) / "bundles").iterdir(), key=lambda item: item.name)
    bundles = []
    for item in found:
        if item.name.endswith(".json.gz"):
            with as_file(item) as path:
                bundles.append(load_bundle(path))
    return bundles


def to_bundle(name: str, raw: bytes) -> Bundle:
    """Of JSON text, or of lines of it. Raises NotABundleError."""
    try:
        value = jsontext.loads(raw)
    except CallerError as error:
        lines = raw.splitlines()
        if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
            raise NotABundleError(f"{name}: {error.message}") from error
        return _collection(name, list(_lines(name, lines)), note="NDJSON, sent as a collection")
    if not _is_resource(value):
        raise NotABundleError(f"{name}: no FHIR Bundle or resource: it has no resourceType")
    if value["resourceType"] != "Bundle":
        return _collection(name, [(None, value)], note=f"one {value['resourceType']}, sent as a collection")
    return _of_bundle(name, value)


def labels_of_parts(value: JsonValue) -> Iterator[str]:
    """Security labels on anything inside a resource: `meta.security`, and DS4P inline labels."""
    if isinstance(value, list):
        for item in value:
            yield from labels_of_parts(item)
    elif isinstance(value, dict):
        meta = value.get("meta")
        if isinstance(meta, dict):
            yield from _codes(meta.get("security"))
        if value.get("url") == INLINE_LABEL:
            yield from _codes(value.get("valueCoding"))
            concept = value.get("valueCodeableConcept")
            yield from _codes(concept.get("coding") if isinstance(concept, dict) else None)
        for item in value.values():
            if isinstance(item, dict | list):
                yield from labels_of_parts(item)


def _of_bundle(name: str, value: dict[str, JsonValue]) -> Bundle:
    kind, listed = value.get("type"), value.get("entry")
    entries = listed if isinstance(listed, list) else []
    if not isinstance(kind, str):
        raise NotABundleError(f"{name}: a Bundle without a type")
    kept = [entry for entry in entries if isinstance(entry, dict) and _creates(entry)]
    pairs = [(entry.get("fullUrl"), resource) for entry in kept if _is_resource(resource := entry.get("resource"))]
    if not pairs:
        return Bundle(name=name, wire=value, resources=(), note=f"a {kind} without a resource: nothing to store")
    left_out = len(entries) - len(pairs)
    if kind in _IMPORTABLE and not left_out:
        return Bundle(name=name, wire=value, resources=tuple(resource for _, resource in pairs))
    note = f"a {kind}, sent as a collection"
    return _collection(name, pairs, note=note + (f"; {left_out} entries create nothing" if left_out else ""))


def _collection(name: str, pairs: list[tuple[JsonValue, dict[str, JsonValue]]], *, note: str) -> Bundle:
    if not pairs:
        return Bundle(name=name, wire=None, resources=(), note="no resource: nothing to store")
    entries: list[JsonValue] = [
        {"resource": resource} if url is None else {"fullUrl": url, "resource": resource} for url, resource in pairs
    ]
    wire: JsonValue = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return Bundle(name=name, wire=wire, resources=tuple(resource for _, resource in pairs), note=note)


def _lines(name: str, lines: list[bytes]) -> Iterator[tuple[JsonValue, dict[str, JsonValue]]]:
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = jsontext.loads(line)
        except CallerError as error:
            raise NotABundleError(f"{name}: line {at}: {error.message}") from error
        if not _is_resource(value):
            raise NotABundleError(f"{name}: line {at}: no FHIR resource: it has no resourceType")
        yield None, value


def _is_resource(value: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _creates(entry: dict[str, JsonValue]) -> bool:
    request = entry.get("request")
    return not isinstance(request, dict) or request.get("method") in ("POST", "PUT")


def _codes(codings: JsonValue) -> Iterator[str]:
    for coding in codings if isinstance(codings, list) else [codings]:
        if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
            yield code


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "not a whole gzip file"
