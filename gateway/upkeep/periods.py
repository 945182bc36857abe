"""The audit of a period as a file that a third party checks: batches between two heads of the log, with their entries.

Entries stay sealed: the file shows how many there were and that none is missing, not whose they are. It links entries
of one patient with each other (their tokens are equal), so it is for an auditor, not for the public.
"""

from contextlib import AsyncExitStack

from anchoring.model import Event
from gateway import jsontext
from gateway.errors import CallerError
from gateway.settings import Settings
from gateway.upkeep.saving import CONTRACTS, ENTRY, FORMAT
from gateway.wiring.looking import Looking, open_looking, split_values
from gateway.wiring.secrets import secrets_of

Json = jsontext.JsonValue
LAST = 2**62


async def period_file(
    settings: Settings, *, first: int = 0, last: int = LAST, rpc: str | None = None
) -> dict[str, Json]:
    """Every audit batch of this instance that was anchored in blocks `first` to `last`. CallerError where none was."""
    async with AsyncExitStack() as closing:
        parts = await open_looking(settings, closing, rpc=rpc)
        instance = secrets_of(settings).instance
        log = parts.audit_log(instance)
        before, events = await _anchored(parts, log, first=first, last=last)
        if not events:
            raise CallerError("no audit batch of this instance was anchored in these blocks", field=("blocks",))
        return {
            "format": FORMAT,
            "deployment": _deployment(parts),
            "period": {
                "log": _hex(log),
                "instance": _hex(instance),
                "headBefore": _hex(before),
                "batches": [_batch(parts, event) for event in events],
            },
        }


async def _anchored(parts: Looking, log: bytes, *, first: int, last: int) -> tuple[bytes, list[Event]]:
    """The head before the first batch of the period, and the batches."""
    cursor = parts.survey.one("cursor")
    before, found = bytes(32), []
    async for _, _, events in parts.chain_events(upto=0 if cursor is None else int(cursor[0])):
        for event in events:
            if event.name == "Anchored" and event.keys[0] == log:
                head = event.args["head"]
                if event.block_number < first and isinstance(head, bytes):
                    before = head
                elif event.block_number <= last:
                    found.append(event)
    return before, found


def _batch(parts: Looking, event: Event) -> Json:
    root = event.args["root"]
    row = parts.survey.one("batch", log=event.keys[0], root=root)
    if row is None:
        raise CallerError("the index lacks a batch that the chain has: run `consentry verify`", field=("blocks",))
    entries: list[Json] = []
    for _, values, _, _ in parts.survey.rows("tickets of batch", batch=int(row[0])):
        writer, seq, _ = split_values(values)
        entry = parts.survey.one("sealed", writer=writer, seq=int.from_bytes(seq, "big"))
        if entry is None:
            raise CallerError("the index lacks an audit entry: run `consentry verify`", field=("blocks",))
        entries.append({name: _plain(value) for name, value in zip(ENTRY, entry, strict=True)})
    names = {"root": "root", "manifestDigest": "manifestDigest", "count": "count", "head": "head", "index": "index"}
    told: dict[str, Json] = {name: _plain(event.args[key]) for name, key in names.items()}
    return {**told, "blockNumber": event.block_number, "entries": entries}


def _deployment(parts: Looking) -> dict[str, Json]:
    found = parts.deployment
    named = {"identity": "IdentityRegistry", "consent": "ConsentRegistry", "anchor": "AnchorRegistry"}
    return {
        "chainId": found.chain_id,
        "genesis": found.genesis,
        "gateway": found.gateway,
        "contracts": {name: found.by_name()[named[name]] for name in CONTRACTS},
        "codes": {name: found.codes[named[name]] for name in CONTRACTS},
    }


def _plain(value: bytes | int) -> Json:
    return _hex(value) if isinstance(value, bytes) else value


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
