"""Whether consented uses of data cover the use that a researcher declares, by GA4GH's Data Use Ontology (DUO).

True here: pure, and read narrowly. A consent covers a use only by a permission term that reaches it, and only if every
other term of the consent is met; a term that is not known here is met by nothing but the same term in the declaration.
A term with a value is written `DUO:0000007=MONDO:0005148`. Source: DUO, http://purl.obolibrary.org/obo/duo.owl
(2021-02-23); its use in consent, Global Alliance for Genomics and Health, Lawson et al. 2021, Cell Genomics 1, 100028.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from gateway.errors import CallerError

NO_RESTRICTION: Final = "DUO:0000004"
HEALTH: Final = "DUO:0000006"
DISEASE: Final = "DUO:0000007"
ORIGINS: Final = "DUO:0000011"
GENERAL: Final = "DUO:0000042"
PERMISSIONS: Final = frozenset({NO_RESTRICTION, HEALTH, DISEASE, ORIGINS, GENERAL})
"""DUO:0000001, data use permission: what may be done at all."""
NO_METHODS: Final = "DUO:0000015"
METHODS: Final = "DUO:0000031"
NOT_FOR_PROFIT: Final = "DUO:0000018"
NOT_FOR_PROFIT_PARTS: Final = frozenset({"DUO:0000045", "DUO:0000046"})
"""A not-for-profit organization, and a use that is not commercial."""
NOT_BEFORE: Final = "DUO:0000024"
NOT_AFTER: Final = "DUO:0000025"
CLINICAL_CARE: Final = "DUO:0000043"
"""Allows care besides research; asks nothing of research."""
NO_ORIGINS: Final = "DUO:0000044"
ANCESTRY: Final = frozenset({ORIGINS, "DUO:0000033"})
PROMISES: Final = frozenset(
    f"DUO:00000{number}" for number in (12, 16, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 45, 46)
)
"""Conditions that a researcher can declare to meet."""
INVESTIGATIONS: Final = frozenset(f"DUO:00000{number}" for number in range(31, 41))
"""DUO:0000017, data use modifier: what kind of research it is."""
MOST: Final = 64
KEPT: Final = 4096
_TERM = re.compile(r"DUO:[0-9]{7}(=[!-<>-~]{1,128})?")


def check_declared(terms: Collection[str], *, field: tuple[str, ...]) -> None:
    """A use that can be declared: known terms, one permission at least. Raises CallerError."""
    if not 1 <= len(terms) <= MOST:
        raise CallerError(f"1 to {MOST} terms of DUO", field=field)
    for term in sorted(terms):
        if not _TERM.fullmatch(term) or _name(term) not in PERMISSIONS | PROMISES | INVESTIGATIONS:
            raise CallerError("no term of DUO that a use can be declared by", field=(*field, term[:64]))
        if _name(term) == DISEASE and term == DISEASE:
            raise CallerError("name the disease: DUO:0000007=MONDO:0005148", field=(*field, term))
    if not any(_name(term) in PERMISSIONS - {NO_RESTRICTION} for term in terms):
        raise CallerError("say what the research is: general, health, a disease, or origins", field=field)


def covers(consented: Collection[str], declared: Collection[str]) -> bool:
    """Whether every part of the declared use is permitted, and every condition met."""
    return _covers(tuple(consented), frozenset(declared))


@lru_cache(maxsize=KEPT)
def _covers(consented: tuple[str, ...], declared: frozenset[str]) -> bool:
    """A release asks the same of each record."""
    uses = [term for term in declared if _name(term) in PERMISSIONS]
    permissions = [term for term in consented if _name(term) in PERMISSIONS]
    if not uses or not all(any(_reaches(one, use) for one in permissions) for use in uses):
        return False
    if not ANCESTRY.isdisjoint(declared) and not any(
        _name(one) in (NO_RESTRICTION, GENERAL, ORIGINS) for one in permissions
    ):
        return False
    return all(_met(term, declared) for term in consented if _name(term) not in PERMISSIONS)


def _reaches(permission: str, use: str) -> bool:
    name = _name(permission)
    if name in (NO_RESTRICTION, GENERAL):
        return True
    if name == HEALTH:
        return _name(use) in (HEALTH, DISEASE)
    return permission == use and (name == ORIGINS or permission != DISEASE)


def _met(condition: str, declared: Collection[str]) -> bool:
    name, value = _name(condition), condition.partition("=")[2]
    if name == CLINICAL_CARE:
        return True
    if name == NO_METHODS:
        return METHODS not in declared
    if name == NO_ORIGINS:
        return ANCESTRY.isdisjoint(declared)
    if condition in declared:
        return True
    if condition == NOT_FOR_PROFIT:
        return all(part in declared for part in NOT_FOR_PROFIT_PARTS)
    given = [term.partition("=")[2] for term in declared if _name(term) == name]
    if name == NOT_AFTER and value:
        return any(one and one <= value for one in given)
    if name == NOT_BEFORE and value:
        return any(one >= value for one in given)
    return False


def _name(term: str) -> str:
    return term.partition("=")[0]
