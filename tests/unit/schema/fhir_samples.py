"""Real resources, and a document that asks for all that one of them holds."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway import jsontext
from schema.fhir.types import OTHER, Outline, type_name

BUNDLES = Path(__file__).parents[3] / "gateway" / "demo" / "bundles"


def checked_in() -> Iterator[dict[str, Any]]:
    """The resources of the demo's bundles: whole lives of two of Synthea's patients."""
    for path in sorted(BUNDLES.glob("*.json.gz")):
        yield from in_file(path)


def in_file(path: Path, *, loads: Callable[[bytes], Any] = jsontext.loads) -> Iterator[dict[str, Any]]:
    """The resources of a JSON file or of NDJSON, gzip or not; those inside a Bundle, and the Bundle no more."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    lines = raw.splitlines() if ".ndjson" in path.name else [raw]
    for line in lines:
        value: Any = loads(line) if line.strip() else None
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            yield from (entry["resource"] for entry in value.get("entry", ()) if "resource" in entry)
        elif isinstance(value, dict) and "resourceType" in value:
            yield value


def shared_files(folder: Path, *, each: int) -> list[Path]:
    """All but the patients' bundles of Synthea, of which there are hundreds: of those one in `each`."""
    names = (".json", ".json.gz", ".ndjson.gz")
    found = [path for path in sorted((folder / "fhir").rglob("*")) if path.name.endswith(names)]
    bundles = [path for path in found if path.parent.name == "synthea-2019"]
    others = [path for path in found if not {"synthea-2019", "graphql-cases"} & set(path.parts)]
    return bundles[::each] + others + sorted((folder / "claims" / "cms-bfd-fhir").glob("*.json*"))


def selection(outline: Outline, kind: str, values: list[Any]) -> str:
    """Fields for every member that any of `values` has. KeyError for one that the type does not know."""
    _, elements = outline.types[kind]
    names = dict.fromkeys(name for value in values if isinstance(value, dict) for name in value)
    parts = []
    for name in names:
        below = elements[name].strip("[]")
        held = [value[name] for value in values if isinstance(value, dict) and name in value]
        inner = [item for one in held for item in (one if isinstance(one, list) else [one])]
        if below == "Resource":
            parts.append(f"{name} {{ {_contained(outline, inner)} }}")
        elif below in outline.types:
            parts.append(f"{name} {{ {selection(outline, below, inner) or '__typename'} }}")
        else:
            parts.append(name)
    return " ".join(parts)


def _contained(outline: Outline, values: list[Any]) -> str:
    kinds = dict.fromkeys(value["resourceType"] for value in values)
    shown = [
        f"... on {type_name(kind)} {{"
        f" {selection(outline, kind, [one for one in values if one['resourceType'] == kind])} }}"
        for kind in kinds
        if kind in outline.resources
    ]
    return " ".join(["resourceType", f"... on {OTHER} {{ content }}", *shown])


def document(outline: Outline, resource: dict[str, Any]) -> str:
    """A query for `record` that asks for all of one resource of a shown type."""
    kind = resource["resourceType"]
    wanted = selection(outline, kind, [resource])
    shown = f"resource {{ ... on {type_name(kind)} {{ {wanted} }} }}"
    return f"query($id: ID!) {{ record(id: $id) {{ ... on Record {{ {shown} }} }} }}"


def as_written(answer: Any, resource: Any) -> Any:
    """The answer without the nulls of fields that only others of a list have; a contained resource as its JSON."""
    if isinstance(resource, dict) and isinstance(answer, dict):
        if (
            "content" in answer
            and answer.get("resourceType") == resource.get("resourceType")
            and "content" not in resource
        ):
            return answer["content"]
        kept = {name: one for name, one in answer.items() if name in resource or one is not None}
        return {name: as_written(one, resource.get(name)) for name, one in kept.items()}
    if isinstance(resource, list) and isinstance(answer, list) and len(resource) == len(answer):
        return [as_written(mine, theirs) for mine, theirs in zip(answer, resource, strict=True)]
    return answer


def text(value: Any) -> bytes:
    """With members in one order and numbers as they were written."""
    return jsontext.dumps(_ordered(value))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def octets(resource: dict[str, Any]) -> bytes:
    return jsontext.dumps(resource)


def parsed(payload: Any) -> Any:
    """What was to be sent, with its numbers' text."""
    return jsontext.loads(jsontext.dumps(payload))


def plainly(payload: Any) -> Any:
    return orjson.loads(jsontext.dumps(payload))
