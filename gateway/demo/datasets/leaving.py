"""Who is refused, what patients are told, and a patient who withdraws.

Steps:
1. the stranger, a researcher like the recipient, is shown no dataset, opens none and downloads nothing.
2. patients who consented find the dataset among theirs, the others do not.
3. one withdraws: what was released can be opened no longer, and an edition without them is made, or none is left.
4. the recipient is told one pseudonym, of somebody who is in no table any more, and removes it from what they have.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gateway.demo.client import RefusedError
from gateway.demo.datasets import documents
from gateway.demo.datasets.answers import Dataset, Opened, Used
from gateway.demo.datasets.cohort import Participant
from gateway.demo.datasets.deciding import Asked, glance, paper_text
from gateway.demo.datasets.receiving import Edition
from gateway.demo.datasets.tables import remove_people, row_count
from gateway.demo.datasets.walk import Company, Walk
from gateway.demo.model import StepFailedError
from gateway.demo.paging import pages
from gateway.demo.patients import revoke_consent

FORBIDDEN = "NOT_PERMITTED"


def refuse_stranger(walk: Walk, company: Company, asked: Asked, dataset: Dataset) -> None:
    with walk.step("stranger", "asking as the stranger"):
        token = company.stranger.token
        if walk.gateway.data(documents.PROGRESS, {"dataset": asked.id}, token=token).get("dataset") is not None:
            walk.tally.fail("the stranger is shown the dataset")
        if (code := _code_of(lambda: _open(walk, asked, token))) != FORBIDDEN:
            walk.tally.fail(f"the stranger's openDataset is answered with {code or 'the dataset'}")
        for file in dataset.files:
            code = _code_of(partial(_download, walk, file.path, token))
            if code != FORBIDDEN:
                walk.tally.fail(f"the stranger's download is answered with {code or 'the file'}")


def tell_patients(walk: Walk, asked: Asked, participants: Sequence[Participant]) -> None:
    with walk.step("patients", "asking as each patient", total=len(participants)) as advance:
        for one in participants:
            found = _used(walk, asked, one)
            if (found is None) != (one.consent is None):
                words = "does not find" if found is None else "did not consent, and finds"
                walk.tally.fail(f"a patient {words} the dataset among theirs")
            if found is not None and found.withdrawn:
                walk.tally.fail("a patient who did not withdraw is said to have withdrawn")
            advance(1)


def withdraw(walk: Walk, company: Company, asked: Asked, leaving: Participant) -> None:
    """Ends the consent; from when that returns nothing that holds this patient is given out."""
    if leaving.consent is None:
        raise StepFailedError("who never consented cannot withdraw")
    with walk.step("withdraw", "withdrawing a consent"):
        ended = revoke_consent(walk.gateway, walk.deployment, leaving.patient, leaving.consent.id)
        if ended.status != "REVOKED":
            walk.tally.fail(f"the consent was revoked and is {ended.status}")
        try:
            if _open(walk, asked, company.researcher.token).dataset.edition < 2:
                walk.tally.fail("the edition of who withdrew can still be opened")
        except RefusedError as error:
            over = error.code == FORBIDDEN and glance(walk, asked, company.researcher).state == "FAILED"
            if error.code != "CONFLICT" and not over:
                walk.tally.fail(f"opening after a withdrawal is answered with {error}")


def check_withdrawal(
    walk: Walk, asked: Asked, leaving: Participant, dataset: Dataset, *, first: Edition, second: Edition | None
) -> None:
    """`second`: None where the dataset failed, because too few are left."""
    with walk.step("tombstone", "checking who is gone"):
        if len(dataset.tombstones) != 1:
            raise StepFailedError(f"one patient withdrew, and there are {len(dataset.tombstones)} tombstones")
        (name,) = dataset.tombstones
        walk.tally.tombstone = name
        if paper_text(dataset.last("WITHDRAWAL")).get("tombstones") != [name]:
            walk.tally.fail("the withdrawal's paper names others than the dataset")
        if name not in first.people and first.shows_all:
            walk.tally.fail("the tombstone is of nobody in the first edition")
        if second is not None:
            _compare(walk, name, first, second)
        else:
            _remove(walk, name, first)
        told = _used(walk, asked, leaving)
        if told is None or not told.withdrawn:
            walk.tally.fail("the patient who withdrew is not told so")


def _compare(walk: Walk, name: str, first: Edition, second: Edition) -> None:
    if name in second.people:
        walk.tally.fail("who withdrew is still in the new edition")
    gone = first.people - second.people - {name}
    if gone and not second.manifest.hides:
        walk.tally.fail(f"{len(gone)} people besides the one who withdrew are gone from the new edition")


def _remove(walk: Walk, name: str, first: Edition) -> None:
    """There is no edition to put in its place: the recipient takes the rows out of what they have."""
    remove_people(first.paths, [name])
    walk.tally.files = tuple(
        replace(one, rows=row_count(walk.out / one.path), octets=(walk.out / one.path).stat().st_size)
        for one in walk.tally.files
    )


def _used(walk: Walk, asked: Asked, one: Participant) -> Used | None:
    """The dataset among those that used the patient's records, as the patient finds it."""
    patient, token = one.patient.id, one.patient.person.token
    for nodes in pages(walk.gateway, documents.USED, Used, patient=patient, connection="datasets", token=token):
        for found in nodes:
            if found.dataset_id == asked.id:
                return found
    return None


def _open(walk: Walk, asked: Asked, token: str) -> Opened:
    return walk.gateway.result(documents.OPEN, {"dataset": asked.id}, Opened, token=token)


def _download(walk: Walk, path: str, token: str) -> int:
    """Octets that came."""
    return sum(map(len, walk.gateway.download(path, token=token)))


def _code_of(work: Callable[[], object]) -> str | None:
    """The code of a refusal; None where nothing was refused."""
    try:
        work()
    except RefusedError as error:
        return error.code
    return None
