"""The patients of the road: each is enrolled, stores their own records, and all but some consent to research.

Several patients are on their way at one time. What stops one of them is a problem of its own, and they give no consent.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.demo.bundles import Bundle
from gateway.demo.datasets.tally import Tally
from gateway.demo.datasets.walk import Company, Walk
from gateway.demo.datasets.wish import DATA_USE, PURPOSE
from gateway.demo.journey import DAY_SECONDS
from gateway.demo.model import StepFailedError
from gateway.demo.patients import Enrolled, Granted, enrol_patient, grant_consent, labels_to_cover, store_bundle
from gateway.demo.signing import AskedConsent

Given = TypeVar("Given")
Made = TypeVar("Made")
AT_ONCE = 4
"""Patients on their way at one time."""
EACH = 10
"""Of so many patients one gives no consent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A patient and their records. `consent`: their research consent, None where they gave none."""

    patient: Enrolled
    bundle: Bundle = field(repr=False)
    consents: bool
    consent: Granted | None = None


def consents(number: int, *, of: int) -> bool:
    """Whether the patient of a number, from 0 on, consents: every tenth does not, and one at least of two or more."""
    return number % EACH != EACH - 1 and not (1 < of < EACH and number == of - 1)


def consenting(patients: int) -> int:
    return sum(consents(number, of=patients) for number in range(patients))


def gather(walk: Walk, company: Company, bundles: Sequence[Bundle]) -> list[Participant]:
    """Enrolled, with their records in and their consents given: first those who consented. Raises StepFailedError where
    nobody did."""
    tally, total = walk.tally, len(bundles)

    def enrolled(numbered: tuple[int, Bundle]) -> Participant:
        patient = enrol_patient(walk.gateway, walk.deployment, registrar=company.registrar)
        at, bundle = numbered
        return Participant(patient=patient, bundle=bundle, consents=consents(at, of=total))

    def stored(one: Participant) -> Participant:
        store_bundle(walk.gateway, one.patient, one.bundle)
        return one

    with walk.step("enrol", "enrolling patients", total=total) as advance:
        found = _each(tally, enumerate(bundles), enrolled, lambda _: advance(1))
    with walk.step("import", "importing resources", total=tally.resources) as advance:
        for one in (found := _each(tally, found, stored, lambda one: advance(len(one.bundle.resources)))):
            tally.imported += len(one.bundle.resources)
    asked = [one for one in found if one.consents]
    with walk.step("consent", "consenting to research", total=len(asked)) as advance:
        granted = _each(tally, asked, lambda one: _granted(walk, company, one), lambda _: advance(1))
        tally.consented = len(granted)
    if not granted or granted[0].consent is None:
        raise StepFailedError("nobody consented to research")
    walk.stages.say(f"each who consents signed, as this one: {granted[0].consent.statement}")
    return [*granted, *(one for one in found if not one.consents)]


def _each(
    tally: Tally, given: Iterable[Given], work: Callable[[Given], Made], done: Callable[[Made], None]
) -> list[Made]:
    """What was made of each, in their order; a problem instead is noted, and that one is out."""

    def tried(one: Given) -> Made | StepFailedError:
        try:
            return work(one)
        except StepFailedError as error:
            return error

    made: list[Made] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for result in pool.map(tried, given):
            if isinstance(result, StepFailedError):
                tally.fail(f"a patient cannot go on: {result}")
            else:
                made.append(result)
                done(result)
    return made


def _granted(walk: Walk, company: Company, one: Participant) -> Participant:
    labels, seen = labels_to_cover(walk.gateway, one.patient, one.bundle)
    if seen != len(one.bundle.resources):
        raise StepFailedError(f"the patient sees {seen} of their {len(one.bundle.resources)} records")
    now = int(time.time())
    asked = AskedConsent(
        subject=one.patient.subject,
        grantee=company.researcher.actor,
        grantee_name=company.researcher.name,
        actions=("READ",),
        purposes=(PURPOSE,),
        labels=labels,
        now=now,
        not_after=now + DAY_SECONDS,
        data_use=DATA_USE,
    )
    granted = grant_consent(walk.gateway, walk.deployment, one.patient, asked, grantee=company.researcher.id)
    return replace(one, consent=granted)
