"""Documents that acts carry: a definition of forms, packed as an entry takes it, and back. Pure.

True here: what is kept is the document's very octets; a definition that a study takes can be read, and each reference
in it to a form, group or item leads somewhere.
Not done here: Define-XML's own reading of tables (`tabulation.define`); the forms that its datasets make (`datasets`).
"""

import base64
import binascii
import hashlib
import zlib
from functools import lru_cache
from typing import Final

from gateway.errors import CallerError, IntegrityError, LimitError
from gateway.trials import acts
from gateway.trials.datasets import forms_of
from gateway.trials.definition.model import StudyDefinition
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Directory, dangling, directory

LARGEST: Final = 16 << 20
"""Octets of a document."""
MOST_PACKED: Final = 900_000
"""Characters of one as an entry holds it."""
COMPILED: Final = 16
_LEVEL: Final = 9
_CAPTURED: Final = frozenset({"FormDef", "ItemGroupDef", "ItemDef"})


def packed(octets: bytes) -> str:
    """zlib, then base64. Raises LimitError for more than an entry takes."""
    if len(octets) > LARGEST:
        raise LimitError(f"at most {LARGEST} octets", field=("document",))
    text = base64.b64encode(zlib.compress(octets, _LEVEL)).decode()
    if len(text) > MOST_PACKED:
        raise LimitError(f"compresses to more than {MOST_PACKED} characters", field=("document",))
    return text


def unpacked(text: str, *, field: tuple[str, ...] = ("act", "document")) -> bytes:
    """Raises CallerError, LimitError."""
    if len(text) > MOST_PACKED:
        raise LimitError(f"at most {MOST_PACKED} characters", field=field)
    inflating = zlib.decompressobj()
    try:
        octets = inflating.decompress(base64.b64decode(text, validate=True), LARGEST + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise CallerError("is no zlib stream in base64", field=field) from error
    if len(octets) > LARGEST:
        raise LimitError(f"unpacks to more than {LARGEST} octets", field=field)
    if not inflating.eof or inflating.unused_data:
        raise CallerError("is no whole zlib stream", field=field)
    return octets


def definition_of(octets: bytes, *, field: tuple[str, ...] = ("act", "document")) -> StudyDefinition:
    """The one that a document holds. Raises CallerError."""
    try:
        found = read_definitions(octets)
    except CallerError as error:
        raise CallerError(error.message, field=(*field, *error.field)) from error
    if len(found) != 1:
        raise CallerError(f"holds {len(found)} versions of studies, one is taken", field=field)
    return found[0]


def check_document(act: acts.Define) -> Directory:
    """Raises CallerError, LimitError for what no study can take."""
    octets = unpacked(act.document)
    if hashlib.sha256(octets).hexdigest() != act.sha256:
        raise CallerError("not the SHA-256 of the document", field=("act", "sha256"))
    found = directory(forms_of(definition_of(octets)))
    for one in dangling(found):
        if one.kind in _CAPTURED:
            raise CallerError(f"refers to no {one.kind} that is there", field=("act", "document", one.holder[:64]))
    return found


@lru_cache(maxsize=COMPILED)
def compiled(document: str) -> Directory:
    """Of an entry that was checked when it was made. IntegrityError."""
    try:
        return directory(forms_of(definition_of(unpacked(document))))
    except CallerError as error:
        raise IntegrityError("a study's definition can be read no longer") from error
