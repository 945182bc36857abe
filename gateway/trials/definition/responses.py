"""A captured form as a FHIR R4 QuestionnaireResponse, and back without loss.

True here: `captured(response(form)) == form`, whatever was captured. Repeats of a group are items with the same linkId,
each with its repeat key. A response is read strictly: an item that the form does not have is refused by its linkId.
Not done here: subject, author and time, which whoever stores the response adds; they are passed over in reading.
Source: https://hl7.org/fhir/R4/questionnaireresponse.html.
"""

from typing import Final, Literal

from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.trials.definition.answers import Answer, answer, text_of
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem, check_size
from gateway.trials.definition.linkids import FORM, NO_ANSWER, REPEAT_KEY, UNIT, form_uri, link_id
from gateway.trials.definition.model import FormDef, ItemRef
from gateway.trials.definition.references import Directory

RESOURCE: Final = "QuestionnaireResponse"
"""What a captured form is."""
Status = Literal["in-progress", "completed", "amended", "entered-in-error", "stopped"]
_OTHERS: Final = frozenset({
    "id", "meta", "language", "text", "identifier", "basedOn", "partOf", "status", "subject", "encounter", "authored",
    "author", "source",
})  # fmt: skip
"""Members that say nothing of what was captured."""
_PLACE: Final = {
    "study": "study", "version": "version", "event": "event", "event-repeat-key": "event_repeat_key", "form": "form",
    "form-repeat-key": "form_repeat_key",
}  # fmt: skip

Resource = dict[str, JsonValue]
_Placed = tuple[Resource, tuple[str, ...]]
_Links = dict[tuple[str, ...], dict[str, tuple[str, bool]]]


def response(form: CapturedForm, found: Directory, *, status: Status, language: str = "en") -> Resource:
    """Without a subject. Raises CallerError for a part that the study does not define, LimitError for too many."""
    check_size(form)
    _check_version(form, found)
    place: list[JsonValue] = [
        {"url": name, "valueString": value}
        for name, attribute in _PLACE.items()
        if (value := getattr(form, attribute)) is not None
    ]
    made: Resource = {
        "resourceType": RESOURCE,
        "extension": [{"url": FORM, "extension": place}],
        "questionnaire": form_uri(form.study, form.version, form.form),
        "status": status,
    }
    items: list[JsonValue] = [_group(one, found, (), language) for one in form.groups]
    return made | ({"item": items} if items else {})


def _check_version(form: CapturedForm, found: Directory) -> None:
    study = found.definition
    if (form.study, form.version) != (study.oid, study.version_oid):
        raise CallerError("is of another study, or of another version of it", field=("form", form.form[:64]))


def _group(group: CapturedGroup, found: Directory, path: tuple[str, ...], language: str) -> Resource:
    here = (*path, group.oid)
    made: Resource = {"linkId": link_id(here)}
    if group.repeat_key is not None:
        made["extension"] = [{"url": REPEAT_KEY, "valueString": group.repeat_key}]
    items: list[JsonValue] = [_item(one, found, here, language) for one in group.items]
    items.extend(_group(one, found, here, language) for one in group.groups)
    return made | ({"item": items} if items else {})


def _item(item: CapturedItem, found: Directory, path: tuple[str, ...], language: str) -> Resource:
    definition = found.items.get(item.oid)
    if definition is None:
        raise CallerError("is no item of the study", field=("item", item.oid[:64]))
    made: Resource = {"linkId": link_id((*path, item.oid))}
    extensions: list[JsonValue] = [] if item.unit is None else [{"url": UNIT, "valueString": item.unit}]
    if not item.text:
        extensions.append({"url": NO_ANSWER, "valueCode": "null" if item.text is None else "empty"})
    if extensions:
        made["extension"] = extensions
    if item.text:
        given: Answer = answer(item.text, definition, found, language=language)
        made["answer"] = [given]
    return made


def captured(resource: JsonValue, found: Directory) -> CapturedForm:
    """Raises CallerError with a `field` that leads to the item, LimitError for too many."""
    if not isinstance(resource, dict) or resource.get("resourceType") != RESOURCE:
        raise CallerError("must be a QuestionnaireResponse", field=("resourceType",))
    for member in resource.keys() - _OTHERS - {"resourceType", "extension", "questionnaire", "item"}:
        raise CallerError("is not supported in the response of a form", field=(member[:64],))
    place = _place(resource.get("extension"))
    form = found.forms.get(place["form"] or "")
    if form is None:
        raise CallerError("is no form of the study", field=("extension", "form"))
    made = CapturedForm(
        study=place["study"] or "",
        version=place["version"] or "",
        event=place["event"] or "",
        event_repeat_key=place["event-repeat-key"],
        form=form.oid,
        form_repeat_key=place["form-repeat-key"],
        groups=_Reading(form, found).groups(_items(resource, ()), ()),
    )
    _check_version(made, found)
    if resource.get("questionnaire") != form_uri(made.study, made.version, made.form):
        raise CallerError("is another form than the extension says", field=("questionnaire",))
    check_size(made)
    return made


def _place(extensions: JsonValue) -> dict[str, str | None]:
    """Which form of which event: the one extension of the response."""
    match extensions:
        case [{"url": url, "extension": [*parts], **rest}] if url == FORM and not rest:
            found: dict[str, str | None] = dict.fromkeys(_PLACE)
            for part in parts:
                match part:
                    case {"url": str(name), "valueString": str(value), **others} if name in found and not others:
                        found[name] = value
                    case _:
                        raise CallerError("has a part that is not supported", field=("extension",))
            if all(found[name] for name in ("study", "version", "event", "form")):
                return found
    raise CallerError("must say study, version, event and form", field=("extension",))


def _items(holder: Resource, field: tuple[str, ...]) -> list[_Placed]:
    value = holder.get("item", [])
    if not isinstance(value, list):
        raise CallerError("must be a list", field=(*field, "item"))
    found = []
    for number, one in enumerate(value):
        place = (*field, "item", str(number))
        if not isinstance(one, dict) or not one.keys() <= {"linkId", "text", "extension", "answer", "item"}:
            raise CallerError("is no item that is supported", field=place)
        found.append((one, place))
    return found


class _Reading:
    """Knows, for each path of groups, which linkIds there are below it."""

    def __init__(self, form: FormDef, found: Directory) -> None:
        self._found = found
        self._below: _Links = {(): {link_id((one.oid,)): (one.oid, False) for one in form.groups}}

    def groups(self, items: list[_Placed], path: tuple[str, ...]) -> tuple[CapturedGroup, ...]:
        """Of items that are groups."""
        return tuple(self._group(item, field, path) for item, field in items)

    def _group(self, item: Resource, field: tuple[str, ...], path: tuple[str, ...]) -> CapturedGroup:
        oid, _ = self._named(item, field, path)
        if oid not in self._found.groups or "answer" in item:
            raise CallerError("is no group of the study", field=field)
        here = (*path, oid)
        split: dict[bool, list[_Placed]] = {True: [], False: []}
        for inner, place in _items(item, field):
            split[self._named(inner, place, here)[1]].append((inner, place))
        return CapturedGroup(
            oid=oid,
            repeat_key=_extensions(item, {REPEAT_KEY: "valueString"}, field=field).get(REPEAT_KEY),
            items=tuple(self._item(inner, place, here) for inner, place in split[True]),
            groups=self.groups(split[False], here),
        )

    def _named(self, item: Resource, field: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, bool]:
        """The OID, and whether it is an item's. Raises CallerError for a linkId that the form does not have there."""
        if path not in self._below:
            members = self._found.groups[path[-1]].members
            self._below[path] = {link_id((*path, one.oid)): (one.oid, isinstance(one, ItemRef)) for one in members}
        known = self._below[path].get(str(item.get("linkId")))
        if known is None:
            raise CallerError("has a linkId that the form does not have here", field=(*field, "linkId"))
        return known

    def _item(self, item: Resource, field: tuple[str, ...], path: tuple[str, ...]) -> CapturedItem:
        oid, _ = self._named(item, field, path)
        definition = self._found.items.get(oid)
        if definition is None or "item" in item:
            raise CallerError("is no item of the study", field=field)
        said = _extensions(item, {UNIT: "valueString", NO_ANSWER: "valueCode"}, field=field)
        reason, unit = said.get(NO_ANSWER), said.get(UNIT)
        match item.get("answer"):
            case None if reason in ("null", "empty"):
                return CapturedItem(oid=oid, text="" if reason == "empty" else None, unit=unit)
            case [given] if reason is None:
                text = text_of(given, definition, self._found, field=(*field, "answer", "0"))
                return CapturedItem(oid=oid, text=text, unit=unit)
        raise CallerError("must have one answer, or say why it has none", field=field)


def _extensions(item: Resource, known: dict[str, str], *, field: tuple[str, ...]) -> dict[str, str]:
    """URL -> value, of those that are known. Raises CallerError for others."""
    value = item.get("extension", [])
    found: dict[str, str] = {}
    for one in value if isinstance(value, list) else [value]:
        match one:
            case {"url": str(url), **rest} if url in known and url not in found and rest.keys() == {known[url]}:
                found[url] = str(rest[known[url]])
            case _:
                raise CallerError("has an extension that is not supported", field=(*field, "extension"))
    return found
