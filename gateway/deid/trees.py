"""A FHIR resource as a release has it: plain JSON, whose numbers are numbers and no longer the text they were."""

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Resource: TypeAlias = dict[str, Json]
