"""Items: what one value is, which values there may be, in which units, and what is asked of them.

True here: lists are in the order of the document. What ODM can say and these classes cannot is in `kept`.
Not done here: where items belong (`model`), what a value's text says (`values`), checking it (`checks`).
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.trials.definition.elements import NOTHING_KEPT, Kept
from gateway.trials.definition.texts import Alias, Expression, Texts


class DataType(StrEnum):
    """Of an item: ODM 1.3.2's and 2.0's, by their own names."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    DOUBLE = "double"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    TEXT = "text"
    STRING = "string"
    URI = "URI"
    BOOLEAN = "boolean"
    HEX_BINARY = "hexBinary"
    BASE64_BINARY = "base64Binary"
    HEX_FLOAT = "hexFloat"
    BASE64_FLOAT = "base64Float"
    PARTIAL_DATE = "partialDate"
    PARTIAL_TIME = "partialTime"
    PARTIAL_DATETIME = "partialDatetime"
    DURATION = "durationDatetime"
    INTERVAL = "intervalDatetime"
    INCOMPLETE_DATE = "incompleteDate"
    INCOMPLETE_TIME = "incompleteTime"
    INCOMPLETE_DATETIME = "incompleteDatetime"


class Comparator(StrEnum):
    """A value passes if it stands so to the check's value: `LT`: it is less."""

    LT = "LT"
    LE = "LE"
    GT = "GT"
    GE = "GE"
    EQ = "EQ"
    NE = "NE"
    IN = "IN"
    NOTIN = "NOTIN"


class Hardness(StrEnum):
    """Hard: data that fail are wrong. Soft: they are asked about."""

    SOFT = "Soft"
    HARD = "Hard"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeCheck:
    """`values`: as written, one, or any number for IN and NOTIN. `unit`: OID of the unit that they are in. `item`: OID
    of the item it looks at, None for the one that has the check."""

    comparator: Comparator | None = None
    hardness: Hardness
    values: tuple[str, ...] = ()
    expressions: tuple[Expression, ...] = ()
    unit: str | None = None
    message: Texts = ()
    item: str | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDef:
    """`length`: most characters of a text, digits of a number. `digits`: most digits behind the point. `units` and
    `code_list`: OIDs."""

    oid: str
    name: str
    data_type: DataType
    length: int | None = None
    digits: int | None = None
    sas_name: str | None = None
    description: Texts = ()
    question: Texts = ()
    units: tuple[str, ...] = ()
    checks: tuple[RangeCheck, ...] = ()
    code_list: str | None = None
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeListItem:
    """`decode`: what the value means; of an enumerated item nothing. `rank`: a number, as written."""

    value: str
    decode: Texts = ()
    rank: str | None = None
    order: int | None = None
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """`is_external`: its values are elsewhere (ExternalCodeList, in `kept`), and cannot be checked here."""

    oid: str
    name: str
    data_type: DataType
    description: Texts = ()
    items: tuple[CodeListItem, ...] = ()
    is_external: bool = False
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """MeasurementUnit of ODM 1.3."""

    oid: str
    name: str
    symbol: Texts
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT
