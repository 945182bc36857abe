"""The fixed words and records of a transport file, version 5.

True here: the names of fields and where they lie, and nothing of what they mean.
Source: SAS TS-140, "The Record Layout of a Data Set in SAS Transport Format".
"""

from struct import Struct
from typing import Final

RECORD: Final = 80
"""Octets of a record. A file is whole records."""
_ZEROS: Final = b"0" * 30 + b"  "


def _header(name: bytes, tail: bytes) -> bytes:
    return b"HEADER RECORD*******" + name.ljust(8) + b"HEADER RECORD!!!!!!!" + tail


LIBRARY: Final = _header(b"LIBRARY", _ZEROS)
MEMBER: Final = _header(b"MEMBER", b"000000000000000001600000000140  ")
DESCRIPTOR: Final = _header(b"DSCRPTR", _ZEROS)
ROWS: Final = _header(b"OBS", _ZEROS)
VERSION_8: Final = _header(b"LIBV8", b"")
_NAMES: Final = _header(b"NAMESTR", b"000000%04d" + b"0" * 20 + b"  ")
NAMES_WORDS: Final = 54
"""Octets of the header of variables before their count."""

FIRST_STAMP: Final = Struct("8s8s8s8s8s24s16s")
"""Symbol, library or name, kind of file; version, system, blanks, created."""
LIBRARY_STAMP: Final = Struct("16s64s")
"""Modified, blanks."""
DATASET_STAMP: Final = Struct("16s16s40s8s")
"""Modified, blanks, label, type."""
VARIABLE: Final = Struct(">hhhh8s40s8shhh2s8shhl52s")
"""1 number or 2 text, hash, width, number; name, label; format: name, width, decimals, justification, fill; informat:
name, width, decimals; position, rest."""

MOST_VARIABLES: Final = 9_999
MOST_WIDTH: Final = 32_767
"""Octets of a text: what the record can say. Version 5 of SAS has 200."""
WRITTEN_WIDTH: Final = 200
MOST_ROW: Final = 2**20
"""Octets of a row."""


def names_header(count: int) -> bytes:
    """The header of `count` variables, 1 to 9,999."""
    return _NAMES % count
