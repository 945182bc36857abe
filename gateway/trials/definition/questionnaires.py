"""A form of a study as a FHIR R4 Questionnaire: what anybody's app can show, with ODM's own names underneath.

True here: parts are in the order in which they are presented. An item that need not be collected under a condition is
not required, because FHIR could not say when it is not.
Not done here: conditions and range checks, which FHIR would need other languages for (`checks` has them).
Source: https://hl7.org/fhir/R4/questionnaire.html.
"""

from typing import Final

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.definition.answers import is_code, system
from gateway.trials.definition.items import CodeList, CodeListItem, DataType, ItemDef
from gateway.trials.definition.linkids import TRANSLATION, form_uri, link_id
from gateway.trials.definition.model import FormDef, ItemGroupDef, ItemRef, Ref
from gateway.trials.definition.references import Directory, in_order
from gateway.trials.definition.texts import Texts, said
from gateway.trials.definition.values import TEXTS

MOST_ITEMS: Final = 5_000
"""Of a Questionnaire, groups counted too."""
_SHORT: Final = 255
"""Characters that one line of an app may hold; longer texts are `text`."""
_TYPES: Final = {
    DataType.INTEGER: "integer",
    DataType.DECIMAL: "decimal",
    DataType.FLOAT: "decimal",
    DataType.DOUBLE: "decimal",
    DataType.DATE: "date",
    DataType.PARTIAL_DATE: "date",
    DataType.INCOMPLETE_DATE: "date",
    DataType.DATETIME: "dateTime",
    DataType.PARTIAL_DATETIME: "dateTime",
    DataType.INCOMPLETE_DATETIME: "dateTime",
    DataType.TIME: "time",
    DataType.PARTIAL_TIME: "time",
    DataType.INCOMPLETE_TIME: "time",
    DataType.BOOLEAN: "boolean",
    DataType.URI: "url",
}

Resource = dict[str, JsonValue]


def questionnaire(found: Directory, form_oid: str, *, language: str = "en") -> Resource:
    """The form in a language, translations of its questions beside it. Raises CallerError for a form, group or item
    that is not defined, and for a form of more than `MOST_ITEMS`."""
    form = found.forms.get(form_oid)
    if form is None:
        raise CallerError("is no form of the study", field=("form", form_oid[:64]))
    study = found.definition
    made: Resource = {
        "resourceType": "Questionnaire",
        "url": form_uri(study.oid, study.version_oid, form.oid),
        "title": said(form.description, language) or form.name,
        "status": "active",
        "subjectType": ["Patient"],
        "language": language,
    }
    building = _Building(found, language)
    items = [building.group(ref, ()) for ref in in_order(form.groups)]
    return made | ({"item": list(items)} if items else {})


class _Building:
    def __init__(self, found: Directory, language: str) -> None:
        self._found = found
        self._language = language
        self._items = 0

    def group(self, ref: Ref, path: tuple[str, ...]) -> Resource:
        group = self._found.groups.get(ref.oid)
        if group is None:
            raise CallerError("is no group of the study", field=("group", ref.oid[:64]))
        made = self._part(ref, (*path, ref.oid), group) | {"type": "group", "repeats": group.repeating}
        items = [
            self._item(one, (*path, ref.oid)) if isinstance(one, ItemRef) else self.group(one, (*path, ref.oid))
            for one in in_order(group.members)
        ]
        return made | ({"item": list(items)} if items else {})

    def _item(self, ref: ItemRef, path: tuple[str, ...]) -> Resource:
        item = self._found.items.get(ref.oid)
        if item is None:
            raise CallerError("is no item of the study", field=("item", ref.oid[:64]))
        made = self._part(ref, (*path, ref.oid), item)
        codes = None if item.code_list is None else self._found.code_lists.get(item.code_list)
        if codes is not None and codes.items:
            return made | {"type": "choice", "answerOption": [self._option(one, codes) for one in codes.items]}
        kind = _TYPES.get(item.data_type, "string" if (item.length or _SHORT + 1) <= _SHORT else "text")
        limited = item.data_type in TEXTS and item.length is not None
        return made | {"type": kind} | ({"maxLength": item.length} if limited else {})

    def _part(self, ref: Ref, path: tuple[str, ...], part: ItemDef | ItemGroupDef | FormDef) -> Resource:
        self._items += 1
        if self._items > MOST_ITEMS:
            raise CallerError(f"has more than {MOST_ITEMS} items", field=("form",))
        texts = part.question if isinstance(part, ItemDef) and part.question else part.description
        made: Resource = {"linkId": link_id(path), "text": said(texts, self._language) or part.name}
        others = self._others(texts)
        return made | others | {"required": ref.mandatory and ref.exception is None}

    def _others(self, texts: Texts) -> Resource:
        """The question in other languages, as FHIR's extension for that."""
        found: list[JsonValue] = [
            {
                "url": TRANSLATION,
                "extension": [
                    {"url": "lang", "valueCode": one.language},
                    {"url": "content", "valueString": " ".join(one.text.split())},
                ],
            }
            for one in texts
            if one.language not in ("", self._language) and one.text.strip()
        ]
        return {"_text": {"extension": found}} if found else {}

    def _option(self, listed: CodeListItem, codes: CodeList) -> JsonValue:
        if not is_code(listed.value):
            return {"valueString": listed.value}
        coding: Resource = {"system": system(codes, self._found), "code": listed.value}
        display = said(listed.decode, self._language)
        return {"valueCoding": coding | ({"display": display} if display else {})}
