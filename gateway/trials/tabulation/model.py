"""What a table of a study is, whichever file it came in.

True here: a cell keeps what was written. A number of text keeps its text (`Num`, `Exact`), a number of a transport file
is the very double, and SAS's twenty-eight kinds of missing stay apart: None is the ordinary one, `Missing` the others.
What only one kind of file can say is kept beside (`stored`, `more`), so that this kind is written again as it was.
Not done here: reading, writing, and whether a table is as its definition says (`checks`).
Sources: CDISC Dataset-JSON 1.1, "Column Metadata"; SAS TS-140 (transport files).
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from gateway.errors import CallerError


class DataType(StrEnum):
    """The logical types of Dataset-JSON 1.1."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    DATE = "date"
    TIME = "time"
    URI = "URI"


NUMBERS: Final = frozenset({DataType.INTEGER, DataType.DECIMAL, DataType.FLOAT, DataType.DOUBLE})
MOMENTS: Final = frozenset({DataType.DATETIME, DataType.DATE, DataType.TIME})
TEXTS: Final = frozenset({DataType.STRING, DataType.URI, *MOMENTS})
"""Types whose cells are text."""


MOST_DIGITS: Final = 128
"""Characters of a decimal number."""


Missing = Enum("Missing", "UNDERSCORE A B C D E F G H I J K L M N O P Q R S T U V W X Y Z")
"""SAS's special missing numbers: `._`, `.A` to `.Z`."""


class Exact(Decimal):
    """A decimal number that keeps its text, thousands separators too: compares as its value, is written as `text`."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Exact":
        if len(text) > MOST_DIGITS:
            raise CallerError(f"a decimal number is longer than {MOST_DIGITS} characters")
        try:
            self = super().__new__(cls, text.replace(",", ""))
        except InvalidOperation as error:
            raise CallerError("not a decimal number") from error
        if not self.is_finite():
            raise CallerError("not a decimal number")
        self.text = text
        return self

    def __reduce__(self) -> tuple[type["Exact"], tuple[str]]:
        return Exact, (self.text,)


Cell: TypeAlias = str | int | float | Decimal | bool | Missing | None
Row: TypeAlias = tuple[Cell, ...]
Members: TypeAlias = tuple[tuple[str, str], ...]
"""Other members of a JSON object: name, and value as JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFormat:
    """A SAS format or informat: `name`, width and decimals (0 where none is given)."""

    name: str = ""
    width: int = 0
    decimals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariable:
    """What a transport file says of a variable beside the model. `width`: octets; `number`: its place in the SAS data
    set; `rest`: the last 52 octets of its record, empty where all are zero."""

    width: int
    number: int
    hash: int = 0
    justify: int = 0
    fill: bytes = b"\0\0"
    format: StoredFormat = StoredFormat()
    informat: StoredFormat = StoredFormat()
    rest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStamp:
    """The two records that tell who made a library or a data set. Times are as SAS writes them, `ddMMMyy:hh:mm:ss`.
    `unused`, `rest`: what stands where blanks are asked for; empty as a rule."""

    symbols: tuple[str, str, str]
    version: str
    system: str
    created: str
    modified: str
    unused: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTable:
    """What a transport file says of its data set beside the model. `kind`: the data set's type; `fill`: the octet that
    fills the last record of variables."""

    library: StoredStamp
    dataset: StoredStamp
    kind: str = ""
    fill: bytes = b" "


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A column. `length`: characters of its values as text (in a transport file, octets). `target_type`: what the
    receiver's system turns it into. `display_format`: a SAS format, `DATE9.`. `key_sequence`: 1 for the first key.
    `stored`: how a transport file stores it."""

    name: str
    label: str
    type: DataType
    oid: str | None = None
    target_type: DataType | None = None
    length: int | None = None
    display_format: str | None = None
    key_sequence: int | None = None
    more: Members = ()
    stored: StoredVariable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The system that a table came from."""

    name: str
    version: str
    more: Members = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A dataset without its rows. `records`: how many there are, where it is known before they are read. Times are ISO
    8601 texts. `version`: of Dataset-JSON. `stored`: what a transport file says of it."""

    name: str
    label: str
    variables: tuple[Variable, ...]
    oid: str | None = None
    records: int | None = None
    created: str | None = None
    modified: str | None = None
    version: str | None = None
    file_oid: str | None = None
    originator: str | None = None
    source: Source | None = None
    study_oid: str | None = None
    metadata_version_oid: str | None = None
    metadata_ref: str | None = None
    more: Members = ()
    stored: StoredTable | None = None
