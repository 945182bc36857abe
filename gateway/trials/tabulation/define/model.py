"""What a Define-XML document says of a study's tables.

True here: what a dataset says of its variables is there: their items, and the items' code lists. Other references may
lead nowhere, as they do in documents of real studies. Texts are the English ones, or the first.
Source: CDISC Define-XML 2.1, section 5; names are those of ODM 1.3.2 and the `def` extension.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DefinedType(StrEnum):
    """`ItemDef/@DataType`."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    PARTIAL_DATE = "partialDate"
    PARTIAL_TIME = "partialTime"
    PARTIAL_DATETIME = "partialDatetime"
    INCOMPLETE_DATETIME = "incompleteDatetime"
    DURATION_DATETIME = "durationDatetime"
    INTERVAL_DATETIME = "intervalDatetime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an item's values come from: `type` (`Collected`, `Derived` …), and in 2.1 by whom."""

    type: str | None = None
    source: str | None = None
    description: str | None = None
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An ItemDef. `length` and `significant_digits` are of the value as text. The names of other parts are OIDs."""

    oid: str
    name: str
    type: DefinedType
    label: str | None = None
    length: int | None = None
    significant_digits: int | None = None
    display_format: str | None = None
    sas_name: str | None = None
    code_list: str | None = None
    value_list: str | None = None
    comment: str | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemUse:
    """An ItemRef: an item as a variable of a dataset, or as one value of a variable where its where clauses hold."""

    item: str
    mandatory: bool
    order: int | None = None
    key_sequence: int | None = None
    method: str | None = None
    role: str | None = None
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An ItemGroupDef. `uses` in the order of the document; `archive`: where the file lies."""

    oid: str
    name: str
    uses: tuple[ItemUse, ...]
    label: str | None = None
    domain: str | None = None
    sas_name: str | None = None
    purpose: str | None = None
    structure: str | None = None
    kind: str | None = None
    kinds_below: tuple[str, ...] = ()
    repeating: bool = False
    reference: bool = False
    standard: str | None = None
    comment: str | None = None
    archive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One value that a code list allows. `extended`: added by the sponsor; `aliases`: (context, name)."""

    value: str
    decode: str | None = None
    order: int | None = None
    rank: str | None = None
    extended: bool = False
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """`external`: the dictionary and its version (MedDRA, ISO 3166), which then lists the values; `codes` is empty."""

    oid: str
    name: str
    type: DefinedType
    codes: tuple[Code, ...] = ()
    external: tuple[str, str] | None = None
    sas_format: str | None = None
    standard: str | None = None
    comment: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How a value is made. `expressions`: (context, code)."""

    oid: str
    name: str
    type: str
    description: str
    expressions: tuple[tuple[str, str], ...] = ()
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    oid: str
    description: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A RangeCheck of a where clause. `comparator`: EQ, NE, LT, LE, GT, GE, IN, NOTIN."""

    item: str
    comparator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    oid: str
    name: str
    type: str | None
    version: str
    status: str | None = None
    publishing_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A Define-XML document. Parts by their OID, documents by their id (href, title). `unread`: the names of elements
    and attributes that were passed by, and of texts in further languages. `dangling`: references that
    lead nowhere."""

    version: str
    file_oid: str
    created: str
    study_oid: str
    study_name: str
    study_description: str
    protocol_name: str
    oid: str
    name: str
    datasets: Mapping[str, Dataset]
    items: Mapping[str, Item]
    code_lists: Mapping[str, CodeList]
    value_lists: Mapping[str, tuple[ItemUse, ...]]
    where_clauses: Mapping[str, tuple[Check, ...]]
    methods: Mapping[str, Method]
    comments: Mapping[str, Comment]
    standards: Mapping[str, Standard]
    documents: Mapping[str, tuple[str, str]]
    unread: tuple[str, ...] = ()
    dangling: tuple[str, ...] = ()

    def dataset(self, name: str) -> Dataset | None:
        """The dataset of that name, or of that name in SAS."""
        wanted = name.upper()
        return next((one for one in self.datasets.values() if wanted in (one.name.upper(), one.sas_name)), None)
