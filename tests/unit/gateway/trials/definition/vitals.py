"""A small study of ODM 1.3 that has one of everything that is checked, and what was captured in it."""

from functools import cache
from pathlib import Path

from gateway.adapters.fhir_schema.r4 import Issue, R4Schema
from gateway.adapters.fhir_schema.worker import check
from gateway.jsontext import JsonValue, dumps
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Directory, directory

FIRST = "http://www.cdisc.org/ns/odm/v1.3"
LATER = "http://www.cdisc.org/ns/odm/v2.0"
METADATA = Path(__file__).with_name("vitals.xml").read_text()
"""A Study of ODM 1.3."""


def document(inner: str = METADATA, *, kind: str = "Snapshot", attributes: str = "") -> bytes:
    """ODM 1.3.2 around studies, people and data."""
    return (
        f'<ODM xmlns="{FIRST}" FileType="{kind}" FileOID="F" CreationDateTime="2026-01-01T00:00:00" '
        f'ODMVersion="1.3.2" {attributes}>{inner}</ODM>'
    ).encode()


def later(inner: str) -> bytes:
    """ODM 2.0 around one version of metadata."""
    return (
        f'<ODM xmlns="{LATER}" FileType="Snapshot" FileOID="F" CreationDateTime="2026-01-01T00:00:00" ODMVersion="2.0">'
        f'<Study OID="ST" StudyName="Vitals" ProtocolName="P-1"><MetaDataVersion OID="V1" Name="First">{inner}'
        "</MetaDataVersion></Study></ODM>"
    ).encode()


@cache
def vitals() -> Directory:
    (definition,) = read_definitions(document())
    return directory(definition)


def form(*groups: CapturedGroup, event: str = "SE.1") -> CapturedForm:
    return CapturedForm(study="ST", version="V1", event=event, form="F.VS", groups=groups)


def group(*, key: str | None = None, units: dict[str, str] | None = None, **texts: str | None) -> CapturedGroup:
    """`PULSE="70"` is the item IT.PULSE."""
    items = [CapturedItem(oid=f"IT.{name}", text=text, unit=(units or {}).get(name)) for name, text in texts.items()]
    return CapturedGroup(oid="IG.VS", repeat_key=key, items=tuple(items))


def paths(shared_data: Path) -> list[Path]:
    """Every ODM document of the shared data."""
    return sorted((shared_data / "trials").glob("odm-*/*.xml"))


@cache
def _schema() -> R4Schema:
    return R4Schema()


def issue(resource: dict[str, JsonValue]) -> Issue | None:
    """What the gateway's own FHIR validator says first of a resource."""
    return check(dumps(resource), _schema())
