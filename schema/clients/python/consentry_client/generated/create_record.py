from typing import Literal, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RefusalFields,
    StoredRecordFields,
    StoredRecordFieldsAnchor,  # noqa: F401
)


class CreateRecord(BaseModel):
    create_record: Union[
        "CreateRecordCreateRecordStoredRecord", "CreateRecordCreateRecordRefusal"
    ] = Field(alias="createRecord", discriminator="typename__")


class CreateRecordCreateRecordStoredRecord(StoredRecordFields):
    typename__: Literal["StoredRecord"] = Field(alias="__typename")


class CreateRecordCreateRecordRefusal(RefusalFields):
    typename__: Literal["Refusal"] = Field(alias="__typename")


CreateRecord.model_rebuild()
