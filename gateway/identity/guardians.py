"""Which guardians hold, and which come after them: a pure fold over a subject's events (ISubjects).

Naming guardians widens: it counts once confirmed. A proposal of a recovery cancels those that were to come. Not known
here: who they are; the chain has a salted hash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import IntegrityError
from gateway.identity.state import number_in
from gateway.ports.rows import EventRow

NONE = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardians:
    """Hashes of guardianships, 32 zero bytes where there is none; `next` from `next_at` on (seconds since 1970), which
    is 0 where nothing is to come."""

    current: bytes = NONE
    next: bytes = NONE
    next_at: int = 0

    def at(self, moment: int) -> "Guardians":
        """As they stand at a time of the chain."""
        due = self.next_at and moment >= self.next_at
        return Guardians(current=self.next) if due else self


def fold_guardians(live: Sequence[EventRow], *, delay: int, confirmed: Callable[[EventRow], bool]) -> Guardians:
    """`live`: the subject's events on the canonical chain in their order. `delay`: the registry's, in seconds."""
    found = Guardians()
    for event in live:
        if event.name == "GuardiansSet" and confirmed(event):
            named, effective = event.args.get("guardians"), number_in(event, "effectiveAt")
            if not isinstance(named, bytes):
                raise IntegrityError("an indexed GuardiansSet has no guardians")
            # The first hold at once: their block's time is `effective` itself, and nothing is asked of before it.
            found = Guardians(current=found.at(effective - delay).current, next=named, next_at=effective)
        elif event.name == "RecoveryProposed":
            found = Guardians(current=found.at(number_in(event, "readyAt") - delay).current)
    return found
