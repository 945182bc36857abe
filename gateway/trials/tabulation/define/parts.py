"""The parts of a Define-XML document, each from its element.

Source: CDISC Define-XML 2.1, section 5.3 (2.0 has the same parts; what differs is said where it does).
"""

from typing import Final

from gateway.trials.tabulation.define.markup import Element
from gateway.trials.tabulation.define.model import (
    Check,
    Code,
    CodeList,
    Comment,
    Dataset,
    Item,
    ItemUse,
    Method,
    Origin,
    Standard,
)
from gateway.trials.tabulation.define.reading import Reading

NAMES: Final = frozenset({
    "ItemGroupDef", "ItemDef", "CodeList", "MethodDef", "def:ValueListDef", "def:WhereClauseDef", "def:CommentDef",
    "def:leaf", "def:Standards",
})  # fmt: skip
_COMPARATORS: Final = frozenset({"LT", "LE", "GT", "GE", "EQ", "NE", "IN", "NOTIN"})
_DOCUMENT: Final = "def:DocumentRef"


def dataset(element: Element, reading: Reading) -> Dataset:
    """An ItemGroupDef. Its class is an attribute in 2.0, an element in 2.1."""
    given = element.attributes
    leaf = given.get("def:ArchiveLocationID")
    archives = {one.attributes.get("ID"): one for one in element.children if one.name == "def:leaf"}
    kinds = [one for one in element.children if one.name == "def:Class"]
    below = [one.attributes.get("Name", "") for kind in kinds for one in kind.children if one.name == "def:SubClass"]
    reading.pass_by(
        element,
        {"Description", "ItemRef", "def:leaf", "def:Class"},
        {
            "OID", "Name", "Domain", "SASDatasetName", "Purpose", "Repeating", "IsReferenceData", "def:Structure",
            "def:Class", "def:StandardOID", "def:CommentOID", "def:ArchiveLocationID",
        },
    )  # fmt: skip
    return Dataset(
        oid=reading.need(element, "OID"),
        name=reading.need(element, "Name"),
        uses=_uses(element, reading),
        label=reading.text(element),
        domain=given.get("Domain"),
        sas_name=given.get("SASDatasetName"),
        purpose=given.get("Purpose"),
        structure=given.get("def:Structure"),
        kind=kinds[0].attributes.get("Name") if kinds else given.get("def:Class"),
        kinds_below=tuple(below),
        repeating=reading.flag(element, "Repeating"),
        reference=reading.flag(element, "IsReferenceData"),
        standard=given.get("def:StandardOID"),
        comment=given.get("def:CommentOID"),
        archive=archives[leaf].attributes.get("xlink:href") if leaf in archives else None,
    )


def _uses(element: Element, reading: Reading) -> tuple[ItemUse, ...]:
    made = tuple(_use(one, reading) for one in element.children if one.name == "ItemRef")
    keys = [one.key_sequence for one in made if one.key_sequence is not None]
    if len(set(keys)) < len(keys):
        reading.refuse(element, "has two keys of one KeySequence")
    if element.name == "ItemGroupDef" and len({one.item for one in made}) < len(made):
        reading.refuse(element, "has one item twice")
    return made


def _use(element: Element, reading: Reading) -> ItemUse:
    reading.pass_by(
        element,
        {"def:WhereClauseRef"},
        {"ItemOID", "Mandatory", "OrderNumber", "KeySequence", "MethodOID", "Role"},
    )
    return ItemUse(
        item=reading.need(element, "ItemOID"),
        mandatory=reading.flag(element, "Mandatory"),
        order=reading.whole(element, "OrderNumber"),
        key_sequence=reading.whole(element, "KeySequence"),
        method=element.attributes.get("MethodOID"),
        role=element.attributes.get("Role"),
        where=reading.references(element, "def:WhereClauseRef", "WhereClauseOID"),
    )


def item(element: Element, reading: Reading) -> Item:
    """An ItemDef."""
    given = element.attributes
    lists = reading.references(element, "CodeListRef", "CodeListOID")
    values = reading.references(element, "def:ValueListRef", "ValueListOID")
    if len(lists) > 1 or len(values) > 1:
        reading.refuse(element, "has more than one code list, or value list")
    reading.pass_by(
        element,
        {"Description", "CodeListRef", "def:ValueListRef", "def:Origin"},
        {
            "OID", "Name", "DataType", "Length", "SignificantDigits", "SASFieldName", "def:DisplayFormat",
            "def:CommentOID",
        },
    )  # fmt: skip
    return Item(
        oid=reading.need(element, "OID"),
        name=reading.need(element, "Name"),
        type=reading.type(element),
        label=reading.text(element),
        length=reading.whole(element, "Length"),
        significant_digits=reading.whole(element, "SignificantDigits"),
        display_format=given.get("def:DisplayFormat"),
        sas_name=given.get("SASFieldName"),
        code_list=lists[0] if lists else None,
        value_list=values[0] if values else None,
        comment=given.get("def:CommentOID"),
        origins=tuple(_origin(one, reading) for one in element.children if one.name == "def:Origin"),
    )


def _origin(element: Element, reading: Reading) -> Origin:
    reading.pass_by(element, {"Description", _DOCUMENT}, {"Type", "Source"})
    return Origin(
        type=element.attributes.get("Type"),
        source=element.attributes.get("Source"),
        description=reading.text(element),
        documents=reading.references(element, _DOCUMENT, "leafID"),
    )


def code_list(element: Element, reading: Reading) -> CodeList:
    """With its values, or the dictionary that has them."""
    external = [one for one in element.children if one.name == "ExternalCodeList"]
    given = [one for one in element.children if one.name in ("CodeListItem", "EnumeratedItem")]
    codes = tuple(_code(one, reading) for one in given)
    if len({one.value for one in codes}) < len(codes):
        reading.refuse(element, "has one value twice")
    if len(external) > 1 or bool(external) == bool(codes):
        reading.refuse(element, "has neither values nor one dictionary, or both")
    reading.pass_by(
        element,
        {"CodeListItem", "EnumeratedItem", "ExternalCodeList", "Alias"},
        {"OID", "Name", "DataType", "SASFormatName", "def:StandardOID", "def:CommentOID"},
    )
    return CodeList(
        oid=reading.need(element, "OID"),
        name=reading.need(element, "Name"),
        type=reading.type(element),
        codes=codes,
        external=(reading.need(external[0], "Dictionary"), external[0].attributes.get("Version", ""))
        if external
        else None,
        sas_format=element.attributes.get("SASFormatName"),
        standard=element.attributes.get("def:StandardOID"),
        comment=element.attributes.get("def:CommentOID"),
        aliases=reading.aliases(element),
    )


def _code(element: Element, reading: Reading) -> Code:
    if "CodedValue" not in element.attributes:
        reading.refuse(element, "has no CodedValue")
    reading.pass_by(element, {"Decode", "Alias"}, {"CodedValue", "OrderNumber", "Rank", "def:ExtendedValue"})
    return Code(
        value=element.attributes["CodedValue"],
        decode=reading.text(element, "Decode"),
        order=reading.whole(element, "OrderNumber"),
        rank=element.attributes.get("Rank"),
        extended=reading.flag(element, "def:ExtendedValue"),
        aliases=reading.aliases(element),
    )


def value_list(element: Element, reading: Reading) -> tuple[ItemUse, ...]:
    """The items that stand for a variable, each where its where clauses hold."""
    reading.pass_by(element, {"ItemRef"}, {"OID"})
    return _uses(element, reading)


def where_clause(element: Element, reading: Reading) -> tuple[Check, ...]:
    """Conditions that hold all at once."""
    reading.pass_by(element, {"RangeCheck"}, {"OID"})
    made = []
    for one in element.children:
        if one.name == "RangeCheck":
            comparator = reading.need(one, "Comparator")
            if comparator not in _COMPARATORS:
                reading.refuse(element, "has a Comparator that ODM does not have")
            values = tuple(value.text for value in one.children if value.name == "CheckValue")
            made.append(Check(item=reading.need(one, "def:ItemOID"), comparator=comparator, values=values))
    return tuple(made)


def method(element: Element, reading: Reading) -> Method:
    """A MethodDef."""
    reading.pass_by(element, {"Description", "FormalExpression", _DOCUMENT}, {"OID", "Name", "Type"})
    return Method(
        oid=reading.need(element, "OID"),
        name=reading.need(element, "Name"),
        type=reading.need(element, "Type"),
        description=reading.text(element) or "",
        expressions=tuple(
            (one.attributes.get("Context", ""), one.text) for one in element.children if one.name == "FormalExpression"
        ),
        documents=reading.references(element, _DOCUMENT, "leafID"),
    )


def comment(element: Element, reading: Reading) -> Comment:
    """A CommentDef."""
    reading.pass_by(element, {"Description", _DOCUMENT}, {"OID"})
    documents = reading.references(element, _DOCUMENT, "leafID")
    return Comment(oid=reading.need(element, "OID"), description=reading.text(element) or "", documents=documents)


def document(element: Element, reading: Reading) -> tuple[str, str]:
    """Where a document lies, and its title."""
    titles = [one.text for one in element.children if one.name == "def:title"]
    return reading.need(element, "xlink:href"), titles[0] if titles else ""


def standard(element: Element, reading: Reading) -> Standard:
    """A Standard of 2.1."""
    return Standard(
        oid=reading.need(element, "OID"),
        name=reading.need(element, "Name"),
        type=element.attributes.get("Type"),
        version=reading.need(element, "Version"),
        status=element.attributes.get("Status"),
        publishing_set=element.attributes.get("PublishingSet"),
    )
