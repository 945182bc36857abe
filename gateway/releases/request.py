"""What a researcher asks for: a use, a cohort, tables and a profile; named by the SHA-256 of its RFC 8785 form.

True here: pure. What passes can be built: the use is one that can be declared, each table is a view that the profile
lets out, and one of them, at least, is of people. A study may be asked in: then it is about that study's records and no
others. A profile's departures are the steward's to name, and not looked at here; nor is who has a part in the study.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from gateway import jsontext
from gateway.consent import studies
from gateway.consent.data_use import check_declared
from gateway.consent.model import Purpose
from gateway.consent.policy import RESEARCH
from gateway.deid.profile import SHIPPED, Profile, parse_profile, shipped
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from gateway.errors import CallerError
from gateway.ids import StudyId
from gateway.jsontext import JsonValue
from gateway.releases.cohort import Cohort, parse_cohort

MOST_TABLES: Final = 20
LONGEST_TITLE: Final = 200
FORMATS: Final = ("parquet", "ndjson")
MOST_DAYS: Final = 366
MOST_OCTETS: Final = 1 << 18
_TABLE = re.compile("[a-z][a-z0-9_]{0,62}")
_MEMBERS: Final = ("title", "purpose", "dataUse", "cohort", "tables", "profile", "format", "days")
_STUDY: Final = "study"
_STUDY_NAME = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRequest:
    """`data_use`: terms of DUO. `days`: how long the release can be opened. `study`: the one whose records it is about;
    None: about those of none. `text`: RFC 8785 form, of which `digest` is the SHA-256."""

    title: str
    purpose: Purpose
    data_use: frozenset[str]
    cohort: Cohort
    tables: tuple[Table, ...] = field(repr=False)
    profile: Profile = field(repr=False)
    format: str
    days: int
    study: StudyId | None = None
    text: bytes = field(repr=False)
    digest: bytes


def parse_request(value: JsonValue) -> DatasetRequest:
    """Raises CallerError that names the member."""
    if not isinstance(value, dict):
        raise CallerError("a JSON object", field=("dataset",))
    for member in (value.keys() - {_STUDY}) ^ set(_MEMBERS):
        message = "missing" if member in _MEMBERS else "no member of a request for data"
        raise CallerError(message, field=("dataset", member[:64]))
    title, days = value["title"], value["days"]
    if not isinstance(title, str) or not 0 < len(title) <= LONGEST_TITLE or not title.isprintable():
        raise CallerError(f"1 to {LONGEST_TITLE} printable characters", field=("dataset", "title"))
    purpose = value["purpose"]
    if not isinstance(purpose, str) or purpose not in RESEARCH:
        raise CallerError("HRESCH or CLINTRCH", field=("dataset", "purpose"))
    study = _study(value)
    if study is not None and purpose != studies.PURPOSE:
        raise CallerError(f"in a study there is one purpose: {studies.PURPOSE}", field=("dataset", "purpose"))
    if value["format"] not in FORMATS:
        raise CallerError(" or ".join(FORMATS), field=("dataset", "format"))
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_DAYS:
        raise CallerError(f"1 to {MOST_DAYS} days", field=("dataset", "days"))
    profile = _profile(value["profile"])
    text = jsontext.canonical(value)
    if len(text) > MOST_OCTETS:
        raise CallerError(f"at most {MOST_OCTETS} octets", field=("dataset",))
    return DatasetRequest(
        title=title,
        purpose=Purpose(purpose),
        data_use=parse_data_use(value["dataUse"], field=("dataset", "dataUse")),
        cohort=parse_cohort(value["cohort"], field=("dataset", "cohort")),
        tables=_tables(value["tables"], profile),
        profile=profile,
        format=str(value["format"]),
        days=days,
        study=study,
        text=text,
        digest=hashlib.sha256(text).digest(),
    )


def _study(value: dict[str, JsonValue]) -> StudyId | None:
    """Its 32-byte name, in hexadecimal; the member may not be there, but not be null."""
    if _STUDY not in value:
        return None
    name = value[_STUDY]
    if not isinstance(name, str) or not _STUDY_NAME.fullmatch(name):
        raise CallerError("the 32 bytes of a study's name, in lower-case hexadecimal", field=("dataset", _STUDY))
    return StudyId(bytes.fromhex(name))


def parse_data_use(value: JsonValue, *, field: tuple[str, ...]) -> frozenset[str]:
    """A use that can be declared, by terms of DUO. Raises CallerError."""
    if not isinstance(value, list):
        raise CallerError("a list of terms of DUO", field=field)
    terms = [one for one in value if isinstance(one, str)]
    if len(terms) < len(value):
        raise CallerError("a list of terms of DUO", field=field)
    check_declared(terms, field=field)
    return frozenset(terms)


def _profile(value: JsonValue) -> Profile:
    """By name, one that ships; or as it stands here."""
    if not isinstance(value, str):
        return parse_profile(value)
    if value not in SHIPPED:
        raise CallerError(f"{', '.join(SHIPPED)}, or a whole profile", field=("dataset", "profile"))
    return shipped(value)


def _tables(value: Any, profile: Profile) -> tuple[Table, ...]:
    place = ("dataset", "tables")
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST_TABLES:
        raise CallerError(f"1 to {MOST_TABLES} ViewDefinitions by their names", field=place)
    made = []
    for name, view in value.items():
        where = (*place, name[:64])
        if not _TABLE.fullmatch(name):
            raise CallerError("lower-case letters, digits and underscores", field=where)
        made.append(make_table(name, parse_view(view, field=where, types=set(profile.resources)), profile, field=where))
    if not any(table.is_of_people for table in made):
        raise CallerError("one table is a view on Patient: who is in, and like whom, is told by it", field=place)
    return tuple(made)
