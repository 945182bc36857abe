"""The validator's process: reads batches of resources from standard input, writes the issues found to standard output.

A frame is a length (4 bytes, big-endian) and a MessagePack value. In: an array of byte strings, one resource each.
Out: an array of [index, path, message]; the first frame out is empty and says that the schema is loaded. The models
of a type are loaded for its first resource, or of all common types once nothing was asked for a while.
Ends when its input ends, so it never outlives the gateway. Has no environment, no key, no file and no network.
"""

import ctypes
import gc
import math
import select
import struct
import sys
from collections.abc import Iterable
from itertools import chain, repeat
from typing import BinaryIO

import msgspec

from gateway.adapters.fhir_schema.models import COMMON_TYPES, check_model, load_models
from gateway.adapters.fhir_schema.plain import is_plain
from gateway.adapters.fhir_schema.r4 import Issue, R4Schema
from gateway.errors import CallerError
from gateway.jsontext import JsonValue, Num, json_pointer, loads

LENGTH = struct.Struct(">I")
COLLECT = (50_000, 5, 10)
"""As the gateway's own: a refusal is a cycle, and one that outlived a turn of the first waits for one of the others."""
QUIET_SECONDS = 10.0
"""Without a batch, after which the models of the common types are loaded, a type at a time (12 ms)."""
_PR_SET_DUMPABLE = 4


def check(raw: bytes, schema: R4Schema) -> Issue | None:
    """The first issue of one resource, through both stages."""
    try:
        value = loads(raw)
    except CallerError as error:
        return Issue(path=json_pointer(error.field), message=error.message)
    try:
        resource = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        # All else that is no JSON was refused before: the one thing that only a lossless parser takes.
        return Issue(path=json_pointer(_endless(value) or ()), message="is a number beyond the doubles")
    # What has "null" in a text costs the look for lone nulls in vain, and nothing else.
    issue = schema.check(resource, has_null=b"null" in raw)
    return issue or (None if is_plain(resource) else check_model(resource))


def _endless(value: JsonValue, at: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """The keys down to the first number that is infinite as a double."""
    if isinstance(value, Num):
        return at if math.isinf(value) else None
    members: Iterable[tuple[object, JsonValue]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    return next((found for key, one in members if (found := _endless(one, (*at, str(key)))) is not None), None)


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    schema = R4Schema()
    decoder = msgspec.msgpack.Decoder(list[bytes])
    # A resource is some hundred objects that die with it: looking for cycles among them took a quarter of the time.
    gc.freeze()
    gc.set_threshold(*COLLECT)
    _write(sink, [])
    _load_while_quiet(source)
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        resources = decoder.decode(source.read(LENGTH.unpack(head)[0]))
        found = ((index, check(raw, schema)) for index, raw in enumerate(resources))
        _write(sink, [(index, issue.path, issue.message) for index, issue in found if issue is not None])


def _load_while_quiet(source: BinaryIO) -> None:
    """Until something is asked. The first batch may find none of its models: then it loads those that it needs."""
    for after, kind in zip(chain([QUIET_SECONDS], repeat(0.0)), COMMON_TYPES, strict=False):
        if select.select([source], [], [], after)[0]:
            return
        load_models([kind])
    gc.freeze()


def _write(sink: BinaryIO, issues: list[tuple[int, str, str]]) -> None:
    body = msgspec.msgpack.encode(issues)
    sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()


def keep_to_itself() -> None:
    """No debugger of the same user: patients' resources pass through here. That no core is left it inherits."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    keep_to_itself()
    serve(sys.stdin.buffer, sys.stdout.buffer)
