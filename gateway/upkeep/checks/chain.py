"""The chain's events against the indexed ones, and each log's batches folded to its head."""

from gateway.errors import IntegrityError
from gateway.upkeep.batches import own_logs
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.wiring.looking import Looking, decode_args, encode_args
from gateway.wiring.upkeep import folded


async def check_events(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """The chain's events against the indexed ones, and each log's batches folded to its head."""
    cursor = parts.survey.one("cursor")
    heads: dict[bytes, bytes] = {}
    owned: set[bytes] = set()
    async for first, last, events in parts.chain_events(upto=0 if cursor is None else int(cursor[0])):
        rows = {(row[7], row[8]): row for row in parts.survey.rows("events", first=first, last=last)}
        owned |= set(own_logs(events, parts.gateway))
        for event in events:
            progress("events", 1)
            verdict.checked["events"] += 1
            row = rows.pop((event.block_hash, event.log_index), None)
            mine = (event.contract, event.name, *(*event.keys, None, None, None)[:3], encode_args(event.args))
            where = f"{event.name} in block {event.block_number}"
            if row is None:
                verdict.add(Fault.EVENT_MISSING, where)
            elif (*row[:5], encode_args(decode_args(row[5]))) != mine or row[9] != event.transaction:
                verdict.add(Fault.EVENT_FORGED, where)
            if event.name == "Anchored" and event.keys[0] in owned:
                log, args = event.keys[0], event.args
                root, digest, count = args["root"], args["manifestDigest"], args["count"]
                if not (isinstance(root, bytes) and isinstance(digest, bytes) and isinstance(count, int)):
                    raise IntegrityError("an Anchored event of another form")
                before = heads.get(log, bytes(32))
                heads[log] = folded(before, root=root, manifest_digest=digest, count=count)
                if heads[log] != args["head"]:
                    verdict.add(Fault.HEAD_BROKEN, f"log 0x{log.hex()} in block {event.block_number}")
                named.anchor(log, root, event.block_number.to_bytes(8, "big") + event.block_hash + event.transaction)
                if parts.survey.one("batch", log=log, root=root) is None:
                    verdict.add(Fault.BATCH_UNKNOWN, f"root 0x{root.hex()}")
        for row in rows.values():
            verdict.add(Fault.EVENT_FORGED, f"{row[1]} in block {row[6]}")
