"""Everything that anybody can tell a gateway, told with canaries in every place that takes a text.

True here: each path of the public API is used, with what is stored, asked, signed, listened for and refused; answers
are looked at only for whether the path was taken.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.jsontext import JsonValue, Num
from tests.campaigns.canaries import Canaries
from tests.journeys import documents
from tests.journeys.emergencies import break_glass, joined, opened, read_urgently, review
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import LOINC, bundle, condition, observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed

SUBJECT = "urn:uuid:7a9a1c52-6f0e-4c7c-8a58-0d4f5a1b2c3d"
NOTES_EACH = 10
"""Notes of one bundle."""


@dataclass(slots=True, kw_only=True)
class Told:
    """`paths`: which were used; `notes`: how many records hold canaries."""

    paths: list[str] = field(default_factory=list)
    notes: int = 0

    def by(self, path: str, taken: object) -> None:
        assert taken, f"not told by {path}"
        self.paths.append(path)


def note(canaries: Canaries) -> dict[str, JsonValue]:
    """One observation with canaries in narrative, note, identifier, code, value, date and display."""
    words = canaries.text("narrative")
    return observation(
        date=canaries.date,
        text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'},
        note=[{"text": canaries.text("note")}],
        identifier=[{"system": f"urn:{canaries.word('system')}", "value": canaries.text("identifier")}],
        component=[
            {
                "code": {
                    "coding": [{"system": "urn:local", "code": canaries.word("code")}],
                    "text": canaries.text("of"),
                },
                "valueQuantity": {"value": Num(canaries.quantity), "unit": canaries.text("unit")},
            }
        ],
    )


def others(canaries: Canaries) -> list[JsonValue]:
    """A person, a diagnosis and a document."""
    return [
        condition(date=canaries.date, subject={"reference": SUBJECT, "display": canaries.text("display")}),
        {
            "resourceType": "Patient",
            "name": [{"family": canaries.text("family"), "given": [canaries.text("given")]}],
            "telecom": [{"system": "phone", "value": canaries.text("phone")}],
            "address": [{"line": [canaries.text("street")], "city": canaries.text("city"), "postalCode": "1883"}],
        },
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "content": [{"attachment": {"contentType": "text/plain", "title": canaries.text("title")}}],
        },
    ]


def tell(site: Site, canaries: Canaries, *, notes: int) -> Told:
    """All of it. AssertionError where a path was not taken."""
    told = Told()
    patient, reader = site.crowd.patient(canaries.text("patient")), site.crowd.clinician(canaries.text("clinician"))
    records = _stored(patient, canaries, told, notes=notes)
    consent = _consented(patient, reader, canaries, told)
    _read(patient, reader, records, canaries, told)
    _listened(patient, reader, canaries, told)
    _refused(site, patient, reader, records[0], canaries, told)
    _emergencies(site, patient, records[0], canaries, told)
    told.by("revokeConsent", not patient.revoke(consent).code)
    told.by("revokeAllConsents", not patient.revoke_all().code)
    gone = site.crowd.patient(canaries.text("erased"))
    gone.store(note(canaries))
    told.by("erasePatient", not gone.erase().code)
    return told


def _stored(patient: Patient, canaries: Canaries, told: Told, *, notes: int) -> list[str]:
    stored: list[str] = []
    for start in range(0, notes, NOTES_EACH):
        texts: Sequence[JsonValue] = [note(canaries) for _ in range(min(NOTES_EACH, notes - start))]
        made = patient.person.import_bundle(patient.id, bundle(*texts), key=canaries.word("key")).value["records"]
        stored += [one["id"] for one in made]
    told.by("importBundle", stored)
    stored += [patient.store(resource, key=canaries.word("key")) for resource in others(canaries)]
    told.by("createRecord", stored)
    amended = patient.person.amend(stored[0], note(canaries), version=1, key=canaries.word("key"))
    told.by("amendRecord", not amended.code)
    told.notes = len(stored)
    return stored


def _consented(patient: Patient, reader: Person, canaries: Canaries, told: Told) -> str:
    coded = [f"{LOINC}|{canaries.word('code')}", f"urn:{canaries.word('system')}|{canaries.word('code')}"]
    told.by("grantConsent by code", patient.consent(reader.id, codes=coded, labels=["unclassified"]))
    consent = patient.consent(reader.id, labels=["unclassified"])
    told.by("grantConsent", consent)
    told.by("consents", patient.person.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]["edges"])
    return consent


def _read(patient: Patient, reader: Person, records: Sequence[str], canaries: Canaries, told: Told) -> None:
    for record in records[:10]:
        told.by("record", canaries.root in reader.read(record).text)
    told.by("node", canaries.root in reader.node(records[0]).text)
    told.by("records", canaries.root in reader.records(patient.id).text)
    for wanted in ({"code": f"urn:local|{canaries.word('filter')}"}, {"code": f"urn:{canaries.word('filter')}|1"}):
        patient.person.records(patient.id, purpose="PATRQT", wanted=wanted).must()
    told.by("records by code", records)
    told.by("accessLog", patient.access_log())
    name = patient.person.ask(documents.VIEWER).text
    told.by("viewer", canaries.root in name)


def _listened(patient: Patient, reader: Person, canaries: Canaries, told: Told) -> None:
    named = documents.RECORD_ADDED + f"\n# {canaries.text('comment')}"
    with subscribed(reader, named, {"id": patient.id}) as subscription:
        patient.store(note(canaries))
        item = subscription.next()
        told.by("recordAdded", canaries.root in json.dumps(item, ensure_ascii=False, default=str))
    with subscribed(patient.person, documents.CONSENT_CHANGED, {"id": patient.id}) as subscription:
        patient.consent(reader.id, codes=[f"{LOINC}|{canaries.word('code')}"])
        told.by("consentChanged", subscription.next())


def _refused(site: Site, patient: Patient, reader: Person, record: str, canaries: Canaries, told: Told) -> None:
    """What is refused is forgotten too: by form, by sense, by right, by wire."""
    person, door = patient.person, site.door
    broken: JsonValue = {**note(canaries), "status": canaries.text("status")}
    told.by("refused by FHIR", person.store(patient.id, broken).code == "INVALID")
    told.by("refused for a label", person.store(patient.id, note(canaries), labels=[canaries.text("label")]).code)
    told.by("refused amendment", person.amend(record, note(canaries), version=77).code)
    told.by("refused bundle", person.import_bundle(patient.id, {"resourceType": canaries.text("type")}).code)
    told.by("refused consent", patient.draft(canaries.word("grantee")).code)
    told.by("refused statement", _other_statement(patient, reader, canaries))
    told.by("absent", reader.read(unknown_id("Record", 16)).code)
    told.by("unknown field", person.ask(f"{{ {canaries.root} }}").code)
    told.by("unknown id", person.ask(f'{{ node(id: "{canaries.text("id")}") {{ id }} }}').status)
    told.by("unknown variable", person.ask(documents.READ, {"id": record, canaries.text("variable"): 1}).status)
    told.by("wrong variable", person.ask(documents.RECORDS, {"id": patient.id, "first": canaries.text("first")}).code)
    told.by("wrong cursor", reader.records(patient.id, after=canaries.text("cursor")).code)
    told.by("no session", door.ask(documents.READ, {"id": record}, token=canaries.word("token")).code)
    told.by("no JSON", door.post(f'{{"query": "{canaries.text("body")}'.encode()).status_code == 400)
    named = {"x-request-id": canaries.word("header"), "user-agent": canaries.word("agent"), "origin": "https://x.test"}
    told.by("headers", door.post(b"{}", headers=named).status_code)
    told.by("a path", door.http.get(f"{door.base}/{canaries.word('path')}").status_code == 404)
    told.by("a query string", door.http.get(f"{door.base}/graphql?query={canaries.word('url')}").status_code)
    told.by("signIn", door.ask(documents.SIGN_IN, {"input": _junk_sign_in(canaries)}).code)
    told.by("signInChallenge", door.ask(documents.CHALLENGE, {"address": canaries.text("address")}).code)
    asked = {"key": "0x" + secrets.token_hex(20), "roles": ["CLINICIAN"], "name": canaries.text("name") + "\u0000"}
    told.by("refused registration", site.crowd.registrar.ask(documents.REGISTER, {"input": asked}).code)
    operation = {"query": "query A { viewer { id } }", "operationName": canaries.text("operation")}
    told.by("operationName", door.post(json.dumps(operation).encode()).status_code)


def _junk_sign_in(canaries: Canaries) -> dict[str, str]:
    return {"message": canaries.text("message"), "signature": "0x" + "11" * 65}


def _other_statement(patient: Patient, reader: Person, canaries: Canaries) -> str:
    typed = patient.draft(reader.id).value["typedData"]
    typed["message"]["scope"]["statement"] = canaries.text("statement")
    return patient.person.submit(documents.GRANT, typed).code


def _emergencies(site: Site, patient: Patient, record: str, canaries: Canaries, told: Told) -> None:
    crowd = site.crowd
    house = crowd.register("ORGANIZATION", canaries.text("house"))
    doctor = crowd.clinician(canaries.text("doctor"))
    auditor = crowd.register("AUDITOR", canaries.text("auditor"))
    joined(crowd, house, doctor, auditor)
    told.by("addMember", house)
    deadline = time.monotonic() + 15
    while break_glass(doctor, unknown_id("Patient", 32)).code not in ("NOT_PERMITTED", "INVALID"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    made = opened(doctor, patient, reason=canaries.text("reason"))
    told.by("openEmergency", made["id"])
    told.by("read in an emergency", canaries.root in read_urgently(doctor, record).text)
    told.by("endEmergency", not doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).code)
    told.by("reviewEmergency", not review(auditor, made["id"], note=canaries.text("review")).code)
