"""Times and formats of a transport file as text, and back.

True here: a year of two digits is one of 1960 to 2059, SAS's calendar beginning in 1960; what is no time is told as
none, and stays as it was in what is stored.
Sources: SAS TS-140 (`ddMMMyy:hh:mm:ss`); SAS 9.4 Formats and Informats: Reference, "Syntax".
"""

import re
from datetime import datetime
from typing import Final

from gateway.errors import CallerError
from gateway.trials.tabulation.model import StoredFormat

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_STAMP: Final = re.compile(r"(\d\d)([A-Z]{3})(\d\d):(\d\d):(\d\d):(\d\d)", re.ASCII)
_FORMAT: Final = re.compile(r"(\$?(?:[A-Za-z_]\w{0,31}?)?)(\d{0,5})\.(\d{0,5})", re.ASCII)
_FIRST_YEAR: Final = 60


def moment_of(stamp: str) -> str | None:
    """ISO 8601 of a stamp; None where it is no time."""
    found = _STAMP.fullmatch(stamp)
    if found is None or found[2] not in _MONTHS:
        return None
    day, _, year, *clock = found.groups()
    century = "19" if int(year) >= _FIRST_YEAR else "20"
    text = f"{century}{year}-{_MONTHS.index(found[2]) + 1:02}-{day}T{':'.join(clock)}"
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return None


def stamp_of(moment: str) -> str:
    """A stamp of an ISO 8601 date and time, to the second; its offset from UTC cannot be said. Raises CallerError for
    what is none, and for a year that a stamp cannot tell."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError as error:
        raise CallerError("has a time of creation that is no ISO 8601 date and time") from error
    if not 1960 <= read.year <= 2059:
        raise CallerError("has a time of creation outside 1960 to 2059, which a transport file cannot say")
    return f"{read.day:02}{_MONTHS[read.month - 1]}{read.year % 100:02}:{read:%H:%M:%S}"


def format_text(form: StoredFormat) -> str | None:
    """`DATE9.`, `8.2`, `$.`; None for none."""
    if form == StoredFormat():
        return None
    return f"{form.name}{form.width or ''}.{form.decimals or ''}"


def format_of(text: str | None) -> StoredFormat:
    """What a format's text says. Raises CallerError for what is no format, or has a name of more than 8 characters."""
    if not text:
        return StoredFormat()
    found = _FORMAT.fullmatch(text if "." in text else f"{text}.")
    if found is None or len(found[1]) > 8:
        raise CallerError("has a display format that a transport file cannot say")
    width, decimals = int(found[2] or 0), int(found[3] or 0)
    if max(width, decimals) > 32_767:
        raise CallerError("has a display format that a transport file cannot say")
    return StoredFormat(name=found[1], width=width, decimals=decimals)
