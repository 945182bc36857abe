"""A study as its reader gets it, page by page: its papers at once, its subjects one after the other.

True here: a form is read through the decision, one record at a time; what is refused ends the export, so that no file
looks whole that is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway import jsontext
from gateway.demo.client import Gateway, RefusedError, shaped
from gateway.demo.model import StepFailedError
from gateway.demo.roles import Person
from gateway.errors import CallerError
from gateway.exchange import documents
from gateway.exchange.answers import Form, Query, Subject, SubjectForms, TrailEntry, Whole
from gateway.exchange.people import nodes
from gateway.jsontext import JsonValue
from gateway.trials import datasets
from gateway.trials.definition.forms import CapturedForm
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import captured

SIGNATURE: Final = "SIGNATURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadForm:
    """A form at its newest version, what it says, and who made each version. `older`: what those before it said, in
    order, where that was asked for; None: by another definition than the newest version's."""

    form: Form
    captured: CapturedForm = field(repr=False)
    older: tuple[CapturedForm | None, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSubject:
    subject: Subject
    forms: tuple[ReadForm, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An electronic signature under versions of forms. `records`: (record, version), record hexadecimal."""

    by: str
    at: int
    meaning: int
    records: frozenset[tuple[str, int]]
    signature: str


class Reader:
    """Of one study, with one reader's role."""

    def __init__(self, gateway: Gateway, who: Person, study: str) -> None:
        self._gateway = gateway
        self._who = who
        self._study = study
        self.whole = self._whole()
        self.directories = [self._directory(one.document) for one in self.whole.definitions]

    def subjects(self) -> Iterator[Subject]:
        found = nodes(
            self._gateway, documents.SUBJECTS, {"study": self._study}, ("study", "subjects"), token=self._who.token
        )
        return (shaped(one, Subject) for one in found)

    def forms(self, one: Subject) -> SubjectForms:
        """Which forms and queries there are, and whose versions; not what they say. Raises StepFailedError."""
        variables: dict[str, JsonValue] = {"study": self._study, "patient": one.patient_id}
        return shaped(self._asked(documents.SUBJECT, variables, "subject"), SubjectForms)

    def subject(self, one: Subject, *, older: bool = False) -> ReadSubject:
        """With all that they have; `older`: what former versions said, too. Raises StepFailedError."""
        told = self.forms(one)
        forms: list[ReadForm] = []
        for start in range(0, len(told.forms), documents.FORMS):
            forms += self._read(one, told.forms[start : start + documents.FORMS])
        if older:
            forms = [replace(each, older=tuple(self._older(one, each.form))) for each in forms]
        return ReadSubject(subject=one, forms=tuple(forms), queries=tuple(told.queries))

    def signatures(self) -> Iterator[Signed]:
        """All of the study, from its journal."""
        found = nodes(self._gateway, documents.TRAIL, {"study": self._study}, ("study", "trail"), token=self._who.token)
        for one in found:
            entry = shaped(one, TrailEntry)
            if entry.kind == SIGNATURE and entry.text is not None:
                yield _signed(entry.text)

    # ---- steps

    def _whole(self) -> Whole:
        found = self._gateway.data(documents.WHOLE, {"study": self._study}, token=self._who.token).get("study")
        if found is None:
            raise StepFailedError("no such study, or none that is shown to this key")
        whole = shaped(found, Whole)
        if not whole.definitions:
            raise StepFailedError("the study has no definition")
        return whole

    def _directory(self, document: str | None) -> Directory:
        try:
            (found,) = read_definitions((document or "").encode())
            return directory(datasets.forms_of(found))
        except (CallerError, ValueError) as error:
            raise StepFailedError("a definition of the study cannot be read") from error

    def _read(self, one: Subject, forms: Sequence[Form]) -> list[ReadForm]:
        try:
            return self._contents(one, forms)
        except RefusedError as error:
            if error.code != "LIMIT" or len(forms) == 1:
                raise
        half = len(forms) // 2
        return [*self._read(one, forms[:half]), *self._read(one, forms[half:])]

    def _contents(self, one: Subject, forms: Sequence[Form]) -> list[ReadForm]:
        ids = {f"i{at}": form.record_id for at, form in enumerate(forms)}
        variables: dict[str, JsonValue] = {"study": self._study, "patient": one.patient_id, **ids}
        found = shaped(self._asked(documents.contents(len(forms)), variables, "subject"), dict[str, Any])
        return [self._form(form, found.get(f"f{at}")) for at, form in enumerate(forms)]

    def _older(self, one: Subject, form: Form) -> Iterator[CapturedForm | None]:
        for version in form.versions[:-1]:
            asked: dict[str, JsonValue] = {"record": form.record_id, "version": version.version}
            variables: dict[str, JsonValue] = {"study": self._study, "patient": one.patient_id, **asked}
            found = shaped(self._asked(documents.OLDER, variables, "subject"), dict[str, Any])
            record = _shown(found.get("form"), "recordAt")
            try:
                yield captured(record.get("content"), self.directories[form.definition - 1])
            except CallerError:
                yield None

    def _form(self, form: Form, answer: object) -> ReadForm:
        record = _shown(answer, "record")
        if record.get("version") != form.version:
            raise StepFailedError("a form changed while it was read; export again")
        if not 0 < form.definition <= len(self.directories):
            raise StepFailedError("a form is of a definition that the study does not have")
        try:
            return ReadForm(form=form, captured=captured(record.get("content"), self.directories[form.definition - 1]))
        except CallerError as error:
            raise StepFailedError(f"a form is not of its definition: {error.message}") from error

    def _asked(self, document: str, variables: dict[str, JsonValue], name: str) -> object:
        study = self._gateway.data(document, variables, token=self._who.token).get("study")
        found = study.get(name) if isinstance(study, dict) else None
        if found is None:
            raise StepFailedError("a subject of the study is shown no longer")
        return found


def _shown(answer: object, name: str) -> dict[str, Any]:
    """A record that was read. Raises StepFailedError, RefusedError."""
    record = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(record, dict):
        raise StepFailedError("a form of a subject is not shown")
    if record.get("__typename") == "Refusal":
        raise RefusedError(str(record.get("code")), str(record.get("message")))
    return record


def _signed(text: str) -> Signed:
    entry: Any = jsontext.loads(text)
    try:
        act = entry["act"]
        return Signed(
            by=str(act["by"]),
            at=int(act["at"]),
            meaning=range(5)[act["meaning"]],
            records=frozenset((str(one["record"]), int(one["version"])) for one in act["forms"]),
            signature=str(entry["signature"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StepFailedError("a signature in the study's journal is not of its form") from error
