"""What the front door asks of the schema's side, so that HTTP knows no GraphQL library."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from gateway.identity.model import Caller
from gateway.underway import Turns

Authenticate: TypeAlias = Callable[[str | None], Awaitable[Caller | None]]
"""A bearer token -> the caller it stands for; None for no token, and for one that does not hold."""
Ended: TypeAlias = Callable[[str], Awaitable[None]]
"""Returns once the session of a bearer token was ended."""
Allow: TypeAlias = Callable[[str], Awaitable[bool]]
"""Whether one more request of this key is within the rate."""


class Answer(Protocol):
    @property
    def payload(self) -> dict[str, Any]:
        """`data` and `errors`, ready to be written as JSON."""
        ...

    @property
    def executed(self) -> bool: ...

    @property
    def well_formed(self) -> bool:
        """False where the request itself names no operation to run: 400 in every media type."""
        ...

    @property
    def needs_post(self) -> bool:
        """True where GET asked for what only POST may: 405."""
        ...


class Engine(Protocol):
    @property
    def turns(self) -> Turns:
        """For what would hold the loop: long bodies and long documents share them."""
        ...

    async def execute(
        self,
        query: str | None,
        *,
        document_id: str | None,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
        by_get: bool,
    ) -> Answer: ...

    def stream(
        self,
        query: str | None,
        *,
        document_id: str | None,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
    ) -> AsyncGenerator[Answer, None]:
        """Answers as they come; never raises, and closing it ends what it waits for."""
        ...
