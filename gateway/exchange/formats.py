"""What a study is exported as. Imports nothing, so that a command's help is quick."""

from enum import StrEnum


class Format(StrEnum):
    """`NDJSON`: Dataset-JSON, a row a line."""

    DATASET_JSON = "dataset-json"
    NDJSON = "ndjson"
    XPT = "xpt"
    ODM = "odm"
