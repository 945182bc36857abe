"""A record of ClinicalTrials.gov in whichever of its three forms, gzip or not, told apart by its first characters.

True here: a record that unpacks to more than the bound is given up before it is whole; what is none of the three forms
is refused.
"""

import zlib
from typing import Final

from gateway import jsontext
from gateway.errors import CallerError, LimitError
from gateway.trials.registration import full_studies, legacy_xml, registry_v2
from gateway.trials.registration.elements import MOST_OCTETS
from gateway.trials.registration.model import RegistryRecord
from gateway.trials.registration.told import Told

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


def read_record(octets: bytes) -> RegistryRecord:
    """Raises CallerError that names the member or element, LimitError past a bound."""
    plain = unpacked(octets) if octets[:2] == _GZIP else octets
    if len(plain) > MOST_OCTETS:
        raise LimitError(f"has more than {MOST_OCTETS} octets", field=("record",))
    text = plain.removeprefix(_BOM).lstrip()
    if text.startswith(b"<"):
        return legacy_xml.read(text)
    if not text.startswith(b"{"):
        raise CallerError("must be JSON or XML of ClinicalTrials.gov", field=("record",))
    tree = jsontext.loads(text)
    if not isinstance(tree, dict):
        raise CallerError("must be an object", field=("record",))
    root = Told(tree=dict(tree), field=())
    if "FullStudiesResponse" in tree:
        return full_studies.read(root.under("FullStudiesResponse"))
    return registry_v2.read(root)


def unpacked(octets: bytes) -> bytes:
    """One gzip member, of at most `MOST_OCTETS` octets when unpacked. Raises CallerError, LimitError."""
    inflating = zlib.decompressobj(wbits=31)
    try:
        plain = inflating.decompress(octets, MOST_OCTETS + 1)
    except zlib.error as error:
        raise CallerError("is no gzip", field=("record",)) from error
    if len(plain) > MOST_OCTETS:
        raise LimitError(f"unpacks to more than {MOST_OCTETS} octets", field=("record",))
    if not inflating.eof or inflating.unused_data:
        raise CallerError("is no whole gzip member, or more than one", field=("record",))
    return plain
