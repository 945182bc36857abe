"""The text of a value as an answer of a QuestionnaireResponse, and back.

True here: an answer has FHIR's type wherever the text fits it without anything made up: a date known to the month is a
date known to the month, a dateTime without a zone is shown as its day. Where the type does not keep the text (`1.10`,
`+5`, a time without seconds), the text stands beside it. What fits no type is a string. Reading back gives the text.
Not done here: whether a value is right (`checks`): any text has an answer.
Source: https://hl7.org/fhir/R4/datatypes.html.
"""

import re
from decimal import Decimal
from typing import Final

from gateway import jsontext
from gateway.errors import CallerError, LimitError
from gateway.jsontext import JsonValue, Num
from gateway.trials.definition.items import CodeList, DataType, ItemDef
from gateway.trials.definition.linkids import TEXT, code_list_uri
from gateway.trials.definition.references import Directory
from gateway.trials.definition.texts import said
from gateway.trials.definition.values import NUMBERS, typed

_LARGEST_INTEGER: Final = 2**31 - 1
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_DATE: Final = re.compile(r"(?!0000)[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[-+](?:0[0-9]|1[0-3]):[0-5][0-9]|[-+]14:00)"
)
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?")
_CODE: Final = re.compile(r"\S+(?:\s\S+)*")
_URI: Final = re.compile(r"\S+")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DATES: Final = (DataType.DATE, DataType.PARTIAL_DATE, DataType.INCOMPLETE_DATE)
_DATE_TIMES: Final = (DataType.DATETIME, DataType.PARTIAL_DATETIME, DataType.INCOMPLETE_DATETIME)
_TIMES: Final = (DataType.TIME, DataType.PARTIAL_TIME, DataType.INCOMPLETE_TIME)
_MEMBERS: Final = (
    "valueBoolean", "valueCoding", "valueDate", "valueDateTime", "valueDecimal", "valueInteger", "valueString",
    "valueTime", "valueUri",
)  # fmt: skip

Answer = dict[str, JsonValue]


def answer(text: str, item: ItemDef, found: Directory, *, language: str) -> Answer:
    """`value[x]`, and the text beside it where that is needed. `text` is not empty. Raises CallerError for a text that
    FHIR cannot hold at all (a control character)."""
    if _CONTROLS.search(text):
        raise CallerError("holds a control character", field=("item", item.oid[:64]))
    made = _coded(text, item, found, language) or _typed(text, item) or {"valueString": text}
    if _shown(made) != text:
        made["extension"] = [{"url": TEXT, "valueString": text}]
    return made


def _coded(text: str, item: ItemDef, found: Directory, language: str) -> Answer | None:
    codes = None if item.code_list is None else found.code_lists.get(item.code_list)
    listed = None if codes is None else found.codes[codes.oid].get(text)
    if codes is None or listed is None or not _CODE.fullmatch(text):
        return None
    coding: dict[str, JsonValue] = {"system": system(codes, found), "code": text}
    display = said(listed.decode, language)
    return {"valueCoding": coding | ({"display": display} if display else {})}


def system(codes: CodeList, found: Directory) -> str:
    """The URI of a code list's codes."""
    return code_list_uri(found.definition.oid, found.definition.version_oid, codes.oid)


def is_code(text: str) -> bool:
    """Whether FHIR can hold it as a code."""
    return _CODE.fullmatch(text) is not None and _CONTROLS.search(text) is None


def _typed(text: str, item: ItemDef) -> Answer | None:
    """None for what fits no type but string."""
    try:
        value = typed(text, item).value
    except LimitError:
        raise
    except CallerError:
        return None
    kind, stripped = item.data_type, text.strip()
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int) and abs(value) <= _LARGEST_INTEGER:
        return {"valueInteger": value}
    if kind in NUMBERS and isinstance(value, int | Decimal):
        return _decimal(stripped, Decimal(value))
    if kind in _DATES:
        return _one("valueDate", _DATE.match(stripped))
    if kind in _DATE_TIMES:
        return _one("valueDateTime", _DATE_TIME.fullmatch(stripped) or _DATE.match(stripped))
    if kind in _TIMES:
        return _one("valueTime", _TIME.match(stripped))
    return {"valueUri": text} if kind is DataType.URI and _URI.fullmatch(text) else None


def _decimal(text: str, value: Decimal) -> Answer | None:
    if not value.is_finite() or not -300 < value.adjusted() < 300:
        return None
    written = text if _JSON_NUMBER.fullmatch(text) else format(value, "E" if "E" in str(value) else "f")
    return {"valueDecimal": Num(written)} if len(written) <= jsontext.MAX_NUMBER_LENGTH else None


def _one(member: str, match: re.Match[str] | None) -> Answer | None:
    return None if match is None else {member: match[0]}


def _shown(made: Answer) -> str | None:
    """What any reader of JSON makes of it, numbers as doubles."""
    (value,) = (made[member] for member in _MEMBERS if member in made)
    if isinstance(value, dict):
        return str(value["code"])
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else jsontext.canonical(value).decode()


def text_of(given: JsonValue, item: ItemDef, found: Directory, *, field: tuple[str, ...]) -> str:
    """An answer of a response -> the text that was captured. Raises CallerError for what is none of `answer`'s, and
    where the value says otherwise than the text beside it."""
    if not isinstance(given, dict) or not given.keys() <= {*_MEMBERS, "extension"}:
        raise CallerError("is no answer that is supported", field=field)
    values = [member for member in _MEMBERS if member in given]
    if len(values) != 1:
        raise CallerError("must have one value", field=field)
    value = given[values[0]]
    if isinstance(value, dict):
        if "extension" in given:
            raise CallerError("has an extension that is not supported", field=(*field, "extension"))
        return _code_of(value, item, found, field=field)
    if not isinstance(value, bool | int | Num | str):
        raise CallerError("is no answer that is supported", field=field)
    shown = _shown({values[0]: value}) or ""
    if "extension" not in given:
        return shown
    text = _beside(given["extension"], field=field)
    made = answer(text, item, found, language="")
    if values[0] not in made or _shown({values[0]: made[values[0]]}) != shown:
        raise CallerError("says otherwise than the text beside it", field=field)
    return text


def _beside(extensions: JsonValue, *, field: tuple[str, ...]) -> str:
    match extensions:
        case [{"url": url, "valueString": str(text), **rest}] if url == TEXT and text and not rest:
            return text
    raise CallerError("has an extension that is not supported", field=(*field, "extension"))


def _code_of(coding: dict[str, JsonValue], item: ItemDef, found: Directory, *, field: tuple[str, ...]) -> str:
    codes = None if item.code_list is None else found.code_lists.get(item.code_list)
    code = coding.get("code")
    if codes is None or coding.get("system") != system(codes, found) or not isinstance(code, str):
        raise CallerError("is no code of the item's code list", field=field)
    if code not in found.codes[codes.oid]:
        raise CallerError("is no code of the item's code list", field=field)
    return code
