from pydantic import Field

from .base_model import BaseModel
from .fragments import RecordFields


class RecordAdded(BaseModel):
    record_added: "RecordAddedRecordAdded" = Field(alias="recordAdded")


RecordAddedRecordAdded = RecordFields
RecordAdded.model_rebuild()
