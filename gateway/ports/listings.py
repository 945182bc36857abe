"""Rows of lists that people have of others' patients: which consents name them, whom they guard.

True here: a row's token is keyed by whose list it is in and by its place there, so no two rows of one list compare, and
none tells whose it is. What a row names stands beside it in other tables, under the same names.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRow:
    """One place in one list; its token is a conflict where it is taken. `name`: the consent, or the paper, of the
    subject. Both are empty once the subject was erased: the place stays, so that those behind it are found."""

    token: bytes
    subject: bytes
    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentListed:
    """Once, together with its places; a conflict where it is listed, or gone."""

    consent: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperListed:
    """As `ConsentListed`."""

    subject: bytes
    name: bytes
