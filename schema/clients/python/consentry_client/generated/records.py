from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import PageFields, RecordFields


class Records(BaseModel):
    patient: Optional["RecordsPatient"]


class RecordsPatient(BaseModel):
    records: "RecordsPatientRecords"


class RecordsPatientRecords(BaseModel):
    edges: list["RecordsPatientRecordsEdges"]
    page_info: "RecordsPatientRecordsPageInfo" = Field(alias="pageInfo")


class RecordsPatientRecordsEdges(BaseModel):
    node: "RecordsPatientRecordsEdgesNode"


RecordsPatientRecordsEdgesNode = RecordFields
RecordsPatientRecordsPageInfo = PageFields
Records.model_rebuild()
RecordsPatient.model_rebuild()
RecordsPatientRecords.model_rebuild()
RecordsPatientRecordsEdges.model_rebuild()
