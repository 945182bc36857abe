"""What an app asks first, as README.md shows it: over HTTP, from a live gateway."""

from tests.docs import readme
from tests.journeys.people import Patient, Person

ME, _ = readme.blocks("graphql")


def test_whoever_signs_in_is_told_of_themselves_and_of_whom_they_may_see(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id, labels=["HIV"])
    mine = patient.person.ask(ME).value
    assert mine["actor"] == {"name": patient.person.name, "roles": ["PATIENT"]}
    assert [edge["node"]["patient"]["id"] for edge in mine["patients"]["edges"]] == [patient.id]
    assert mine["consents"]["edges"] == []
    theirs = clinician.ask(ME).value
    named = [edge["node"] for edge in theirs["consents"]["edges"] if edge["node"]["patient"]["id"] == patient.id]
    assert [one["labels"] for one in named] == [["HIV"]]
    assert clinician.name in named[0]["statement"]
    assert theirs["patients"]["edges"] == []
