from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ConsentFields, PageFields


class Consents(BaseModel):
    patient: Optional["ConsentsPatient"]


class ConsentsPatient(BaseModel):
    consents: "ConsentsPatientConsents"


class ConsentsPatientConsents(BaseModel):
    edges: list["ConsentsPatientConsentsEdges"]
    page_info: "ConsentsPatientConsentsPageInfo" = Field(alias="pageInfo")


class ConsentsPatientConsentsEdges(BaseModel):
    node: "ConsentsPatientConsentsEdgesNode"


ConsentsPatientConsentsEdgesNode = ConsentFields
ConsentsPatientConsentsPageInfo = PageFields
Consents.model_rebuild()
ConsentsPatient.model_rebuild()
ConsentsPatientConsents.model_rebuild()
ConsentsPatientConsentsEdges.model_rebuild()
