"""Eligibility criteria as they are declared: JSON that can be read by people, each criterion a text and a condition.

    {"inclusion": [{"text": "You are 18 to 65 years old.", "age": {"from": 18, "to": 65}}, …],
     "exclusion": [{"text": "You have gout.", "has": {"in": "conditions", "codes": ["http://snomed.info/sct|90560007"]}}]}

    age        from, to: whole years on the day of the match, both ends included
    sex        a list of male, female, other: `Patient.gender`
    has        in: conditions, medications, observations, procedures or allergies; codes: any of them, system|code;
               withinDays; silence: `no` (the default) where records of that kind without any of the codes mean that
               there is none, `unknown` where they do not
    hasNot     the same, denied
    lab        code; from, to: both ends included; unit: a UCUM code; withinDays: the latest value counts
    fhirpath   an expression over a Bundle of the patient's resources, true or false; `%today` is the day of the match

True here: a criterion has one condition; every list, text and number is bounded. Criteria are named by the SHA-256 of
their RFC 8785 form.
Not done here: whether an expression is FHIRPath (`matching.screening` says); terminology (a code is no other code, not
even a broader one); units are not converted.
"""

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gateway import jsontext
from gateway.deid.fhirpath.tokens import MAX_LENGTH
from gateway.deid.views.reading import Field, items, members, text
from gateway.errors import CallerError
from gateway.jsontext import JsonValue, Num
from gateway.trials.recruitment.model import (
    About,
    Age,
    Code,
    Coded,
    Condition,
    Criteria,
    Criterion,
    Expressed,
    Measured,
    Sex,
)

MOST_CRITERIA: Final = 60
"""Of each list."""
MOST_CODES: Final = 64
MOST_SYSTEMS: Final = 8
LONGEST_TEXT: Final = 1_000
OLDEST: Final = 150
MOST_DAYS: Final = 36_600
SEXES: Final = ("male", "female", "other")
_CODE = re.compile(r"([!-&(-\[\]-{}~]{1,128})\|([!-&(-\[\]-{}~]{1,128})")
_UNIT = re.compile("[!-~]{1,64}")
_CONDITIONS: Final = ("age", "sex", "has", "hasNot", "lab", "fhirpath")
_DIGITS: Final = 15


def read_criteria(value: JsonValue, *, field: Field = ("criteria",)) -> Criteria:
    """Raises CallerError that names the member. Expressions are judged by `compiling`, not here."""
    tree = members(value, {"inclusion", "exclusion"}, field=field)
    lists = {name: _list(tree, name, field) for name in ("inclusion", "exclusion")}
    if not any(lists.values()):
        raise CallerError("must have inclusion, exclusion, or both", field=field)
    form = jsontext.canonical(value)
    return Criteria(**lists, form=form, digest=hashlib.sha256(form).digest())


def _list(tree: Mapping[str, object], name: str, field: Field) -> tuple[Criterion, ...]:
    if tree.get(name) == []:
        return ()
    return tuple(_criterion(one, place) for one, place in items(tree, name, field=field, most=MOST_CRITERIA))


def _criterion(value: object, field: Field) -> Criterion:
    tree = members(value, {"text", *_CONDITIONS}, field=field)
    told = text(tree, "text", field=field)
    if not told.strip() or len(told) > LONGEST_TEXT:
        raise CallerError(f"must have 1 to {LONGEST_TEXT} characters", field=(*field, "text"))
    given = [name for name in _CONDITIONS if name in tree]
    if len(given) != 1:
        raise CallerError(f"must have one of {', '.join(_CONDITIONS)}", field=field)
    return Criterion(text=told, condition=_condition(given[0], tree[given[0]], (*field, given[0])))


def _condition(name: str, value: object, field: Field) -> Condition:
    match name:
        case "age":
            return _age(value, field)
        case "sex":
            return _sex(value, field)
        case "has" | "hasNot":
            return _coded(value, field, wanted=name == "has")
        case "lab":
            return _measured(value, field)
        case _:
            if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
                raise CallerError(f"must be an expression of at most {MAX_LENGTH} characters", field=field)
            return Expressed(expression=value)


def _age(value: object, field: Field) -> Age:
    tree = members(value, {"from", "to"}, field=field)
    least, most = (_whole(tree, name, OLDEST, field) for name in ("from", "to"))
    _check_ends(least, most, field)
    return Age(least=least, most=most)


def _sex(value: object, field: Field) -> Sex:
    if not isinstance(value, list) or not value or len(value) > len(SEXES) or not all(one in SEXES for one in value):
        raise CallerError(f"must be a list of {', '.join(SEXES)}", field=field)
    return Sex(sexes=tuple(one for one in SEXES if one in value))


def _coded(value: object, field: Field, *, wanted: bool) -> Coded:
    tree = members(value, {"in", "codes", "withinDays", "silence"}, field=field)
    if tree.get("in") not in tuple(About):
        raise CallerError(f"must be one of {', '.join(About)}", field=(*field, "in"))
    listed = items(tree, "codes", field=field, most=MOST_CODES)
    if not listed:
        raise CallerError("is missing", field=(*field, "codes"))
    codes = tuple(_code(one, place) for one, place in listed)
    if len({one.system for one in codes}) > MOST_SYSTEMS:
        raise CallerError(f"are of more than {MOST_SYSTEMS} systems", field=(*field, "codes"))
    silence = tree.get("silence", "no")
    if silence not in ("no", "unknown"):
        raise CallerError("must be no or unknown", field=(*field, "silence"))
    return Coded(
        wanted=wanted,
        about=About(str(tree["in"])),
        codes=codes,
        within_days=_days(tree, field),
        silence_is_no=silence == "no",
    )


def _measured(value: object, field: Field) -> Measured:
    tree = members(value, {"code", "from", "to", "unit", "withinDays"}, field=field)
    unit = text(tree, "unit", field=field)
    if _UNIT.fullmatch(unit) is None:
        raise CallerError("must be a unit of UCUM", field=(*field, "unit"))
    least, most = _number(tree, "from", field), _number(tree, "to", field)
    _check_ends(least, most, field)
    return Measured(
        code=_code(tree.get("code"), (*field, "code")),
        least=least,
        most=most,
        unit=unit,
        within_days=_days(tree, field),
    )


def _code(value: object, field: Field) -> Code:
    found = _CODE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise CallerError("must be system|code, of 128 characters each", field=field)
    return Code(system=found[1], code=found[2])


def _days(tree: Mapping[str, object], field: Field) -> int | None:
    found = _whole(tree, "withinDays", MOST_DAYS, field)
    if found == 0:
        raise CallerError("must be one day at least", field=(*field, "withinDays"))
    return found


def _whole(tree: Mapping[str, object], name: str, most: int, field: Field) -> int | None:
    value = tree.get(name)
    if name not in tree:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise CallerError(f"must be a whole number from 0 to {most}", field=(*field, name))
    return value


def _number(tree: Mapping[str, object], name: str, field: Field) -> Decimal | None:
    """As it was written: 7.5 is no binary fraction."""
    value = tree.get(name)
    if name not in tree:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Num):
        raise CallerError("must be a number", field=(*field, name))
    number = Decimal(value.text if isinstance(value, Num) else value)
    if abs(number.adjusted()) > _DIGITS or len(format(abs(number), "f")) > _DIGITS:
        raise CallerError(f"must be a number of at most {_DIGITS} digits", field=(*field, name))
    return number


def _check_ends(least: Decimal | int | None, most: Decimal | int | None, field: Field) -> None:
    if least is None and most is None:
        raise CallerError("must have from, to, or both", field=field)
    if least is not None and most is not None and least > most:
        raise CallerError("from must not be more than to", field=field)
