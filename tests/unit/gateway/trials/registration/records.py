"""Real records of ClinicalTrials.gov, and outcomes to change."""

from pathlib import Path

from gateway.trials.registration.model import Outcome, OutcomeKind, RegistryRecord
from gateway.trials.registration.registry import read_record

FOLDER = Path("trials") / "clinicaltrials-gov"


def paths(shared_data: Path) -> list[Path]:
    return sorted((shared_data / FOLDER).iterdir())


def record(shared_data: Path, name: str) -> RegistryRecord:
    return read_record((shared_data / FOLDER / name).read_bytes())


def outcome(
    measure: str,
    kind: OutcomeKind = OutcomeKind.SECONDARY,
    *,
    time_frame: str | None = "12 weeks",
    description: str | None = None,
) -> Outcome:
    return Outcome(kind=kind, measure=measure, description=description, time_frame=time_frame)
