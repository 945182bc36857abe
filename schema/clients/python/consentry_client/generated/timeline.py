from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import PageFields, RecordFields


class Timeline(BaseModel):
    patient: Optional["TimelinePatient"]


class TimelinePatient(BaseModel):
    timeline: "TimelinePatientTimeline"


class TimelinePatientTimeline(BaseModel):
    edges: list["TimelinePatientTimelineEdges"]
    page_info: "TimelinePatientTimelinePageInfo" = Field(alias="pageInfo")


class TimelinePatientTimelineEdges(BaseModel):
    node: "TimelinePatientTimelineEdgesNode"


TimelinePatientTimelineEdgesNode = RecordFields
TimelinePatientTimelinePageInfo = PageFields
Timeline.model_rebuild()
TimelinePatient.model_rebuild()
TimelinePatientTimeline.model_rebuild()
TimelinePatientTimelineEdges.model_rebuild()
