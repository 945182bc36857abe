"""Where the real tables lie, and small ones to break."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import CallerError
from gateway.trials.tabulation.define import read_define
from gateway.trials.tabulation.define.model import Definition
from gateway.trials.tabulation.model import DataType, Row, StoredVariable, Table, Variable
from gateway.trials.tabulation.xpt import Encoding, read_xpt, write_xpt

TRANSPORT = (
    "ae", "cm", "dm", "ds", "ex", "lbur", "mh", "qsgi", "qsmm", "relrec", "sc", "se", "suppae", "suppdm", "suppds",
    "sv", "ta", "te", "ti", "ts", "tv",
)  # fmt: skip
"""All transport files of the study. `ts` is in windows-1252."""
ADAM = ("adae", "adcibc", "adlbhy", "adsl", "adtte")


def transport_file(shared_data: Path, name: str) -> bytes:
    return gzip.decompress((shared_data / "trials" / "sdtm-cdiscpilot01" / f"{name}.xpt.gz").read_bytes())


def transport(shared_data: Path, name: str) -> tuple[Table, list[Row]]:
    encoding = Encoding.WINDOWS_1252 if name == "ts" else Encoding.UTF_8
    table, rows = read_xpt([transport_file(shared_data, name)], file=f"{name}.xpt", encoding=encoding)
    return table, list(rows)


def dataset_json_file(shared_data: Path, name: str) -> bytes:
    folder = "dataset-json-i18n" if name == "ae" else "dataset-json-adam"
    return gzip.decompress((shared_data / "trials" / folder / f"{name}.json.gz").read_bytes())


def csv_file(shared_data: Path, name: str) -> bytes:
    return gzip.decompress((shared_data / "trials" / "sdtm-cdiscpilot01-csv" / f"{name}.csv.gz").read_bytes())


def define_file(shared_data: Path, version: str) -> bytes:
    folder = {"2.0": "sdtm-cdiscpilot01", "2.1": "dataset-json-adam"}[version]
    return gzip.decompress((shared_data / "trials" / folder / "define.xml.gz").read_bytes())


def definition(shared_data: Path, version: str) -> Definition:
    return read_define([define_file(shared_data, version)], file="define.xml")


def number(name: str = "AESEQ", *, width: int = 8) -> Variable:
    stored = None if width == 8 else StoredVariable(width=width, number=0)
    return Variable(name=name, label="Sequence Number", type=DataType.DOUBLE, stored=stored)


def text(name: str = "AETERM", *, length: int | None = 8, type_: DataType = DataType.STRING) -> Variable:
    return Variable(name=name, label="Reported Term", type=type_, length=length)


def table(*variables: Variable, records: int | None = None) -> Table:
    return Table(name="AE", label="Adverse Events", variables=variables, created="2017-06-16T15:53:15", records=records)


def written(one: Table, rows: list[Row], encoding: Encoding = Encoding.UTF_8) -> bytes:
    return b"".join(write_xpt(one, rows, file="ae.xpt", encoding=encoding))


def again(one: Table, rows: list[Row], encoding: Encoding = Encoding.UTF_8) -> list[Row]:
    """Written as a transport file, and read."""
    return list(read_xpt([written(one, rows, encoding)], file="ae.xpt", encoding=encoding)[1])


def refusal(octets: bytes, encoding: Encoding = Encoding.UTF_8) -> CallerError:
    """Of a transport file, from its head or its rows."""
    with pytest.raises(CallerError) as caught:
        list(read_xpt([octets], file="ae.xpt", encoding=encoding)[1])
    return caught.value


def pieces(octets: bytes, size: int) -> Iterator[bytes]:
    return (octets[at : at + size] for at in range(0, len(octets), size))
