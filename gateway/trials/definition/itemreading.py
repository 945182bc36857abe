"""From elements of ODM to items, their checks, code lists, units, conditions and methods.

True here: a check of ODM 2.0 that does not say how hard it is, is hard: what nobody called a question is an error.
Not done here: the events, forms and groups around them (`reading`).
"""

from typing import Final

from gateway.trials.definition.cursor import Cursor
from gateway.trials.definition.elements import ODM_2_0, clark
from gateway.trials.definition.grammar import Edition
from gateway.trials.definition.items import (
    CodeList,
    CodeListItem,
    Comparator,
    DataType,
    Hardness,
    ItemDef,
    RangeCheck,
    Unit,
)
from gateway.trials.definition.model import ConditionDef, MethodDef
from gateway.trials.definition.texts import Expression

MOST_VALUES: Final = 1000
"""Of one RangeCheck."""
_LIST_TYPES: Final = frozenset({
    DataType.INTEGER, DataType.DECIMAL, DataType.FLOAT, DataType.TEXT, DataType.STRING,
})  # fmt: skip
_MANY: Final = (Comparator.IN, Comparator.NOTIN)


def item(cursor: Cursor) -> ItemDef:
    """ItemDef. Raises CallerError."""
    return ItemDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        data_type=_data_type(cursor),
        length=cursor.whole("Length", least=1),
        digits=cursor.whole("SignificantDigits", least=0),
        sas_name=cursor.optional("SASFieldName"),
        description=cursor.texts("Description"),
        question=cursor.texts("Question"),
        units=tuple(_referred(one, "MeasurementUnitOID") for one in cursor.children("MeasurementUnitRef")),
        checks=tuple(range_check(one) for one in cursor.children("RangeCheck")),
        code_list=next((_referred(one, "CodeListOID") for one in cursor.children("CodeListRef")), None),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def _later(cursor: Cursor, name: str) -> str | None:
    """What ODM 2.0 says in an attribute, of which ODM 1.3 had to say the nearest that it knows."""
    later = cursor.optional(clark(ODM_2_0, name))
    if later is not None:
        cursor.optional(name)
    return later


def _data_type(cursor: Cursor) -> DataType:
    later = _later(cursor, "DataType")
    if later is not None and later != DataType.DECIMAL:
        cursor.refuse("must be decimal, if ODM 2.0 is to say another type than ODM 1.3", "DataType")
    return cursor.required("DataType", DataType) if later is None else DataType.DECIMAL


def _referred(cursor: Cursor, name: str) -> str:
    oid = cursor.text(name)
    cursor.nothing_more()
    return oid


def range_check(cursor: Cursor) -> RangeCheck:
    """RangeCheck. Raises CallerError, for values or expressions that are not there too."""
    made = RangeCheck(
        comparator=cursor.choice("Comparator", Comparator),
        hardness=cursor.choice("SoftHard", Hardness) or Hardness.HARD,
        values=tuple(one.said() for one in cursor.children("CheckValue")),
        expressions=tuple(expression(one) for one in cursor.children("FormalExpression")),
        unit=next((_referred(one, "MeasurementUnitOID") for one in cursor.children("MeasurementUnitRef")), None),
        message=cursor.texts("ErrorMessage"),
        item=cursor.optional("ItemOID") or cursor.optional(clark(ODM_2_0, "ItemOID")),
        kept=cursor.kept(),
    )
    if len(made.values) > MOST_VALUES:
        cursor.refuse(f"has more than {MOST_VALUES} values: make them a code list")
    if not made.values and not made.expressions:
        cursor.refuse("checks nothing: give it a CheckValue or a FormalExpression")
    if made.values and made.comparator is None:
        cursor.refuse("has values, and no Comparator")
    if len(made.values) > 1 and made.comparator not in _MANY:
        cursor.refuse("has more than one CheckValue, which only IN and NOTIN take")
    return made


def expression(cursor: Cursor) -> Expression:
    """FormalExpression. Raises CallerError, for one in an external library too."""
    context = cursor.optional("Context")
    if cursor.edition is Edition.V1_3:
        return Expression(context=context, code=cursor.said())
    code = cursor.child("Code")
    cursor.nothing_more()
    return Expression(context=context, code="" if code is None else code.said())


def code_list(cursor: Cursor) -> CodeList:
    """CodeList. Raises CallerError, for a value that is there twice too."""
    data_type = _data_type(cursor)
    if data_type not in _LIST_TYPES:
        cursor.refuse("is no type of a code list", "DataType")
    enumerated = cursor.children("EnumeratedItem") if cursor.edition is Edition.V1_3 else []
    items = tuple(_code_list_item(one) for one in (*cursor.children("CodeListItem"), *enumerated))
    if len({one.value for one in items}) != len(items):
        cursor.refuse("has a CodedValue twice")
    return CodeList(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        data_type=data_type,
        description=cursor.texts("Description"),
        items=items,
        is_external=not items,
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def _code_list_item(cursor: Cursor) -> CodeListItem:
    return CodeListItem(
        value=cursor.optional("CodedValue") or "",
        decode=cursor.texts("Decode"),
        rank=cursor.optional("Rank"),
        order=cursor.whole("OrderNumber", least=0),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def unit(cursor: Cursor) -> Unit:
    """MeasurementUnit. Raises CallerError."""
    return Unit(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        symbol=cursor.texts("Symbol"),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def condition(cursor: Cursor) -> ConditionDef:
    """ConditionDef. Raises CallerError."""
    return ConditionDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        description=cursor.texts("Description"),
        expressions=tuple(expression(one) for one in cursor.children("FormalExpression")),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )


def method(cursor: Cursor) -> MethodDef:
    """MethodDef. Raises CallerError."""
    return MethodDef(
        oid=cursor.text("OID"),
        name=cursor.text("Name"),
        type=_later(cursor, "Type") or cursor.optional("Type"),
        description=cursor.texts("Description"),
        expressions=tuple(expression(one) for one in cursor.children("FormalExpression")),
        aliases=cursor.aliases(),
        kept=cursor.kept(),
    )
