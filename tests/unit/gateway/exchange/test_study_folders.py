"""A folder of a study is read whole before anything is sent: what is in it, and what is told of it."""

import gzip
import shutil
from pathlib import Path

import pytest

from gateway.demo.model import WrongCallError
from gateway.exchange import folder, tables
from gateway.exchange.capturing import forms_of
from gateway.exchange.folder import MADE, read_folder
from gateway.trials import datasets
from gateway.trials.definition.reading import read_definitions
from gateway.trials.tabulation.define import markup
from tests.unit.gateway.exchange.folders import datasets as adam
from tests.unit.gateway.exchange.folders import pilot

REGISTRATION = "NCT00465816.json"


@pytest.fixture(scope="module")
def three(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pilot(shared_data, tmp_path_factory.mktemp("three") / "pilot", 3)


def test_the_pilot_is_read_as_it_is(three: Path) -> None:
    found = read_folder(three)
    assert (found.title, found.document_name, len(found.tables)) == ("TDF_Datasets", "define.xml", 21)
    assert found.document.encode() == (three / "define.xml").read_bytes()
    assert found.subjects == ("01-701-1015", "01-701-1023", "01-701-1028")
    assert set(found.sites.values()) == {"701"}
    assert found.registration == {"title": "TDF_Datasets"}
    assert [one.name for one in found.tables if not one.names_subjects] == ["TA", "TE", "TI", "TS", "TV"]


def test_what_is_not_as_it_is_said_is_told_without_a_value(three: Path) -> None:
    told = {one.text: one.times for one in read_folder(three).findings}
    assert told["cm.xpt: has the keys of an earlier row"] == 98
    assert told["lbur.xpt, LBSTNRHI: is no whole number, and defined as one"] == 11
    assert all("row " not in text or "earlier row" in text for text in told)


def test_every_row_of_a_subject_is_in_a_form(three: Path) -> None:
    found = read_folder(three)
    rows = 0
    for key in found.subjects:
        for form in forms_of(found, key):
            rows += len(form.groups)
    assert rows == sum(len(one.rows) for one in found.tables if one.names_subjects)


def test_a_registration_in_the_folder_is_the_protocol(shared_data: Path, three: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(three, folder)
    shutil.copy(shared_data / "trials" / "clinicaltrials-gov" / REGISTRATION, folder)
    registration = read_folder(folder).registration
    assert isinstance(registration, dict)
    assert registration["identifiers"]


def test_a_registration_alone_is_a_study_that_is_planned(shared_data: Path) -> None:
    found = read_folder(shared_data / "trials" / "clinicaltrials-gov" / REGISTRATION)
    assert isinstance(found.registration, dict)
    assert found.registration["title"] == found.title
    assert (found.document, found.tables, found.subjects, found.has_data) == ("", (), (), False)


def test_every_record_of_the_registry_is_a_study(shared_data: Path) -> None:
    records = sorted((shared_data / "trials" / "clinicaltrials-gov").iterdir())
    assert len(records) > 50
    assert all(read_folder(one).title for one in records)


def test_a_definition_alone_is_a_study_that_is_planned(shared_data: Path) -> None:
    found = read_folder(shared_data / "trials" / "odm-1.3" / "cdash-odm-test.xml")
    assert found.document
    assert found.definition.forms
    assert not found.has_data


def test_without_a_definition_one_is_made_of_the_tables(shared_data: Path) -> None:
    found = read_folder(shared_data / "trials" / "dataset-json-i18n")
    (definition,) = read_definitions(found.document.encode())
    assert (found.document_name, [one.name for one in definition.groups]) == (MADE, ["AE"])
    assert len(found.subjects) == 225
    assert set(found.sites.values()) == {"1"}


def test_files_of_one_table_that_say_the_same_are_one(shared_data: Path) -> None:
    found = read_folder(shared_data / "trials" / "dataset-json-adam")
    assert sorted(one.name for one in found.tables) == ["ADAE", "ADCIBC", "ADLBHY", "ADSL", "ADTTE"]
    assert len(found.notes) == 2


def test_files_of_one_table_that_differ_are_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = adam(shared_data, "dataset-json-adam", tmp_path / "adam", 3)
    shutil.copy(shared_data / "trials" / "dataset-json-adam" / "adsl.ndjson.gz", folder)
    with pytest.raises(WrongCallError, match=r"says otherwise than adsl\.json of the same table"):
        read_folder(folder)


def test_text_that_the_definition_calls_text_is_no_number(shared_data: Path, tmp_path: Path) -> None:
    """R writes site 701 without quotes where it is a number; the definition says what it is."""
    trials = shared_data / "trials"
    (tmp_path / "dm.csv").write_text('"STUDYID","USUBJID","SITEID","AGE"\n"S","S-1",701,63\n"S","S-2",0702,NA\n')
    shutil.copy(trials / "sdtm-cdiscpilot01" / "define.xml.gz", tmp_path)
    (table,) = read_folder(tmp_path).tables
    assert table.rows == (("S", "S-1", "701", 63), ("S", "S-2", "0702", None))
    assert [one.type.value for one in table.described.table.variables] == ["string", "string", "string", "integer"]


def test_clinical_data_of_odm_are_subjects_forms_and_no_part_of_the_definition(shared_data: Path) -> None:
    path = shared_data / "trials" / "odm-1.3" / "odm-data-snapshot.xml"
    found = read_folder(path)
    assert b"<SubjectData" in path.read_bytes()
    assert "SubjectData" not in found.document
    assert len(found.forms) == len(found.subjects) == 2
    assert all(forms for forms in found.forms.values())


def test_however_much_clinical_data_a_document_has_its_definition_is_read_as_one_alone(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = (three / "define.xml").read_bytes()
    data = (
        '<ClinicalData StudyOID="S" MetaDataVersionOID="V"><SubjectData SubjectKey="1">'
        '<StudyEventData StudyEventOID="E"><FormData FormOID="F"><ItemGroupData ItemGroupOID="G">'
        + '<ItemData ItemOID="I" Value="1"/>' * 20_000
        + "</ItemGroupData></FormData></StudyEventData></SubjectData></ClinicalData></ODM>"
    )
    monkeypatch.setattr(markup, "MOST_ELEMENTS", 20_000)
    found = folder._given(("odm.xml", octets.replace(b"</ODM>", data.encode())))
    assert found.define is not None
    assert found.define.datasets.keys() == folder._given(("define.xml", octets)).define.datasets.keys()
    assert b"ItemData " not in found.text


def test_packed_files_are_read_by_their_own_names(three: Path, tmp_path: Path) -> None:
    for name in ("dm.xpt", "define.xml"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((three / name).read_bytes()))
    (table,) = read_folder(tmp_path).tables
    assert (table.described.file.name, len(table.rows)) == ("dm.xpt", 3)


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(WrongCallError, match="no definition and no table"):
        read_folder(tmp_path)


def test_more_values_than_are_held_are_refused(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_CELLS", 100)
    with pytest.raises(WrongCallError, match="more than 100 values together"):
        read_folder(three)


def test_a_title_of_ones_own_is_taken(three: Path) -> None:
    assert read_folder(three, title="Mine").title == "Mine"


def test_a_table_knows_whether_it_names_subjects(three: Path) -> None:
    for one in read_folder(three).tables:
        assert one.names_subjects == any(each.name == datasets.SUBJECT for each in one.described.table.variables)
