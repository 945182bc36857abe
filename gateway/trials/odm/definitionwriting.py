"""A study's metadata as elements of ODM 1.3.2.

True here: what was read from ODM 1.3 reads back equal; so does what was read from 2.0, but for groups within groups and
code lists of which some values are decoded, which ODM 1.3.2 cannot say, and which are refused by name.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from gateway.trials.definition.elements import Element
from gateway.trials.definition.items import CodeList, CodeListItem, DataType, ItemDef, RangeCheck, Unit
from gateway.trials.definition.model import (
    ConditionDef,
    FormDef,
    ItemGroupDef,
    ItemRef,
    MethodDef,
    Protocol,
    Ref,
    StudyDefinition,
    StudyEventDef,
)
from gateway.trials.definition.texts import Expression, Texts
from gateway.trials.odm.building import (
    aliases,
    build,
    described,
    is_plain,
    later,
    number,
    ref,
    refuse,
    text,
    texts,
    yes,
)

_METHOD_TYPES: Final = ("Computation", "Imputation", "Transpose", "Other", None)


def studies(definitions: Sequence[StudyDefinition]) -> list[Element]:
    """One Study for the versions of one that follow each other. Raises CallerError for what ODM 1.3.2 cannot say, and
    for versions that say different things of their study."""
    return [_study(list(versions)) for _, versions in groupby(definitions, key=lambda one: one.oid)]


def _study(versions: list[StudyDefinition]) -> Element:
    study = versions[0]
    for one in versions:
        if _of_study(one) != _of_study(study):
            raise refuse("has versions that differ in its name, description, units or extensions", "Study", study.oid)
    said = study.description[0].text if study.description else ""
    variables = [
        text("StudyName", study.name), text("StudyDescription", said), text("ProtocolName", study.protocol_name),
    ]  # fmt: skip
    units = [_unit(one) for one in study.units]
    children = [
        build("GlobalVariables", {}, variables),
        build("BasicDefinitions", {}, units) if units else None,
        *(_version(one) for one in versions),
        described(study.description),
    ]
    return build("Study", {"OID": study.oid}, children, kept=study.study_kept)


def _of_study(one: StudyDefinition) -> tuple[object, ...]:
    return one.name, one.description, one.protocol_name, one.units, one.study_kept


def _version(one: StudyDefinition) -> Element:
    said: Texts = one.version_description
    attributes = {"OID": one.version_oid, "Name": one.version_name, "Description": said[0].text if said else None}
    if not is_plain(said):
        del attributes["Description"]
    children = [
        described(said),
        None if one.protocol is None else _protocol(one.protocol),
        *(_event(event) for event in one.events),
        *(_form(form) for form in one.forms),
        *(_group(group) for group in one.groups),
        *(_item(item) for item in one.items),
        *(_code_list(codes) for codes in one.code_lists),
        *(_condition(condition) for condition in one.conditions),
        *(_method(method) for method in one.methods),
    ]
    return build("MetaDataVersion", attributes, children, kept=one.kept)


def _protocol(one: Protocol) -> Element:
    events = [_ref("StudyEventRef", "StudyEventOID", event) for event in one.events]
    return build("Protocol", {}, [texts("Description", one.description), *events, *aliases(one.aliases)], kept=one.kept)


def _ref(name: str, attribute: str, one: Ref) -> Element:
    attributes = {
        attribute: one.oid,
        "OrderNumber": number(one.order),
        "Mandatory": yes(one.mandatory),
        "CollectionExceptionConditionOID": one.exception,
    }
    return build(name, attributes, kept=one.kept)


def _item_ref(one: ItemRef) -> Element:
    attributes = {
        "ItemOID": one.oid,
        "OrderNumber": number(one.order),
        "Mandatory": yes(one.mandatory),
        "KeySequence": number(one.key_sequence),
        "MethodOID": one.method,
        "Role": one.role,
        "RoleCodeListOID": one.role_code_list,
        "CollectionExceptionConditionOID": one.exception,
    }
    return build("ItemRef", attributes, kept=one.kept)


def _event(one: StudyEventDef) -> Element:
    attributes = {
        "OID": one.oid,
        "Name": one.name,
        "Repeating": yes(one.repeating),
        "Type": one.type.value,
        "Category": one.category,
    }
    forms = [_ref("FormRef", "FormOID", form) for form in one.forms]
    children = [texts("Description", one.description), *forms, *aliases(one.aliases)]
    return build("StudyEventDef", attributes, children, kept=one.kept)


def _form(one: FormDef) -> Element:
    attributes = {"OID": one.oid, "Name": one.name, "Repeating": yes(one.repeating)}
    groups = [_ref("ItemGroupRef", "ItemGroupOID", group) for group in one.groups]
    children = [texts("Description", one.description), *groups, *aliases(one.aliases)]
    return build("FormDef", attributes, children, kept=one.kept)


def _group(one: ItemGroupDef) -> Element:
    if one.groups:
        raise refuse(f"holds group {one.groups[0].oid[:64]}", "ItemGroupDef", one.oid)
    attributes = {"OID": one.oid, "Name": one.name, "Repeating": yes(one.repeating), "Domain": one.domain}
    items = [_item_ref(item) for item in one.items]
    children = [texts("Description", one.description), *items, *aliases(one.aliases)]
    return build("ItemGroupDef", attributes, children, kept=one.kept)


def _type(one: DataType) -> dict[str, str | None]:
    """ODM 1.3.2 knows no decimal; its float is one."""
    is_later = one is DataType.DECIMAL
    return {"DataType": "float" if is_later else one.value, later("DataType"): one.value if is_later else None}


def _item(one: ItemDef) -> Element:
    attributes = {
        "OID": one.oid,
        "Name": one.name,
        **_type(one.data_type),
        "Length": number(one.length),
        "SignificantDigits": number(one.digits),
        "SASFieldName": one.sas_name,
    }
    children = [
        texts("Description", one.description),
        texts("Question", one.question),
        *(ref("MeasurementUnitRef", "MeasurementUnitOID", unit) for unit in one.units),
        *(_range_check(check) for check in one.checks),
        ref("CodeListRef", "CodeListOID", one.code_list),
        *aliases(one.aliases),
    ]
    return build("ItemDef", attributes, children, kept=one.kept)


def _range_check(one: RangeCheck) -> Element:
    attributes = {
        "Comparator": None if one.comparator is None else one.comparator.value,
        "SoftHard": one.hardness.value,
        later("ItemOID"): one.item,
    }
    children = [
        *(text("CheckValue", value) for value in one.values),
        *_expressions(one.expressions),
        ref("MeasurementUnitRef", "MeasurementUnitOID", one.unit),
        texts("ErrorMessage", one.message),
    ]
    return build("RangeCheck", attributes, children, kept=one.kept)


def _expressions(given: Iterable[Expression]) -> list[Element]:
    return [
        Element(
            name=build("FormalExpression", {}).name,
            attributes=() if one.context is None else (("Context", one.context),),
            content=(one.code,) if one.code else (),
        )
        for one in given
    ]


def _code_list(one: CodeList) -> Element:
    decoded = [bool(item.decode) for item in one.items]
    if any(decoded) and not all(decoded):
        raise refuse("decodes some of its values", "CodeList", one.oid)
    attributes = {"OID": one.oid, "Name": one.name, **_type(one.data_type)}
    name = "CodeListItem" if any(decoded) else "EnumeratedItem"
    items = [_code_list_item(name, item) for item in one.items]
    children = [texts("Description", one.description), *items, *aliases(one.aliases)]
    return build("CodeList", attributes, children, kept=one.kept)


def _code_list_item(name: str, one: CodeListItem) -> Element:
    attributes = {"CodedValue": one.value, "Rank": one.rank, "OrderNumber": number(one.order)}
    return build(name, attributes, [texts("Decode", one.decode), *aliases(one.aliases)], kept=one.kept)


def _unit(one: Unit) -> Element:
    children = [texts("Symbol", one.symbol), *aliases(one.aliases)]
    return build("MeasurementUnit", {"OID": one.oid, "Name": one.name}, children, kept=one.kept)


def _condition(one: ConditionDef) -> Element:
    children = [texts("Description", one.description), *_expressions(one.expressions), *aliases(one.aliases)]
    return build("ConditionDef", {"OID": one.oid, "Name": one.name}, children, kept=one.kept)


def _method(one: MethodDef) -> Element:
    is_known = one.type in _METHOD_TYPES
    attributes = {
        "OID": one.oid,
        "Name": one.name,
        "Type": one.type if is_known else "Other",
        later("Type"): None if is_known else one.type,
    }
    children = [texts("Description", one.description), *_expressions(one.expressions), *aliases(one.aliases)]
    return build("MethodDef", attributes, children, kept=one.kept)
