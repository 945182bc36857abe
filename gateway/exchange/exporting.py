"""Files of a study, written from what its reader is shown."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway import jsontext
from gateway.demo.model import StepFailedError
from gateway.demo.progress import Stages
from gateway.errors import CallerError, IntegrityError
from gateway.exchange.answers import Subject
from gateway.exchange.clinical import People, by_form, shell, signer_id, subject_data
from gateway.exchange.fetching import Reader, ReadForm
from gateway.exchange.formats import Format
from gateway.exchange.spooling import Spool
from gateway.exchange.tally import Tally
from gateway.exchange.writing import write_table, write_whole
from gateway.trials import datasets
from gateway.trials.definition.elements import Element
from gateway.trials.odm.model import GroupData, ItemData, SubjectData
from gateway.trials.odm.writing import reference_data, write_parts
from gateway.trials.tabulation.described import Described, described_of
from gateway.trials.tabulation.model import Row, Table

ODM_NAME = "odm.xml"


def export_tables(
    reader: Reader, subjects: Sequence[Subject], out: Path, format: Format, stages: Stages, tally: Tally
) -> None:
    """A file for each table that the study describes. Raises StepFailedError."""
    described = _described(reader)
    if not described:
        raise StepFailedError("the study describes no tables: export it as odm")
    about = {name: one.table for name, one in described.items() if datasets.names_subjects(one.table)}
    with Spool(out, about) as spool:
        with stages.stage("reading subjects", total=len(subjects), durations=tally.durations, key="read") as advance:
            for subject in subjects:
                for form in reader.subject(subject).forms:
                    _spool(reader, form, about, spool, tally)
                advance(1)
        with stages.stage("writing tables", total=len(described), durations=tally.durations, key="write") as advance:
            for name, one in described.items():
                rows = spool.rows(name) if name in about else _rows(reader, name, one.table)
                created = reader.whole.registered_at
                tally.files.append(write_table(one, rows, out, format=format, created=created))
                tally.tables[name] = len(rows)
                if one.table.records not in (None, len(rows)):
                    tally.notes.append(f"{name}: {len(rows)} rows are shown of {one.table.records} described")
                advance(1)


def export_odm(
    reader: Reader, subjects: Sequence[Subject], out: Path, format: Format, stages: Stages, tally: Tally
) -> None:
    """One document. Raises StepFailedError."""
    people = People()
    people.add_study(reader.whole)
    signatures = list(reader.signatures())
    for one in signatures:
        people.add(signer_id(one), None)
    with stages.stage("looking who is who", total=len(subjects), durations=tally.durations, key="people") as advance:
        for subject in subjects:
            people.add_subject(reader.forms(subject))
            advance(1)
    signed = by_form(signatures)
    document = shell(
        reader.whole,
        reader.directories,
        people,
        created=datetime.now(UTC).replace(microsecond=0).isoformat(),
        signs=bool(signatures),
    )
    total = len(subjects) * len(reader.directories)
    try:
        document = replace(document, others=tuple(_reference(reader)))
        with stages.stage("writing subjects", total=total, durations=tally.durations, key="read") as advance:

            def told(definition: int) -> Iterator[SubjectData]:
                for subject in subjects:
                    read = reader.subject(subject, older=True)
                    made = subject_data(read, definition, people, signed)
                    _count(read.forms, definition, tally)
                    if made is not None:
                        yield made
                    advance(1)

            parts = [told(number) for number in range(1, len(reader.directories) + 1)]
            write_whole(write_parts(document, parts), out / ODM_NAME)
    except (CallerError, IntegrityError) as error:
        raise StepFailedError(f"{ODM_NAME}: {error.message}") from error
    if len(people.users) != len(document.admin[0].users):
        raise StepFailedError("somebody captured data while the study was exported; export again")
    tally.files.append(ODM_NAME)


def _described(reader: Reader) -> dict[str, Described]:
    try:
        return {one.name: described_of(jsontext.loads(jsontext.dumps(one.description))) for one in reader.whole.tables}
    except CallerError as error:
        raise StepFailedError("a table of the study is described by something that is no description") from error


def _spool(reader: Reader, one: ReadForm, about: dict[str, Table], spool: Spool, tally: Tally) -> None:
    """A form of a table; others have no table."""
    found = reader.directories[one.form.definition - 1]
    group = next((each for each in found.definition.groups if datasets.form_of(each) == one.form.form), None)
    name = next((name for name in about if group is not None and name.upper() == group.name.upper()), None)
    if name is None:
        return
    try:
        for number, row in datasets.rows_of(one.captured, about[name], found):
            spool.add(name, number, row)
    except (CallerError, IntegrityError) as error:
        raise StepFailedError(f"a form of the table {name}: {error.message}") from error
    _count([one], one.form.definition, tally)


def _count(forms: Iterable[ReadForm], definition: int, tally: Tally) -> None:
    for one in forms:
        if one.form.definition == definition:
            tally.forms += 1
            tally.items += sum(len(group.items) for group in one.captured.groups)


def _rows(reader: Reader, name: str, table: Table) -> list[Row]:
    """Of a table about no subject."""
    told = next(one.rows for one in reader.whole.tables if one.name == name)
    try:
        return [
            tuple(datasets.cell_of(text, one) for text, one in zip(row, table.variables, strict=True))
            for row in told or ()
        ]
    except (IntegrityError, TypeError, ValueError) as error:
        raise StepFailedError(f"the rows of the table {name} are not as it is described") from error


def _reference(reader: Reader) -> Iterator[Element]:
    """Tables about no subject, as rows of the newest definition."""
    found = reader.directories[-1]
    groups: list[GroupData] = []
    for name, one in _described(reader).items():
        group = datasets.group_of(name, found)
        if group is None or datasets.names_subjects(one.table):
            continue
        places = datasets.items_of(one.table, group, found)
        for number, row in enumerate(_rows(reader, name, one.table)):
            texts = [datasets.text_of(cell) for cell in row]
            items = (
                ItemData(oid=oid, value=text, is_null=text is None) for oid, text in zip(places, texts, strict=True)
            )
            groups.append(GroupData(oid=group.oid, repeat_key=str(number), items=tuple(items)))
    if groups:
        study = found.definition
        yield reference_data(study.oid, study.version_oid, groups)
