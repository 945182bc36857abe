"""What a FHIR R4 resource says about itself, read without trusting it to be anything but JSON.

True here: every function is pure; a resource is never changed, and what is handed on is the same value that came in.
`ResourceFacts` over-reads rather than under-reads: a code, date or label that stands anywhere counts.
Not done here: validity (the validator's), labels by rule (`rules`), following references to other resources.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.records.facts import LabelledPart, ResourceFacts, Span
from gateway.records.period import clinical_span
from gateway.records.redaction import redact as redact

INLINE_LABEL = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
"""HL7 FHIR Data Segmentation for Privacy 1.0, inline security labels."""

IDENTIFYING = ("code", "vaccineCode", "medicationCodeableConcept", "type", "class", "category", "serviceType",
               "description", "event")  # fmt: skip
"""Top-level elements that, where they are coded, say what a resource is about."""
SUBJECTS = ("subject", "patient", "beneficiary", "individual", "candidate", "for")
"""Top-level elements that name the person a resource is about."""
ADMINISTRATIVE = frozenset(
    {
        "Account", "Appointment", "AppointmentResponse", "AuditEvent", "Consent", "Coverage",
        "CoverageEligibilityRequest", "CoverageEligibilityResponse", "Device", "Endpoint", "EnrollmentRequest",
        "EnrollmentResponse", "Group", "HealthcareService", "Location", "Organization", "OrganizationAffiliation",
        "Patient", "PaymentNotice", "PaymentReconciliation", "Person", "Practitioner", "PractitionerRole",
        "Provenance", "RelatedPerson", "ResearchStudy", "ResearchSubject", "Schedule", "Slot",
    }
)  # fmt: skip
"""Types that are about persons, places and dealings; without a code they are no clinical statement left unread."""
PROSE = frozenset({"ClinicalImpression", "Communication", "Composition", "QuestionnaireResponse"})
"""Types whose statement is mostly prose, whatever codes stand beside it."""

_OBSERVED = frozenset({"component", "hasMember", "dataAbsentReason"})
# Confidentiality and handling that ask for no consent of their own; every other security label counts.
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_ORDINARY = frozenset({"U", "L", "M", "N"})
_NO_SENSITIVITY = frozenset(
    {"http://terminology.hl7.org/CodeSystem/v3-ActReason", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEntry:
    """`full_url`: as written, also `urn:uuid:`; references to it are left as they are."""

    full_url: str | None
    resource: dict[str, JsonValue]


def read_facts(resource: JsonValue) -> ResourceFacts:
    """The facts of one valid resource. Raises CallerError when it has no type or an unreadable date."""
    root = _as_resource(resource, ())
    seen = _Seen()
    _look(root, "", seen, in_meta=False)
    root_type = str(root["resourceType"])
    abouts = [root, *seen.contained]
    codes = [code for about in abouts for name in IDENTIFYING for code in _codings(about.get(name))]
    spans = [span for about in abouts if (span := clinical_span(about)) is not None]
    return ResourceFacts(
        resource_type=root_type,
        codes=tuple(dict.fromkeys(codes)),
        mentioned=tuple(dict.fromkeys(seen.codings)),
        period=Span.around(spans),
        contained_types=frozenset(str(inner["resourceType"]) for inner in seen.contained),
        security_labels=frozenset(_labels_of(root)),
        parts=tuple(_labelled_parts(root, "")) if seen.has_parts else (),
        subject_references=tuple(_subjects(root)),
        has_unreadable=(
            seen.has_attachment
            or not (seen.codings or root_type in ADMINISTRATIVE)
            or any(_is_prose_alone(about, seen) for about in abouts)
        ),
    )


def bundle_resources(bundle: JsonValue) -> list[BundleEntry]:
    """The resources of a Bundle of type collection, batch or transaction (https://hl7.org/fhir/R4/bundle.html), in
    order. Raises CallerError, with the path in `field`, for another type, an empty Bundle, and for an entry that holds
    no resource or asks for anything but its creation (POST, PUT)."""
    root = _as_resource(bundle, ())
    if root["resourceType"] != "Bundle" or root.get("type") not in ("collection", "batch", "transaction"):
        raise CallerError("is no Bundle of type collection, batch or transaction", field=("type",))
    entries = root.get("entry")
    if not isinstance(entries, list) or not entries:
        raise CallerError("the Bundle holds no resource", field=("entry",))
    return [_bundle_entry(entry, ("entry", str(index))) for index, entry in enumerate(entries)]


class _Seen:
    """What one walk over a resource came across."""

    __slots__ = ("codings", "contained", "has_attachment", "has_open_answer", "has_parts")

    def __init__(self) -> None:
        self.codings: list[str] = []
        self.contained: list[dict[str, JsonValue]] = []
        self.has_attachment = False
        self.has_open_answer = False
        self.has_parts = False


def _look(node: dict[str, JsonValue], name: str, seen: _Seen, *, in_meta: bool) -> None:
    if name and "resourceType" in node:
        seen.contained.append(node)
        seen.has_parts = seen.has_parts or "meta" in node
    if "url" in node or "data" in node or "contentType" in node:
        _look_at_url(node, name, seen)
    if "valueString" in node and name not in ("extension", "modifierExtension"):
        seen.has_open_answer = True
    code = node.get("code")
    if type(code) is str and "value" not in node and not in_meta:
        seen.codings.append(f"{node.get('system', '')}|{code}")
    for key, value in node.items():
        if type(value) is dict:
            _look(value, key, seen, in_meta=in_meta or key == "meta")
        elif type(value) is list:
            for item in value:
                if type(item) is dict:
                    _look(item, key, seen, in_meta=in_meta)


def _look_at_url(node: dict[str, JsonValue], name: str, seen: _Seen) -> None:
    if name in ("extension", "modifierExtension"):
        seen.has_parts = seen.has_parts or node.get("url") == INLINE_LABEL
        return
    if "resourceType" in node and node["resourceType"] != "Binary":
        return
    # SampledData and Signature have `data` too: numbers under a code, and a proof.
    seen.has_attachment = seen.has_attachment or not ("origin" in node or "who" in node)


def _is_prose_alone(about: dict[str, JsonValue], seen: _Seen) -> bool:
    kind = str(about["resourceType"])
    if kind in PROSE or _narrative_adds(about):
        return True
    if kind in ADMINISTRATIVE:
        return False
    if kind == "Observation":
        has_answer = any(key.startswith("value") for key in about) or not _OBSERVED.isdisjoint(about)
        return seen.has_open_answer or ("note" in about and not has_answer) or _has_uncoded_concept(about)
    if kind == "DiagnosticReport" and "conclusion" in about and not ("result" in about or "conclusionCode" in about):
        return True
    return _has_uncoded_concept(about)


def _has_uncoded_concept(about: dict[str, JsonValue]) -> bool:
    """A concept that says what the resource is about, in words only."""
    for name in IDENTIFYING:
        for concept in _dicts(about.get(name)):
            if "text" in concept and not any(True for _ in _codings(concept)):
                return True
    return False


def _narrative_adds(about: dict[str, JsonValue]) -> bool:
    """`additional`: the narrative may say what the elements do not (https://hl7.org/fhir/R4/narrative.html)."""
    text = about.get("text")
    return isinstance(text, dict) and text.get("status") == "additional"


def _codings(value: JsonValue) -> Iterator[str]:
    """`system|code` of a Coding, a CodeableConcept, or an array of either."""
    for item in _dicts(value):
        for coding in _dicts(item.get("coding", item)):
            if isinstance(coding.get("code"), str):
                yield f"{coding.get('system', '')}|{coding['code']}"


def _dicts(value: JsonValue) -> list[dict[str, JsonValue]]:
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _labels_of(resource: Mapping[str, JsonValue]) -> Iterator[str]:
    """Labels on the whole: `meta.security`, and inline labels on the resource itself."""
    meta = resource.get("meta")
    yield from _sensitivities(meta.get("security") if isinstance(meta, dict) else None)
    yield from _inline_labels(resource)


def _inline_labels(element: Mapping[str, JsonValue]) -> Iterator[str]:
    for extension in _dicts(element.get("extension")):
        if extension.get("url") == INLINE_LABEL:
            yield from _sensitivities(extension.get("valueCoding") or extension.get("valueCodeableConcept"))


def _sensitivities(value: JsonValue) -> Iterator[str]:
    for coded in _codings(value):
        system, _, code = coded.rpartition("|")
        if system not in _NO_SENSITIVITY and not (system == _CONFIDENTIALITY and code in _ORDINARY):
            yield code


def _labelled_parts(node: dict[str, JsonValue], pointer: str) -> Iterator[LabelledPart]:
    """Also those inside a labelled part: a consent may reach the outer label and not the inner."""
    for key, value in node.items():
        is_list = isinstance(value, list)
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(item, dict) or item.get("url") == INLINE_LABEL:
                continue
            suffix = f"/{index}" if is_list else ""
            place = f"{pointer}/{key}{suffix}"
            labels = frozenset(_labels_of(item) if "resourceType" in item else _inline_labels(item))
            if labels:
                yield LabelledPart(pointer=place, labels=labels)
                # A primitive's label stands on its `_` twin; the value itself is what it protects.
                if key.startswith("_") and key[1:] in node:
                    yield LabelledPart(pointer=f"{pointer}/{key[1:]}{suffix}", labels=labels)
            yield from _labelled_parts(item, place)


def _subjects(root: dict[str, JsonValue]) -> Iterator[str]:
    if root["resourceType"] == "Patient" and isinstance(root.get("id"), str):
        yield f"Patient/{root['id']}"
    for name in SUBJECTS:
        for reference in _dicts(root.get(name)):
            if isinstance(reference.get("reference"), str):
                yield str(reference["reference"])


def _as_resource(value: JsonValue, field: tuple[str, ...]) -> dict[str, JsonValue]:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise CallerError("is no FHIR resource", field=(*field, "resourceType"))
    return value


def _bundle_entry(entry: JsonValue, field: tuple[str, ...]) -> BundleEntry:
    if not isinstance(entry, dict) or "resource" not in entry:
        raise CallerError("the entry holds no resource", field=field)
    request = entry.get("request")
    if isinstance(request, dict) and request.get("method") not in ("POST", "PUT"):
        raise CallerError("the entry asks for something other than creation", field=(*field, "request", "method"))
    full_url = entry.get("fullUrl")
    return BundleEntry(
        full_url=full_url if isinstance(full_url, str) else None,
        resource=_as_resource(entry["resource"], (*field, "resource")),
    )
