"""Names of FHIR R4 that the FHIRPath subset has to know: primitive types, choice elements, elements that are dates.

True here: the lists are those of R4's JSON schema (https://hl7.org/fhir/R4/fhir.schema.json). A choice element
(`value[x]`) has its type in its JSON name (`valueQuantity`), and is therefore read with ofType() alone.
Not done here: a model of every type's elements; a path to an element that no type has reads nothing.
"""

TEXT = frozenset({
    "base64Binary", "canonical", "code", "date", "dateTime", "id", "instant", "markdown", "oid", "string", "time",
    "uri", "url", "uuid",
})  # fmt: skip
INTEGER = frozenset({
    "integer", "integer64", "positiveInt", "unsignedInt",
})  # fmt: skip
PRIMITIVES = TEXT | INTEGER | {"boolean", "decimal"}
"""The primitive types that a column or a constant may have."""
MOMENTS = frozenset({"date", "dateTime", "instant", "time"})

_COMPLEX = (
    "Address Age Annotation Attachment CodeableConcept Coding ContactDetail ContactPoint Contributor Count "
    "DataRequirement Distance Dosage Duration Expression HumanName Identifier Meta Money ParameterDefinition Period "
    "Quantity Range Ratio Reference RelatedArtifact SampledData Signature Timing TriggerDefinition UsageContext"
)
CHOICE_TYPES = PRIMITIVES - {"integer64"} | frozenset(_COMPLEX.split())
"""The types of open choices (https://hl7.org/fhir/R4/datatypes.html#open)."""
SUFFIXES = frozenset(kind[0].upper() + kind[1:] for kind in CHOICE_TYPES)

ALWAYS_CHOICES = frozenset({
    "abatement", "asNeeded", "born", "bounds", "chargeItem", "collected", "deceased", "definingSubstance",
    "doseNumber", "effective", "fastingStatus", "fixed", "identified", "indication", "legallyBinding", "maxValue",
    "medication", "minValue", "minimumVolume", "multipleBirth", "occurred", "occurrence", "participantEffective",
    "pattern", "performed", "probability", "prognosis", "rate", "scheduled", "seriesDoses", "serviced",
    "studyEffective", "used",
})  # fmt: skip
"""Elements that are a choice in every type that has them: without ofType() they name nothing in JSON."""
SOMETIMES_CHOICES = frozenset({
    "additive", "age", "allowed", "amount", "answer", "author", "characteristic", "code", "content", "created",
    "date", "defaultValue", "definition", "detail", "diagnosis", "dose", "due", "entity", "event", "example",
    "instantiates", "item", "location", "manufacturer", "onset", "offset", "outcome", "payment", "procedure",
    "product", "quantity", "reason", "reported", "source", "start", "statusReason", "subject", "substance", "target",
    "time", "timing", "topic", "value", "when",
})  # fmt: skip
"""Elements that are a choice in some types: of an Observation `value`, of an Identifier not."""

DATES = frozenset({
    "approvalDate", "birthDate", "expirationDate", "lastReviewDate", "lockedDate", "nextScheduled", "paymentDate",
    "statusDate",
})  # fmt: skip
"""Elements of type date; any other element that says when is a dateTime or an instant."""


def choice_key(name: str, kind: str) -> str:
    """The JSON name of a choice element of one type: `value` and `Quantity` give `valueQuantity`."""
    return name + kind[0].upper() + kind[1:]


def kind_class(kind: str) -> str:
    """How a primitive type is written in JSON: `text`, `integer`, `decimal` or `boolean`."""
    if kind in TEXT:
        return "text"
    return "integer" if kind in INTEGER else kind
