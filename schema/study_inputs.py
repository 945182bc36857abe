"""What somebody does in a study, as they say it; the gateway adds who, when, numbers, roots and digests, and words it.

True here: of an act exactly one is given; what it says is bounded and checked by the service, which names its member.
"""

from datetime import datetime
from enum import StrEnum

import strawberry

from gateway.consent.model import StudyRole
from schema.scalars import Hex, Json

_STUDY = "The study."
_PATIENT = "A subject of it, by the patient's id."
_REASON = "1 to 1000 characters."


@strawberry.enum(description="Why somebody signs (21 CFR 11.50(a)(3)).")
class SignatureMeaning(StrEnum):
    AUTHORED = "AUTHORED"
    REVIEWED = "REVIEWED"
    APPROVED = "APPROVED"
    RESPONSIBLE = "RESPONSIBLE"
    VERIFIED = "VERIFIED"


@strawberry.input(description="A new study. An organization's: it is the sponsor.")
class RegisterStudyInput:
    title: str = strawberry.field(description="1 to 200 characters.")
    statistician_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="An actor who may commit to the list of arms, and sees arms."
    )


@strawberry.input(description="A version of what is promised. The sponsor's.")
class StudyProtocolInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    registration: Json = strawberry.field(
        description="`title` at least; `outcomes` (`kind`, `measure`, `description`, `timeFrame`), `arms`, "
        "`eligibility`, `enrolment`, `dates`, `analysisPlan` and more."
    )
    reason: str = strawberry.field(default="", description="Of an amendment: 1 to 1000 characters; of the first: none.")


@strawberry.input(description="A version of forms and items. The sponsor's.")
class StudyDefinitionInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    name: str = strawberry.field(description="Of the file.")
    document: str = strawberry.field(description="ODM 1.3 or Define-XML 2, whole: the text itself.")


@strawberry.input(description="A table as it is exchanged. The sponsor's.")
class StudyTableInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    table: str = strawberry.field(description="Its name.")
    description: Json = strawberry.field(description="All that is needed to write it again, but its rows.")
    rows: Json | None = strawberry.field(
        default=strawberry.UNSET, description="Of a table about no subject: a list of lists of texts or null."
    )


@strawberry.input(description="A version of the informed consent. The sponsor's.")
class StudyTermsInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    form_hash: Hex = strawberry.field(description="`termsHash` of a consent form that was published here.")
    keeps: bool = strawberry.field(description="Whether it says that what was collected stays after a withdrawal.")


@strawberry.input(description="Where subjects are enrolled. The sponsor's.")
class StudySiteInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    site: str = strawberry.field(description="What it is called in the study.")
    name: str = strawberry.field(description="What it is called elsewhere.")


@strawberry.input(
    description="Who is what, where, until when; a time that is past ends it. The sponsor's, and an investigator's for "
    "coordinators at their own sites."
)
class StudyDelegationInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    actor_id: strawberry.ID = strawberry.field(description="Who.")
    role: StudyRole = strawberry.field(description="What they are.")
    sites: list[str] = strawberry.field(default_factory=list, description="Where; none: at all sites.")
    until: datetime = strawberry.field(description="From then on they have it no more.")


@strawberry.input(
    description="A patient who signed the consent that is asked for now. An investigator's or coordinator's there."
)
class StudyEnrolmentInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    patient_id: strawberry.ID = strawberry.field(description="Who.")
    key: str = strawberry.field(description="What the subject is called in the study.")
    site: str = strawberry.field(description="Where.")


@strawberry.input(description="Collection from a subject ends. An investigator's or coordinator's at the site.")
class StudyWithdrawalInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    patient_id: strawberry.ID = strawberry.field(description=_PATIENT)
    reason: str = strawberry.field(description=_REASON)


@strawberry.input(
    description="A list of arms: drawn by the gateway and committed to before the first subject. The sponsor's, or the "
    "study's statistician's."
)
class StudyAllocationInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    scheme: Json = strawberry.field(
        description="`arms` (`arm`, `share`), `method` (`simple`, or `permuted blocks` with `sizes`), `factors`, "
        "`positions`."
    )


@strawberry.input(description="Enrolment opens, under the newest version of what is promised. The sponsor's.")
class StudyOpeningInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)


@strawberry.input(description="The study takes no data, or takes them again. The sponsor's.")
class StudyFreezeInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    frozen: bool = strawberry.field(description="False: it is thawed.")
    reason: str = strawberry.field(description=_REASON)


@strawberry.input(description="The study takes no data ever again. The sponsor's, of a frozen study.")
class StudyLockInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)


@strawberry.input(description="What is reported. The sponsor's, of a locked study.")
class StudyResultsInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    outcomes: Json = strawberry.field(description="A list, each in the form of a registration's.")
    summary: str = strawberry.field(description="1 to 50000 characters.")


@strawberry.input(description="A version of a captured form.")
class SignedFormInput:
    record_id: strawberry.ID = strawberry.field(description="The form, by its record.")
    version: int = strawberry.field(description="Which.")


@strawberry.input(description="An electronic signature under just these versions of forms, of one subject.")
class StudySignatureInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    patient_id: strawberry.ID = strawberry.field(description=_PATIENT)
    meaning: SignatureMeaning = strawberry.field(description="What for.")
    forms: list[SignedFormInput] = strawberry.field(description="One at least.")


@strawberry.input(
    description="In an emergency: its signer is told the subject's arm from then on, by `tellArm`. An investigator's "
    "at the site, or the safety board's."
)
class StudyUnblindingInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    patient_id: strawberry.ID = strawberry.field(description=_PATIENT)
    reason: str = strawberry.field(description=_REASON)


@strawberry.input(
    description="Whom the study looks for, told to everybody; or that it looks for nobody any more. The sponsor's."
)
class StudyRecruitmentInput:
    study_id: strawberry.ID = strawberry.field(description=_STUDY)
    criteria: Json = strawberry.field(
        description="`inclusion` and `exclusion`: lists of criteria, each with a `text` for patients and one of `age`, "
        "`sex`, `has`, `hasNot`, `lab`, `fhirpath`."
    )
    summary: str = strawberry.field(description="1 to 50000 characters, for patients.")
    open: bool = strawberry.field(default=True, description="False: nobody any more.")


@strawberry.input(one_of=True, description="What is done in a study, to be signed by whoever does it.")
class StudyActInput:
    register: RegisterStudyInput | None = strawberry.UNSET
    protocol: StudyProtocolInput | None = strawberry.UNSET
    definition: StudyDefinitionInput | None = strawberry.UNSET
    table: StudyTableInput | None = strawberry.UNSET
    terms: StudyTermsInput | None = strawberry.UNSET
    site: StudySiteInput | None = strawberry.UNSET
    delegation: StudyDelegationInput | None = strawberry.UNSET
    enrolment: StudyEnrolmentInput | None = strawberry.UNSET
    withdrawal: StudyWithdrawalInput | None = strawberry.UNSET
    allocation: StudyAllocationInput | None = strawberry.UNSET
    opening: StudyOpeningInput | None = strawberry.UNSET
    freeze: StudyFreezeInput | None = strawberry.UNSET
    lock: StudyLockInput | None = strawberry.UNSET
    results: StudyResultsInput | None = strawberry.UNSET
    signature: StudySignatureInput | None = strawberry.UNSET
    unblinding: StudyUnblindingInput | None = strawberry.UNSET
    recruitment: StudyRecruitmentInput | None = strawberry.UNSET
