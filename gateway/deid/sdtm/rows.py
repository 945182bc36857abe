"""The rows that a captured form holds, by the names of their variables, read from its QuestionnaireResponse alone.

True here: a group of the form is a row, a leaf of it a variable, named by what its linkId ends in: the last item's OID,
behind the last dot (`IG.DM/IT.DM.SEX` is SEX), as Define-XML names its items. A form that was entered in error, or
whose meaning something unknown changes, has no rows; a row that has one name twice, or no domain, is none.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from gateway.deid.codes import SDTM, STUDY, is_code
from gateway.deid.trees import Json, Resource

SUBJECT: Final = "Patient/consentry-subject-of-the-study"
"""What a made resource calls the patient, whoever they are."""
_ERROR: Final = "entered-in-error"
_CHANGED: Final = frozenset({"modifierExtension", "implicitRules"})
_DOMAIN = re.compile("[A-Z]{2}")
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,31}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(?:\.[0-9]{0,15})?(?:[eE][-+]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?(?=T|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Of one domain. `cells`: by variable, of what was answered; `listed`: the variables whose answer is one of a code
    list in the study's definition."""

    domain: str
    cells: Mapping[str, str] = field(repr=False)
    listed: frozenset[str]

    def text(self, name: str) -> str:
        """Of a variable; `--` stands for the domain. Empty: it says nothing."""
        return self.cells.get(self._named(name), "")

    def number(self, name: str) -> float | None:
        return number_of(self.text(name))

    def date(self, name: str) -> str | None:
        """A date, or a beginning of one, without a time of day."""
        found = _DATE.match(self.text(name))
        return None if found is None else found[0]

    def word(self, name: str) -> dict[str, Json] | None:
        """A Coding of what the study's definition lists, where that is one word; None for what somebody wrote."""
        code = self.text(name)
        return {"system": STUDY, "code": code} if self._named(name) in self.listed and is_code(STUDY, code) else None

    def period(self, start: str, end: str) -> dict[str, Json]:
        found = (("start", self.date(start)), ("end", self.date(end)))
        return {name: date for name, date in found if date is not None}

    def has_happened(self) -> bool:
        """What is asked about and did not occur, or was not asked in the end, is told as a row, too."""
        return self.text("--OCCUR") in ("", "Y") and not self.text("--STAT")

    def category(self) -> Resource:
        """The domain, as a CodeableConcept: by it a view tells vital signs from laboratory findings."""
        return {"coding": [{"system": SDTM, "code": self.domain}]}

    def _named(self, name: str) -> str:
        return self.domain + name[2:] if name.startswith("--") else name


def number_of(text: str) -> float | None:
    """None for what is none, a missing one of SAS's too."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def rows_of(response: Mapping[str, Any]) -> Iterator[tuple[int, Row]]:
    """Each with its number in the form, from 0; numbers of what is no row are left out."""
    if response.get("status") == _ERROR or _is_changed(response):
        return
    for number, group in enumerate(_objects(response.get("item"))):
        row = None if _is_changed(group) else _row(group)
        if row is not None:
            yield number, row


def _row(group: Mapping[str, Any]) -> Row | None:
    cells: dict[str, str] = {}
    listed: set[str] = set()
    for item in _objects(group.get("item")):
        name = _variable(str(item.get("linkId")))
        if name is None or "item" in item:
            continue
        if name in cells or _is_changed(item):
            return None
        cells[name], is_listed = _answer(item)
        if is_listed:
            listed.add(name)
    domain = cells.get("DOMAIN", "")
    return Row(domain=domain, cells=cells, listed=frozenset(listed)) if _DOMAIN.fullmatch(domain) else None


@lru_cache(maxsize=4_096)
def _variable(link_id: str) -> str | None:
    """A form names the same ones in each of its rows."""
    name = link_id.rpartition("/")[2].rpartition(".")[2].upper()
    return name if _NAME.fullmatch(name) else None


def _answer(item: Mapping[str, Any]) -> tuple[str, bool]:
    """The text, and whether it is a code of a list; nothing for more answers than one."""
    given = _objects(item.get("answer"))
    if len(given) != 1:
        return "", False
    for name, value in given[0].items():
        if name == "valueCoding" and isinstance(value, dict):
            return str(value.get("code", "")), True
        if name.startswith("value") and isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value), False
    return "", False


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_changed(element: Mapping[str, Any]) -> bool:
    return not _CHANGED.isdisjoint(element)
