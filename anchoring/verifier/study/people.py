"""Who has a part in a study: its sponsor, and whom it delegated to, as far as the entries say. Pure.

True here: the newest delegation of an actor and role counts. Who acts for an organization that has a role is not named
by the journal: then those organizations are told, and the chain's memberships say the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CAPTURES: Final = frozenset({"INVESTIGATOR", "COORDINATOR"})
REVIEWS: Final = frozenset({"MONITOR", "SPONSOR", "STATISTICIAN", "SAFETY_BOARD"})
BREAKS_BLIND: Final = frozenset({"INVESTIGATOR", "SAFETY_BOARD"})
ANY: Final = frozenset(
    {"SPONSOR", "INVESTIGATOR", "COORDINATOR", "MONITOR", "STATISTICIAN", "SAFETY_BOARD", "INSPECTOR"}
)
SKEW: Final = 60
"""Seconds that an act's time may be ahead of the gateway's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """`sites` empty: all. `until`: seconds since 1970."""

    sites: frozenset[str]
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behalf:
    """An act by somebody whom nothing names: one of `organizations` must have had them as a member then. None of them:
    nobody could have let them."""

    by: bytes
    at: int
    organizations: tuple[bytes, ...]


class People:
    """Grows with delegations."""

    def __init__(self) -> None:
        self.sponsor = b""
        self.statistician = b""
        self._delegations: dict[tuple[bytes, str], Delegation] = {}

    def delegate(self, actor: bytes, role: str, sites: Iterable[str], until: int) -> None:
        self._delegations[(actor, role)] = Delegation(sites=frozenset(sites), until=until)

    def knows(self, actor: bytes) -> bool:
        """Whether they have, or had, a part in the study by their own name."""
        return actor in (self.sponsor, self.statistician) or any(who == actor for who, _ in self._delegations)

    def behalf(self, by: bytes, at: int, roles: frozenset[str], sites: Iterable[str] = ()) -> Behalf | None:
        """None: they have one of the roles themselves, at all of the sites (none: anywhere)."""
        wanted = frozenset(sites)
        able = {
            actor for (actor, role), one in self._delegations.items() if role in roles and _reaches(one, at, wanted)
        }
        if "SPONSOR" in roles and self.sponsor:
            able.add(self.sponsor)
        return None if by in able else Behalf(by=by, at=at, organizations=tuple(sorted(able)))


def _reaches(one: Delegation, at: int, sites: frozenset[str]) -> bool:
    return at - SKEW < one.until and (not one.sites or sites <= one.sites)
