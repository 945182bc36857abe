from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import AccessEventFields, PageFields


class AccessLog(BaseModel):
    patient: Optional["AccessLogPatient"]


class AccessLogPatient(BaseModel):
    access_log: "AccessLogPatientAccessLog" = Field(alias="accessLog")


class AccessLogPatientAccessLog(BaseModel):
    edges: list["AccessLogPatientAccessLogEdges"]
    page_info: "AccessLogPatientAccessLogPageInfo" = Field(alias="pageInfo")


class AccessLogPatientAccessLogEdges(BaseModel):
    node: "AccessLogPatientAccessLogEdgesNode"


AccessLogPatientAccessLogEdgesNode = AccessEventFields
AccessLogPatientAccessLogPageInfo = PageFields
AccessLog.model_rebuild()
AccessLogPatient.model_rebuild()
AccessLogPatientAccessLog.model_rebuild()
AccessLogPatientAccessLogEdges.model_rebuild()
