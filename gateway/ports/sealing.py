"""Sealing for the audit: the log key for what an operator may count, a subject's audit key for the rest. And small
things that an actor said of themselves, under a key of their own."""

from collections.abc import Sequence
from typing import Protocol


class SealingKeys(Protocol):
    """Keys stay behind this; IntegrityError where something does not open."""

    def seal_public(self, plaintext: bytes) -> bytes: ...

    def open_public(self, sealed: bytes) -> bytes: ...

    async def seal_private(
        self, subject: bytes | None, plaintext: bytes, *, context: bytes, like: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """(sealed, subject token). Without a subject: sealed under the log key and an empty token, at equal cost."""
        ...

    async def open_private(self, subject: bytes, sealed: bytes, *, context: bytes) -> bytes: ...

    async def subject_of(self, sealed: bytes) -> bytes | None:
        """Whose audit key a private part is sealed under; None for the log's, or a key that is no more."""
        ...

    async def subject_token(self, subject: bytes) -> bytes | None:
        """None where the subject has no audit key yet."""
        ...

    def mark(self, *parts: bytes) -> bytes:
        """A 16-byte token of the parts under the log key: equal for equal parts, and nothing else is told."""
        ...

    def hide(self, number: int, *, context: bytes) -> str:
        """An opaque cursor for a position."""
        ...

    def reveal(self, text: str, *, context: bytes) -> int:
        """CallerError naming `after` for anything that is no cursor of ours in this context."""
        ...


class RequestSealing(Protocol):
    """Requests for consent: under the patient's own key, which an erasure destroys; where there is no such patient,
    under the key of who asks, at like cost."""

    async def seal(
        self, subject: bytes | None, asker: bytes, plaintext: bytes, *, context: bytes, like: bytes | None
    ) -> bytes:
        """`like`: a subject whose key is looked up where there is none."""
        ...

    async def open(self, sealed: bytes, *, context: bytes) -> tuple[bytes, bytes] | None:
        """(whose key it is under, plaintext); None where that key is no more. IntegrityError where it does not open."""
        ...


class ActorSealing(Protocol):
    """Under the actor's own key, which goes when a patient's sign-in is erased. IntegrityError where it is gone, or
    something does not open."""

    async def seal(self, actor: bytes, plaintext: bytes, *, context: bytes) -> bytes: ...

    async def open(self, actor: bytes, sealed: bytes, *, context: bytes) -> bytes: ...

    async def places(
        self, actor: bytes, use: bytes, numbers: Sequence[int], *, make: bool = False
    ) -> tuple[bytes, ...]:
        """Keyed tokens, 16 bytes each, of numbered places in a list of the actor's: to who has not the key, no two of
        them are of one list. Empty where the actor has no key yet and none is to be made."""
        ...
