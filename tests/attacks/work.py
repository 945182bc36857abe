"""What an answer costs, counted and not timed: statements, blocks, seals, keys, calls to the chain, messages, and what
goes into the ledger. Exact on any machine, however busy; two answers that cost the same here differ by what a clock
must be asked about.

Work is counted for the request that caused it: a context variable goes with its tasks and threads, so what runs beside
it is not in its count.
"""

import contextvars
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import pytest

from anchoring.chain.client import ChainClient
from gateway.adapters.local_bus import LocalBus
from gateway.adapters.notary.client import NotaryLedger
from gateway.adapters.packs import PackStore
from gateway.adapters.sql.sqlite import SqliteSource
from gateway.crypto import hazmat
from gateway.crypto.keys import KeyRing
from gateway.ports.rows import EntryRow

T = TypeVar("T")
Work = Counter[tuple[str, str]]
_COUNTING: contextvars.ContextVar[Work | None] = contextvars.ContextVar("counting", default=None)
PRIMITIVES: Final = ("seal", "open_sealed", "wrap", "unwrap", "mac", "sha256", "derive", "permute", "permute_back")


def _note(kind: str, what: str) -> None:
    counted = _COUNTING.get()
    if counted is not None:
        counted[kind, what] += 1


def _wrap(patch: pytest.MonkeyPatch, owner: Any, name: str, note: Callable[..., tuple[str, str]]) -> None:
    """Every call of `owner.name` is noted; nothing else of it changes."""
    inner = getattr(owner, name)

    if inspect.iscoroutinefunction(inner):

        async def waited(*args: Any, **named: Any) -> Any:
            _note(*note(*args, **named))
            return await inner(*args, **named)

        patch.setattr(owner, name, waited)
        return

    def called(*args: Any, **named: Any) -> Any:
        _note(*note(*args, **named))
        return inner(*args, **named)

    patch.setattr(owner, name, called)


def _entry(_: NotaryLedger, entry: EntryRow, **named: Any) -> tuple[str, str]:
    sizes = [len(part) // 256 for part in (entry.public, entry.private, entry.receipt)]
    return "ledger", f"{sizes} {len(named.get('guards', ()))} guards {len(named.get('rows', ()))} rows"


def count_all(patch: pytest.MonkeyPatch) -> None:
    """Everything that leaves the event loop or costs more than looking something up."""
    _wrap(patch, SqliteSource, "fetch", lambda _, sql, parameters: ("sql", sql))
    _wrap(patch, SqliteSource, "execute", lambda _, sql, parameters: ("sql", sql))
    _wrap(patch, PackStore, "get_now", lambda _, *asked, **named: ("block", "now"))
    _wrap(patch, PackStore, "get", lambda _, *asked, **named: ("block", "read"))
    _wrap(patch, ChainClient, "_exchange", lambda _, requests: ("chain", str(len(requests))))
    _wrap(patch, LocalBus, "publish", lambda _, topic, payload: ("bus", "publish"))
    _wrap(patch, NotaryLedger, "append", _entry)
    for name in ("existing", "by_id", "of"):
        _wrap(patch, KeyRing, name, lambda _, *asked, named=name: ("key", named))
    for name in PRIMITIVES:
        _wrap(patch, hazmat, name, lambda *args, named=name: ("crypto", f"{named} {_size(args)}"))


def _size(args: tuple[Any, ...]) -> int:
    """Of the longest argument, in steps of 256 octets: what is less costs a primitive less than a clock can tell."""
    return max(len(one) for one in args if isinstance(one, bytes | str)) // 256


async def worked(asked: Callable[[], Awaitable[T]]) -> tuple[T, Work]:
    """The answer, and what it cost."""
    counted: Work = Counter()
    token = _COUNTING.set(counted)
    try:
        return await asked(), counted
    finally:
        _COUNTING.reset(token)
