"""A patient's resources as a Bundle of type collection, the newest Observations first.

True here: nothing of a resource is changed; what has no type, or is too much, is refused. An Observation is as new as
the earliest moment that its time may mean; one without a readable time comes last.
Not done here: whose they are. All must be one patient's own.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.deid.fhirpath import moments
from gateway.deid.trees import Json, Resource
from gateway.errors import CallerError, LimitError

MOST_RESOURCES: Final = 50_000
_SORTED: Final = "Observation"
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


class Collection:
    """`types`: those that there are."""

    __slots__ = ("_all", "_by_type")

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Raises CallerError for what is no resource, LimitError for too many."""
        self._by_type: dict[str, list[Resource]] = {}
        for number, resource in enumerate(resources):
            if number >= MOST_RESOURCES:
                raise LimitError(f"are more than {MOST_RESOURCES}", field=("resources",))
            kind = resource.get("resourceType") if isinstance(resource, dict) else None
            if not isinstance(kind, str):
                raise CallerError("is no resource", field=("resources", str(number)))
            self._by_type.setdefault(kind, []).append(resource)
        if _SORTED in self._by_type:
            self._by_type[_SORTED].sort(key=_observed, reverse=True)
        self._all = _bundle([one for listed in self._by_type.values() for one in listed])

    def bundle(self, types: frozenset[str] | None) -> Resource:
        """The resources of these types alone; of any, for None."""
        if types is None:
            return self._all
        return _bundle([one for kind in sorted(types) for one in self._by_type.get(kind, ())])

    def size(self, types: frozenset[str] | None) -> int:
        """How many resources a Bundle of these types has."""
        return sum(len(listed) for kind, listed in self._by_type.items() if types is None or kind in types)


def _bundle(resources: list[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def _observed(observation: Mapping[str, Json]) -> datetime:
    period = observation.get("effectivePeriod")
    ends = [period.get("end"), period.get("start")] if isinstance(period, dict) else []
    for told in (observation.get("effectiveDateTime"), observation.get("effectiveInstant"), *ends):
        earliest = moments.boundary(told, kind="dateTime", high=False) if isinstance(told, str) else None
        if earliest is not None:
            try:
                return datetime.fromisoformat(earliest)
            except ValueError:
                continue  # a leap second
    return _OLDEST
