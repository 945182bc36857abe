from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (  # noqa: F401
    RecordFields,
    RecordFieldsAnchor,
    RecordFieldsAuthor,
    RecordFieldsPatient,
    RecordFieldsReceipt,
    RefusalFields,
)


class Record(BaseModel):
    record: Union["RecordRecordRecord", "RecordRecordRefusal"] = Field(
        discriminator="typename__"
    )


class RecordRecordRecord(RecordFields):
    typename__: Literal["Record"] = Field(alias="__typename")


class RecordRecordRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


Record.model_rebuild()
