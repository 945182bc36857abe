"""What a folder of a study holds, once it was read; and how a run is told what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.jsontext import JsonValue
from gateway.trials import datasets
from gateway.trials.definition.forms import CapturedForm
from gateway.trials.definition.references import Directory
from gateway.trials.tabulation.described import Described
from gateway.trials.tabulation.model import Row

ONE_SITE = "1"
"""Where a folder names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTable:
    """`rows`: all, in order; `subjects`: theirs, each with its number in the table, where `names_subjects`."""

    described: Described
    rows: tuple[Row, ...] = field(repr=False)
    subjects: Mapping[str, list[tuple[int, Row]]] = field(repr=False)

    @property
    def name(self) -> str:
        return self.described.table.name

    @property
    def names_subjects(self) -> bool:
        return datasets.names_subjects(self.described.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is not as the definition says, how often; `text` names file and variable, and no value."""

    text: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFolder:
    """`title`: what the study is called. `document`: the definition's text, `document_name` its file; empty where there
    is none, and then there are no tables. `forms`: of the clinical data of an ODM document, by subject. `sites`: of
    each subject; `registration`: as the API takes it."""

    title: str
    document: str = field(repr=False)
    document_name: str
    definition: Directory = field(repr=False)
    registration: JsonValue
    tables: tuple[LoadedTable, ...]
    forms: Mapping[str, list[CapturedForm]] = field(repr=False)
    sites: Mapping[str, str] = field(repr=False)
    findings: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_data(self) -> bool:
        """Else it is of a study that is planned, and begins with somebody's word later."""
        return bool(self.tables or self.forms)

    @property
    def subjects(self) -> tuple[str, ...]:
        """All that tables or forms are about, in order."""
        found = set(self.forms)
        for table in self.tables:
            found.update(table.subjects)
        return tuple(sorted(found))
