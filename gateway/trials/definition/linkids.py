"""Names of a form's parts in FHIR: linkIds, and URIs of forms and code lists.

True here: the linkId of a part is its OIDs from the form's groups down, with `/` between them; `~` and `/` within an
OID are escaped as in RFC 6901. So an item that two groups hold has two linkIds, and none is there twice.
"""

from typing import Final
from urllib.parse import quote

_ROOT: Final = "urn:consentry:odm"
FORM: Final = f"{_ROOT}:form"
"""Extension of a QuestionnaireResponse: which form of which event it is."""
REPEAT_KEY: Final = f"{_ROOT}:repeat-key"
"""Extension of an item that is a group."""
TEXT: Final = f"{_ROOT}:text"
"""Extension of an answer: the text that was captured, where FHIR's type does not keep it."""
UNIT: Final = f"{_ROOT}:unit"
"""Extension of an item: the OID of the unit that the answer is in."""
NO_ANSWER: Final = f"{_ROOT}:no-answer"
"""Extension of an item: `null`, there is no value; `empty`, the value is an empty text."""
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"


def link_id(path: tuple[str, ...]) -> str:
    """OIDs, outermost group first -> linkId."""
    return "/".join(oid.replace("~", "~0").replace("/", "~1") for oid in path)


def form_uri(study: str, version: str, form: str) -> str:
    """Of a Questionnaire."""
    return ":".join([_ROOT, *(quote(oid, safe="") for oid in (study, version, "form", form))])


def code_list_uri(study: str, version: str, code_list: str) -> str:
    """Of the codes of a code list, which mean something within one version of one study."""
    return ":".join([_ROOT, *(quote(oid, safe="") for oid in (study, version, "codes", code_list))])
