"""How much a field can hold, by the type that it stands in: what a document's cost is counted with.

True here: a list of ours counts at its page or at PLAIN_LIST. Lists inside a FHIR resource count for PART_LIST, which
97 of 100 lists in Synthea's and HL7's resources do not pass; what one holds in truth its author was let store. A field
that opens another record counts for DECISION more. What a field opens is counted beside: a page each record on it and
one that tells whether more follow, whatever is selected of them; what looks through a patient's records, some more for
that. Not done here: measuring a document (schema.limits).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    get_named_type,
)

from schema.gates import PAGE_CEILING
from schema.parts import DECIDES, EXTENSION

PLAIN_LIST = 10
"""What a list of objects without `first` counts for."""
PART_LIST = 3
DECISION = 20
ONE = 1
ORDERING = 20
"""What a page counts for besides, whose order is not that of arrival: all the patient's facts are looked through."""
OUTLOOK = 100
"""What counts so much looks through all of a patient's records for everybody whom a consent names, or through all
patients."""
JOURNAL = 20
"""What counts so much looks through all that a study's journal says of one subject."""
OPENS = {
    "Query": {
        "node": ONE,
        "record": ONE,
        "explainAccess": ONE,
        "whoCanSee": OUTLOOK,
        "previewConsent": OUTLOOK,
        **dict.fromkeys(("consentForm", "consentForms", "sentConsentRequests"), ONE),
        **dict.fromkeys(("dataset", "datasets", "datasetReport"), ONE),
        "study": ONE,
        **dict.fromkeys(("myStudies", "recruitingStudies", "studyMatch"), OUTLOOK),
    },
    "Me": {"patients": ONE, "consents": ONE, "datasets": ONE},
    "Patient": {
        "records": ONE,
        "timeline": ONE + ORDERING,
        "latest": ONE + ORDERING,
        **dict.fromkeys(("consents", "consentRequests"), ONE),
        "datasets": OUTLOOK,
    },
    "Consent": {"form": ONE},
    "Mutation": dict.fromkeys(("askAggregate", "countForStudy"), OUTLOOK),
    "Study": {
        **dict.fromkeys(("protocols", "definitions", "tables", "results"), PLAIN_LIST),
        **dict.fromkeys(("asFhir", "questionnaire", "subject", "subjects", "trail"), ONE),
        "compareOutcomes": 2 * ONE,
        "willing": JOURNAL,
    },
    "StudyProtocol": {"anchor": ONE},
    "StudySubject": {**dict.fromkeys(("forms", "form", "queries"), JOURNAL), "asFhir": ONE},
    "StudyForm": {"record": ONE, "recordAt": ONE},
    "ConsentRequest": {"form": ONE, "consent": ONE},
    "Subscription": {"recordAdded": ONE, "studyQueryChanged": JOURNAL, "subjectEnrolled": ONE},
}
"""Of the fields that open records, or texts about consents, datasets or studies: how many at least. A page opens as
many more as it has items."""
INTROSPECTION = "__"
"""What the types of a schema's own description begin with."""
INTROSPECTION_LISTS = {"types": 64, "fields": 8, "args": 4, "inputFields": 8, "enumValues": 8, "possibleTypes": 4}


@dataclass(frozen=True, slots=True)
class Extent:
    """`many` objects of `type` at most where `first` is not given; `extra`: what having it costs beside its fields;
    `opens`: records that are opened for it; `opens_each`: for each of its objects one more."""

    many: int
    type: str | None
    extra: int = 0
    opens: int = 0
    opens_each: bool = False


_INTROSPECTED = {name: Extent(many, INTROSPECTION) for name, many in INTROSPECTION_LISTS.items()}
_ONE_INTROSPECTED = Extent(1, INTROSPECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """`roots`: the type of each kind of operation. `widest`: by field name, for types that the schema does not have."""

    roots: Mapping[OperationType, str]
    types: Mapping[str, Mapping[str, Extent]]
    widest: Mapping[str, Extent]

    def of(self, type_: str | None, field: str) -> Extent:
        if (type_ or field).startswith(INTROSPECTION):
            return _INTROSPECTED.get(field, _ONE_INTROSPECTED)
        known = self.types.get(type_ or "", {}).get(field)
        return known or self.widest.get(field) or _INTROSPECTED.get(field) or Extent(1, None)


def extents(schema: GraphQLSchema) -> Extents:
    types: dict[str, dict[str, Extent]] = {}
    widest: dict[str, Extent] = {}
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__"):
            types[name] = {key: _extent(type_, key, field) for key, field in type_.fields.items()}
            for key, one in types[name].items():
                widest[key] = _wider(one, widest.get(key))
    roots = {kind: root.name for kind in OperationType if (root := schema.get_root_type(kind)) is not None}
    return Extents(roots=roots, types=types, widest=widest)


def _wider(one: Extent, other: Extent | None) -> Extent:
    """As much as either, of a type that is not known."""
    if other is None:
        return replace(one, type=None)
    return Extent(
        max(one.many, other.many),
        None,
        max(one.extra, other.extra),
        max(one.opens, other.opens),
        one.opens_each or other.opens_each,
    )


def _extent(type_: GraphQLObjectType | GraphQLInterfaceType, name: str, field: Any) -> Extent:
    holds = get_named_type(field.type).name
    decides = field.extensions.get(DECIDES)
    extra, opens = (DECISION, ONE) if decides else (0, OPENS.get(type_.name, {}).get(name, 0))
    bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    if "first" in field.args:
        default = field.args["first"].default_value
        many = default if isinstance(default, int) else PAGE_CEILING
        return Extent(many, holds, extra, opens, opens_each=opens > 0)
    if not isinstance(bare, GraphQLList) or "pageInfo" in type_.fields:
        return Extent(1, holds, extra, opens)
    return Extent(PART_LIST if type_.extensions.get(EXTENSION) else PLAIN_LIST, holds, extra, opens)
