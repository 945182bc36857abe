"""Numbers of SDTM with their units, as FHIR Quantities.

True here: a unit is UCUM's where CDISC's word for it is known here to mean that, and none else: UCUM's grammar takes
almost any word. The word itself goes along as `unit`, by which ages are told; it does not leave.
Source: CDISC controlled terminology, codelist UNIT, and its UCUM codetable.
"""

import re
from typing import Final

from gateway.deid.codes import UCUM
from gateway.deid.sdtm.rows import number_of
from gateway.deid.trees import Json

_SAME: Final = (
    "% kg g mg ug ng pg L dL mL uL fL m cm mm um g/L g/dL mg/L mg/dL mg/mL mg/kg ug/L ug/dL ug/mL ng/L ng/dL ng/mL "
    "pg/mL mol/L mmol/L umol/L nmol/L pmol/L mmol/mol U/L kg/m2 mm/h mL/min ms s h /L /uL mV Hz"
)
_OTHER: Final = (
    "mmHg mm[Hg],beats/min /min,breaths/min /min,BEATS/MIN /min,BREATHS/MIN /min,C Cel,F [degF],in [in_i],IN [in_i],"
    "LB [lb_av],kPa kPa,10^9/L 10*9/L,10^12/L 10*12/L,10^6/L 10*6/L,10^3/uL 10*3/uL,10^6/uL 10*6/uL,GI/L 10*9/L,"
    "TI/L 10*12/L,IU/L [iU]/L,IU/mL [iU]/mL,mIU/L m[iU]/L,mEq/L meq/L,msec ms,sec s,ug/mol ug/mol,"
    "mL/min/1.73m2 mL/min/{1.73_m2},YEARS a,MONTHS mo,WEEKS wk,DAYS d,HOURS h,MINUTES min,days d,min min"
)
UNITS: Final[dict[str, str]] = dict(zip(_SAME.split(), _SAME.split(), strict=True)) | dict(
    pair.split(" ", 1) for pair in _OTHER.split(",")
)
"""As CDISC writes it -> UCUM."""
_COMPARED = re.compile(r"(<=|>=|<|>) ?(\S+)")


def quantity(number: float, unit: str) -> dict[str, Json]:
    """`unit`: as the row has it, empty for none."""
    made: dict[str, Json] = {"value": int(number) if number.is_integer() else number}
    if unit:
        made["unit"] = unit
    if unit in UNITS:
        made |= {"system": UCUM, "code": UNITS[unit]}
    return made


def compared(text: str, unit: str) -> dict[str, Json] | None:
    """A number of text, or what is below or above one (`<0.2`); None for other text."""
    found = _COMPARED.fullmatch(text)
    number = number_of(text if found is None else found[2])
    if number is None:
        return None
    return quantity(number, unit) | ({} if found is None else {"comparator": found[1]})
