"""The subjects of a folder, one after the other: a patient with a key of their own, their consent to the study, their
enrolment, and all that tables and documents say of them, captured.

True here: what a subject has already is not done again, form by form; a capture that was sent twice is one. Several
subjects are on their way at one time; what stops one of them is a problem of its own, told without their key.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from gateway.demo.client import Gateway, RefusedError, shaped
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.patients import Enrolled
from gateway.demo.progress import Advance
from gateway.errors import CallerError
from gateway.exchange import documents
from gateway.exchange.acts import Acts
from gateway.exchange.answers import CapturedForms, Places
from gateway.exchange.keys import KeyRing
from gateway.exchange.model import StudyFolder
from gateway.exchange.people import AskedTerms, Company, consent, patient
from gateway.exchange.tally import Tally
from gateway.jsontext import JsonValue
from gateway.trials import datasets
from gateway.trials.definition.forms import CapturedForm, walk
from gateway.trials.definition.responses import response

AT_ONCE: Final = 4
"""Subjects on their way at one time."""
MOST_ITEMS: Final = 20_000
"""Items of one request: some four MiB."""
MOST_FORMS: Final = 100
"""Of one request."""
MOST_PROBLEMS: Final = 50
PAUSES: Final = (1.0, 4.0, 15.0)
"""Seconds before a subject is tried again."""
_BUSY: Final = frozenset({"UNAVAILABLE", "STALE", "LIMIT"})
Place = tuple[str, str | None, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that is the same for every subject. `strict`: a value that the definition does not allow is refused."""

    gateway: Gateway
    deployment: Deployment
    acts: Acts
    company: Company
    keys: KeyRing
    folder: StudyFolder
    terms: AskedTerms
    tally: Tally
    strict: bool


@dataclass(slots=True, kw_only=True)
class _Done:
    """With one subject in this run, over all tries."""

    enrolled: int = 0
    forms: int = 0
    items: int = 0
    kept: int = 0
    queries: int = 0


def capture_all(work: Work, subjects: Iterable[str], advance: Advance) -> None:
    """What stops a subject stands in the tally's problems."""
    counting = threading.Lock()

    def tried(key: str) -> None:
        done = _Done()
        problem = _persistent(work, key, done)
        with counting:
            if problem is None:
                advance(1)
            elif len(work.tally.problems) < MOST_PROBLEMS:
                work.tally.problems.append(f"a subject cannot go on: {problem}")
            work.tally.enrolled += done.enrolled
            work.tally.forms += done.forms
            work.tally.items += done.items
            work.tally.kept += done.kept
            work.tally.queries += done.queries

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(tried, subjects))


def _persistent(work: Work, key: str, done: _Done) -> str | None:
    """What stopped the subject; None: nothing. A gateway that is busy is asked again: what was done is found there."""
    for pause in (*PAUSES, None):
        try:
            _capture(work, key, done)
        except RefusedError as error:
            if error.code not in _BUSY or pause is None:
                return str(error)
            time.sleep(pause)
        except (StepFailedError, CallerError) as error:
            return str(error)
        else:
            return None
    raise AssertionError("the last turn returns")


def forms_of(folder: StudyFolder, key: str) -> Iterator[CapturedForm]:
    """All that is said of a subject. Raises CallerError."""
    yield from folder.forms.get(key, ())
    for table in folder.tables:
        rows = table.subjects.get(key)
        group = datasets.group_of(table.name, folder.definition)
        if rows and group is not None:
            yield from datasets.captured(table.described.table, rows, group, folder.definition)


def _capture(work: Work, key: str, done: _Done) -> None:
    one = patient(
        work.gateway,
        work.deployment,
        registrar=work.company.registrar,
        wallet=work.keys.patient(work.folder.title, key),
    )
    there = _places(work, one)
    if there is None:
        enrol(work, one, key)
        done.enrolled = 1
        there = set()
    wanted = list(forms_of(work.folder, key))
    missing = [form for form in wanted if place_of(form) not in there]
    done.kept = len(wanted) - len(missing) - done.forms
    for some in parts(missing):
        made = send(work, request(work, one, some))
        if len(made.records) != len(some):
            raise StepFailedError(f"{len(some)} forms went in, {len(made.records)} records came out")
        done.forms += len(some)
        done.items += sum(map(_items, some))
        done.queries += len(made.queries)


def _places(work: Work, one: Enrolled) -> set[Place] | None:
    """Of the forms that they have; None where they are no subject yet."""
    variables: dict[str, JsonValue] = {"study": work.acts.id, "patient": one.id}
    answer = work.gateway.data(documents.PLACES, variables, token=work.company.coordinator.token).get("study")
    found = answer.get("subject") if isinstance(answer, dict) else None
    if found is None:
        return None
    return {
        (each.event, each.event_repeat_key, each.form, each.form_repeat_key) for each in shaped(found, Places).forms
    }


def place_of(form: CapturedForm) -> Place:
    return form.event, form.event_repeat_key, form.form, form.form_repeat_key


def enrol(work: Work, one: Enrolled, key: str) -> None:
    """With their consent. Raises StepFailedError."""
    now = int(time.time())
    terms = AskedTerms(study=work.terms.study, name=work.terms.name, hash=work.terms.hash, now=now)
    consent(work.gateway, work.deployment, one, sponsor=work.company.sponsor, terms=terms)
    site = work.folder.sites[key]
    work.acts.do(
        work.company.investigator,
        "enrolment",
        {"patientId": one.id, "key": key, "site": site},
        {"subject": one.subject.removeprefix("0x"), "key": key, "site": site},
    )


def parts(forms: Iterable[CapturedForm]) -> Iterator[list[CapturedForm]]:
    """As many together as one request takes."""
    part: list[CapturedForm] = []
    items = 0
    for form in forms:
        size = _items(form)
        if part and (items + size > MOST_ITEMS or len(part) == MOST_FORMS):
            yield part
            part, items = [], 0
        part.append(form)
        items += size
    if part:
        yield part


def _items(form: CapturedForm) -> int:
    return sum(len(group.items) for group in walk(form.groups))


def request(work: Work, one: Enrolled, forms: list[CapturedForm]) -> JsonValue:
    """To capture forms of a subject: sent twice it is done once."""
    told: list[JsonValue] = [response(form, work.folder.definition, status="completed") for form in forms]
    first = "/".join(part or "" for part in place_of(forms[0]))
    return {
        "studyId": work.acts.id,
        "patientId": one.id,
        "forms": told,
        "asFound": not work.strict,
        "idempotencyKey": work.keys.name("capture", work.acts.id, one.id, first, str(len(forms))),
    }


def send(work: Work, asked: JsonValue) -> CapturedForms:
    """Raises RefusedError, StepFailedError."""
    token = work.company.coordinator.token
    return work.gateway.result(documents.CAPTURE, {"input": asked}, CapturedForms, token=token)
