"""Documents of clinical data: CDISC's own, and one of ODM 1.3 with a history that has all marks."""

from pathlib import Path

from gateway.trials.odm.model import Document, ItemData
from gateway.trials.odm.reading import read_document
from tests.unit.gateway.trials.definition.vitals import METADATA, document, later, paths

HISTORY = Path(__file__).with_name("history.xml").read_text()
"""People, and transactional data of one subject with all marks."""
LATER_ITEM = '<ItemGroupData ItemGroupOID="F"><ItemGroupData ItemGroupOID="G">{}</ItemGroupData></ItemGroupData>'
"""One group of one form, around items."""


def named(shared_data: Path, name: str) -> Document:
    (path,) = (one for one in paths(shared_data) if one.name == name)
    return read_document(path.read_bytes())


def history() -> Document:
    return read_document(document(METADATA + HISTORY, kind="Transactional"))


def later_data(inner: str) -> bytes:
    return later("").replace(
        b"</Study>",
        f'</Study><ClinicalData StudyOID="ST" MetaDataVersionOID="V1"><SubjectData SubjectKey="1">'
        f'<StudyEventData StudyEventOID="E">{inner}</StudyEventData></SubjectData></ClinicalData>'.encode(),
    )


def pulse() -> ItemData:
    """The item that was changed, with all its marks."""
    group = history().clinical[0].subjects[0].events[0].forms[0].groups[0]
    return group.items[1]
