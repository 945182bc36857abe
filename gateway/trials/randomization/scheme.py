"""A randomization scheme: arms and their shares, how they are drawn, and the strata that each have a list.

    simple            each position is drawn for itself
    permuted blocks   each block holds the arms by their shares, in random order; sizes of blocks are drawn, too

True here: a scheme that passes can be drawn: every block size is a multiple of the shares' sum, and there is an end to
strata and positions. Strata are numbered by their factors' levels, the last factor fastest, from 0; without factors
there is one.
Not done here: drawing (`lists`). Minimization is no scheme of these: it has no list that could be committed to.
Sources: ICH E9, 2.3.2; CONSORT 2010, items 8a and 8b.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.deid.views.reading import Field, items, members, text
from gateway.errors import CallerError, LimitError
from gateway.jsontext import JsonValue

MOST_ARMS: Final = 32
MOST_SHARE: Final = 100
MOST_BLOCK: Final = 1_000
MOST_SIZES: Final = 16
MOST_FACTORS: Final = 8
MOST_LEVELS: Final = 500
MOST_STRATA: Final = 2_000
MOST_POSITIONS: Final = 100_000
"""Of all strata together."""
LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmShare:
    """`share`: of the allocation ratio (2 in 2:1)."""

    arm: str
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """Each position by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutedBlocks:
    """`sizes`: of a block, each as likely as the others; a size that stands twice is twice as likely."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """`positions`: of each stratum's list; a last block that does not fit is cut off."""

    arms: tuple[ArmShare, ...]
    method: Simple | PermutedBlocks
    factors: tuple[Factor, ...]
    positions: int

    @property
    def shares(self) -> int:
        """Their sum."""
        return sum(one.share for one in self.arms)

    @property
    def strata(self) -> int:
        """How many."""
        return math.prod(len(factor.levels) for factor in self.factors)

    def stratum_of(self, levels: Mapping[str, str], *, field: Field = ("levels",)) -> int:
        """The number of the stratum of these levels, by factor. Raises CallerError that names the factor."""
        names = {factor.name for factor in self.factors}
        for name in sorted(levels.keys() ^ names):
            raise CallerError("is missing" if name in names else "is no factor of the study", field=(*field, name[:64]))
        number = 0
        for factor in self.factors:
            if levels[factor.name] not in factor.levels:
                raise CallerError("is no level of this factor", field=(*field, factor.name))
            number = number * len(factor.levels) + factor.levels.index(levels[factor.name])
        return number

    def levels_of(self, stratum: int) -> dict[str, str]:
        """The levels, by factor. ValueError for no stratum of the scheme."""
        if not 0 <= stratum < self.strata:
            raise ValueError("no stratum of the scheme")
        found = {}
        for factor in reversed(self.factors):
            stratum, place = divmod(stratum, len(factor.levels))
            found[factor.name] = factor.levels[place]
        return {factor.name: found[factor.name] for factor in self.factors}


def written(scheme: Scheme) -> JsonValue:
    """The JSON form, for a protocol version's content: what a list is recomputed from, with the seed."""
    method: dict[str, JsonValue] = {"name": "simple"}
    if isinstance(scheme.method, PermutedBlocks):
        method = {"name": "permuted blocks", "sizes": list(scheme.method.sizes)}
    return {
        "arms": [{"arm": one.arm, "share": one.share} for one in scheme.arms],
        "method": method,
        "factors": [{"name": one.name, "levels": list(one.levels)} for one in scheme.factors],
        "positions": scheme.positions,
    }


def parse_scheme(value: JsonValue, *, field: Field = ("scheme",)) -> Scheme:
    """Raises CallerError that names the member; LimitError for more strata or positions than there may be."""
    tree = members(value, {"arms", "method", "factors", "positions"}, field=field)
    arms = tuple(_arm(one, place) for one, place in items(tree, "arms", field=field, most=MOST_ARMS))
    if len(arms) < 2:
        raise CallerError("must be two arms or more", field=(*field, "arms"))
    _check_apart([one.arm for one in arms], (*field, "arms"))
    listed = items(tree, "factors", field=field, most=MOST_FACTORS) if tree.get("factors") != [] else []
    factors = tuple(_factor(one, place) for one, place in listed)
    _check_apart([one.name for one in factors], (*field, "factors"))
    if math.prod(len(one.levels) for one in factors) > MOST_STRATA:
        raise LimitError(f"make more than {MOST_STRATA} strata", field=(*field, "factors"))
    scheme = Scheme(
        arms=arms,
        method=_method(tree.get("method"), sum(one.share for one in arms), (*field, "method")),
        factors=factors,
        positions=_whole(tree.get("positions"), MOST_POSITIONS, (*field, "positions")),
    )
    if scheme.positions * scheme.strata > MOST_POSITIONS:
        raise LimitError(f"of all strata are more than {MOST_POSITIONS}", field=(*field, "positions"))
    return scheme


def _arm(value: object, field: Field) -> ArmShare:
    tree = members(value, {"arm", "share"}, field=field)
    return ArmShare(arm=_name(tree, "arm", field), share=_whole(tree.get("share"), MOST_SHARE, (*field, "share")))


def _factor(value: object, field: Field) -> Factor:
    tree = members(value, {"name", "levels"}, field=field)
    listed = items(tree, "levels", field=field, most=MOST_LEVELS)
    levels = tuple(_name({place[-1]: one}, place[-1], place[:-1]) for one, place in listed)
    if not levels:
        raise CallerError("is missing", field=(*field, "levels"))
    _check_apart(levels, (*field, "levels"))
    return Factor(name=_name(tree, "name", field), levels=levels)


def _method(value: object, shares: int, field: Field) -> Simple | PermutedBlocks:
    tree = members(value, {"name", "sizes"}, field=field)
    match tree.get("name"):
        case "simple" if "sizes" not in tree:
            return Simple()
        case "permuted blocks":
            listed = items(tree, "sizes", field=field, most=MOST_SIZES)
            sizes = tuple(_whole(one, MOST_BLOCK, place) for one, place in listed)
            for size, (_, place) in zip(sizes, listed, strict=True):
                if size % shares:
                    raise CallerError(f"must be a multiple of {shares}, the sum of the shares", field=place)
            if sizes:
                return PermutedBlocks(sizes=sizes)
            raise CallerError("is missing", field=(*field, "sizes"))
    raise CallerError("must be simple, without sizes, or permuted blocks, with sizes", field=(*field, "name"))


def _name(tree: Mapping[str, object], name: str, field: Field) -> str:
    found = text(tree, name, field=field)
    if not 0 < len(found) <= LONGEST_NAME or not found.isprintable() or found != found.strip():
        raise CallerError(f"must be 1 to {LONGEST_NAME} printable characters", field=(*field, name))
    return found


def _whole(value: object, most: int, field: Field) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise CallerError(f"must be a whole number from 1 to {most}", field=field)
    return value


def _check_apart(names: list[str] | tuple[str, ...], field: Field) -> None:
    if len(set(names)) < len(names):
        raise CallerError("must be different from each other", field=field)
