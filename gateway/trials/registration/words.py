"""Texts of outcomes as words, so that case, punctuation and Unicode's many ways of writing one thing do not count.

True here: words are those of the NFKC form, case folded; signs that change a meaning (`<`, `≥`, `%`) are words, others
are not; a character of a script without spaces is a word by itself. Similarity is the Dice coefficient of two multisets
of words, in thousandths, of the first 64 words of each: whole numbers, the same on every machine.
Not done here: meaning. `12 weeks` and `3 months` are different words.
Sources: Unicode Standard Annex 15; Dice 1945, Measures of the amount of ecologic association between species.
"""

import re
import unicodedata
from collections import Counter
from typing import Final

MOST_WORDS: Final = 64
WHOLE: Final = 1_000
_WORD = re.compile(r"[0-9]+(?:[.,][0-9]+)+|[぀-ヿ㐀-鿿가-힣]|[^\W_぀-ヿ㐀-鿿가-힣]+|>=|<=|[<>=≤≥≠±%]")
_SIGNS: Final = {">=": "≥", "<=": "≤"}
_UNITS: Final = {
    plural: unit
    for unit, others in {
        "minute": "minutes min mins", "hour": "hours hr hrs", "day": "days", "week": "weeks wk wks",
        "month": "months mo mos mth mths", "year": "years yr yrs",
    }.items()
    for plural in others.split()
}  # fmt: skip


def words(text: str | None) -> tuple[str, ...]:
    """In order; none for nothing."""
    if text is None:
        return ()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple(_SIGNS.get(word, word) for word in _WORD.findall(folded))


def time_words(text: str | None) -> tuple[str, ...]:
    """Of a time frame: units of time are one word each, however they are written."""
    return tuple(_UNITS.get(word, word) for word in words(text))


def counted(told: tuple[str, ...]) -> frozenset[tuple[str, int]]:
    """What `similarity` compares: each word with how often it stood before, so that a set tells of a multiset."""
    seen: Counter[str] = Counter()
    found = set()
    for word in told[:MOST_WORDS]:
        found.add((word, seen[word]))
        seen[word] += 1
    return frozenset(found)


def similarity(one: frozenset[tuple[str, int]], other: frozenset[tuple[str, int]]) -> int:
    """0 to 1,000; two without words are alike."""
    size = len(one) + len(other)
    return 2 * WHOLE * len(one & other) // size if size else WHOLE
