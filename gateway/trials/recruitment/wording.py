"""Why a criterion is met, or not, or not known: a sentence for the patient, by the kind of condition.

True here: a sentence says what the records tell, and no value of them. English alone; `Reason` is what another language
is told by.
"""

from enum import StrEnum
from typing import Final

from gateway.trials.recruitment.model import About, Age, Coded, Condition, Expressed, Measured, Sex


class Reason(StrEnum):
    """`TOLD`: the records tell it. `SILENT`: they have nothing about it. `UNCLEAR`: they have something whose code,
    time or unit does not tell. `UNFIT`: the question does not fit the records."""

    TOLD = "TOLD"
    SILENT = "SILENT"
    UNCLEAR = "UNCLEAR"
    UNFIT = "UNFIT"


_UNFIT: Final = "Your records are written in a way in which this cannot be looked up."
_KINDS: Final = {
    About.CONDITIONS: "health problems",
    About.MEDICATIONS: "medicines",
    About.OBSERVATIONS: "findings and measurements",
    About.PROCEDURES: "treatments and operations",
    About.ALLERGIES: "allergies",
}


def why(condition: Condition, *, held: bool | None, reason: Reason) -> str:
    """`held`: whether what is asked about is so; of a `hasNot`, whether the records have it."""
    if reason is Reason.UNFIT:
        return _UNFIT
    match condition:
        case Age():
            return _told(held, "By your date of birth, you are {not}of this age.", "Your records do not tell your age.")
        case Sex():
            return _told(held, "Your records say that this is {not}so.", "Your records do not tell your sex.")
        case Measured():
            return _measured(condition, held, reason)
        case Coded():
            return _coded(condition, held, reason)
        case Expressed():
            return _told(held, "Your records say that this is {not}so.", "Your records do not tell this.")


def _told(held: bool | None, sentence: str, otherwise: str) -> str:
    return otherwise if held is None else sentence.replace("{not}", "" if held else "not ")


def _time(days: int | None) -> str:
    return "" if days is None else f" of the last {days} days"


def _measured(condition: Measured, held: bool | None, reason: Reason) -> str:
    time = _time(condition.within_days)
    if held is not None:
        return f"The newest such value in your records{time} is {'' if held else 'not '}in this range."
    if reason is Reason.SILENT:
        return f"Your records have no such value{time}."
    return f"The newest such value in your records{time} is no plain number in {condition.unit}."


def _coded(condition: Coded, held: bool | None, reason: Reason) -> str:
    kinds, time = _KINDS[condition.about], _time(condition.within_days)
    if held:
        return f"It is among the {kinds}{time} in your records."
    if held is not None:
        return f"Your records tell of {kinds}, and it is not among those{time or ' that they tell of'}."
    if reason is Reason.SILENT:
        return f"Your records say nothing of it among {kinds}{time}, which does not mean that there is nothing."
    return (
        f"Your records have {kinds} of which it is not certain whether they are this{time and ', and when they were'}."
    )
