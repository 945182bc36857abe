"""JSON-RPC 2.0 framing: a body in, a body out, whatever the body was. No HTTP here, and no method is known.

Everything a client can send gets an answer of this protocol; nothing it sends becomes a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Final, TypeAlias

import orjson
from eth.exceptions import PyEVMError
from eth_utils.exceptions import ValidationError

from anchoring.chain.embedded.params import Parameters
from anchoring.chain.embedded.rpc_errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    RESPONSE_TOO_LARGE,
    RpcRefused,
)
from anchoring.chain.embedded.wire import Json

MAX_BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 25 * 1024 * 1024

# What a defect here or in py-evm would raise. A defect refuses its request and is logged by type, and the chain goes
# on: blocks are whole or absent by then (`EmbeddedChain.mine`). `CommitUncertain` is not here: it ends the process.
DEFECTS: Final = (
    PyEVMError,
    ValidationError,
    sqlite3.Error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)

Call: TypeAlias = Callable[[str, Parameters], Json]

_log = logging.getLogger(__name__)


async def answer(body: bytes, call: Call) -> bytes:
    """The answer to a request or batch; empty if all of it were notifications. Raises only what ends the process."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _failure(None, RpcRefused("parse error", code=PARSE_ERROR))
    if not isinstance(request, list):
        return _answer_one(request, call)
    if not request or len(request) > MAX_BATCH:
        return _failure(None, RpcRefused("empty batch" if not request else "batch too large", code=INVALID_REQUEST))
    answers: list[bytes] = []
    size = 0
    for each in request:
        if size > MAX_ANSWER_BYTES:
            answers.append(_failure(_id_of(each), RpcRefused("response too large", code=RESPONSE_TOO_LARGE)))
            continue
        one = _answer_one(each, call)
        size += len(one)
        if one:
            answers.append(one)
        # Other connections get their turn between the parts of a batch.
        await asyncio.sleep(0)
    return b"[" + b",".join(answers) + b"]" if answers else b""


def _answer_one(request: Json, call: Call) -> bytes:
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        return _failure(_id_of(request), RpcRefused("invalid request", code=INVALID_REQUEST))
    identity = _id_of(request)
    try:
        encoded = orjson.dumps(
            {"jsonrpc": "2.0", "id": identity, "result": call(str(request["method"]), _read(request))}
        )
    except RpcRefused as e:
        encoded = _failure(identity, e)
    except DEFECTS as e:
        _log.error("%s in an RPC method", type(e).__name__)
        encoded = _failure(identity, RpcRefused("internal error", code=INTERNAL_ERROR))
    return encoded if "id" in request else b""


def _read(request: dict[str, Json]) -> Parameters:
    values = request.get("params")
    if values is None:
        return Parameters(())
    if not isinstance(values, list):
        raise RpcRefused("non-array args", code=INVALID_PARAMS)
    return Parameters(values)


def _id_of(request: Json) -> str | int | float | None:
    identity = request.get("id") if isinstance(request, dict) else None
    return identity if isinstance(identity, str | int | float) and not isinstance(identity, bool) else None


def _failure(identity: str | int | float | None, refused: RpcRefused) -> bytes:
    error: dict[str, Json] = {"code": refused.code, "message": refused.message}
    if refused.data is not None:
        error["data"] = refused.data
    return orjson.dumps({"jsonrpc": "2.0", "id": identity, "error": error})
