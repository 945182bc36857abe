"""`eth_getLogs`: from a filter to rows of the log index, bounded in count and size (topics as geth matches them)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eth.abc import BlockHeaderAPI

from anchoring.chain.embedded.evm import EmbeddedChain
from anchoring.chain.embedded.params import BlockChoice, LogFilter
from anchoring.chain.embedded.rpc_errors import LIMIT_EXCEEDED, RpcRefused, invalid_params
from anchoring.chain.embedded.store import LogRow

MAX_LOGS: Final = 10_000
MAX_LOG_BYTES: Final = 8 * 1024 * 1024


def find_logs(
    chain: EmbeddedChain, wanted: LogFilter, header_of: Callable[[BlockChoice], BlockHeaderAPI]
) -> list[LogRow]:
    """The matching logs in chain order. Errors: `RpcRefused`; -32005 when they are more than one answer may hold."""
    first, last = _range(chain, wanted, header_of)
    where, arguments = ["block between ? and ?"], [first, last]
    bound: list[int | bytes] = [*arguments]
    if wanted.addresses:
        where.append(f"address in ({_marks(wanted.addresses)})")
        bound.extend(wanted.addresses)
    for place, choices in enumerate(wanted.topics):
        # A place that matches anything still asks for a log with that many topics.
        where.append(f"t{place} is not null" if choices is None else f"t{place} in ({_marks(choices)})")
        bound.extend(choices or ())
    found: list[LogRow] = []
    size = 0
    for row in chain.store.logs(" and ".join(where), bound):
        size += len(row.data)
        if len(found) == MAX_LOGS or size > MAX_LOG_BYTES:
            raise RpcRefused(f"query returned more than {MAX_LOGS} results", code=LIMIT_EXCEEDED)
        found.append(row)
    return found


def _range(
    chain: EmbeddedChain, wanted: LogFilter, header_of: Callable[[BlockChoice], BlockHeaderAPI]
) -> tuple[int, int]:
    if wanted.block_hash is not None:
        header = chain.header_by_hash(wanted.block_hash)
        if header is None:
            raise RpcRefused("unknown block")
        return header.block_number, header.block_number
    # Numbers beyond the head are allowed: there is nothing there yet.
    first, last = (
        edge if isinstance(edge, int) else header_of(edge).block_number for edge in (wanted.first, wanted.last)
    )
    if first > last:
        raise invalid_params("invalid block range params")
    head = chain.head.block_number
    return min(first, head + 1), min(last, head)


def _marks(values: tuple[bytes, ...]) -> str:
    return ",".join("?" * len(values))
