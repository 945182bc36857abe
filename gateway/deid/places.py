"""Places: a state, the first three digits of a ZIP code, a country; nothing smaller.

True here: three digits leave only where more people than a bound live in all ZIP codes that begin with them; `000`
stands for others, for what is no ZIP code of the census, and for the postal codes of other countries. Source: 45 CFR
164.514(b)(2)(i)(B); populations of 2010 by ZCTA (US Census Bureau, summary file 1).
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from gateway.deid.trees import Json

FEW: Final = 20_000
NOWHERE: Final = "000"
_ZIP = re.compile(r"([0-9]{3})[0-9]{2}(-?[0-9]{4})?")
_COUNTRY = re.compile("[A-Z]{2,3}")
_STATES = (
    "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,"
    "DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,"
    "KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,"
    "MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,NJ New Jersey,NM New Mexico,"
    "NY New York,NC North Carolina,ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,"
    "RI Rhode Island,SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,"
    "WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming,AS American Samoa,GU Guam,"
    "MP Northern Mariana Islands,PR Puerto Rico,VI Virgin Islands"
)
AMERICAN: Final = frozenset({
    "", "us", "usa", "u.s.", "u.s.a.", "840", "united states", "united states of america", "as", "asm", "gu", "gum",
    "mp", "mnp", "pr", "pri", "puerto rico", "vi", "vir",
})  # fmt: skip
"""Countries whose postal codes are ZIP codes, in lower case."""
STATES: Final = {spelled.lower(): line[:2] for line in _STATES.split(",") for spelled in (line[:2], line[3:])}
"""Code and name, in lower case -> code."""


@cache
def populations() -> dict[str, int]:
    """People by the first three digits."""
    text = files(__package__).joinpath("zip3_population_2010.csv").read_text()
    lines = (line.split(",") for line in text.splitlines()[1:])
    return {digits: int(people) for digits, people, _ in lines}


def kept_zip(value: Json, *, few: int = FEW) -> str | None:
    """Three digits of a ZIP code, or `000`; None where there is none at all."""
    if not isinstance(value, str):
        return None
    found = _ZIP.fullmatch(value.strip())
    return found[1] if found is not None and populations().get(found[1], 0) > few else NOWHERE


def kept_address(value: Json, *, few: int) -> dict[str, Json] | None:
    """A FHIR Address of state, three digits and country; None where nothing is left."""
    if not isinstance(value, dict):
        return None
    kept: dict[str, Json] = {}
    state, country = value.get("state"), value.get("country")
    if isinstance(state, str) and state.strip().lower() in STATES:
        kept["state"] = STATES[state.strip().lower()]
    if (digits := kept_zip(value.get("postalCode"), few=few)) is not None:
        kept["postalCode"] = digits if _is_american(country) else NOWHERE
    if isinstance(country, str) and _COUNTRY.fullmatch(country):
        kept["country"] = country
    return kept or None


def _is_american(country: Json) -> bool:
    """Or not told at all."""
    return country is None or (isinstance(country, str) and country.strip().lower() in AMERICAN)
