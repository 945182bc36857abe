"""No release tells of few people by how it differs from another: who is new, or gone, is 0 or at least k.

    newcomers   fewer than k who are in no earlier release like this one wait for the next
    leavers     fewer than k who are gone leave in company: others are left out, too, until they are k

True here: pure; people are keyed tokens. What counts are those whose rows left. Three releases or more may tell
together what no two of them do. Source: Denning and Denning 1979, The Tracker: A Threat to Statistical Database
Security (differencing).
"""

from collections.abc import Collection, Sequence
from typing import Final

ROUNDS: Final = 16


def left_out(released: Collection[bytes], earlier: Sequence[frozenset[bytes]], *, k: int) -> frozenset[bytes]:
    """Who of those released is to be left out, so that of no earlier release that has people in common 1 to k - 1 are
    gone, or new; everybody where there is no other way. `earlier`: people of other releases. First go those whom the
    most of these lack, so that the same few go everywhere; among equals the tokens' order, which nobody without the key
    can tell."""
    staying, out = set(released), set[bytes]()
    ways = sorted(staying, key=lambda token: (sum(token not in one for one in earlier), token))
    for _ in range(ROUNDS):
        close = [one for one in earlier if one & staying and _is_close(one, staying, k)]
        if not close:
            return frozenset(out)
        for one in close:
            newcomers = staying - one
            if len(newcomers) < k:
                staying -= newcomers
                out |= newcomers
            while one & staying and 0 < len(one - staying) < k:
                gone = ways.pop()
                if gone in staying:
                    staying.discard(gone)
                    out.add(gone)
    return frozenset(released)


def _is_close(one: frozenset[bytes], staying: set[bytes], k: int) -> bool:
    """Few are new, or few are gone, whatever else there is."""
    return 0 < len(staying - one) < k or 0 < len(one - staying) < k
