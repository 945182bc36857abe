"""Consents and audit entries as FHIR R4 resources, for systems that read those. They say the same in other words; what
was signed, and what was hashed, is the original. Names of patients, actors and records stand as identifiers, because
nothing here is served as a FHIR endpoint. Pure.

Source: https://hl7.org/fhir/R4/consent.html; https://hl7.org/fhir/R4/auditevent.html in the shape of IHE's Basic Audit
Log Patterns 1.1 (Patient Read, and the create, update and authorization events of its kind).
"""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from gateway.audit.model import AccessEvent, Outcome
from gateway.consent.model import ANYONE, NO_END, ConsentStatus, ConsentView, Effect
from gateway.consent.studies import study_in
from gateway.ids import to_global
from schema.scalars import moment_of, write_instant

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
DUO: Final = "http://purl.obolibrary.org/obo/duo.owl"
_BALP_ENTITY: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
RESEARCH: Final = frozenset({"HRESCH", "CLINTRCH"})
ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {"READ": ("access",), "WRITE": ("collect", "correct")}
CATEGORY: Final = {"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}
RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
TERMS: Final = "urn:consentry:terms:"
STUDY: Final = "urn:consentry:study"
"""Of a modifier extension: FHIR's Consent has no word for it, and whoever passes over it reads more than was signed."""
CONTEXT: Final = "urn:consentry:context"
"""Likewise, where the context is no study's: nothing here reads it."""
_INTERACTIONS: Final = {"READ": ("read", "R"), "WRITE": ("update", "U"), "EXPLAIN": ("operation", "E")}
"""By the log's action; whatever else it says is an operation on consents or control."""
RELEASE: Final = "RELEASE"
WITHDRAWN: Final = "WITHDRAW_FROM_RELEASE"
OF_DATASETS: Final = frozenset({RELEASE, WITHDRAWN})
"""Actions whose entries name a dataset in the place of a record."""


def consent_as_fhir(view: ConsentView, grantee: str | None) -> dict[str, Any]:
    """A FHIR Consent. `grantee`: as registered, None where no name may be told."""
    terms, scope = view.terms, view.terms.scope
    permit = terms.effect is Effect.PERMIT
    research = bool(scope.purposes) and RESEARCH.issuperset(scope.purposes)
    over = view.status in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED)
    found: dict[str, Any] = {
        "resourceType": "Consent",
        "id": view.consent.hex(),
        "text": _narrative(scope.statement),
        "identifier": [_identifier("consent", view.consent)],
        "status": "inactive" if over else "active",
        "scope": _concept("consentscope", "research" if research else "patient-privacy"),
        "category": [{"coding": [dict(CATEGORY)]}],
        "patient": {"identifier": _identifier("subject", terms.subject)},
        "performer": [{"identifier": _identifier("signer", view.signer)}],
        "policyRule": _concept("v3-ActCode", "OPTIN" if permit else "OPTOUT"),
        "provision": _provision(view, grantee),
    }
    if any(scope.terms_hash):
        found["policy"] = [{"uri": f"{TERMS}0x{scope.terms_hash.hex()}"}]
    return found


def _provision(view: ConsentView, grantee: str | None) -> dict[str, Any]:
    terms, scope = view.terms, view.terms.scope
    actor = {"identifier": _identifier("actor", scope.grantee), **({"display": grantee} if grantee else {})}
    data: list[tuple[str, str, bytes]] = [("instance", "record", name) for name in scope.records]
    data += [("authoredby", "actor", name) for name in scope.authors]
    parts: dict[str, Any] = {
        "modifierExtension": _modifiers(scope.context),
        "type": "permit" if terms.effect is Effect.PERMIT else "deny",
        "period": _period(
            _seconds_text(terms.not_before), "" if terms.not_after >= NO_END else _seconds_text(terms.not_after)
        ),
        "actor": []
        if scope.grantee == ANYONE
        else [{"role": _concept("v3-ParticipationType", "IRCP"), "reference": actor}],
        "action": [_concept("consentaction", code) for action in scope.actions for code in ACTIONS[action]],
        "securityLabel": [_coding("v3-ActCode", label) for label in scope.labels],
        "purpose": [
            *(_coding("v3-ActReason", purpose) for purpose in scope.purposes),
            *({"system": DUO, "code": term} for term in scope.data_use),
        ],
        "class": [{"system": RESOURCE_TYPES, "code": name} for name in scope.resource_types],
        "code": [{"coding": [_split(code)]} for code in scope.codes],
        "dataPeriod": _period(scope.data_from, scope.data_to),
        "data": [
            {"meaning": meaning, "reference": {"identifier": _identifier(kind, name)}} for meaning, kind, name in data
        ],
    }
    return {name: value for name, value in parts.items() if value}


def _modifiers(context: str) -> list[dict[str, Any]]:
    """What narrows a provision and cannot be said in FHIR's own words."""
    study = study_in(context)
    if study is not None:
        return [{"url": STUDY, "valueIdentifier": _identifier("study", study)}]
    return [{"url": CONTEXT, "valueString": context}] if context else []


def record_of_event(event: AccessEvent) -> bytes | None:
    return None if event.action in OF_DATASETS else event.record


def dataset_of_event(event: AccessEvent) -> bytes | None:
    return event.record if event.action in OF_DATASETS else None


def event_as_fhir(event: AccessEvent) -> dict[str, Any]:
    """A FHIR AuditEvent."""
    interaction, action = _INTERACTIONS.get(event.action, ("operation", "E"))
    nobody = {"display": "nobody who is known"}
    user: dict[str, Any] = {
        "type": _concept("v3-ParticipationType", "IRCP"),
        "who": nobody if event.actor is None else {"identifier": _identifier("actor", event.actor)},
        "requestor": True,
    }
    if event.purpose:
        user["purposeOfUse"] = [_concept("v3-ActReason", event.purpose)]
    gateway = {"display": "Consentry gateway"}
    entities = [
        _entity(("1", "Person"), ("1", "Patient"), "subject", event.subject),
        _entity(("2", "System Object"), ("4", "Domain Resource"), "record", record_of_event(event)),
        _entity(("2", "System Object"), ("3", "Report"), "dataset", dataset_of_event(event)),
        _entity(("2", "System Object"), ("13", "Security Resource"), "emergency", event.emergency),
        {
            "type": {"system": _BALP_ENTITY, "code": "XrequestId"},
            "what": {"identifier": _identifier("decision", event.decision)},
        },
    ]
    return {
        "resourceType": "AuditEvent",
        "id": event.decision.hex(),
        "type": _coding("audit-event-type", "rest"),
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": interaction},
            {"system": "urn:consentry:action", "code": event.action},
        ],
        "action": action,
        "recorded": write_instant(event.at),
        "outcome": "0" if event.outcome is Outcome.PERMITTED else "4",
        "outcomeDesc": event.outcome.value if event.basis is None else f"{event.outcome.value}: {event.basis}",
        "agent": [
            user,
            {
                "type": {"coding": [{"system": _DICOM, "code": "110152", "display": "Destination Role ID"}]},
                "who": gateway,
                "requestor": False,
            },
        ],
        "source": {
            "observer": gateway,
            "type": [{**_coding("security-source-type", "4"), "display": "Application Server"}],
        },
        "entity": [entity for entity in entities if entity is not None],
    }


def _entity(type_: tuple[str, str], role: tuple[str, str], kind: str, name: bytes | None) -> dict[str, Any] | None:
    if not name:
        return None
    return {
        "what": {"identifier": _identifier(kind, name)},
        "type": {**_coding("audit-entity-type", type_[0]), "display": type_[1]},
        "role": {**_coding("object-role", role[0]), "display": role[1]},
    }


def _identifier(kind: str, name: bytes) -> dict[str, str]:
    """What this API knows by an id of its own, by that; what stands on chain by its name there."""
    kinds = {
        "record": "Record",
        "dataset": "Dataset",
        "emergency": "Emergency",
        "decision": "Decision",
        "study": "Study",
    }
    value = to_global(kinds[kind], name) if kind in kinds else "0x" + name.hex()
    return {"system": f"urn:consentry:{kind}", "value": value}


def _coding(system: str, code: str) -> dict[str, str]:
    return {"system": TERMINOLOGY + system, "code": code}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code)]}


def _split(code: str) -> dict[str, str]:
    """`system|code`; the bar of a code's own is the code's."""
    system, bar, value = code.partition("|")
    return {"system": system, "code": value} if bar and system and value else {"code": code}


def _period(start: str, end: str) -> dict[str, str]:
    return {name: text for name, text in (("start", start), ("end", end)) if text}


def _seconds_text(seconds: int) -> str:
    return write_instant(moment_of(seconds))


def _narrative(words: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(words)}</div>'}
