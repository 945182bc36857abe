"""A study's folder, read: its definition, its tables, who is in it where, and what is not as it is said to be.

A record of a registry, or a definition, without data is a study that is planned.

True here: nothing is sent anywhere before all of it was read. A table, or a variable of one, that the definition does
not have, or has as another type, refuses the folder; values that it does not allow are told, and with `strict` refuse
it, too. An ODM document's clinical data do not go along with the definition: each subject's are captured as theirs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.demo.model import WrongCallError
from gateway.errors import CallerError
from gateway.exchange.files import Files, read_files
from gateway.exchange.model import ONE_SITE, Found, LoadedTable, StudyFolder
from gateway.exchange.tables import load_tables
from gateway.trials import datasets, defining
from gateway.trials.definition.bounds import OWN
from gateway.trials.definition.forms import CapturedForm
from gateway.trials.definition.references import Directory, directory
from gateway.trials.odm.forms import captured_forms
from gateway.trials.odm.model import ClinicalData, Document
from gateway.trials.odm.reading import read_document
from gateway.trials.odm.writing import write_document
from gateway.trials.registration.canonical import written
from gateway.trials.registration.model import Registration
from gateway.trials.registration.registry import read_record
from gateway.trials.tabulation.checks import findings
from gateway.trials.tabulation.define import read_define
from gateway.trials.tabulation.define.model import Definition
from gateway.trials.tabulation.define.tables import table_of
from gateway.trials.tabulation.model import TEXTS

LONGEST_TITLE: Final = 200
MADE: Final = "tables.xml"
"""The name of a definition that was made of tables."""
_DEMOGRAPHICS: Final = "DM"
_SITE: Final = "SITEID"
_BEGAN: Final = "1970-01-01T00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Defined:
    """`define`: where the document is Define-XML. `clinical`: of an ODM document."""

    name: str
    text: bytes
    found: Directory
    define: Definition | None
    clinical: tuple[ClinicalData, ...] = ()


def read_folder(path: Path, *, title: str | None = None, strict: bool = False) -> StudyFolder:
    """Raises WrongCallError, which names file, row and variable, and no value."""
    files = read_files(path)
    called = path.name.removesuffix(".gz")
    try:
        return _folder(files, called, title, strict)
    except CallerError as error:
        # Whoever read a file of the folder names it already.
        place = " ".join(error.field).removeprefix(called).strip()
        parts = (called, place, error.message.removeprefix(f"{called}: "))
        raise WrongCallError(": ".join(filter(None, parts)) if error.field else error.message) from error


def _folder(files: Files, called: str, title: str | None, strict: bool) -> StudyFolder:
    if len(files.definitions) > 1 or len(files.registrations) > 1:
        raise WrongCallError(
            f"{called}: more than one definition, or more than one registration; name one file of them"
        )
    given = _given(files.definitions[0]) if files.definitions else None
    record = _record(files)
    tables, notes = load_tables(files.tables, {} if given is None else _texts(given))
    defined = given or _made(tables, called)
    told = _checked(tables, defined, strict=strict)
    study = defined.found.definition
    has_definition = bool(given or tables)
    if not has_definition and record is None:
        raise WrongCallError(f"{called}: holds no definition, no table and no registration")
    names = (study.protocol_name, study.name) if has_definition or record is None else (record.title,)
    name = (title or next(filter(None, names), called))[:LONGEST_TITLE].strip() or called
    forms = _forms(defined)
    return StudyFolder(
        title=name,
        document=_decoded(defined) if has_definition else "",
        document_name=defined.name,
        definition=defined.found,
        registration={"title": name} if record is None else written(record),
        tables=tuple(tables),
        forms=forms,
        sites=_sites(tables, defined.clinical),
        findings=told,
        notes=tuple(notes),
    )


# ---- the definition


def _given(file: tuple[str, bytes]) -> _Defined:
    name, octets = file
    document = read_document(octets, bounds=OWN)
    if len(document.definitions) != 1:
        raise WrongCallError(f"{name}: holds {len(document.definitions)} versions of studies, one is taken")
    found = directory(datasets.forms_of(document.definitions[0]))
    text = octets if not document.clinical else _bare(document)
    return _Defined(
        name=name,
        text=text,
        found=found,
        define=read_define([text], file=name) if b"DefineVersion" in text else None,
        clinical=document.clinical,
    )


def _bare(document: Document) -> bytes:
    """Its definition alone: what subjects said is no part of it."""
    return write_document(Document(header=document.header, definitions=document.definitions))


def _made(tables: Sequence[LoadedTable], called: str) -> _Defined:
    created = max((one.described.table.created or _BEGAN for one in tables), default=_BEGAN)
    text = defining.defined([one.described.table for one in tables], name=called, created=created)
    document = read_document(text)
    return _Defined(name=MADE, text=text, found=directory(datasets.forms_of(document.definitions[0])), define=None)


def _decoded(defined: _Defined) -> str:
    try:
        return defined.text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongCallError(f"{defined.name}: is not UTF-8, in which a definition is kept") from error


def _texts(defined: _Defined) -> Mapping[str, frozenset[str]]:
    """Of each table the variables that are text."""
    if defined.define is None:
        return {}
    made = [table_of(defined.define, one) for one in defined.define.datasets.values()]
    return {
        one.name.upper(): frozenset(each.name.upper() for each in one.variables if each.type in TEXTS) for one in made
    }


# ---- the tables against it


def _checked(tables: Iterable[LoadedTable], defined: _Defined, *, strict: bool) -> tuple[Found, ...]:
    counted: Counter[str] = Counter()
    for one in tables:
        table, file = one.described.table, one.described.file.name
        group = datasets.group_of(table.name, defined.found)
        if group is None or datasets.form_of(group) not in defined.found.forms:
            raise WrongCallError(f"{file}: is of no table that {defined.name} defines")
        datasets.items_of(table, group, defined.found)
        dataset = None if defined.define is None else defined.define.dataset(table.name)
        if defined.define is None or dataset is None:
            continue
        names = {each.name for each in table.variables}
        for finding in findings(table, one.rows, definition=defined.define, dataset=dataset, file=file):
            if strict or (len(finding.field) == 2 and finding.field[1] in names):
                raise WrongCallError(finding.message)
            counted[_without_row(finding)] += 1
    return tuple(Found(text=text, times=times) for text, times in sorted(counted.items()))


def _without_row(finding: CallerError) -> str:
    places = [one for at, one in enumerate(finding.field) if at not in (1, 2) or finding.field[1] != "rows"]
    return f"{', '.join(places)}: {finding.message.partition(': ')[2]}"


# ---- who is in it


def _forms(defined: _Defined) -> Mapping[str, list[CapturedForm]]:
    """Of each subject, each form as it was left: what comes later takes the place of what was there before."""
    study = defined.found.definition
    made: dict[str, dict[tuple[str | None, ...], CapturedForm]] = {}
    for clinical in defined.clinical:
        if (clinical.study, clinical.version) != (study.oid, study.version_oid):
            raise WrongCallError(f"{defined.name}: has clinical data of another study, or of another version of it")
        if clinical.groups:
            raise WrongCallError(f"{defined.name}: has clinical data about no subject")
        for key, form in captured_forms(clinical):
            place = (form.event, form.event_repeat_key, form.form, form.form_repeat_key)
            mine = made.setdefault(key, {})
            if form.groups or place not in mine:
                mine[place] = form
    return {key: list(forms.values()) for key, forms in made.items()}


def _sites(tables: Iterable[LoadedTable], clinical: Iterable[ClinicalData]) -> dict[str, str]:
    """Of each subject: what the first table with SITEID says, or an ODM document; else the one site."""
    found = {one.key: one.site for part in clinical for one in part.subjects if one.site}
    for table in sorted(tables, key=lambda one: one.name.upper() != _DEMOGRAPHICS):
        names = [one.name.upper() for one in table.described.table.variables]
        if _SITE in names:
            at = names.index(_SITE)
            for key, rows in table.subjects.items():
                site = rows[0][1][at]
                if isinstance(site, str | int) and str(site).strip():
                    found.setdefault(key, str(site).strip())
    for table in tables:
        for key in table.subjects:
            found.setdefault(key, ONE_SITE)
    for part in clinical:
        for one in part.subjects:
            found.setdefault(one.key, ONE_SITE)
    return found


def _record(files: Files) -> Registration | None:
    if not files.registrations:
        return None
    ((name, octets),) = files.registrations
    try:
        return read_record(octets).registration
    except CallerError as error:
        raise WrongCallError(f"{name}: {' '.join(error.field)}: {error.message}") from error
