from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import PatientFields, RefusalFields


class EnrolPatient(BaseModel):
    enrol_patient: Union[
        "EnrolPatientEnrolPatientPatient", "EnrolPatientEnrolPatientRefusal"
    ] = Field(alias="enrolPatient", discriminator="typename__")


class EnrolPatientEnrolPatientPatient(PatientFields):
    typename__: Literal["Patient"] = Field(alias="__typename")


class EnrolPatientEnrolPatientRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


EnrolPatient.model_rebuild()
