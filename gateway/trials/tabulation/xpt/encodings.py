"""The text of a transport file, whose encoding the file does not say.

True here: a text is read only if it is written again as the same octets; blanks at its end are padding.
"""

from collections.abc import Iterable
from enum import StrEnum

from gateway.errors import CallerError


class Encoding(StrEnum):
    """SAS session encodings, by Python's names. `LATIN_1` reads any octets."""

    UTF_8 = "utf-8"
    WINDOWS_1252 = "windows-1252"
    LATIN_1 = "iso-8859-1"
    LATIN_9 = "iso-8859-15"
    SHIFT_JIS = "cp932"
    EUC_JP = "euc_jp"
    EUC_KR = "cp949"
    GB18030 = "gb18030"


def text_of(raw: bytes, encoding: Encoding) -> str:
    """The text of a field, without the blanks that fill it. Raises CallerError, which names no value, for octets that
    the encoding does not have, or would write otherwise."""
    text = raw.rstrip(b" ")
    if text.isascii():
        return text.decode("ascii")
    try:
        read = text.decode(encoding.value)
        same = read.encode(encoding.value) == text
    except UnicodeError as error:
        raise CallerError(f"is not {encoding.value}; say which encoding it is in") from error
    if not same:
        raise CallerError(f"is not what {encoding.value} writes; say which encoding it is in")
    return read


def octets_of(text: str, width: int, encoding: Encoding) -> bytes:
    """A text as a field of `width` octets. Raises CallerError, which names no value, for a text that does not fit, that
    the encoding cannot say, or whose last blanks would be taken for padding."""
    if text.endswith(" "):
        raise CallerError("ends in blanks, which a transport file cannot tell from padding")
    try:
        raw = text.encode(encoding.value)
    except UnicodeError as error:
        raise CallerError(f"has characters that {encoding.value} does not") from error
    if len(raw) > width:
        raise CallerError(f"is longer than the {width} octets of its variable; widen it first")
    return raw.ljust(width)


def likely_encoding(texts: Iterable[str]) -> Encoding:
    """Of texts that were read as `LATIN_1`: UTF-8 if all of it is, else
    windows-1252 if that has all of their characters, else what they were read as."""
    candidates = [Encoding.UTF_8, Encoding.WINDOWS_1252]
    for text in texts:
        if not text.isascii():
            raw = text.encode(Encoding.LATIN_1.value)
            candidates = [one for one in candidates if _reads(raw, one)]
            if not candidates:
                break
    return candidates[0] if candidates else Encoding.LATIN_1


def _reads(raw: bytes, encoding: Encoding) -> bool:
    try:
        raw.decode(encoding.value)
    except UnicodeError:
        return False
    return True
