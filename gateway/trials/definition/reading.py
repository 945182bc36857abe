"""From a document of ODM to what its studies capture.

True here: both editions make the same model. A Form of ODM 2.0 that holds items itself, and an event that holds a
group which is no Form, have no place in it, and are refused by name; so are Include, which leaves a version
incomplete, and code in external libraries.
Not done here: whether references resolve (`references`); clinical data beside the definitions (`gateway.trials.odm`).
"""

from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition.cursor import Cursor
from gateway.trials.definition.documents import Parsed, parse
from gateway.trials.definition.elements import ODM_2_0, Kept, clark
from gateway.trials.definition.grammar import Edition
from gateway.trials.definition.itemreading import code_list, condition, item, method, unit
from gateway.trials.definition.model import (
    EventType,
    FormDef,
    ItemGroupDef,
    ItemRef,
    Protocol,
    Ref,
    StudyDefinition,
    StudyEventDef,
)
from gateway.trials.definition.texts import Texts, Translation

MOST_VERSIONS: Final = 100
"""Of all studies of a document."""
_REPEATS: Final = {"No": False, "Yes": True, "Simple": True, "Static": True, "Dynamic": True}


def read_definitions(octets: bytes) -> tuple[StudyDefinition, ...]:
    """One for each MetaDataVersion of an ODM document (XML, or JSON of 2.0), in their order. Raises CallerError and
    LimitError, which name element and OID; CallerError when the document defines no study."""
    found = definitions_of(parse(octets))
    if not found:
        raise CallerError("defines no study: it has no MetaDataVersion", field=("ODM", "Study"))
    return found


def definitions_of(parsed: Parsed) -> tuple[StudyDefinition, ...]:
    """The same of what was parsed already; none when it holds data alone."""
    root = Cursor(parsed.root, parsed.edition, field=("ODM",))
    found = [one for study in root.children("Study") for one in _study(study)]
    if len(found) > MOST_VERSIONS:
        root.refuse(f"has more than {MOST_VERSIONS} versions of metadata")
    return tuple(found)


def _study(study: Cursor) -> list[StudyDefinition]:
    oid = study.text("OID")
    if study.edition is Edition.V1_3:
        name, description, protocol_name = _global_variables(study)
        basics = study.child("BasicDefinitions")
        units = () if basics is None else tuple(unit(one) for one in basics.children("MeasurementUnit"))
        if basics is not None:
            basics.nothing_more()
    else:
        name, protocol_name = study.text("StudyName"), study.text("ProtocolName")
        description, units = study.texts("Description"), ()
    versions = study.children("MetaDataVersion")
    kept = study.kept()
    return [
        _version(
            one,
            StudyDefinition(
                oid=oid,
                name=name,
                description=description,
                protocol_name=protocol_name,
                version_oid=one.text("OID"),
                version_name=one.text("Name"),
                units=units,
                study_kept=kept,
            ),
        )
        for one in versions
    ]


def _global_variables(study: Cursor) -> tuple[str, Texts, str]:
    """Name, description and protocol's name of ODM 1.3, whose description has no language of its own."""
    variables = study.child("GlobalVariables")
    if variables is None:
        study.refuse("has no GlobalVariables")
    name, description, protocol = (
        "".join(one.said() for one in variables.children(local))
        for local in ("StudyName", "StudyDescription", "ProtocolName")
    )
    variables.nothing_more()
    return name, _translated(study) or _plain(description), protocol


def _translated(holder: Cursor) -> Texts:
    """Description as ODM 2.0 has it, where ODM 1.3 has a place for extensions alone."""
    return tuple(text for one in holder.foreign("Description") for text in one.translations())


def _plain(text: str | None) -> Texts:
    return (Translation(text=text),) if text else ()


def _version(version: Cursor, study: StudyDefinition) -> StudyDefinition:
    if version.child("Include") is not None:
        version.refuse("rests on another version: give it whole", "Include")
    if version.edition is Edition.V1_3:
        description = _plain(version.optional("Description"))
        description = _translated(version) or description
        forms, groups = version.children("FormDef"), version.children("ItemGroupDef")
        kinds: list[str] = [""] * len(groups)
    else:
        description = version.texts("Description")
        both = version.children("ItemGroupDef")
        types = [one.optional("Type") for one in both]
        forms = [one for one, kind in zip(both, types, strict=True) if kind == "Form"]
        groups = [one for one, kind in zip(both, types, strict=True) if kind != "Form"]
        kinds = [str(kind) for kind in types if kind != "Form"]
    protocol = version.child("Protocol")
    made = StudyDefinition(
        oid=study.oid,
        name=study.name,
        description=study.description,
        protocol_name=study.protocol_name,
        version_oid=study.version_oid,
        version_name=study.version_name,
        version_description=description,
        protocol=None if protocol is None else _protocol(protocol),
        forms=tuple(_form(one) for one in forms),
        groups=tuple(_group(one, kind) for one, kind in zip(groups, kinds, strict=True)),
        events=tuple(_event(one) for one in version.children("StudyEventDef")),
        items=tuple(item(one) for one in version.children("ItemDef")),
        code_lists=tuple(code_list(one) for one in version.children("CodeList")),
        conditions=tuple(condition(one) for one in version.children("ConditionDef")),
        methods=tuple(method(one) for one in version.children("MethodDef")),
        units=study.units,
        study_kept=study.study_kept,
        kept=version.kept(),
    )
    _check_forms_of_events(made, version)
    return made


def _check_forms_of_events(made: StudyDefinition, version: Cursor) -> None:
    forms, groups = {one.oid for one in made.forms}, {one.oid for one in made.groups}
    for event in made.events:
        for ref in event.forms:
            if ref.oid in groups and ref.oid not in forms:
                version.refuse(f"holds {ref.oid[:64]}, which is no form", f"StudyEventDef {event.oid}")


def _protocol(cursor: Cursor) -> Protocol:
    return Protocol(
        description=cursor.texts("Description"),
        events=tuple(_ref(one, "StudyEventOID") for one in cursor.children("StudyEventRef")),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def _event(cursor: Cursor) -> StudyEventDef:
    local = "FormRef" if cursor.edition is Edition.V1_3 else "ItemGroupRef"
    oid = "FormOID" if cursor.edition is Edition.V1_3 else "ItemGroupOID"
    return StudyEventDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        type=cursor.required("Type", EventType),
        repeating=cursor.flag("Repeating"),
        category=cursor.optional("Category"),
        description=cursor.texts("Description"),
        forms=tuple(_ref(one, oid) for one in cursor.children(local)),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def _form(cursor: Cursor) -> FormDef:
    if cursor.edition is Edition.V2_0 and cursor.children("ItemRef"):
        cursor.refuse("is a form that holds items itself: put them into a group of it", "ItemRef")
    repeating, how = _repeating(cursor)
    return FormDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        repeating=repeating,
        description=cursor.texts("Description"),
        groups=tuple(_ref(one, "ItemGroupOID") for one in cursor.children("ItemGroupRef")),
        aliases=cursor.aliases(),
        kept=_with(cursor.kept(), how),
    )


def _group(cursor: Cursor, kind: str) -> ItemGroupDef:
    """`kind`: Type of ODM 2.0 (Section, Concept, Dataset); empty in ODM 1.3."""
    repeating, how = _repeating(cursor)
    if kind:
        how = (*how, (clark(ODM_2_0, "Type"), kind))
    members = cursor.children("ItemRef", "ItemGroupRef")
    return ItemGroupDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        repeating=repeating,
        domain=cursor.optional("Domain"),
        description=cursor.texts("Description"),
        members=tuple(_item_ref(one) if one.name == "ItemRef" else _ref(one, "ItemGroupOID") for one in members),
        aliases=cursor.aliases(),
        kept=_with(cursor.kept(), how),
    )


def _repeating(cursor: Cursor) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether, and, where ODM 2.0 says more than that, how."""
    value = cursor.optional("Repeating") or ""
    named = clark(ODM_2_0, "Repeating")
    allowed = ("No", "Yes") if cursor.edition is Edition.V1_3 else ("No", "Simple", "Static", "Dynamic")
    if value not in allowed:
        cursor.refuse(f"must be one of {', '.join(allowed)}", "Repeating")
    how = ((named, value),) if value in ("Static", "Dynamic") else ()
    return _REPEATS[value], how


def _with(kept: Kept, attributes: tuple[tuple[str, str], ...]) -> Kept:
    return Kept(attributes=tuple(sorted((*kept.attributes, *attributes))), parts=kept.parts)


def _ref(cursor: Cursor, oid: str) -> Ref:
    return Ref(
        oid=cursor.text(oid),
        mandatory=cursor.flag("Mandatory"),
        order=cursor.whole("OrderNumber", least=0),
        exception=cursor.optional("CollectionExceptionConditionOID"),
        kept=cursor.kept(),
    )


def _item_ref(cursor: Cursor) -> ItemRef:
    return ItemRef(
        oid=cursor.text("ItemOID"),
        mandatory=cursor.flag("Mandatory"),
        order=cursor.whole("OrderNumber", least=0),
        exception=cursor.optional("CollectionExceptionConditionOID"),
        key_sequence=cursor.whole("KeySequence", least=0),
        role=cursor.optional("Role"),
        role_code_list=cursor.optional("RoleCodeListOID"),
        method=cursor.optional("MethodOID"),
        kept=cursor.kept(),
    )
