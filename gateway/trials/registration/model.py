"""A registration: what a study promises before its first subject, and the outcomes that it reports afterwards.

True here: texts are those of the source without the white space around them; days are ISO 8601 and may be a month or a
year alone; terms (`kind`, `phases`, `sex`) are those of ClinicalTrials.gov's API v2, upper case with underscores,
whatever the source. None, or an empty tuple, is what the source does not say.
Not done here: reading (`declared`, `registry_v2`, `full_studies`, `legacy_xml`); comparing outcomes (`outcomes`).
Source: https://clinicaltrials.gov/data-api/about-api/study-data-structure; ICH E9; CONSORT 2010, items 6a and 6b.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_OUTCOMES: Final = 500
"""Of one version, or of one report."""
MOST_ITEMS: Final = 1_000
"""Arms, interventions, identifiers: of each."""
LONGEST_LINE: Final = 4_000
"""Characters of a title, a name, a measure, a time frame."""
LONGEST_TEXT: Final = 200_000
"""Characters of a description, of eligibility criteria, of an analysis plan."""


class OutcomeKind(StrEnum):
    """In the order of their weight. `POST_HOC`: reported, and said to be thought of afterwards."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"
    OTHER = "OTHER"
    POST_HOC = "POST_HOC"


class StudyType(StrEnum):
    INTERVENTIONAL = "INTERVENTIONAL"
    OBSERVATIONAL = "OBSERVATIONAL"
    EXPANDED_ACCESS = "EXPANDED_ACCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """`kind`: `NCT`, `NCT_ALIAS`, `ORG` (the sponsor's own), or `SECONDARY`."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is measured (`measure`, `description`) and when (`time_frame`)."""

    kind: OutcomeKind
    measure: str
    description: str | None
    time_frame: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """`kind`: EXPERIMENTAL, PLACEBO_COMPARATOR …"""

    label: str
    kind: str | None
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """`kind`: DRUG, DEVICE …; `arms`: labels of the arms that get it."""

    name: str
    kind: str | None
    description: str | None
    arms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """`text`: inclusion and exclusion criteria in words. Ages as they are told (`18 Years`). `sex`: ALL, FEMALE or
    MALE."""

    text: str | None
    sex: str | None
    minimum_age: str | None
    maximum_age: str | None
    healthy_volunteers: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Subjects: as planned, and as it came. A registry tells one of the two at a time."""

    planned: int | None
    actual: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """`text`: `2008-09-29`, `2008-09` or `2008`. `actual`: it has come; False: it is awaited; None: not said."""

    text: str
    actual: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """`submitted`: when the registration was first sent in; `results_submitted`: when results were."""

    start: Day | None
    primary_completion: Day | None
    completion: Day | None
    submitted: Day | None
    results_submitted: Day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPlan:
    """In words, or as the SHA-256 of a document, or both."""

    text: str | None = field(repr=False)
    sha256: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One version. `phases`: EARLY_PHASE1, PHASE1 … PHASE4, NA; two for a study of two phases. `sponsor`: the leading
    one; `collaborators`: the others."""

    identifiers: tuple[Identifier, ...]
    title: str
    official_title: str | None
    acronym: str | None
    sponsor: str | None
    collaborators: tuple[str, ...]
    study_type: StudyType | None
    phases: tuple[str, ...]
    conditions: tuple[str, ...]
    arms: tuple[Arm, ...]
    interventions: tuple[Intervention, ...]
    eligibility: Eligibility
    enrolment: Enrolment
    dates: Dates
    outcomes: tuple[Outcome, ...]
    analysis_plan: AnalysisPlan | None

    @property
    def lacking(self) -> tuple[str, ...]:
        """Members without which a registration promises nothing that could be checked; none for a whole one."""
        told = {
            "sponsor": self.sponsor,
            "studyType": self.study_type,
            "eligibility.text": self.eligibility.text,
            "enrolment": self.enrolment.planned is not None or self.enrolment.actual is not None,
            "outcomes": any(one.kind is OutcomeKind.PRIMARY for one in self.outcomes),
        }
        return tuple(name for name, value in told.items() if not value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRecord:
    """A registry's record: the registration as it stands there now, and the outcomes of its results section; None where
    it has no such section. `source`: the form that it was read from."""

    registration: Registration
    reported: tuple[Outcome, ...] | None
    source: str
